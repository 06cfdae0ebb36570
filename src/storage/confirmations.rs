//! Confirmations: calls that senders wait for before they begin to send.
//!
//! What is called lets whoever has it act, so it lies encrypted, and only for as long as it is still to be called.

use domain::{IntegrationId, Timestamp, UnknownName};
use secrecy::SecretString;

use crate::{
    Connection, SecretBox, StorageError,
    db::{execute, sql},
    rows::named,
};

/// What came of a confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmationState {
    /// It is still to be called.
    Waiting,
    /// The sender took it.
    Confirmed,
    /// It is not called any more; the sender has to ask again.
    GivenUp,
}

impl ConfirmationState {
    /// Every state.
    pub const ALL: &'static [Self] = &[Self::Waiting, Self::Confirmed, Self::GivenUp];

    /// The name in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Confirmed => "confirmed",
            Self::GivenUp => "given_up",
        }
    }
}

impl std::str::FromStr for ConfirmationState {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .iter()
            .copied()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| UnknownName { value: text.chars().take(64).collect(), allowed: "waiting, confirmed, given_up".to_owned() })
    }
}

/// What a sender asks for.
#[derive(Debug)]
pub struct NewConfirmation<'a> {
    /// Who sends to this integration.
    pub integration: IntegrationId,
    /// What begins once it is called.
    pub subject: &'a str,
    /// The sender's id of its request.
    pub external_id: &'a str,
    /// What is called.
    pub url: &'a SecretString,
    /// Until when the sender takes it.
    pub ends_at: Timestamp,
}

fn place(integration: i64, subject: &str) -> String {
    format!("confirmation:{integration}:{subject}")
}

/// Remembers that a sender waits for a call. The same request again asks for nothing new unless it was given up; another one about the same
/// subject takes the place of the one before. Nothing is remembered for an integration that is gone.
///
/// # Errors
/// What the database said.
pub async fn request(conn: &mut Connection, secrets: &SecretBox, new: &NewConfirmation<'_>, now: Timestamp) -> Result<(), StorageError> {
    let sealed = secrets.seal(&place(new.integration.0, new.subject), new.url);
    execute!(
        conn,
        sqlx::query(
            "insert into confirmation as c (integration_id, subject, external_id, url, state, requested_at, ends_at, next_at)
             select integration_id, $2, $3, $4, 'waiting', $5, $6, $5 from integration where integration_id = $1
             on conflict (integration_id, subject) do update set external_id = excluded.external_id, url = excluded.url, state = excluded.state,
               requested_at = excluded.requested_at, ends_at = excluded.ends_at, attempts = 0, next_at = excluded.next_at,
               settled_at = null, last_error = null
             where c.external_id <> excluded.external_id or c.state = 'given_up'",
        )
        .bind(new.integration.0)
        .bind(new.subject)
        .bind(new.external_id)
        .bind(sealed.as_slice())
        .bind(now.0)
        .bind(new.ends_at.0)
    )?;
    Ok(())
}

/// A confirmation that is to be called now.
#[derive(Debug)]
pub struct Due {
    id: i64,
    external_id: String,
    /// The key of the integration.
    pub integration: String,
    /// What is called; `None` if it cannot be decrypted.
    pub url: Option<SecretString>,
    /// How often it was called.
    pub attempts: i32,
    /// Until when the sender takes it.
    pub ends_at: Timestamp,
}

type DueRow = (i64, i64, String, String, String, Vec<u8>, i32, i64);

/// The confirmations that are due, those that have waited longest first; none of integrations that are switched off.
///
/// # Errors
/// What the database said.
pub async fn due(conn: &mut Connection, secrets: &SecretBox, now: Timestamp, limit: i64) -> Result<Vec<Due>, StorageError> {
    let rows: Vec<DueRow> = sql!(conn, c => sqlx::query_as(
        "select c.confirmation_id, c.integration_id, c.subject, c.external_id, i.key, c.url, c.attempts, c.ends_at
         from confirmation c join integration i on i.integration_id = c.integration_id
         where c.next_at is not null and c.next_at <= $1 and c.url is not null and i.enabled order by c.next_at limit $2",
    )
    .bind(now.0)
    .bind(limit)
    .fetch_all(&mut *c)
    .await)?;
    let due = |(id, integration_id, subject, external_id, integration, sealed, attempts, ends_at): DueRow| {
        let url = secrets.open(&place(integration_id, &subject), &sealed).ok();
        Due { id, external_id, integration, url, attempts, ends_at: Timestamp(ends_at) }
    };
    Ok(rows.into_iter().map(due).collect())
}

/// What follows a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The sender took it.
    Confirmed,
    /// It is called again then; why it failed.
    Again(Timestamp, String),
    /// It is not called any more; why it failed.
    GivenUp(String),
}

/// Records a try; of two that tried the same the first counts, and none once the sender has asked anew.
///
/// # Errors
/// What the database said.
pub async fn record(conn: &mut Connection, due: &Due, outcome: &Outcome, now: Timestamp) -> Result<bool, StorageError> {
    let (state, next_at, error) = match outcome {
        Outcome::Confirmed => (ConfirmationState::Confirmed, None, None),
        Outcome::Again(at, why) => (ConfirmationState::Waiting, Some(at.0), Some(why.as_str())),
        Outcome::GivenUp(why) => (ConfirmationState::GivenUp, None, Some(why.as_str())),
    };
    let settled_at = Some(now.0).filter(|_| next_at.is_none());
    let n = execute!(
        conn,
        sqlx::query(
            "update confirmation set attempts = attempts + 1, state = $4, next_at = $5, settled_at = $6, last_error = $7,
               url = case when $5 is null then null else url end
             where confirmation_id = $1 and external_id = $2 and attempts = $3 and state = 'waiting'",
        )
        .bind(due.id)
        .bind(due.external_id.as_str())
        .bind(due.attempts)
        .bind(state.as_str())
        .bind(next_at)
        .bind(settled_at)
        .bind(error)
    )?;
    Ok(n > 0)
}

/// A confirmation, as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// What begins once it is called.
    pub subject: String,
    /// What came of it.
    pub state: ConfirmationState,
    /// When the sender asked for it.
    pub requested_at: Timestamp,
    /// How often it was called.
    pub attempts: i32,
    /// When it is called next.
    pub next_at: Option<Timestamp>,
    /// When it was confirmed or given up.
    pub settled_at: Option<Timestamp>,
    /// Why the last call failed.
    pub last_error: Option<String>,
}

type Row = (String, String, i64, i32, Option<i64>, Option<i64>, Option<String>);

/// The confirmations of an integration, by subject.
///
/// # Errors
/// What the database said.
pub async fn list(conn: &mut Connection, integration: IntegrationId) -> Result<Vec<Confirmation>, StorageError> {
    let rows: Vec<Row> = sql!(conn, c => sqlx::query_as(
        "select subject, state, requested_at, attempts, next_at, settled_at, last_error from confirmation
         where integration_id = $1 order by subject",
    )
    .bind(integration.0)
    .fetch_all(&mut *c)
    .await)?;
    let confirmation = |(subject, state, requested_at, attempts, next_at, settled_at, last_error): Row| {
        Ok(Confirmation {
            subject,
            state: named(&state, "confirmation", "state")?,
            requested_at: Timestamp(requested_at),
            attempts,
            next_at: next_at.map(Timestamp),
            settled_at: settled_at.map(Timestamp),
            last_error,
        })
    };
    rows.into_iter().map(confirmation).collect()
}
