//! What all questions to the HTTP API of Prometheus and its relatives have in common.
//!
//! <https://prometheus.io/docs/prometheus/latest/querying/api/>

use secrecy::SecretString;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{ParseError, error::quoted, poll::Request, reading};

/// With the secret, if there is one, and for the tenant, which Mimir and the like want to know.
pub(crate) fn request(request: Request, tenant: Option<String>, secrets: &[SecretString]) -> Request {
    let request = request.authorized(secrets);
    match tenant {
        Some(tenant) => request.header("x-scope-orgid", tenant),
        None => request,
    }
}

/// What the answer holds, unless it is an error.
pub(crate) fn data<T: DeserializeOwned>(document: Value) -> Result<T, ParseError> {
    let answer: Answer = reading::object(document)?;
    match (answer.status.as_str(), answer.data) {
        ("success", Some(data)) => reading::nested("data", data),
        ("error", _) => Err(ParseError::field("error", quoted(&answer.error.unwrap_or_default()))),
        ("success", None) => Err(ParseError::missing("data")),
        (other, _) => Err(ParseError::unknown("status", other, "success, error")),
    }
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    data: Option<Value>,
    error: Option<String>,
}
