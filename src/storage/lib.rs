//! Storage: every SQL statement there is, on SQLite and on PostgreSQL.
//!
//! Writers take a [`Connection`] from [`Db::begin`] or an [`Entry`] of the [`ledger`] (the caller owns the transaction); readers take one
//! from [`Db::read`].

pub mod changes;
pub mod components;
pub mod configuration;
mod db;
pub mod deliveries;
mod error;
pub mod groups;
pub mod heartbeats;
pub mod history;
pub mod hub;
pub mod idempotency;
mod inbox;
pub mod insight;
pub mod integrations;
pub mod ledger;
mod link;
pub mod metrics;
pub mod notifications;
pub mod owner;
pub mod page;
pub mod polls;
mod presence;
pub mod publications;
pub mod queue;
pub mod rows;
mod secrets;
pub mod silence;
pub mod state;
pub mod subscribers;
pub mod subscriptions;
#[cfg(test)]
mod tests;
pub mod tokens;
mod wake;

pub use db::{Connection, Db};
pub use error::StorageError;
pub use inbox::{Inbox, MAX_WAITING};
pub use ledger::{Entry, Lease, Office};
pub use secrets::{SecretBox, hint};
pub use wake::{Topic, Waiter, Wake};
