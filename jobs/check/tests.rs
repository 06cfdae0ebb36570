use std::{net::SocketAddr, sync::Arc};

use hickory_proto::{
    op::{Message, OpCode, ResponseCode},
    rr::{Name, RData, Record},
};
use integrations::{
    Settings,
    check::{DnsCode, FailureKind},
    poll::Ask,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, UdpSocket},
};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::egress::EgressPolicy;

fn open() -> Egress {
    Egress::new(EgressPolicy { allow_private: true, require_tls: false }).unwrap()
}

fn now() -> Timestamp {
    crate::Clock::default().now()
}

/// Tries what the settings of a provider say.
async fn try_with(egress: &Egress, provider: &str, settings: Value) -> Result<Measured, EgressError> {
    let provider = integrations::find(provider).unwrap();
    assert_eq!((provider.check_settings)(&settings), Ok(()));
    let Some(Ask::Check(check)) = &provider.poll else { panic!("not a check") };
    let probe = (check.probe)(&Settings::new(settings), &[SecretString::from("the-secret")]).unwrap();
    measure(egress, &probe, now()).await
}

async fn tried(provider: &str, settings: Value) -> Measured {
    try_with(&open(), provider, settings).await.unwrap()
}

fn kind(measured: &Measured) -> Option<FailureKind> {
    measured.failure.as_ref().map(|failure| failure.kind)
}

/// What a server does with each of its connections.
#[derive(Clone)]
enum Manner {
    Say(&'static str),
    SayAndBreak(&'static str),
    Silent,
    /// Takes the request and resets the connection.
    Reset,
    /// Lets some time pass before each.
    Drip(&'static [&'static str]),
}

/// A server that says what it is told to, and hands out the requests it got.
async fn server(manner: Manner) -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if matches!(manner, Manner::Reset) {
                stream.set_zero_linger().unwrap();
            }
            tokio::spawn(serve(stream, manner.clone(), tell.clone()));
        }
    });
    (address, told)
}

async fn serve<S: AsyncReadExt + AsyncWriteExt + Unpin>(mut stream: S, manner: Manner, tell: tokio::sync::mpsc::UnboundedSender<String>) {
    let mut request = vec![0; 4096];
    let n = stream.read(&mut request).await.unwrap_or(0);
    let _ = tell.send(String::from_utf8_lossy(&request[..n]).into_owned());
    match manner {
        Manner::Say(text) | Manner::SayAndBreak(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            if matches!(manner, Manner::Say(_)) {
                let _ = stream.read(&mut request).await;
            }
        }
        Manner::Silent => std::future::pending().await,
        Manner::Reset => {}
        Manner::Drip(texts) => {
            for text in texts {
                tokio::time::sleep(Duration::from_millis(150)).await;
                let _ = stream.write_all(text.as_bytes()).await;
            }
        }
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello";

#[tokio::test]
async fn an_answer_is_written_down_with_how_long_each_step_took() {
    let (address, mut told) = server(Manner::Drip(&["HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 5\r\n\r\n", "hel", "lo"])).await;
    let settings = json!({"url": format!("http://{address}/health?a=1"), "expect": {"headers": {"X-A": "1"}}});
    let measured = tried("http", settings).await;
    assert_eq!((measured.status, measured.body.as_deref(), measured.failure.as_ref()), (Some(200), Some("hello"), None));
    assert_eq!(measured.headers["x-a"], "1");
    assert_eq!(measured.address, Some(address.to_string()));
    let timings = measured.timings;
    assert!(timings.first_byte.unwrap() >= 100.0 && timings.total.unwrap() >= timings.first_byte.unwrap() + 200.0, "{timings:?}");
    assert!(timings.dns.is_some() && timings.connect.is_some() && timings.tls.is_none(), "{timings:?}");
    let request = told.recv().await.unwrap();
    assert!(request.starts_with("GET /health?a=1 HTTP/1.1\r\n") && request.contains(&format!("host: {address}\r\n")), "{request}");
    assert!(request.contains("authorization: Bearer the-secret"), "{request}");
}

#[tokio::test]
async fn whatever_goes_wrong_is_a_finding_of_its_own() {
    let nobody = { TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap() };
    let measured = tried("http", json!({"url": format!("http://{nobody}/")})).await;
    assert_eq!(kind(&measured), Some(FailureKind::ConnectionRefused));
    for (manner, expected) in [
        (Manner::Reset, FailureKind::ConnectionLost),
        (Manner::SayAndBreak("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhel"), FailureKind::ConnectionLost),
        (Manner::Say("220 smtp.example.com\r\n\r\n"), FailureKind::Protocol),
        (Manner::Silent, FailureKind::Timeout),
    ] {
        let (address, _told) = server(manner).await;
        let measured = tried("http", json!({"url": format!("http://{address}/"), "timeout": "700ms"})).await;
        assert_eq!(kind(&measured), Some(expected), "{measured:?}");
    }
    let measured = tried("http", json!({"url": "http://no-such-name.invalid/"})).await;
    assert_eq!(kind(&measured), Some(FailureKind::Resolve));
}

#[tokio::test]
async fn a_redirect_is_followed_without_the_secret_and_not_to_where_we_do_not_go() {
    let (target, mut at_target) = server(Manner::Say(OK)).await;
    let text = format!("HTTP/1.1 302 Found\r\nlocation: http://{target}/there#part\r\ncontent-length: 0\r\n\r\n");
    let (first, _told) = server(Manner::Say(Box::leak(text.into_boxed_str()))).await;
    let url = format!("http://{first}/");
    let measured = tried("http", json!({"url": url.as_str()})).await;
    assert_eq!((measured.status, measured.body.as_deref()), (Some(200), Some("hello")));
    let request = at_target.recv().await.unwrap();
    assert!(request.starts_with("GET /there HTTP/1.1") && !request.contains("the-secret"), "{request}");
    let measured = tried("http", json!({"url": url.as_str(), "follow_redirects": false})).await;
    assert_eq!(measured.status, Some(302));

    let (first, _told) =
        server(Manner::Say("HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest\r\ncontent-length: 0\r\n\r\n")).await;
    let measured = tried("http", json!({"url": format!("http://{first}/")})).await;
    assert_eq!(kind(&measured), Some(FailureKind::Redirect), "{measured:?}");
}

#[tokio::test]
async fn what_is_not_called_is_no_finding() {
    let strict = Egress::new(EgressPolicy::default()).unwrap();
    for (provider, settings) in [
        ("http", json!({"url": "http://127.0.0.1:8080/"})),
        ("http", json!({"url": "http://[::1]/"})),
        ("tcp", json!({"host": "127.0.0.1", "port": 22})),
        ("tcp", json!({"host": "127.1", "port": 22})),
        ("tcp", json!({"host": "0x7f.1", "port": 22})),
        ("tcp", json!({"host": "2130706433", "port": 22})),
        ("tcp", json!({"host": "localhost", "port": 22})),
        ("tcp", json!({"host": "::ffff:10.0.0.1", "port": 22})),
        ("tls", json!({"host": "169.254.169.254"})),
        ("tls", json!({"host": "router.internal"})),
        ("dns", json!({"name": "www.example.com", "resolver": "10.0.0.1"})),
        ("dns", json!({"name": "db.internal"})),
    ] {
        let refused = try_with(&strict, provider, settings.clone()).await;
        assert!(matches!(refused, Err(EgressError::Refused(_))), "{settings}: {refused:?}");
    }
    let metadata = try_with(&open(), "tcp", json!({"host": "169.254.169.254", "port": 80})).await;
    assert!(matches!(metadata, Err(EgressError::Refused(_))), "{metadata:?}");
}

#[tokio::test]
async fn a_port_answers_and_perhaps_says_what_it_should() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"220 mail").await;
            let _ = stream.write_all(b".example.com ready\r\n").await;
            kept.push(stream);
        }
    });
    let measured = tried("tcp", json!({"host": "127.0.0.1", "port": address.port()})).await;
    assert_eq!((measured.failure, measured.body), (None, None));
    let measured = tried("tcp", json!({"host": "localhost", "ip": "v4", "port": address.port(), "expect": "example.com ready"})).await;
    assert_eq!(measured.failure, None);
    assert!(measured.body.unwrap().starts_with("220 mail.example.com"));
    let settings = json!({"host": "127.0.0.1", "port": address.port(), "expect": "SSH", "timeout": "500ms"});
    let measured = tried("tcp", settings).await;
    assert_eq!((kind(&measured), measured.body.is_some()), (Some(FailureKind::Timeout), true), "it waits for what does not come");
}

/// An authority of the test's own.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A TLS server with a certificate for `name`, made by `authority` or by itself, valid in these years.
async fn tls_server(name: &str, authority: Option<&CertifiedIssuer<'static, KeyPair>>, years: (i32, i32)) -> SocketAddr {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
    let key = KeyPair::generate().unwrap();
    let certificate = match authority {
        Some(authority) => params.signed_by(&key, authority).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.local_addr().unwrap();
    let (tell, _) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, tell) = (acceptor.clone(), tell.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, Manner::Say(OK), tell).await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_certificates_faults_are_told_apart_and_never_stop_the_look_at_it() {
    let authority = authority();
    let egress = open().trusting(authority.der().clone());
    let (young, old) = ((2020, 2100), (2001, 2002));
    for (name, signed, years, expected) in [
        ("status.example.com", true, young, None),
        ("status.example.com", true, old, Some(FailureKind::CertificateExpired)),
        ("status.example.com", true, (2099, 2100), Some(FailureKind::CertificateNotYetValid)),
        ("other.example.com", true, young, Some(FailureKind::CertificateName)),
        ("status.example.com", false, young, Some(FailureKind::CertificateChain)),
    ] {
        let address = tls_server(name, signed.then_some(&authority), years).await;
        let settings = json!({"host": "127.0.0.1", "port": address.port(), "server_name": "status.example.com"});
        let measured = try_with(&egress, "tls", settings).await.unwrap();
        assert_eq!(measured.failure, None);
        let certificate = measured.certificate.unwrap();
        assert_eq!(
            (certificate.name_matches, certificate.chain_error.is_none()),
            (name == "status.example.com", signed),
            "{certificate:?}"
        );
        assert_eq!(certificate.failure("status.example.com", now()).map(|failure| failure.kind), expected, "{certificate:?}");
        assert!(certificate.not_after.to_string().starts_with(&years.1.to_string()) && measured.timings.tls.is_some());
    }
    let (plain, _told) = server(Manner::Say("HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    let measured = tried("tls", json!({"host": "127.0.0.1", "port": plain.port()})).await;
    assert_eq!((kind(&measured), measured.certificate), (Some(FailureKind::Tls), None));
}

#[tokio::test]
async fn a_request_is_sent_only_to_who_has_the_right_certificate() {
    let authority = authority();
    let egress = open().trusting(authority.der().clone());
    for (name, expected) in [("localhost", None), ("other.example.com", Some(FailureKind::CertificateName))] {
        let address = tls_server(name, Some(&authority), (2020, 2100)).await;
        let settings = json!({"url": format!("https://localhost:{}/", address.port()), "ip": "v4"});
        let measured = try_with(&egress, "http", settings).await.unwrap();
        assert_eq!((kind(&measured), measured.status), (expected, expected.is_none().then_some(200)), "{measured:?}");
        assert!(measured.timings.tls.is_some() && measured.certificate.is_some());
    }
}

/// A name server that answers every question in the same way.
async fn name_server(code: ResponseCode, records: Vec<RData>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((n, from)) = socket.recv_from(&mut buffer).await {
            let asked = Message::from_vec(&buffer[..n]).unwrap();
            let mut answer = Message::response(asked.metadata.id, OpCode::Query);
            answer.metadata.response_code = code;
            let name = asked.queries[0].name.clone();
            answer.add_query(asked.queries[0].clone());
            // Somebody else's answer comes first.
            let mut forged = answer.clone();
            forged.metadata.id = asked.metadata.id.wrapping_add(1);
            forged.metadata.response_code = ResponseCode::Refused;
            socket.send_to(&forged.to_vec().unwrap(), from).await.unwrap();
            for data in &records {
                answer.add_answer(Record::from_rdata(name.clone(), 60, data.clone()));
            }
            socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn a_name_server_has_many_ways_to_say_no() {
    use hickory_proto::rr::rdata::{A, MX, TXT};
    let a = |last| RData::A(A::new(192, 0, 2, last));
    let ask = async |code, records: Vec<RData>, record: &str| {
        let server = name_server(code, records).await;
        tried("dns", json!({"name": "www.example.com", "record": record, "resolver": server.to_string()})).await.dns.unwrap()
    };
    let answer = ask(ResponseCode::NoError, vec![a(2), a(1)], "A").await;
    assert_eq!((answer.code, answer.records), (DnsCode::Noerror, vec!["192.0.2.1".to_owned(), "192.0.2.2".to_owned()]));
    let mx = RData::MX(MX::new(10, Name::from_ascii("mx.example.com.").unwrap()));
    assert_eq!(ask(ResponseCode::NoError, vec![mx], "MX").await.records, ["10 mx.example.com"]);
    let txt = RData::TXT(TXT::new(vec!["v=spf1 ".to_owned(), "-all".to_owned()]));
    assert_eq!(ask(ResponseCode::NoError, vec![txt], "TXT").await.records, ["v=spf1 -all"]);
    for (code, expected) in [
        (ResponseCode::NoError, DnsCode::Noerror),
        (ResponseCode::NXDomain, DnsCode::Nxdomain),
        (ResponseCode::ServFail, DnsCode::Servfail),
        (ResponseCode::Refused, DnsCode::Refused),
    ] {
        let answer = ask(code, Vec::new(), "AAAA").await;
        assert_eq!((answer.code, answer.records.len()), (expected, 0));
    }
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let settings = json!({"name": "www.example.com", "resolver": silent.local_addr().unwrap().to_string(), "timeout": "300ms"});
    let measured = tried("dns", settings).await;
    assert_eq!((kind(&measured), measured.dns), (Some(FailureKind::Timeout), None));
}

#[tokio::test]
async fn one_silent_try_takes_no_longer_than_it_may() {
    let (address, _told) = server(Manner::Silent).await;
    let began = Instant::now();
    let measured = tried("http", json!({"url": format!("http://{address}/"), "timeout": "300ms"})).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(measured.timings.total.unwrap() >= 300.0);
    assert_eq!(measured.failure.unwrap().text, "no answer in time");
}

/// Both are right, depending on the system; which one it is, `fanal doctor` says in the same words.
#[tokio::test]
async fn a_host_answers_echo_requests_unless_the_system_lets_us_send_none() {
    let tried = try_with(&open(), "icmp", json!({"host": "127.0.0.1", "timeout": "5s"})).await;
    match crate::egress::echo_allowed() {
        Ok(()) => {
            let measured = tried.unwrap();
            assert_eq!((measured.failure, measured.address.as_deref()), (None, Some("127.0.0.1")));
            assert!(measured.timings.first_byte.is_some_and(|took| took < 5000.0), "{:?}", measured.timings);
        }
        Err(not_allowed) => {
            assert_eq!(tried.unwrap_err().to_string(), not_allowed.to_string());
            assert!(not_allowed.to_string().contains("net.ipv4.ping_group_range"), "{not_allowed}");
        }
    }
    let inside = try_with(&Egress::new(EgressPolicy::default()).unwrap(), "icmp", json!({"host": "169.254.169.254"})).await;
    assert!(matches!(inside, Err(EgressError::Refused(_))), "{inside:?}");
}
