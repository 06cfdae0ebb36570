//! The one place that is told of everything that security depends on.

use std::fmt;

use domain::{SessionId, Timestamp, UserId};
use serde_json::Value;

use crate::{
    Connection, SecretBox, StorageError,
    audit::{self, By, Via},
};

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

impl Actor {
    /// The same for the audit log, from an address.
    #[must_use]
    pub fn by(&self, address: Option<&str>) -> By {
        let address = address.and_then(|address| address.parse().ok());
        match self {
            Self::Session { user, email, session } => {
                By { actor: audit::Actor::User(user.0), name: email.clone(), via: Via::Session(session.0), address }
            }
            Self::Visitor(_) => By::nobody(address),
            Self::CommandLine => By { via: Via::Command, ..By::system() },
        }
    }
}

impl Event<'_> {
    /// A visitor's word for who they are stands beside what was done, where a pseudonym takes its place.
    fn after(&self) -> Value {
        let Actor::Visitor(name) = &self.actor else { return self.after.clone() };
        let mut after = self.after.clone();
        match &mut after {
            Value::Object(fields) => {
                fields.entry("email").or_insert_with(|| name.clone().into());
            }
            Value::Null => after = serde_json::json!({ "email": name }),
            _ => {}
        }
        after
    }
}

/// Records an event in the audit log, in the transaction that does what it tells of.
///
/// # Errors
/// What the database said.
pub async fn record(conn: &mut Connection, secrets: &SecretBox, at: Timestamp, event: &Event<'_>) -> Result<(), StorageError> {
    let by = event.actor.by(event.address);
    let resource = Some(event.subject.clone());
    let entry = audit::Entry { by: &by, action: event.action, resource, before: event.before.clone(), after: event.after(), at };
    audit::record(conn, secrets, &entry).await?;
    Ok(())
}
