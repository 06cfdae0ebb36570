//! HTTP/1.1, each request on a connection of its own.

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{HOST, HeaderName, HeaderValue, LOCATION, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use integrations::check::{Failure, FailureKind, HttpProbe};
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::{Attempt, add, tls};
use crate::egress::{EgressError, GivenFor, Trouble};

/// Redirects followed for one answer; each goes through the same guard.
const MAX_REDIRECTS: usize = 5;

pub(super) async fn run(attempt: &mut Attempt<'_>, probe: &HttpProbe) -> Result<(), Trouble> {
    let mut url = attempt.egress.check_url(&probe.request.url)?;
    let mut secrets = GivenFor::new(&url);
    let (mut method, mut with_body) = (probe.method, true);
    for _ in 0..=MAX_REDIRECTS {
        let request = request(probe, method, with_body, &url, secrets.may_go_to(&url))?;
        let answer = exchange(attempt, &url, request).await?;
        let status = answer.status().as_u16();
        let next = answer.headers().get(LOCATION).and_then(|value| url.join(value.to_str().ok()?).ok());
        match next.filter(|_| probe.follow_redirects && (300..=399).contains(&status) && status != 304) {
            None => return take(attempt, probe, answer).await,
            Some(next) => {
                if status == 303 || (matches!(status, 301 | 302) && method == "POST") {
                    (method, with_body) = (if method == "HEAD" { "HEAD" } else { "GET" }, false);
                }
                // Where it leads is the server's doing, so that we do not go there is a finding.
                url = attempt
                    .egress
                    .check_url(without_fragment(next).as_str())
                    .map_err(|error| Failure::new(FailureKind::Redirect, format!("redirected to where Fanal does not go: {error}")))?;
            }
        }
    }
    Err(Failure::new(FailureKind::Redirect, format!("more than {MAX_REDIRECTS} redirects")).into())
}

fn without_fragment(mut url: Url) -> Url {
    url.set_fragment(None);
    url
}

/// One exchange, up to the head of the answer.
async fn exchange(attempt: &mut Attempt<'_>, url: &Url, request: Request<Full<Bytes>>) -> Result<Response<Answered>, Trouble> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(443);
    let stream = match attempt.connect(host, port).await {
        // Only the address of the settings can be wrong; one that we were sent to is a finding.
        Err(Trouble::Refused(error)) if attempt.measured.address.is_some() => {
            let text = format!("redirected to where Fanal does not go: {error}");
            return Err(Failure::new(FailureKind::Redirect, text).into());
        }
        other => other?,
    };
    if url.scheme() != "https" {
        return send(attempt, stream, request).await;
    }
    let stream = tls::secure(attempt, stream, host).await?;
    let now = attempt.measured.at.unwrap_or_default();
    match &attempt.measured.certificate {
        None => return Err(Failure::new(FailureKind::Tls, "the server shows no certificate that can be read").into()),
        Some(certificate) => {
            if let Some(failure) = certificate.failure(host, now) {
                return Err(failure.into());
            }
        }
    }
    send(attempt, stream, request).await
}

/// An answer's body, and the task that reads it.
struct Answered {
    body: Incoming,
    _connection: AbortOnDropHandle<()>,
}

async fn send<S>(attempt: &mut Attempt<'_>, stream: S, request: Request<Full<Bytes>>) -> Result<Response<Answered>, Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    let connection = AbortOnDropHandle::new(tokio::spawn(async move {
        let _ = connection.await; // Whoever waits for the answer hears of it.
    }));
    let began = Instant::now();
    let answer = sender.send_request(request).await.map_err(|error| broken(&error))?;
    add(&mut attempt.measured.timings.first_byte, began.elapsed());
    Ok(answer.map(|body| Answered { body, _connection: connection }))
}

/// Writes the answer down, its body as far as it matters.
async fn take(attempt: &mut Attempt<'_>, probe: &HttpProbe, answer: Response<Answered>) -> Result<(), Trouble> {
    let measured = &mut attempt.measured;
    measured.status = Some(answer.status().as_u16());
    for name in &probe.keep_headers {
        let values: Vec<&str> = answer.headers().get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        if !values.is_empty() {
            measured.headers.insert(name.clone(), values.join(", "));
        }
    }
    let Answered { mut body, _connection } = answer.into_body();
    let mut start: Vec<u8> = Vec::new();
    let mut trouble = None;
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                let Ok(data) = frame.into_data() else { continue };
                let room = probe.keep_body - start.len();
                start.extend_from_slice(&data[..data.len().min(room)]);
                if data.len() > room {
                    measured.cut = true;
                    break;
                }
            }
            Err(error) => {
                trouble = Some(broken(&error));
                break;
            }
        }
    }
    measured.body = Some(String::from_utf8_lossy(&start).into_owned());
    trouble.map_or(Ok(()), Err)
}

fn broken(error: &hyper::Error) -> Trouble {
    let failure = |kind, text: &str| Trouble::Failed(Failure::new(kind, text));
    if error.is_parse() {
        return failure(FailureKind::Protocol, "what came back is not HTTP");
    }
    failure(FailureKind::ConnectionLost, "the connection broke before the answer was complete")
}

fn request(probe: &HttpProbe, method: &str, with_body: bool, url: &Url, known: bool) -> Result<Request<Full<Bytes>>, EgressError> {
    let bad = || EgressError::Url("a header holds characters that cannot be sent".to_owned());
    let path = format!("{}{}", url.path(), url.query().map(|query| format!("?{query}")).unwrap_or_default());
    let body = probe.request.body.clone().filter(|_| with_body && known).unwrap_or_default();
    let mut request = Request::builder().method(method).uri(path).body(Full::new(Bytes::from(body))).map_err(|_| bad())?;
    let headers = request.headers_mut();
    let host = url
        .port()
        .map_or_else(|| url.host_str().unwrap_or_default().to_owned(), |port| format!("{}:{port}", url.host_str().unwrap_or_default()));
    headers.insert(HOST, HeaderValue::try_from(host).map_err(|_| bad())?);
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("fanal/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in probe.request.headers.iter().filter(|(name, _)| known || name == "accept") {
        if name == "content-type" && !with_body {
            continue;
        }
        let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| bad())?;
        value.set_sensitive(true);
        headers.insert(HeaderName::try_from(name.as_str()).map_err(|_| bad())?, value);
    }
    Ok(request)
}
