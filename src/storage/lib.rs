//! Storage: every SQL statement there is, on SQLite and on PostgreSQL.
//!
//! Writers take a [`Connection`] from [`Db::begin`] or an [`Entry`] of the [`ledger`] (the caller owns the transaction); readers take one
//! from [`Db::read`].

pub mod attention;
pub mod audit;
pub mod changes;
pub mod combine;
pub mod comparison;
pub mod components;
pub mod configuration;
pub mod confirmations;
mod db;
pub mod deliveries;
pub mod dependencies;
pub mod devices;
pub mod duplicates;
pub mod entry_links;
mod error;
pub mod factors;
pub mod fates;
pub mod groups;
pub mod heartbeats;
pub mod history;
pub mod hub;
pub mod idempotency;
pub mod identities;
pub mod images;
mod inbox;
pub mod insight;
pub mod integrations;
pub mod kept_forms;
pub mod ledger;
mod link;
pub mod metrics;
mod migrations;
pub mod notifications;
pub mod order;
pub mod owner;
pub mod page;
pub mod passkeys;
pub mod passwords;
pub mod past;
pub mod polls;
pub mod postmortems;
mod presence;
pub mod publications;
pub mod queue;
pub mod rows;
pub mod sealed;
pub mod search;
mod secrets;
pub mod security;
pub mod series;
pub mod sessions;
pub mod silence;
pub mod state;
pub mod subscribers;
pub mod subscriptions;
pub mod templates;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod tries;
pub mod users;
pub mod waiting;
mod wake;

pub use db::{Connection, Db};
pub use error::StorageError;
pub use inbox::{Arrival, Inbox, MAX_WAITING};
pub use ledger::{Entry, Lease, Office};
pub use migrations::Schema;
pub use secrets::{SecretBox, hint};
pub use wake::{Topic, Waiter, Wake};
