use std::{collections::VecDeque, net::SocketAddr};

use secrecy::SecretString;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};

use super::*;
use crate::egress::EgressPolicy;

/// A source, and the requests it got.
struct Source {
    address: SocketAddr,
    told: UnboundedReceiver<String>,
}

impl Source {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request that it has got, in lower case.
    async fn asked(&mut self) -> String {
        self.told.recv().await.unwrap().to_ascii_lowercase()
    }
}

/// A place to listen at, so that answers may name it.
async fn place() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Gives these answers in their order.
fn answering(listener: TcpListener, answers: impl IntoIterator<Item = String>) -> Source {
    let address = listener.local_addr().unwrap();
    let mut answers: VecDeque<String> = answers.into_iter().collect();
    let (tell, told) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(answer) = answers.pop_front() {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 8192];
            let n = stream.read(&mut request).await.unwrap();
            let _ = tell.send(String::from_utf8_lossy(&request[..n]).into_owned());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    Source { address, told }
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

fn moved(to: &str) -> String {
    answer(307, &format!("location: {to}\r\n"), "")
}

fn request(url: String) -> poll::Request {
    poll::Request::get(url).credentials("the-secret").header("x-key", SecretString::from("the-other-secret"))
}

async fn asked(request: &poll::Request, memory: &Memory) -> Asked {
    let egress = Egress::new(EgressPolicy { allow_private: true, require_tls: false }).unwrap();
    ask(&egress, &Hosts::default(), request, memory).await
}

fn status(asked: &Asked) -> u16 {
    match asked {
        Asked::Answer(response) => response.status,
        Asked::Unchanged => 304,
        Asked::Failed { why, .. } => panic!("{why}"),
    }
}

fn failed(asked: Asked) -> (String, Option<Span>) {
    match asked {
        Asked::Failed { why, wait } => (why, wait),
        _ => panic!("no failure"),
    }
}

#[tokio::test]
async fn secrets_follow_a_redirect_within_the_origin() {
    let (listener, _) = place().await;
    let mut source = answering(listener, [moved("/there"), answer(200, "", "{}")]);
    assert_eq!(status(&asked(&request(source.url("/here")), &Memory::default()).await), 200);
    for path in ["/here", "/there"] {
        let got = source.asked().await;
        assert!(got.starts_with(&format!("get {path} ")) && got.contains("bearer the-secret") && got.contains("the-other-secret"), "{got}");
    }
}

#[tokio::test]
async fn secrets_do_not_follow_a_redirect_to_another_port_nor_back_from_there() {
    let ((first, first_url), (second, second_url)) = (place().await, place().await);
    let mut source = answering(first, [moved(&format!("{second_url}/b")), answer(200, "", "{}")]);
    let mut other = answering(second, [moved(&format!("{first_url}/chosen"))]);
    assert_eq!(status(&asked(&request(source.url("/a")), &Memory::default()).await), 200);
    assert!(source.asked().await.contains("bearer the-secret"));
    for got in [other.asked().await, source.asked().await] {
        assert!(!got.contains("the-secret") && !got.contains("the-other-secret") && got.contains("accept: application/json"), "{got}");
    }
}

#[tokio::test]
async fn a_source_that_has_moved_and_wants_its_secret_there_is_told_of_with_its_new_address() {
    let ((first, first_url), (second, second_url)) = (place().await, place().await);
    answering(first, [moved(&format!("{second_url}/b?token=theirs"))]);
    answering(second, [answer(401, "", "")]);
    let (why, _) = failed(asked(&request(format!("{first_url}/a")), &Memory::default()).await);
    assert_eq!(
        why,
        format!(
            "the source has moved to {second_url}, which answered 401: its secret goes only where it was given for, so set the new address"
        )
    );
}
