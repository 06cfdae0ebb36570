//! The one place that is told of everything that security depends on.

use std::fmt;

use domain::{SessionId, UserId};
use serde_json::Value;

use crate::{Connection, StorageError};

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person who is signed in.
    Session {
        /// Who.
        user: UserId,
        /// Under what address of theirs.
        email: String,
        /// In which stay.
        session: SessionId,
    },
    /// Somebody who is not signed in, by the address they gave or were given.
    Visitor(String),
    /// Whoever may run `fanal` on this machine.
    CommandLine,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session { email, .. } => f.write_str(email),
            Self::Visitor(name) => write!(f, "visitor {name}"),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// Something that happened and matters for security. Holds no secrets.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// What: `user.created`, `session.begun`.
    pub action: &'static str,
    /// Who did it.
    pub actor: Actor,
    /// From where, if over the network.
    pub address: Option<&'a str>,
    /// With what: `user:7`.
    pub subject: String,
    /// What was before and what is now; null where there is nothing to say.
    pub before: Value,
    /// See `before`.
    pub after: Value,
}

/// Records an event, in the transaction that does what it tells of.
///
/// # Errors
/// What the database said.
#[expect(clippy::unused_async, reason = "it writes to the database where there is an audit log")]
pub async fn record(_conn: &mut Connection, event: &Event<'_>) -> Result<(), StorageError> {
    let Event { action, actor, address, subject, before, after } = event;
    tracing::info!(target: "security", action, %actor, address, subject, %before, %after, "{action}: {subject} by {actor}");
    Ok(())
}
