//! The page's owner: who is told by mail what readers are not.

use domain::{Notice, Timestamp};

use crate::{
    Connection, Db, StorageError,
    db::{execute, sql},
    secrets::random_token,
};

/// Says who the owner is, from now on and for every process; `None` if there is nobody who could be told.
///
/// # Errors
/// What the database said.
pub async fn set(db: &Db, address: Option<&str>) -> Result<(), StorageError> {
    let mut tx = db.begin().await?;
    let known = find(&mut tx).await?;
    if known.as_deref() == address {
        return Ok(());
    }
    // Several processes may start at once, and say the same.
    match address {
        Some(address) => execute!(
            tx,
            sqlx::query(
                "insert into page_owner (page_owner_id, address) values (1, $1)
                 on conflict (page_owner_id) do update set address = excluded.address"
            )
            .bind(address)
        )?,
        None => execute!(tx, sqlx::query("delete from page_owner"))?,
    };
    tx.commit().await
}

async fn find(conn: &mut Connection) -> Result<Option<String>, StorageError> {
    Ok(sql!(conn, c => sqlx::query_scalar("select address from page_owner").fetch_optional(&mut *c).await)?)
}

/// Owes the owner, if there is one, a notice that is stored already.
///
/// # Errors
/// What the database said.
pub(crate) async fn owe(conn: &mut Connection, notice: &Notice) -> Result<(), StorageError> {
    match find(conn).await? {
        Some(owner) => owe_to(conn, &owner, notice.id.0, notice.at).await,
        None => Ok(()),
    }
}

/// Owes an address a notice that is stored already. It hears nothing else by it, unless it has subscribed besides.
///
/// # Errors
/// What the database said.
pub(crate) async fn owe_to(conn: &mut Connection, owner: &str, notice: i64, at: Timestamp) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query(
            "insert into subscriber (channel, address, manage_token, scoped, confirmed_at, created_at) values ('email', $1, $2, $3, $4, $4)
             on conflict (channel, address) do nothing"
        )
        .bind(owner)
        .bind(random_token())
        .bind(true)
        .bind(at.0)
    )?;
    execute!(
        conn,
        sqlx::query(
            "insert into notification (notice_id, subscriber_id, state, attempt, next_at, created_at)
             select cast($1 as bigint), subscriber_id, 'due', 1, cast($2 as bigint), cast($2 as bigint) from subscriber
             where channel = 'email' and address = $3"
        )
        .bind(notice)
        .bind(at.0)
        .bind(owner)
    )?;
    Ok(())
}
