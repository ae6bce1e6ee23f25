//! Files in an axum application that has its own server.
//!
//! ```text
//! cargo run --example axum -- tests/site
//! curl -i http://127.0.0.1:8081/          # a file
//! curl -i http://127.0.0.1:8081/hello     # the router
//! ```
#![allow(clippy::print_stdout, reason = "an example says what it does")]

use axum::{Router, routing::get};
use whitering::{Assets, Config};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args_os().nth(1).unwrap_or("public".into());
    let assets = Assets::load(&Config::for_directory(directory))?;
    println!("{} files", assets.file_count());
    let app = Router::new()
        .route("/hello", get(|| async { "hello\n" }))
        .fallback_service(assets);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8081").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
