//! The whole server within a program: files from the ring, an axum router behind them.
//!
//! ```text
//! cargo run --example fallback -- tests/site
//! curl -i http://127.0.0.1:8080/          # a file
//! curl -i http://127.0.0.1:8080/hello     # the router
//! ```
#![allow(clippy::print_stdout, reason = "an example says what it does")]

use axum::{Router, routing::get};
use whitering::{Bind, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args_os().nth(1).unwrap_or("public".into());
    let app: Router = Router::new().route("/hello", get(|| async { "hello\n" }));
    let server = Server::builder()
        .directory(directory)
        .bind(Bind::parse("127.0.0.1:8080")?)
        .fallback(app)
        .signals(true)
        .start()?;
    println!("listening on {}", server.summary().addresses[0]);
    println!("{:?}", server.run());
    Ok(())
}
