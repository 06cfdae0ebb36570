//! What came of trying something, as it is stored.

use std::collections::BTreeMap;

use domain::Timestamp;
use serde::{Deserialize, Serialize};

/// One try.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measured {
    /// When it was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Why there was no whole answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Which address was tried last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// How long it took.
    pub timings: Timings,
    /// The status of an HTTP answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Those of its headers that somebody asked for, names in lower case.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The beginning of what was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Whether there was more of it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// The server's certificate, whatever is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// What a name server said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsAnswer>,
}

/// How long each step took, in milliseconds; of several connections, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timings {
    /// Until the name was resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<f64>,
    /// Until the connection stood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<f64>,
    /// Until TLS stood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<f64>,
    /// From the request to the first byte of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<f64>,
    /// From the beginning to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
}

/// Why there was no whole answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// In a word.
    pub kind: FailureKind,
    /// In a sentence for people.
    pub text: String,
}

impl Failure {
    /// A failure.
    #[must_use]
    pub fn new(kind: FailureKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}

/// What can go wrong between us and an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The name has no address.
    Resolve,
    /// Nobody listens.
    ConnectionRefused,
    /// There is no way to the address.
    Unreachable,
    /// The connection broke.
    ConnectionLost,
    /// Not in time.
    Timeout,
    /// TLS did not come about, and not because of the certificate.
    Tls,
    /// The certificate is not valid any more.
    CertificateExpired,
    /// The certificate is not valid yet.
    CertificateNotYetValid,
    /// The certificate is for another name.
    CertificateName,
    /// Nobody we trust has signed the certificate.
    CertificateChain,
    /// What came back is not HTTP, or not DNS.
    Protocol,
    /// Redirected in a circle, or to where we do not go.
    Redirect,
}

impl FailureKind {
    /// The name in labels and stored rounds.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::ConnectionRefused => "connection_refused",
            Self::Unreachable => "unreachable",
            Self::ConnectionLost => "connection_lost",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::CertificateExpired => "certificate_expired",
            Self::CertificateNotYetValid => "certificate_not_yet_valid",
            Self::CertificateName => "certificate_name",
            Self::CertificateChain => "certificate_chain",
            Self::Protocol => "protocol",
            Self::Redirect => "redirect",
        }
    }
}

/// A server's certificate. Each thing that may be wrong with it is told by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// From when on it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// Whether it is for the name that was asked for.
    pub name_matches: bool,
    /// Why it leads to nobody we trust, its age apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain_error: Option<String>,
}

impl Certificate {
    /// What is wrong with it at this moment, if anything.
    #[must_use]
    pub fn failure(&self, name: &str, now: Timestamp) -> Option<Failure> {
        let failure = |kind, text| Some(Failure { kind, text });
        match &self.chain_error {
            _ if now > self.not_after => failure(FailureKind::CertificateExpired, format!("the certificate expired at {}", self.not_after)),
            _ if now < self.not_before => {
                failure(FailureKind::CertificateNotYetValid, format!("the certificate is not valid before {}", self.not_before))
            }
            _ if !self.name_matches => failure(FailureKind::CertificateName, format!("the certificate is not for {name}")),
            Some(why) => failure(FailureKind::CertificateChain, format!("the certificate is not trusted: {why}")),
            None => None,
        }
    }
}

/// What a name server said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DnsAnswer {
    /// How it ended.
    pub code: DnsCode,
    /// The records of the type that was asked for, as a zone file writes their data.
    #[serde(default)]
    pub records: Vec<String>,
}

/// How a name server's answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DnsCode {
    /// The name exists; whether it has such records is another matter.
    Noerror,
    /// The name does not exist.
    Nxdomain,
    /// The name server could not find out.
    Servfail,
    /// The name server would not say.
    Refused,
    /// Anything else.
    Other,
}
