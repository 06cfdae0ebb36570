//! Deliveries that came again: only counted, since the first of each is kept.

use domain::{DeliveryId, IntegrationId, Timestamp};

use crate::{
    Connection, StorageError,
    db::{execute, sql},
};

/// Counts deliveries to an integration that came again, the last of them under this id. Nothing is counted for one that is gone.
///
/// # Errors
/// What the database said.
pub async fn count(
    conn: &mut Connection,
    integration: IntegrationId,
    n: i64,
    at: Timestamp,
    external_id: &str,
) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query(
            "insert into duplicate as d (integration_id, n, first_at, last_at, external_id)
             select integration_id, $2, $3, $3, $4 from integration where integration_id = $1
             on conflict (integration_id) do update set n = d.n + excluded.n, last_at = excluded.last_at, external_id = excluded.external_id",
        )
        .bind(integration.0)
        .bind(n)
        .bind(at.0)
        .bind(external_id)
    )?;
    Ok(())
}

/// What came again to an integration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicates {
    /// How many.
    pub n: i64,
    /// When the first came.
    pub first_at: Timestamp,
    /// When the last came.
    pub last_at: Timestamp,
    /// The sender's id of the last.
    pub external_id: String,
    /// The delivery that it repeated, while that is kept.
    pub delivery: Option<DeliveryId>,
}

type Row = (i64, i64, i64, String, Option<i64>);

/// What came again to an integration, if anything did.
///
/// # Errors
/// What the database said.
pub async fn find(conn: &mut Connection, integration: IntegrationId) -> Result<Option<Duplicates>, StorageError> {
    let row: Option<Row> = sql!(conn, c => sqlx::query_as(
        "select p.n, p.first_at, p.last_at, p.external_id, d.delivery_id from duplicate p
         left join delivery d on d.integration_id = p.integration_id and d.external_id = p.external_id where p.integration_id = $1",
    )
    .bind(integration.0)
    .fetch_optional(&mut *c)
    .await)?;
    Ok(row.map(|(n, first_at, last_at, external_id, delivery)| Duplicates {
        n,
        first_at: Timestamp(first_at),
        last_at: Timestamp(last_at),
        external_id,
        delivery: delivery.map(DeliveryId),
    }))
}
