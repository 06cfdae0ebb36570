//! Errors as RFC 9457 tells them: `application/problem+json`, with the fields that are wrong.

use poem::{
    IntoResponse, Response,
    error::{MethodNotAllowedError, NotFoundError, ParsePathError, ReadBodyError, ResponseError},
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse, Object,
    error::{ContentTypeError, ParseParamError, ParsePathError as ParsePathParamError, ParseRequestPayloadError},
    registry::{MetaResponses, Registry},
    types::ToJSON,
};
use storage::StorageError;
use tracing::error;

/// How long a client should wait when the database has no time for it.
const RETRY_AFTER_SECS: u64 = 1;

/// A field that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Object)]
pub(super) struct FieldError {
    /// Its name, as in `routes[0].for`; a header or a query parameter by its own name.
    pub(super) field: String,
    /// What is wrong, and what is allowed.
    pub(super) message: String,
}

impl FieldError {
    pub(super) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
#[error("{status}: {detail}")]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// An error, as RFC 9457 has it.
#[derive(Object)]
#[oai(rename = "Problem")]
pub(super) struct ProblemBody {
    /// `about:blank`: the status says what kind of error it is.
    r#type: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What went wrong.
    detail: String,
    /// Every field that does not fit.
    errors: Vec<FieldError>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), errors: Vec::new(), headers: Vec::new() }
    }

    /// There is nothing of this kind and id.
    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no such {what}"))
    }

    /// It does not go with the state things are in.
    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// The request was read, and fields of it do not fit.
    pub(super) fn invalid(errors: Vec<FieldError>) -> Self {
        Self::fields(StatusCode::UNPROCESSABLE_ENTITY, errors)
    }

    /// One field does not fit.
    pub(super) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(field, message)])
    }

    /// The request could not be read.
    pub(super) fn malformed(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::fields(StatusCode::BAD_REQUEST, vec![FieldError::new(field, message)])
    }

    fn fields(status: StatusCode, errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] if one.field.is_empty() => one.message.clone(),
            [one] => format!("`{}` {}", one.field, one.message),
            _ => format!("{} fields do not fit", errors.len()),
        };
        Self { status, detail, errors, headers: Vec::new() }
    }

    /// Adds a header; one that cannot be sent is left out.
    pub(super) fn with_header(mut self, name: HeaderName, value: impl AsRef<str>) -> Self {
        self.headers.extend(HeaderValue::from_str(value.as_ref()).ok().map(|value| (name, value)));
        self
    }

    /// The answer to any error, ours or the framework's.
    pub(super) fn respond(error: &poem::Error) -> Response {
        match error.downcast_ref::<Self>() {
            Some(problem) => problem.as_response(),
            None => Self::of_framework(error).as_response(),
        }
    }

    fn of_framework(error: &poem::Error) -> Self {
        if let Some(error) = error.downcast_ref::<ParseParamError>() {
            return Self::malformed(error.name, without_type_names(&error.reason));
        }
        if let Some(error) = error.downcast_ref::<ParseRequestPayloadError>() {
            return Self::malformed("", without_type_names(&error.reason));
        }
        if let Some(error) = error.downcast_ref::<ContentTypeError>() {
            return Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error.to_string());
        }
        if let Some(ReadBodyError::PayloadTooLarge) = error.downcast_ref() {
            return Self::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
        }
        if error.is::<NotFoundError>() || error.is::<ParsePathError>() || error.is::<ParsePathParamError>() {
            return Self::new(StatusCode::NOT_FOUND, "there is nothing at this path");
        }
        if error.is::<MethodNotAllowedError>() {
            return Self::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not have this method");
        }
        if error.status().is_client_error() {
            return Self::new(error.status(), error.to_string());
        }
        error!(%error, "A request to the admin API failed");
        Self::internal()
    }

    /// Somebody else was faster than this client.
    pub(super) fn changed_since(what: &str) -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            format!(
                "{what} was changed since: its ETag is not the one that was given; get it again, look at what is new, and send the newer ETag"
            ),
        )
    }

    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong on our side; the log says what")
    }

    fn as_response(&self) -> Response {
        let body = ProblemBody {
            r#type: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            errors: self.errors.clone(),
        };
        let mut response = Response::builder().status(self.status).content_type("application/problem+json").body(body.to_json_string());
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }
}

/// The framework's texts name Rust types, which mean nothing to a client: `failed to parse "optional_string": …`.
fn without_type_names(reason: &str) -> &str {
    let reason = reason.split(" (occurred while parsing").next().unwrap_or(reason);
    match reason.strip_prefix("failed to parse \"").and_then(|rest| rest.split_once("\": ")) {
        Some((_, message)) => message,
        None => reason,
    }
}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.status
    }

    fn as_response(&self) -> Response {
        Self::as_response(self)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.as_response()
    }
}

/// The document says once, for all operations, what errors look like.
impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        MetaResponses { responses: Vec::new() }
    }

    fn register(_: &mut Registry) {}
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Act(domain::ActError::NotFound(what)) => Self::not_found(what),
            StorageError::Act(domain::ActError::Invalid { field, message }) => Self::field(field, message),
            StorageError::Taken { field } => {
                Self::fields(StatusCode::CONFLICT, vec![FieldError::new(field, "is taken; every one must be different")])
            }
            StorageError::NoSuchKey { kind, key } => Self::field(format!("{kind}s"), format!("there is no {kind} `{key}`")),
            error if error.is_transient() => {
                error!(error = ?error, "The database has no time for the admin API");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer in time; try again")
                    .with_header(header::RETRY_AFTER, RETRY_AFTER_SECS.to_string())
            }
            error => {
                error!(error = ?error, "A request to the admin API failed");
                Self::internal()
            }
        }
    }
}
