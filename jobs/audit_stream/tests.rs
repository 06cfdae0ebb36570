//! What is handed on arrives whole, in order, and again when it did not.

use std::path::PathBuf;

use domain::Timestamp;
use secrecy::SecretString;
use serde_json::Value;
use storage::{
    SecretBox, Wake,
    audit::{By, Entry},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, UdpSocket, UnixDatagram},
};

use super::*;
use crate::{egress::EgressPolicy, evaluator::Evaluator};

/// A log of its own with three acts.
struct Fixture {
    stream: AuditStream,
    syslog: Syslog,
    folder: PathBuf,
}

impl Fixture {
    async fn new(sink: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("fanal-stream-{}-{:08x}", std::process::id(), rand::random::<u32>()));
        let db = Db::open(&format!("sqlite://{}", folder.join("fanal.db").display())).await.unwrap();
        db.migrate().await.unwrap();
        let secrets = SecretBox::new(&SecretBox::generate_key()).unwrap();
        for i in 1..=3 {
            let by = By::system();
            let after = json!({ "text": format!("line {i}\n<13>1 forged") });
            let entry = Entry { by: &by, action: "a.b", resource: None, before: Value::Null, after, at: Timestamp(1_780_000_000_000 + i) };
            audit::note(&db, &secrets, &entry).await.unwrap();
        }
        let evaluator = Evaluator::new(db.clone(), Wake::new(db.clone()), secrets, Clock::default(), "tests".to_owned());
        let stream = AuditStream {
            health: evaluator.health(),
            db,
            clock: Clock::default(),
            sink: sink.parse().unwrap(),
            secret: Some(SecretString::from("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")),
            egress: Egress::new(EgressPolicy { allow_private: true, require_tls: false }).unwrap(),
            host: "lantern".to_owned(),
        };
        Self { stream, syslog: Syslog::new("lantern".to_owned()), folder }
    }

    async fn hand_on(&mut self) -> Result<usize, Refusal> {
        self.stream.hand_on(&mut self.syslog).await
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The number of the row in a message, if the message is one line as RFC 5424 has it.
fn number(message: &str) -> u64 {
    let (header, json) = message.split_once("] ").unwrap();
    assert!(header.starts_with("<109>1 2026-05-28T20:26:40.00"), "{message}");
    assert!(header.contains("Z lantern fanal - a.b [fanal@32473 id=\""), "{message}");
    assert!(!message.contains('\n'), "{message}");
    let entry: Value = serde_json::from_str(json).unwrap();
    entry["id"].as_u64().unwrap()
}

#[tokio::test]
async fn syslog_gets_a_datagram_for_each_act() {
    let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut fixture = Fixture::new(&format!("syslog+udp://{}", receiver.local_addr().unwrap())).await;
    assert_eq!(fixture.hand_on().await.unwrap(), 3);
    assert_eq!(fixture.hand_on().await.unwrap(), 0, "nothing comes twice without need");
    let mut buffer = [0; 65_536];
    for i in 1..=3 {
        let n = receiver.recv(&mut buffer).await.unwrap();
        assert_eq!(number(std::str::from_utf8(&buffer[..n]).unwrap()), i);
    }
}

#[tokio::test]
async fn a_socket_that_is_not_there_yet_gets_everything_once_it_is() {
    let mut fixture = Fixture::new("syslog+unix:///nowhere").await;
    let path = fixture.folder.join("log");
    fixture.stream.sink = Sink::SyslogUnix(path.clone());
    assert!(fixture.hand_on().await.is_err());
    let receiver = UnixDatagram::bind(&path).unwrap();
    assert_eq!(fixture.hand_on().await.unwrap(), 3);
    let mut buffer = [0; 65_536];
    for i in 1..=3 {
        let n = receiver.recv(&mut buffer).await.unwrap();
        assert_eq!(number(std::str::from_utf8(&buffer[..n]).unwrap()), i);
    }
}

#[tokio::test]
async fn a_connection_that_broke_is_made_again() {
    let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut fixture = Fixture::new(&format!("syslog+tcp://{}", receiver.local_addr().unwrap())).await;
    let (sent, connection) = tokio::join!(fixture.hand_on(), async { receiver.accept().await.unwrap().0 });
    assert_eq!(sent.unwrap(), 3);
    let mut connection = BufReader::new(connection);
    for i in 1..=3 {
        let mut length = Vec::new();
        connection.read_until(b' ', &mut length).await.unwrap();
        let mut message = vec![0; String::from_utf8(length).unwrap().trim().parse().unwrap()];
        connection.read_exact(&mut message).await.unwrap();
        assert_eq!(number(std::str::from_utf8(&message).unwrap()), i);
    }
    drop(connection);
    let mut tx = fixture.stream.db.begin().await.unwrap();
    let secrets = SecretBox::new(&SecretBox::generate_key()).unwrap();
    let by = By::system();
    let entry = Entry { by: &by, action: "a.b", resource: None, before: Value::Null, after: Value::Null, at: Timestamp(1_780_000_000_000) };
    audit::record(&mut tx, &secrets, &entry).await.unwrap();
    tx.commit().await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (sent, _connection) = tokio::join!(fixture.hand_on(), async { receiver.accept().await.unwrap().0 });
    assert_eq!(sent.unwrap(), 2, "the act, and the broken seal that another key means");
}

#[tokio::test]
async fn a_webhook_is_signed_and_comes_again_until_it_is_taken() {
    let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut fixture = Fixture::new(&format!("http://{}/audit", receiver.local_addr().unwrap())).await;
    let answers = tokio::spawn(async move {
        let mut requests = Vec::new();
        for status in ["500 Broken", "200 OK"] {
            let (mut connection, _) = receiver.accept().await.unwrap();
            let (mut request, mut buffer) = (String::new(), [0; 65_536]);
            while !request.ends_with("\"type\":\"audit\"}") {
                let n = connection.read(&mut buffer).await.unwrap();
                request.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
            }
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            connection.write_all(answer.as_bytes()).await.unwrap();
            requests.push(request);
        }
        requests
    });
    assert!(fixture.hand_on().await.is_err());
    assert_eq!(fixture.hand_on().await.unwrap(), 3);
    let requests = answers.await.unwrap();
    for request in &requests {
        assert!(request.contains("webhook-id: audit_1_3\r\n") && request.contains("webhook-signature: v1,"), "{request}");
    }
    let body: Value = serde_json::from_str(requests[1].split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["entries"].as_array().unwrap().len(), 3);
}

#[test]
fn a_place_says_how_to_get_there() {
    assert_eq!("syslog+udp://log.example".parse(), Ok(Sink::SyslogUdp("log.example:514".to_owned())));
    assert_eq!("syslog+tcp://[::1]:6514".parse(), Ok(Sink::SyslogTcp("[::1]:6514".to_owned())));
    assert_eq!("syslog+unix:///dev/log".parse(), Ok(Sink::SyslogUnix("/dev/log".into())));
    for bad in ["", "log", "syslog+udp://", "syslog+unix:", "ftp://x", "syslog://x"] {
        assert_eq!(bad.parse::<Sink>(), Err(SinkError), "{bad}");
    }
}
