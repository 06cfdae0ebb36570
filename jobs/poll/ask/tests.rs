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

/// Asks as a source of this many pages is asked.
async fn asked_for(pages: Option<Pages>, request: &poll::Request, memory: &Memory) -> Asked {
    let egress = Egress::new(EgressPolicy { allow_private: true, require_tls: false }).unwrap();
    let way = Way { egress: &egress, hosts: &Hosts::default(), clock: &Clock::default() };
    let poll = Poll { every: Span::secs(60), at_least: Span::secs(30), request: |_, _| Ok(poll::Request::get("")), pages };
    way.ask(&poll, request, memory).await
}

async fn asked(request: &poll::Request, memory: &Memory) -> Asked {
    asked_for(None, request, memory).await
}

fn status(asked: &Asked) -> u16 {
    match asked {
        Asked::Answer { response, .. } => response.status,
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

/// A source of numbers that says whether there are more.
const NUMBERS: Pages = Pages { turn: |page| ("page", page), lists: &["numbers"], total: None, more: |page, _| Ok(page["more"] == true) };

fn numbers(numbers: &[u32], more: bool) -> String {
    answer(200, "etag: \"of-one-page\"\r\n", &serde_json::json!({"numbers": numbers, "more": more}).to_string())
}

fn remembered() -> Memory {
    Memory { etag: Some("\"before\"".to_owned()), ..Memory::default() }
}

async fn source_of(answers: impl IntoIterator<Item = String>) -> Source {
    answering(place().await.0, answers)
}

#[tokio::test]
async fn all_pages_are_one_answer_and_only_the_first_is_asked_for_conditionally() {
    let mut source = source_of([numbers(&[1, 2], true), numbers(&[3], true), numbers(&[4], false)]).await;
    let Asked::Answer { response, n_pages } = asked_for(Some(NUMBERS), &request(source.url("/n?a=b")), &remembered()).await else {
        panic!()
    };
    assert_eq!((n_pages, response.status), (3, 200));
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(body, serde_json::json!({"numbers": [1, 2, 3, 4], "more": false}));
    assert!(!response.headers.contains_key(ETAG), "next time a tag of one page must not stand for all of them");
    let asked = [source.asked().await, source.asked().await, source.asked().await];
    for (request, (path, conditional)) in asked.iter().zip([("/n?a=b", true), ("/n?a=b&page=1", false), ("/n?a=b&page=2", false)]) {
        assert!(request.starts_with(&format!("get {path} ")) && request.contains("bearer the-secret"), "{request}");
        assert_eq!(request.contains("if-none-match"), conditional, "{request}");
    }
}

#[tokio::test]
async fn one_page_is_left_as_it_came_and_may_be_unchanged() {
    let source = source_of([numbers(&[1], false), answer(304, "", "")]).await;
    let request = request(source.url("/n"));
    let Asked::Answer { response, n_pages } = asked_for(Some(NUMBERS), &request, &Memory::default()).await else { panic!() };
    assert_eq!((n_pages, &*response.body), (1, &br#"{"more":false,"numbers":[1]}"#[..]));
    assert!(response.headers.contains_key(ETAG));
    assert!(matches!(asked_for(Some(NUMBERS), &request, &remembered()).await, Asked::Unchanged));
}

#[tokio::test]
async fn a_page_that_fails_fails_all_of_them() {
    let later = |status, headers: &str, body: &str| [numbers(&[1], true), answer(status, headers, body)];
    for (answers, why, wait) in [
        (later(500, "", ""), "page 2: the source answered 500", None),
        (later(429, "retry-after: 90\r\n", ""), "page 2: the source answered 429", Some(Span::secs(90))),
        (later(304, "", ""), "page 2: the source answered 304", None),
        (later(200, "", "{}"), "page 2: `numbers` is missing", None),
        (
            [numbers(&[1], true), numbers(&[1], true)],
            "page 2: `numbers`: is that of the page before: the source does not turn its pages",
            None,
        ),
    ] {
        let source = source_of(answers).await;
        let found = failed(asked_for(Some(NUMBERS), &request(source.url("/n")), &remembered()).await);
        assert_eq!(found, (why.to_owned(), wait));
    }
}

#[tokio::test]
async fn a_page_for_which_there_is_no_room_is_left_out_and_the_answer_still_says_that_there_is_more() {
    let long = "x".repeat(MAX_ANSWER_BYTES);
    let source = source_of([numbers(&[1], true), answer(200, "", &format!(r#"{{"numbers":[2],"filler":"{long}"}}"#))]).await;
    let Asked::Answer { response, n_pages } = asked_for(Some(NUMBERS), &request(source.url("/n")), &Memory::default()).await else {
        panic!()
    };
    assert_eq!((n_pages, &*response.body), (1, &br#"{"more":true,"numbers":[1]}"#[..]));
}

#[tokio::test]
async fn what_is_no_page_is_left_to_whoever_reads_the_answer() {
    let source = source_of([answer(200, "", "<html>")]).await;
    assert_eq!(status(&asked_for(Some(NUMBERS), &request(source.url("/n")), &Memory::default()).await), 200);
    let source = source_of([answer(304, "", "")]).await;
    assert_eq!(status_of_answer(asked(&request(source.url("/n")), &Memory::default()).await), 304, "nobody asked on conditions");
}

fn status_of_answer(asked: Asked) -> u16 {
    if let Asked::Answer { response, .. } = asked { response.status } else { panic!("no answer") }
}
