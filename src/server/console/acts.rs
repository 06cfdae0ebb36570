//! How areas of the console look and act: through the operations of the admin API, in the name of whoever is signed in.

use domain::Timestamp;
use poem::{
    FromRequest, Request, RequestBody, Result,
    http::{Method, StatusCode},
};
use serde_json::Value;

use crate::admin::{Actor, Operations, Refused, Watcher};

use super::{Console, failure::Failure, session::Person};

/// The operations, for this person.
pub(super) struct Acts {
    operations: Operations,
    person: Person,
    /// What time it is.
    pub(super) now: Timestamp,
}

impl<'a> FromRequest<'a> for Acts {
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> Result<Self> {
        let person = Person::from_request(request, body).await?;
        let console = request.data::<Console>().ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
        Ok(Self { operations: console.operations.clone(), person, now: console.now() })
    }
}

impl Acts {
    fn actor(&self) -> Actor<'_> {
        Actor { by: self.person.by(), name: &self.person.name, role: self.person.role }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Refused> {
        self.operations.call(self.actor(), Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, Refused> {
        self.operations.call(self.actor(), Method::POST, path, body).await
    }

    /// The same for what takes long: `watcher` is told how far it has come.
    pub(super) async fn post_watched(&self, path: &str, body: &Value, watcher: Watcher) -> Result<Value, Refused> {
        self.operations.call_watched(self.actor(), Method::POST, path, Some(body), watcher).await
    }

    /// Changes something, unless it is not as in `etag` any more.
    pub(super) async fn patch(&self, path: &str, body: &Value, etag: Option<&str>) -> Result<Value, Refused> {
        self.operations.call_if(self.actor(), Method::PATCH, path, Some(body), etag).await
    }

    /// Adds to something or acts on it, unless it is not as in `etag` any more.
    pub(super) async fn post_if(&self, path: &str, body: Option<&Value>, etag: Option<&str>) -> Result<Value, Refused> {
        self.operations.call_if(self.actor(), Method::POST, path, body, etag).await
    }

    /// Puts something in place of what is there, unless that is not as in `etag` any more.
    pub(super) async fn put(&self, path: &str, body: &Value, etag: Option<&str>) -> Result<Value, Refused> {
        self.operations.call_if(self.actor(), Method::PUT, path, Some(body), etag).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Value, Refused> {
        self.operations.call(self.actor(), Method::DELETE, path, None).await
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused.status {
            StatusCode::NOT_FOUND => Self::NotFound("There is nothing of this number, or no longer."),
            StatusCode::PRECONDITION_FAILED => Self::Refused {
                status: StatusCode::PRECONDITION_FAILED,
                detail:
                    "Somebody changed it since you opened this page, and nothing of yours was done. Open the page again, look at what is \
                         new, and do it once more if it is still right."
                        .to_owned(),
            },
            status => Self::Refused { status, detail: sentence(&refused.detail) },
        }
    }
}

/// The API's words, as a sentence.
pub(super) fn sentence(detail: &str) -> String {
    let mut chars = detail.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let end = if detail.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}
