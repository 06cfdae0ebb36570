//! The head: where the log begins and ends, sealed with the instance's key.

use super::{chain::HASH_BYTES, hash_of};
use crate::{
    Connection, SecretBox, StorageError,
    db::{execute, sql},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) last_id: i64,
    pub(super) last_hash: [u8; HASH_BYTES],
    pub(super) base_id: i64,
    pub(super) base_hash: [u8; HASH_BYTES],
    pub(super) seal: Option<Vec<u8>>,
}

#[derive(sqlx::FromRow)]
struct Row {
    last_id: i64,
    last_hash: Vec<u8>,
    base_id: i64,
    base_hash: Vec<u8>,
    seal: Option<Vec<u8>>,
}

impl TryFrom<Row> for Head {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        Ok(Self {
            last_id: row.last_id,
            last_hash: hash_of(&row.last_hash, "audit_head", "last_hash")?,
            base_id: row.base_id,
            base_hash: hash_of(&row.base_hash, "audit_head", "base_hash")?,
            seal: row.seal,
        })
    }
}

impl Head {
    /// Reads it, and has it to itself until the transaction ends.
    pub(super) async fn take(tx: &mut Connection) -> Result<Self, StorageError> {
        let row: Option<Row> = sql!(tx, c => sqlx::query_as(
            "update audit_head set last_id = last_id returning last_id, last_hash, base_id, base_hash, seal",
        )
        .fetch_optional(&mut *c)
        .await)?;
        row.ok_or_else(|| StorageError::corrupt("audit_head", "head_id", "its only row is gone"))?.try_into()
    }

    /// Reads it; `None` if somebody has removed it.
    pub(super) async fn read(conn: &mut Connection) -> Result<Option<Self>, StorageError> {
        let row: Option<Row> = sql!(conn, c => sqlx::query_as("select last_id, last_hash, base_id, base_hash, seal from audit_head")
            .fetch_optional(&mut *c)
            .await)?;
        row.map(Self::try_from).transpose()
    }

    /// Whether it is sealed with a key of ours, or nothing was ever recorded.
    pub(super) fn is_genuine(&self, secrets: &SecretBox) -> bool {
        match &self.seal {
            Some(seal) => secrets.has_marked(&self.text(), seal) == Some(true),
            None => self.last_id == 0 && self.base_id == 0,
        }
    }

    /// Seals and stores it.
    pub(super) async fn store(&self, tx: &mut Connection, secrets: &SecretBox) -> Result<(), StorageError> {
        execute!(
            tx,
            sqlx::query("update audit_head set last_id = $1, last_hash = $2, base_id = $3, base_hash = $4, seal = $5")
                .bind(self.last_id)
                .bind(self.last_hash.as_slice())
                .bind(self.base_id)
                .bind(self.base_hash.as_slice())
                .bind(secrets.mark(&self.text()))
        )?;
        Ok(())
    }

    fn text(&self) -> Vec<u8> {
        let (last, base) = (self.last_id.to_be_bytes(), self.base_id.to_be_bytes());
        [b"fanal audit head 1".as_slice(), &last, &self.last_hash, &base, &self.base_hash].concat()
    }
}
