//! What can go wrong with the database.

use domain::ActError;

/// What can go wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The URL cannot be used.
    #[error("{0}")]
    Url(String),
    /// The database refused or cannot be reached.
    #[error("database")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("migration")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A stored value does not read back; the database was written by something else.
    #[error("{table}.{column} holds what cannot be read: {why}")]
    Corrupt {
        /// Where.
        table: &'static str,
        /// Where.
        column: &'static str,
        /// Why.
        why: String,
    },
    /// Another process evaluates now.
    #[error("the lease was lost to another process")]
    LeaseLost,
    /// The inbox has no room; the sender should come again.
    #[error("the inbox is full")]
    Overloaded,
    /// A secret could not be decrypted: the key is not the one it was encrypted with.
    #[error("secret cannot be decrypted: {0}")]
    Secret(&'static str),
    /// A secret is to be kept, and none is stored that has its fingerprint: it was exported from another instance, or is gone.
    #[error("no stored secret has the fingerprint `{fingerprint}`; give the secret itself instead of `kept`")]
    NoSuchSecret {
        /// Of the secret that was looked for.
        fingerprint: String,
    },
    /// A key leads nowhere.
    #[error("there is no {kind} `{key}`")]
    NoSuchKey {
        /// What it should name.
        kind: &'static str,
        /// The key.
        key: String,
    },
    /// A key, an address or a name is taken.
    #[error("{field} is taken")]
    Taken {
        /// The field's name in the API.
        field: &'static str,
    },
    /// What a person asked for does not fit.
    #[error(transparent)]
    Act(#[from] ActError),
}

impl StorageError {
    /// Whether the same may work a little later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database(error) => match error {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed => true,
                sqlx::Error::Database(error) => {
                    !error.is_unique_violation() && !error.is_foreign_key_violation() && !error.is_check_violation()
                }
                _ => false,
            },
            Self::LeaseLost | Self::Overloaded => true,
            _ => false,
        }
    }

    pub(crate) fn corrupt(table: &'static str, column: &'static str, why: impl std::fmt::Display) -> Self {
        Self::Corrupt { table, column, why: why.to_string() }
    }

    /// Names the field of a unique violation.
    pub(crate) fn taken(error: sqlx::Error, field: &'static str) -> Self {
        match &error {
            sqlx::Error::Database(inner) if inner.is_unique_violation() => Self::Taken { field },
            _ => Self::Database(error),
        }
    }
}
