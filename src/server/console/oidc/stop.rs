//! Why somebody whom a provider sends back does not come in, and what they are told.

use poem::http::StatusCode;
use storage::StorageError;

use super::{account::Refusal, provider::Distrust};
use crate::console::failure::Failure;

/// How much of a reason stands in the audit log.
const MAX_REASON_CHARS: usize = 200;

/// Why somebody does not come in, or does not count as proven again.
pub(super) enum Stop {
    /// What was answered is not an answer to what was asked here.
    Stray(&'static str),
    /// The provider says no, in a word.
    Denied(String),
    Distrust(Distrust),
    Refusal(Refusal),
    /// The proof is somebody else's.
    OtherPerson,
    Failure(Failure),
}

impl From<Distrust> for Stop {
    fn from(distrust: Distrust) -> Self {
        Self::Distrust(distrust)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        match failure {
            // The same person, first in two tabs at once.
            Failure::Storage(StorageError::Taken { .. }) => Self::Stray("You have just come in elsewhere. Begin again."),
            failure => Self::Failure(failure),
        }
    }
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        Self::from(Failure::from(error))
    }
}

impl Stop {
    /// What the person is told, with the status; nothing that came with the request is repeated.
    pub(super) fn words(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Stray(words) => (StatusCode::BAD_REQUEST, words),
            Self::Denied(_) => (StatusCode::FORBIDDEN, "The provider did not let you in. Try again, or ask whoever runs it."),
            Self::Distrust(Distrust::Unreachable(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "The identity provider does not answer. Please try again in a moment.")
            }
            Self::Distrust(Distrust::NotFresh) => {
                (StatusCode::FORBIDDEN, "The provider did not ask you anew who you are, which is needed here. Try again.")
            }
            Self::Distrust(_) => {
                (StatusCode::FORBIDDEN, "What the provider said could not be believed. Try again; if it stays so, the log says why.")
            }
            Self::Refusal(refusal) => (StatusCode::FORBIDDEN, refusal.words()),
            Self::OtherPerson => (StatusCode::FORBIDDEN, "You are somebody else at the provider. Log out there, then try again."),
            Self::Failure(_) => (StatusCode::INTERNAL_SERVER_ERROR, ""),
        }
    }

    /// For the audit log.
    pub(super) fn reason(&self) -> String {
        let text = match self {
            Self::Stray(_) => "not_asked".to_owned(),
            Self::Denied(word) => format!("provider: {word}"),
            Self::Distrust(distrust) => distrust.to_string(),
            Self::Refusal(refusal) => refusal.as_str().to_owned(),
            Self::OtherPerson => "another_person".to_owned(),
            Self::Failure(failure) => failure.to_string(),
        };
        text.chars().filter(|c| !c.is_control()).take(MAX_REASON_CHARS).collect()
    }
}

pub(super) const STRAY: &str =
    "This sign-in was begun in another browser, was finished already, or took longer than ten minutes. Begin again.";
