//! What handlers of the console refuse, and what they cannot do. The gate makes a page of it.

use poem::{error::ResponseError, http::StatusCode};
use storage::StorageError;

/// Why there is no answer. The text is shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// There is nothing here, or no longer.
    #[error("{0}")]
    NotFound(&'static str),
    /// Not for this person.
    #[error("{0}")]
    Forbidden(String),
    /// It does not fit what there is.
    #[error("{0}")]
    Conflict(String),
    /// It makes no sense.
    #[error("{0}")]
    Malformed(String),
    /// An operation was not done.
    #[error("{detail}")]
    Refused {
        /// What kind of refusal.
        status: StatusCode,
        /// Why.
        detail: String,
    },
    /// Come again later, after so many seconds.
    #[error("Too many tries. Please wait {0} seconds and try again.")]
    TooMany(u64),
    /// The database.
    #[error("We cannot reach our own database right now. Please try again.")]
    Storage(#[from] StorageError),
}

impl ResponseError for Failure {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Refused { status, .. } => *status,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Storage(error) if error.is_transient() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Storage(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// What an error says to the person: a title and a sentence. What went wrong inside is logged and never shown.
pub(super) fn words(error: &poem::Error) -> (StatusCode, &'static str, String) {
    let status = error.status();
    let text = match error.downcast_ref::<Failure>() {
        Some(Failure::Storage(inner)) => {
            tracing::error!(error = ?inner, "A request of the console failed");
            None
        }
        Some(failure) => Some(failure.to_string()),
        None => None,
    };
    let (title, fallback) = match status {
        StatusCode::NOT_FOUND => ("There is no such page", "It may have been removed, or the address has a typing error."),
        StatusCode::FORBIDDEN => ("Not allowed", "Your role does not permit this."),
        StatusCode::METHOD_NOT_ALLOWED => ("Not possible here", "This address does not take such a request."),
        StatusCode::TOO_MANY_REQUESTS => ("Too many tries", "Please wait a moment and try again."),
        StatusCode::SERVICE_UNAVAILABLE => ("Please try again", "We cannot reach our own database right now."),
        StatusCode::CONFLICT => ("Not possible now", "Something else has to happen first, or somebody has changed it meanwhile."),
        StatusCode::PRECONDITION_FAILED => ("Somebody else was faster", "It was changed since you opened this page."),
        StatusCode::UNPROCESSABLE_ENTITY => ("Something does not fit", "Go back, and look at what you typed."),
        StatusCode::PAYLOAD_TOO_LARGE => ("Too large", "Send less at once."),
        status if status.is_client_error() => ("Not understood", "The request does not fit this address."),
        _ => {
            tracing::error!(error = ?error, "A request of the console failed");
            ("Something went wrong", "This is our fault; please try again.")
        }
    };
    (status, title, text.unwrap_or_else(|| fallback.to_owned()))
}
