//! Why something is refused. The texts are read by people: in quarantine, in the console, in logs. None holds a secret.

use domain::{ExpressionError, Span};

/// The most characters of a foreign value repeated in an error.
const MAX_QUOTED_CHARS: usize = 64;

/// Cuts a foreign value to what fits into an error text, without control characters.
pub(crate) fn quoted(value: &str) -> String {
    let mut text: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_QUOTED_CHARS).collect();
    if value.chars().nth(MAX_QUOTED_CHARS).is_some() {
        text.push('…');
    }
    text
}

/// What to warn of when a thing comes with a word nobody taught us: it is unknown, and the others of the same body still count.
pub(crate) fn unknown_word(path: &str, word: &str) -> String {
    format!("`{path}` has the unknown value `{}`", quoted(word))
}

/// Settings that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", if path.is_empty() { String::new() } else { format!("`{path}`: ") })]
pub struct SettingsError {
    /// Which setting, like `signature.header`; empty for the settings as a whole.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

impl SettingsError {
    pub(crate) fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { path: path.into(), problem: problem.into() }
    }
}

/// Why a request is not taken for the sender's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// There is nothing to verify against. Never means that everybody is let in.
    #[error("the integration has no secret that could verify anything")]
    NoSecret,
    /// The request carries no signature, token or timestamp.
    #[error("{0} is missing")]
    Missing(String),
    /// What it carries cannot be a signature of this scheme.
    #[error("{0}")]
    Malformed(String),
    /// No signature or token of the request matches any secret.
    #[error("the signature or token matches no secret of this integration")]
    Bad,
    /// The signature is right and too old, or from the future.
    #[error("the signed timestamp is {off} away from our clock, at most {tolerance} is allowed")]
    Stale {
        /// How far away, in either direction.
        off: Span,
        /// How far is allowed.
        tolerance: Span,
    },
    /// Rightly signed or not, the settings do not name this sender among those that are listened to.
    #[error("`{0}` is not one of those that the settings list")]
    Unlisted(String),
    /// The certificate that the signature hangs on proves nothing.
    #[error("the certificate {0}")]
    Certificate(String),
    /// The integration's own settings do not say how to verify.
    #[error("the integration's settings are invalid: {0}")]
    Settings(#[from] SettingsError),
}

impl VerifyError {
    /// A stable code, for counting.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoSecret => "no_secret",
            Self::Missing(_) => "missing_signature",
            Self::Malformed(_) => "malformed_signature",
            Self::Bad => "bad_signature",
            Self::Stale { .. } => "stale_timestamp",
            Self::Unlisted(_) => "unlisted_sender",
            Self::Certificate(_) => "bad_certificate",
            Self::Settings(_) => "invalid_settings",
        }
    }
}

/// Why a request does not become a delivery.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// This version knows no such provider.
    #[error("there is no provider `{0}`")]
    UnknownProvider(String),
    /// Not proven to come from the sender.
    #[error("not verified: {reason}")]
    Unauthorized {
        /// What the proof lacks.
        reason: VerifyError,
    },
    /// The sender is who it claims to be, but never sends this type.
    #[error("content type `{found}` is none that this provider sends; it sends {}", accepted.join(", "))]
    UnsupportedMediaType {
        /// The one that came.
        found: String,
        /// Those that it sends; one that begins with `+` is the end of several.
        accepted: &'static [&'static str],
    },
}

impl Refusal {
    /// A stable code, for counting.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownProvider(_) => "unknown_provider",
            Self::Unauthorized { reason } => reason.code(),
            Self::UnsupportedMediaType { .. } => "content_type",
        }
    }
}

impl From<VerifyError> for Refusal {
    fn from(reason: VerifyError) -> Self {
        Self::Unauthorized { reason }
    }
}

/// Why a verified delivery goes into quarantine. The text is the reason shown there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// This version knows no such provider.
    #[error("there is no provider `{0}`")]
    Provider(String),
    /// Not JSON at all, or JSON that could be read in two ways.
    #[error("the body is not usable JSON: {0}")]
    Json(String),
    /// Not XML that we read: broken, or longer or deeper than a feed has reason to be.
    #[error("the body is not usable XML: {0}")]
    Xml(String),
    /// Not a form, although the content type says so.
    #[error("the body is not a usable form: {0}")]
    Form(String),
    /// A required field is not there.
    #[error("`{path}` is missing")]
    Missing {
        /// Which one, like `alerts[2].status`.
        path: String,
    },
    /// A field is there and cannot be used.
    #[error("`{path}`: {problem}")]
    Field {
        /// Which one.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A value we have never seen where only known ones have a meaning. Add a fixture, then decide what it means.
    #[error("`{path}` has the unknown value `{value}`, known are: {known}")]
    Unknown {
        /// Which field.
        path: String,
        /// What it holds, cut.
        value: String,
        /// What it could hold.
        known: String,
    },
    /// Longer than can be kept.
    #[error("`{path}` has {bytes} bytes, at most {max} are allowed")]
    TooLong {
        /// Which field.
        path: String,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
    /// More things than one delivery may speak of.
    #[error("the delivery speaks of {n} things, at most {max} are allowed")]
    TooMany {
        /// How many.
        n: usize,
        /// How many are allowed.
        max: usize,
    },
    /// An expression of the settings fails for this body.
    #[error("the expression of `{path}` fails for this body: {error}")]
    Expression {
        /// Which setting.
        path: String,
        /// How it fails.
        error: ExpressionError,
    },
    /// The settings themselves no longer work.
    #[error("the integration's settings are invalid: {0}")]
    Settings(#[from] SettingsError),
}

impl ParseError {
    pub(crate) fn missing(path: impl Into<String>) -> Self {
        Self::Missing { path: path.into() }
    }

    pub(crate) fn field(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Field { path: path.into(), problem: problem.into() }
    }

    pub(crate) fn unknown(path: impl Into<String>, value: &str, known: impl Into<String>) -> Self {
        Self::Unknown { path: path.into(), value: quoted(value), known: known.into() }
    }
}
