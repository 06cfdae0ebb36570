//! One request, as it arrived.

use domain::Timestamp;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{ParseError, Settings, VerifyError, document, form, reading};

/// One request, as it arrived or as it was stored.
#[derive(Clone, Copy)]
pub struct Inbound<'a> {
    /// Names in lower case, in the order they came. A name may come several times.
    pub headers: &'a [(String, String)],
    /// The last part of `/hooks/{integration}/{token}`, for senders that can only set a URL.
    pub path_token: Option<&'a str>,
    /// The raw bytes. Signatures are verified over these and nothing else.
    pub body: &'a [u8],
    /// When it arrived, on our clock.
    pub received_at: Timestamp,
}

/// What a request is verified against.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// Every secret that is valid now: two while one replaces the other. None at all verifies nothing.
    pub secrets: &'a [SecretString],
    /// How the integration wants to be verified.
    pub settings: &'a Settings,
    /// What [`crate::Quirks::document`] named, if it named anything.
    pub document: Option<&'a [u8]>,
}

impl<'a> Inbound<'a> {
    /// The first value of a header. Not for anything a decision about trust hangs on: see [`Inbound::sole_header`].
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The value of a header that may come only once: with two, a proxy and we could each believe another one.
    ///
    /// # Errors
    /// The header comes several times.
    pub fn sole_header(&self, name: &str) -> Result<Option<&'a str>, VerifyError> {
        let mut values = self.headers.iter().filter(|(header, _)| header == name).map(|(_, value)| value.as_str());
        let first = values.next();
        if values.next().is_some() { Err(VerifyError::Malformed(format!("header `{name}` comes several times"))) } else { Ok(first) }
    }

    /// The media type in lower case, without parameters.
    #[must_use]
    pub fn media_type(&self) -> Option<String> {
        let essence = self.header("content-type")?.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        (!essence.is_empty()).then_some(essence)
    }

    /// The body as a JSON document.
    ///
    /// # Errors
    /// It is none, is nested too deeply, or names a key twice.
    pub fn document(&self) -> Result<Value, ParseError> {
        document::read(self.body)
    }

    /// The body as a JSON document, or as the fields of a form where the content type says so.
    ///
    /// # Errors
    /// As [`Inbound::document`], or it is no form.
    pub fn document_or_form(&self) -> Result<Value, ParseError> {
        if self.media_type().as_deref() == Some(form::MEDIA_TYPE) { form::read(self.body) } else { self.document() }
    }

    /// The header that says what a body is about.
    ///
    /// # Errors
    /// It is missing.
    pub fn event_header(&self, name: &str) -> Result<&'a str, ParseError> {
        self.header(name).ok_or_else(|| ParseError::missing(format!("header {name}")))
    }

    /// The body, an object, as a `T`, with the path in the error.
    ///
    /// # Errors
    /// As [`Inbound::document`], or it has another shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ParseError> {
        reading::object(self.document()?)
    }
}
