//! Errors in Cachet's shape: `{"errors": [{"id", "status", "title", "detail", "meta": {"details"}}]}`.

use poem::{
    IntoResponse, Response,
    http::{HeaderValue, StatusCode, header},
};
use serde_json::{Value, json};

/// Why a request is not done.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    /// What is wrong, a sentence each.
    pub(super) details: Vec<String>,
    /// When to come again.
    pub(super) retry_after: Option<HeaderValue>,
}

impl From<StatusCode> for Failure {
    fn from(status: StatusCode) -> Self {
        Self { status, details: Vec::new(), retry_after: None }
    }
}

impl Failure {
    /// What was asked does not fit. Cachet answers 400 to that, and clients look for it.
    pub(super) fn bad(details: Vec<String>) -> Self {
        Self { details, ..Self::from(StatusCode::BAD_REQUEST) }
    }

    /// What the admin API refused, as Cachet would have.
    pub(super) fn of(status: StatusCode, problem: &Value, retry_after: Option<HeaderValue>) -> Self {
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let errors = problem.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let fields = errors.iter().map(|error| format!("{}: {}.", text(error, "field"), text(error, "message").trim_end_matches('.')));
        let mut details: Vec<String> = fields.collect();
        if details.is_empty() {
            details.extend(Some(text(problem, "detail")).filter(|detail| !detail.is_empty()));
        }
        let status = match status {
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => StatusCode::BAD_REQUEST,
            other => other,
        };
        Self { status, details, retry_after }
    }

    const fn detail(&self) -> &'static str {
        match self.status {
            StatusCode::BAD_REQUEST => "The request does not fit; see the details.",
            StatusCode::UNAUTHORIZED => "A valid token is needed in the header X-Cachet-Token.",
            StatusCode::FORBIDDEN => "This token does not permit it.",
            StatusCode::NOT_FOUND => "There is no such thing.",
            StatusCode::METHOD_NOT_ALLOWED => "This address does not take such a request.",
            StatusCode::NOT_ACCEPTABLE => "There is only JSON here.",
            StatusCode::TOO_MANY_REQUESTS => "That was too much in too short a time.",
            StatusCode::SERVICE_UNAVAILABLE => "Nothing can be stored right now; please try again.",
            _ => "Something went wrong on our side.",
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut error = json!({
            "id": uuid::Uuid::new_v4().to_string(),
            "status": self.status.as_u16(),
            "title": self.status.canonical_reason(),
            "detail": self.detail(),
        });
        if !self.details.is_empty() {
            error["meta"] = json!({ "details": self.details });
        }
        let mut response =
            Response::builder().status(self.status).content_type("application/json").body(json!({ "errors": [error] }).to_string());
        if let Some(after) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        response
    }
}
