//! Files in front of a service, on plain hyper.
//!
//! ```text
//! cargo run --example hyper -- tests/site
//! curl -i http://127.0.0.1:8082/          # a file
//! curl -i http://127.0.0.1:8082/hello     # the service
//! ```
#![allow(clippy::print_stdout, reason = "an example says what it does")]

use std::convert::Infallible;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tower_service::Service;
use whitering::{Assets, Config};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args_os().nth(1).unwrap_or("public".into());
    let assets = Assets::load(&Config::for_directory(directory))?;
    let hello = tower::service_fn(|request: Request<Incoming>| async move {
        let text = format!("hello from {}\n", request.uri().path());
        Ok::<_, Infallible>(Response::new(text))
    });
    let app = assets.with_fallback(hello);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8082").await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        let app = app.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| app.clone().call(request));
            let connection = hyper::server::conn::http1::Builder::new();
            // A client that goes away is no concern of ours.
            let _ = connection
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}
