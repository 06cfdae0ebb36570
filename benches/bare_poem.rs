//! The least that poem can do: one handler that answers every GET of `/` with bytes and headers held in memory.
//!
//! `bare-poem ADDRESS BODY HEADERS`, the headers as lines of `name: value`.

use anyhow::{Context, Result};
use bytes::Bytes;
use poem::{
    Body, EndpointExt, Response, Route, Server, get, handler,
    http::{HeaderMap, HeaderName, HeaderValue},
    listener::TcpListener,
    web::Data,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Clone)]
struct Document {
    headers: HeaderMap,
    body: Bytes,
}

#[handler]
fn serve(Data(document): Data<&Document>) -> Response {
    let mut response = Response::default();
    *response.headers_mut() = document.headers.clone();
    response.set_body(Body::from(document.body.clone()));
    response
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, body, headers] = arguments.as_slice() else { anyhow::bail!("usage: bare-poem ADDRESS BODY HEADERS") };
    let document = Document { headers: read_headers(&std::fs::read_to_string(headers)?)?, body: std::fs::read(body)?.into() };
    let routes = Route::new().at("/", get(serve)).data(document);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(Server::new(TcpListener::bind(address)).run(routes)).context("the server ended")
}

fn read_headers(text: &str) -> Result<HeaderMap> {
    let pair = |line: &str| {
        let (name, value) = line.split_once(": ").context("a header without a colon")?;
        Ok((name.parse::<HeaderName>()?, value.parse::<HeaderValue>()?))
    };
    text.lines().map(pair).collect()
}
