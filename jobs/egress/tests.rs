use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

fn egress(policy: EgressPolicy) -> Egress {
    Egress::new(policy).unwrap()
}

fn get(url: &str) -> Request {
    let url = Url::parse(url).unwrap();
    Request {
        method: Method::GET,
        url,
        headers: HeaderMap::new(),
        body: Vec::new(),
        timeout: Duration::from_secs(5),
        max_response_bytes: MAX_RESPONSE_BYTES,
    }
}

/// A server on loopback that gives everyone the same answer and counts callers.
async fn serve(answer: String) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    (port, calls)
}

#[test]
fn ghsa_qjxc_h5jf_c7rj_urls_that_lead_inside_are_refused_however_they_are_spelled() {
    let refused = [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://127.0.0.1./",
        "http://①②⑦.⓪.⓪.①/",
        "http://%31%32%37.0.0.1/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://a.localhost/",
        "http://localhost.localdomain/",
        "http://printer.local/",
        "http://metadata.google.internal/",
        "http://instance-data/",
        "http://10.0.0.1/",
        "http://0xa.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
        "http://127.0.0.1:8080\\@hooks.example.com/",
    ];
    let egress = egress(EgressPolicy::default());
    for url in refused {
        assert!(matches!(egress.check_url(url), Err(EgressError::Refused(_))), "{url}: {:?}", egress.check_url(url));
    }
}

#[test]
fn cve_2024_56331_urls_that_are_not_plain_web_addresses_are_refused() {
    let refused = [
        "",
        "hooks.example.com",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "gopher://hooks.example.com/",
        "data:text/plain,x",
        "javascript:alert(1)",
        "http://",
        "http:///",
        "http://user@hooks.example.com/",
        "http://user:pass@hooks.example.com/",
        "http://:pass@hooks.example.com/",
        "http://hooks.example.com:0/",
        "http://hooks.example.com:22/",
        "http://hooks.example.com:6379/",
        "http://hooks.example.com:99999/",
        "http://hooks.example.com/#@127.0.0.1/",
        "http://[fe80::1%25eth0]/",
        "http://exa mple.com/",
        "http://256.256.256.256/",
        "http://1.2.3.4.5/",
    ];
    let open = egress(EgressPolicy { allow_private: true, require_tls: false });
    for url in refused {
        assert!(matches!(open.check_url(url), Err(EgressError::Url(_))), "{url}: {:?}", open.check_url(url));
    }
    assert!(open.check_url(&format!("https://hooks.example.com/{}", "a".repeat(MAX_URL_BYTES))).is_err());
    let strict = egress(EgressPolicy { allow_private: false, require_tls: true });
    assert!(strict.check_url("http://hooks.example.com/").is_err());
    for url in ["https://hooks.example.com/in?key=1", "https://hooks.example.com:8443/", "https://1.1.1.1/", "https://[2606:4700::1111]/"] {
        assert!(strict.check_url(url).is_ok(), "{url}");
    }
}

#[tokio::test]
async fn a_public_name_with_a_private_address_is_not_called() {
    let (port, calls) = serve("HTTP/1.1 204 No Content\r\n\r\n".to_owned()).await;
    for answer in [vec!["127.0.0.1"], vec!["1.1.1.1", "127.0.0.1"], vec!["::1"], vec!["::ffff:127.0.0.1"], vec!["169.254.169.254"]] {
        let addresses: Vec<IpAddr> = answer.iter().map(|text| text.parse().unwrap()).collect();
        let lookup: Lookup = Arc::new(move |_| Box::pin(std::future::ready(Ok(addresses.clone()))));
        let egress = Egress::with_lookup(EgressPolicy::default(), lookup).unwrap();
        let failed = egress.send(get(&format!("http://hooks.example.com:{port}/"))).await.unwrap_err();
        assert!(matches!(failed, EgressError::Refused(_)), "{answer:?}: {failed}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_called() {
    let (port, calls) = serve("HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
    let lookups = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&lookups);
    let lookup: Lookup = Arc::new(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(Ok(vec![IpAddr::from([127, 0, 0, 1])])))
    });
    let egress = Egress::with_lookup(EgressPolicy { allow_private: true, require_tls: false }, lookup).unwrap();
    assert_eq!(egress.send(get(&format!("http://hooks.example.com:{port}/"))).await.unwrap().status, 204);
    assert_eq!((lookups.load(Ordering::SeqCst), calls.load(Ordering::SeqCst)), (1, 1));
}

#[tokio::test]
async fn a_literal_address_is_checked_although_nothing_is_resolved() {
    let (port, calls) = serve("HTTP/1.1 204 No Content\r\n\r\n".to_owned()).await;
    let failed = egress(EgressPolicy::default()).send(get(&format!("http://127.0.0.1:{port}/"))).await.unwrap_err();
    assert!(matches!(failed, EgressError::Refused(_)), "{failed}");
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn redirects_are_answers_and_long_answers_are_cut() {
    let open = egress(EgressPolicy { allow_private: true, require_tls: false });
    let (inside, calls) = serve("HTTP/1.1 200 OK\r\n\r\n".to_owned()).await;
    let (port, _) = serve(format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{inside}/\r\ncontent-length: 0\r\n\r\n")).await;
    assert_eq!(open.send(get(&format!("http://127.0.0.1:{port}/"))).await.unwrap().status, 302);
    assert_eq!(calls.load(Ordering::SeqCst), 0);

    let long = "x".repeat(3 * MAX_RESPONSE_BYTES);
    let (port, _) = serve(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{long}", long.len())).await;
    assert_eq!(open.send(get(&format!("http://127.0.0.1:{port}/"))).await.unwrap().body.len(), MAX_RESPONSE_BYTES);
}

#[tokio::test]
async fn silence_and_a_closed_port_are_told_apart() {
    let open = egress(EgressPolicy { allow_private: true, require_tls: false });
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut request = get(&format!("http://127.0.0.1:{port}/"));
    request.timeout = Duration::from_millis(50);
    assert!(matches!(open.send(request).await, Err(EgressError::Timeout)));
    drop(silent);
    assert!(matches!(open.send(get(&format!("http://127.0.0.1:{port}/"))).await, Err(EgressError::Connection(_))));
}
