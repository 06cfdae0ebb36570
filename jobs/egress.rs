//! The one door through which requests leave: no other module makes an HTTP client.
//!
//! Addresses come from people who may want to look into our network, so a name is resolved here, every address it has is
//! checked, and the connection goes to a checked address: there is no second look-up that could answer differently.
//! Redirects are not followed and proxies from the environment are not used, since both would lead around the check.

mod address;
mod dial;
mod echo;
mod origin;

use std::{error::Error as _, fmt, io, net::IpAddr, net::SocketAddr, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    header::HeaderValue,
};
pub use reqwest::{Method, header::HeaderMap};
use rustls::RootCertStore;
use url::{Host, Url};

pub(crate) use dial::{Dialed, Trouble, datagrams};
pub(crate) use echo::Echoes;
pub use echo::echo_allowed;
pub(crate) use origin::GivenFor;

/// How long a connection may take to stand, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a name may take to resolve.
const DNS_TIMEOUT: Duration = Duration::from_secs(5);
/// What is read of an answer that matters little; the rest is not.
pub const MAX_RESPONSE_BYTES: usize = 64 << 10;
/// The longest URL taken.
pub const MAX_URL_BYTES: usize = 2048;
/// Ports above 1023 where something other than HTTP listens, and takes what it is sent for commands.
const FOREIGN_PORTS: [u16; 8] = [2049, 2375, 3306, 5432, 5672, 6379, 11211, 27017];
/// Names that mean a place inside, whatever a resolver says.
const INSIDE_SUFFIXES: [&str; 6] = ["localhost", "localdomain", "local", "internal", "intranet", "home.arpa"];

/// What may be called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EgressPolicy {
    /// Allows private, loopback and link-local addresses, and nothing else that is refused.
    pub allow_private: bool,
    /// Refuses `http://`.
    pub require_tls: bool,
}

/// Why nothing was sent, or nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The text is not a URL we would call.
    #[error("{0}")]
    Url(String),
    /// The host is, or resolves to, an address that is not called.
    #[error("{0}")]
    Refused(Refused),
    /// The name could not be resolved.
    #[error("the name could not be resolved")]
    Dns,
    /// Nothing answered in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection could not be made, or broke.
    #[error("{0}")]
    Connection(String),
    /// The system does not let us send such a thing.
    #[error("{0}")]
    NotAllowed(&'static str),
    /// The client could not be set up.
    #[error("the HTTP client could not be set up")]
    Setup(#[source] reqwest::Error),
}

/// An address that is not called, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    host: String,
    why: &'static str,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {}, which is not called", self.host, self.why)
    }
}

impl std::error::Error for Refused {}

/// One request to the outside.
#[derive(Debug)]
pub struct Request {
    /// GET, POST, …
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Headers; `host` and `content-length` are added.
    pub headers: HeaderMap,
    /// May be empty.
    pub body: Vec<u8>,
    /// From the first look-up to the last byte.
    pub timeout: Duration,
    /// How much of the answer is read; [`MAX_RESPONSE_BYTES`] where little is expected.
    pub max_response_bytes: usize,
}

/// What came back.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The first bytes of the body, as many as were asked for.
    pub body: Vec<u8>,
}

/// Finds the addresses of a name.
type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// The HTTP client that calls only what it may. Cheap to clone.
#[derive(Clone)]
pub struct Egress {
    client: Client,
    policy: EgressPolicy,
    lookup: Lookup,
    roots: Arc<RootCertStore>,
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Egress {
    /// Makes the client. It trusts the public web's certificate authorities and the platform's own (`SSL_CERT_FILE`).
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(policy: EgressPolicy) -> Result<Self, EgressError> {
        Self::with_lookup(policy, Arc::new(|name| Box::pin(system_lookup(name))))
    }

    fn with_lookup(policy: EgressPolicy, lookup: Lookup) -> Result<Self, EgressError> {
        // A provider that somebody has installed before is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|root| reqwest::Certificate::from_der(root).ok());
        let client = Client::builder()
            .tls_certs_merge(roots)
            .dns_resolver(CheckedResolver { lookup: lookup.clone(), allow_private: policy.allow_private })
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(8)
            .user_agent(concat!("fanal/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(EgressError::Setup)?;
        Ok(Self { client, policy, lookup, roots: Arc::new(trusted()) })
    }

    /// Whose certificates are believed where a connection is looked at instead of a client being used: the same as the client's.
    pub(crate) fn roots(&self) -> &RootCertStore {
        &self.roots
    }

    /// Believes one more authority, where a connection is looked at.
    #[cfg(test)]
    pub(crate) fn trusting(mut self, authority: rustls::pki_types::CertificateDer<'static>) -> Self {
        let mut roots = RootCertStore::clone(&self.roots);
        roots.add_parsable_certificates([authority]);
        self.roots = Arc::new(roots);
        self
    }

    /// Reads a URL as it is about to be saved. What is refused here is refused again at every call; what is fine here may still
    /// resolve to an address that is not called.
    ///
    /// # Errors
    /// It is not an http or https URL, carries credentials or a fragment, or names a place that is not called.
    pub fn check_url(&self, text: &str) -> Result<Url, EgressError> {
        if text.len() > MAX_URL_BYTES {
            return Err(EgressError::Url(format!("the URL is longer than {MAX_URL_BYTES} bytes")));
        }
        let url = Url::parse(text).map_err(|error| EgressError::Url(format!("not a URL: {error}")))?;
        self.check(&url)?;
        Ok(url)
    }

    fn check(&self, url: &Url) -> Result<(), EgressError> {
        let bad = |why: &str| Err(EgressError::Url(why.to_owned()));
        match url.scheme() {
            "https" => {}
            "http" if !self.policy.require_tls => {}
            "http" => return bad("the URL must begin with https:// (`FANAL_ALLOW_PLAIN_HTTP` allows http://)"),
            _ => return bad("the URL must begin with https:// or http://"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return bad("the URL must not hold a user name or password");
        }
        if url.fragment().is_some() {
            return bad("the URL must not hold a `#`");
        }
        match url.port_or_known_default() {
            Some(port) if port == 80 || port == 443 || (port >= 1024 && !FOREIGN_PORTS.contains(&port)) => {}
            _ => return bad("the URL's port must be 80, 443 or above 1023, and not one where something other than HTTP listens"),
        }
        check_host(url.host(), self.policy.allow_private)
    }

    /// Sends one request and reads the answer, whatever its status.
    ///
    /// # Errors
    /// The URL or an address behind it is not called, or no answer came.
    pub async fn send(&self, request: Request) -> Result<Response, EgressError> {
        // Literal addresses never reach the resolver.
        self.check(&request.url)?;
        let Request { method, url, headers, body, timeout, max_response_bytes } = request;
        let exchange = async {
            let mut answer = self.client.request(method, url).headers(headers).body(body).send().await.map_err(why_failed)?;
            let mut start = Vec::new();
            // An answer that breaks off has still been given: its status counts.
            while let Ok(Some(chunk)) = answer.chunk().await {
                let room = max_response_bytes - start.len();
                start.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if start.len() == max_response_bytes {
                    break;
                }
            }
            Ok(Response { status: answer.status().as_u16(), headers: std::mem::take(answer.headers_mut()), body: start })
        };
        tokio::time::timeout(timeout, exchange).await.unwrap_or(Err(EgressError::Timeout))
    }
}

fn trusted() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn check_host(host: Option<Host<&str>>, allow_private: bool) -> Result<(), EgressError> {
    let refused = |host: &dyn fmt::Display, why| Err(EgressError::Refused(Refused { host: host.to_string(), why }));
    let refused_address = |ip: IpAddr| address::refusal(ip, allow_private).map_or(Ok(()), |why| refused(&ip, why));
    match host {
        Some(Host::Ipv4(ip)) => refused_address(ip.into()),
        Some(Host::Ipv6(ip)) => refused_address(ip.into()),
        Some(Host::Domain(name)) if allow_private && !name.is_empty() => Ok(()),
        Some(Host::Domain(name)) => {
            let bare = name.trim_end_matches('.');
            let inside = |suffix: &&str| bare == *suffix || bare.strip_suffix(*suffix).is_some_and(|rest| rest.ends_with('.'));
            if !bare.contains('.') || INSIDE_SUFFIXES.iter().any(inside) {
                return refused(&name, "a name inside a private network");
            }
            Ok(())
        }
        None => Err(EgressError::Url("the URL names no host".to_owned())),
    }
}

/// Gives the client checked addresses only.
struct CheckedResolver {
    lookup: Lookup,
    allow_private: bool,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (host, allow_private) = (name.as_str().to_owned(), self.allow_private);
        let found = (self.lookup)(host.clone());
        Box::pin(async move {
            match checked(host, found, allow_private).await {
                Ok(addresses) => Ok(Box::new(addresses.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs),
                Err(Unusable::Refused(refused)) => Err(refused.into()),
                Err(Unusable::Failed) => Err(DnsFailed.into()),
            }
        })
    }
}

/// Why a name leads nowhere.
enum Unusable {
    Refused(Refused),
    Failed,
}

/// The addresses of a name, if all of them may be called.
async fn checked(host: String, found: impl Future<Output = io::Result<Vec<IpAddr>>>, allow_private: bool) -> Result<Vec<IpAddr>, Unusable> {
    let addresses = tokio::time::timeout(DNS_TIMEOUT, found).await.map_err(|_| Unusable::Failed)?.map_err(|_| Unusable::Failed)?;
    // One bad address among good ones is refused as well: whoever answers so wants us to try.
    if let Some(why) = addresses.iter().find_map(|&ip| address::refusal(ip, allow_private)) {
        return Err(Unusable::Refused(Refused { host, why }));
    }
    if addresses.is_empty() { Err(Unusable::Failed) } else { Ok(addresses) }
}

async fn system_lookup(name: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|found| found.ip()).collect())
}

#[derive(Debug, thiserror::Error)]
#[error("the name could not be resolved")]
struct DnsFailed;

/// Finds the reason at the bottom of what the client reports. The URL, which may hold a token, is left out.
fn why_failed(error: reqwest::Error) -> EgressError {
    if error.is_timeout() {
        return EgressError::Timeout;
    }
    let (mut cause, mut last) = (error.source(), None);
    while let Some(deeper) = cause {
        if let Some(refused) = deeper.downcast_ref::<Refused>() {
            return EgressError::Refused(refused.clone());
        }
        if deeper.is::<DnsFailed>() {
            return EgressError::Dns;
        }
        last = Some(deeper.to_string());
        cause = deeper.source();
    }
    EgressError::Connection(last.unwrap_or_else(|| error.without_url().to_string()))
}

/// A header value from our own text.
pub(crate) fn header(text: &str) -> Result<HeaderValue, EgressError> {
    HeaderValue::from_str(text).map_err(|_| EgressError::Url("a header holds characters that cannot be sent".to_owned()))
}

#[cfg(test)]
mod tests;
