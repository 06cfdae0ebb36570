//! How a sender proves itself, as data.

use domain::Span;
use serde::Deserialize;
use serde_json::Value;

use crate::{SettingsError, jws::Jws, reading};

/// How far a signed timestamp may lie from our clock, if the settings do not say.
const DEFAULT_TOLERANCE: Span = Span::mins(5);
const MAX_TOLERANCE: Span = Span::mins(24 * 60);

/// How a sender proves itself. Read it from settings with [`Scheme::read`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// A signature over the raw body.
    Signature(Box<Signed>),
    /// `Authorization: Bearer <secret>`.
    Bearer,
    /// `Authorization: Basic …`; the secret is `user:password`.
    Basic,
    /// The secret itself in this header.
    Header(String),
    /// The secret itself as the last part of the hook's URL.
    Token,
    /// A signed token that names the hash of the body.
    Jws(Jws),
}

/// A signature over the raw body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Where the signature is.
    pub(crate) header: String,
    /// What stands between several signatures, if there can be several.
    pub(crate) list_separator: Option<char>,
    /// What stands between a version and its signature, if there are versions.
    pub(crate) pair_separator: Option<char>,
    /// The versions that count; all others are ignored.
    pub(crate) versions: Vec<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) encoding: Encoding,
    pub(crate) key: KeyEncoding,
    pub(crate) signed_text: Vec<Piece>,
    pub(crate) timestamp: Option<TimestampSource>,
    pub(crate) id_header: Option<String>,
    pub(crate) tolerance: Span,
}

/// Where the signed timestamp stands, in unix seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TimestampSource {
    Header(String),
    /// A pair inside the signature header, like `t=1700000000`.
    Parameter(String),
}

/// What signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
    Ed25519,
}

/// How the signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    /// Lower case only.
    Hex,
    /// The standard alphabet, padded.
    Base64,
}

/// How the key is written in the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeyEncoding {
    /// The secret's bytes are the key.
    Text,
    Hex,
    Base64,
    /// Base64 after the prefix that Standard Webhooks puts before it, which may be missing.
    Whsec,
}

/// A piece of the text that is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Id,
    Timestamp,
    Body,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainSettings {
    #[serde(rename = "mode")]
    _mode: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderSettings {
    #[serde(rename = "mode")]
    _mode: String,
    header: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignedSettings {
    #[serde(rename = "mode")]
    _mode: Option<String>,
    header: String,
    list_separator: Option<char>,
    pair_separator: Option<char>,
    #[serde(default)]
    versions: Vec<String>,
    #[serde(default = "sha256")]
    algorithm: Algorithm,
    #[serde(default = "hex")]
    encoding: Encoding,
    #[serde(default = "text")]
    key: KeyEncoding,
    #[serde(default = "body")]
    signed_text: String,
    timestamp_header: Option<String>,
    timestamp_parameter: Option<String>,
    id_header: Option<String>,
    #[serde(default = "tolerance")]
    tolerance: Span,
}

const fn sha256() -> Algorithm {
    Algorithm::Sha256
}
const fn hex() -> Encoding {
    Encoding::Hex
}
const fn text() -> KeyEncoding {
    KeyEncoding::Text
}
fn body() -> String {
    "{body}".to_owned()
}
const fn tolerance() -> Span {
    DEFAULT_TOLERANCE
}

impl Scheme {
    /// The scheme of a provider that always proves itself in the same way.
    ///
    /// # Panics
    /// `value` is no scheme: every provider's is read by its tests.
    pub(crate) fn built_in(value: &Value) -> Self {
        Self::read("signature", value).expect("it is written in the source and tested")
    }

    /// Reads a scheme; `path` is where it stands in the settings. Without a `mode` it describes a signature.
    ///
    /// # Errors
    /// A key is unknown or missing, or two of them contradict each other.
    pub fn read(path: &str, value: &Value) -> Result<Self, SettingsError> {
        let mode = match value.get("mode") {
            None => "signature",
            Some(Value::String(mode)) => mode,
            Some(_) => return Err(SettingsError::new(format!("{path}.mode"), "must be a text")),
        };
        let plain = |scheme| reading::settings::<PlainSettings>(path, value).map(|_| scheme);
        match mode {
            "signature" => Ok(Self::Signature(Box::new(Signed::read(path, value)?))),
            "bearer" => plain(Self::Bearer),
            "basic" => plain(Self::Basic),
            "token" => plain(Self::Token),
            "jws" => Ok(Self::Jws(Jws::read(path, value)?)),
            "header" => {
                let settings: HeaderSettings = reading::settings(path, value)?;
                Ok(Self::Header(header_name(&format!("{path}.header"), &settings.header)?))
            }
            other => Err(SettingsError::new(
                format!("{path}.mode"),
                format!("`{}` is not one of signature, bearer, basic, header, token, jws", crate::error::quoted(other)),
            )),
        }
    }
}

impl Signed {
    fn read(path: &str, value: &Value) -> Result<Self, SettingsError> {
        let settings: SignedSettings = reading::settings(path, value)?;
        let at = |field: &str| format!("{path}.{field}");
        let name = |field: &str, name: &Option<String>| name.as_deref().map(|name| header_name(&at(field), name)).transpose();
        let timestamp = match (name("timestamp_header", &settings.timestamp_header)?, settings.timestamp_parameter.clone()) {
            (Some(_), Some(_)) => return Err(SettingsError::new(at("timestamp_parameter"), "give this or `timestamp_header`, not both")),
            (Some(header), None) => Some(TimestampSource::Header(header)),
            (None, parameter) => parameter.map(TimestampSource::Parameter),
        };
        let signed = Self {
            header: header_name(&at("header"), &settings.header)?,
            list_separator: settings.list_separator,
            pair_separator: settings.pair_separator,
            versions: settings.versions,
            algorithm: settings.algorithm,
            encoding: settings.encoding,
            key: settings.key,
            signed_text: pieces(&at("signed_text"), &settings.signed_text)?,
            timestamp,
            id_header: name("id_header", &settings.id_header)?,
            tolerance: settings.tolerance,
        };
        signed.check(path)?;
        Ok(signed)
    }

    fn check(&self, path: &str) -> Result<(), SettingsError> {
        let refuse = |field: &str, problem: &str| Err(SettingsError::new(format!("{path}.{field}"), problem));
        let has = |piece| self.signed_text.iter().filter(|other| **other == piece).count();
        if has(Piece::Body) != 1 {
            return refuse("signed_text", "must contain {body} once");
        }
        if self.pair_separator.is_some() == self.versions.is_empty() {
            return refuse("versions", "`versions` and `pair_separator` belong together: give both or none");
        }
        if self.list_separator.is_some() && self.list_separator == self.pair_separator {
            return refuse("list_separator", "must differ from `pair_separator`");
        }
        if matches!(&self.timestamp, Some(TimestampSource::Parameter(_))) && self.list_separator.is_none() {
            return refuse("timestamp_parameter", "needs a `list_separator` and a `pair_separator`");
        }
        // A timestamp that is not signed can be set to anything by whoever repeats the request.
        if self.timestamp.is_some() != (has(Piece::Timestamp) > 0) {
            return refuse("signed_text", "{ts} and a `timestamp_header` or `timestamp_parameter` belong together: give both or none");
        }
        if self.id_header.is_some() != (has(Piece::Id) > 0) {
            return refuse("signed_text", "{id} and `id_header` belong together: give both or none");
        }
        if self.tolerance <= Span::ZERO || self.tolerance > MAX_TOLERANCE {
            return refuse("tolerance", "must be more than 0s and at most 1d");
        }
        if self.algorithm == Algorithm::Ed25519 && self.key == KeyEncoding::Text {
            return refuse("key", "a public key is written as hex, base64 or whsec");
        }
        Ok(())
    }

    /// Whether an equal signed text means a repeat: only if the sender's clock is part of it.
    pub(crate) const fn is_timed(&self) -> bool {
        self.timestamp.is_some()
    }
}

/// Header names are compared in lower case.
pub(crate) fn header_name(path: &str, name: &str) -> Result<String, SettingsError> {
    let fits = (1..=100).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if fits { Ok(name.to_ascii_lowercase()) } else { Err(SettingsError::new(path, "is not the name of a header")) }
}

/// Cuts `{id}.{ts}.{body}` into pieces. Braces have no other use in a signed text.
fn pieces(path: &str, template: &str) -> Result<Vec<Piece>, SettingsError> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(|| SettingsError::new(path, "`{` without `}`"))?;
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        pieces.push(match name {
            "id" => Piece::Id,
            "ts" => Piece::Timestamp,
            "body" => Piece::Body,
            _ => {
                return Err(SettingsError::new(
                    path,
                    format!("`{{{}}}` is not one of {{body}}, {{ts}}, {{id}}", crate::error::quoted(name)),
                ));
            }
        });
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}
