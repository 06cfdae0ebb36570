//! What a check is to try.

use domain::Span;
use serde::Deserialize;

use crate::request::Request;

/// One thing to try, through the guard on outgoing requests.
#[derive(Debug)]
pub struct Probe {
    /// What.
    pub what: What,
    /// How long all of it may take.
    pub timeout: Span,
    /// Which kind of address, if it matters.
    pub ip: Option<IpVersion>,
}

/// What there is to try.
#[derive(Debug)]
pub enum What {
    /// A request.
    Http(HttpProbe),
    /// A connection.
    Tcp(TcpProbe),
    /// A question to a name server.
    Dns(DnsProbe),
    /// A look at a certificate.
    Tls(TlsProbe),
    /// Echo requests.
    Icmp(IcmpProbe),
}

/// A request, each on a connection of its own.
#[derive(Debug)]
pub struct HttpProbe {
    /// The method, in capitals.
    pub method: &'static str,
    /// Where to, with what.
    pub request: Request,
    /// Whether to go where the answer points.
    pub follow_redirects: bool,
    /// Headers of the answer to keep, names in lower case.
    pub keep_headers: Vec<String>,
    /// How much of the body to keep, in bytes.
    pub keep_body: usize,
}

/// A connection.
#[derive(Debug)]
pub struct TcpProbe {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether to wait for what the server says first, until it has said this.
    pub expect: Option<String>,
}

/// A question to a name server.
#[derive(Debug)]
pub struct DnsProbe {
    /// Which name.
    pub name: String,
    /// Which records of it.
    pub record: RecordType,
    /// Whom to ask, as an address with a port or without; otherwise whom this machine asks.
    pub resolver: Option<String>,
}

/// A look at a certificate.
#[derive(Debug)]
pub struct TlsProbe {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The name that the certificate has to be for.
    pub server_name: String,
}

/// Echo requests.
#[derive(Debug)]
pub struct IcmpProbe {
    /// A name or an address.
    pub host: String,
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum IpVersion {
    /// IPv4 only.
    #[serde(rename = "v4")]
    V4,
    /// IPv6 only.
    #[serde(rename = "v6")]
    V6,
}

/// A type of DNS records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// The name it stands for.
    Cname,
    /// Where its mail goes.
    Mx,
    /// Texts.
    Txt,
    /// Its name servers.
    Ns,
}

impl RecordType {
    /// As people write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Mx => "MX",
            Self::Txt => "TXT",
            Self::Ns => "NS",
        }
    }
}

/// Whether it could be the name or address of a host at all: the guard judges where it leads.
pub(crate) fn is_host(host: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    !host.is_empty() && host.len() <= 253 && host.chars().all(fits)
}

/// A host with a port, as people write it.
pub(crate) fn place(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
