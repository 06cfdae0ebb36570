//! Storage: every SQL statement there is, on SQLite and on PostgreSQL.
//!
//! Writers take a [`Connection`] from [`Db::begin`] (the caller owns the transaction); readers take one from [`Db::read`].

mod db;
mod error;
mod secrets;

pub use db::{Connection, Db};
pub use error::StorageError;
pub use secrets::{SecretBox, hint};
