//! Subscribers that configuration made. Those who subscribed themselves are touched only if the file names the same address.

use std::collections::HashMap;

use domain::{Channel, SubscriberId, SubscriberSpec, Timestamp};

use super::{Ids, load::Stored, secrets::Secrets};
use crate::{
    Connection, StorageError,
    db::{execute, sql},
    notifications::secret_place,
    secrets::random_token,
};

pub(super) async fn apply(
    conn: &mut Connection,
    secrets: &Secrets<'_>,
    stored: &Stored,
    desired: &[SubscriberSpec],
    components: &Ids,
    now: Timestamp,
) -> Result<(), StorageError> {
    let pairs = stored.desired.subscribers.iter().zip(&stored.subscribers);
    let before: HashMap<(Channel, &str), (&SubscriberSpec, i64)> =
        pairs.map(|(spec, id)| ((spec.channel, spec.address.as_str()), (spec, *id))).collect();
    for subscriber in desired {
        let scope = subscriber.components.as_ref().map(|keys| components.get_all(keys)).transpose()?;
        let old = before.get(&(subscriber.channel, subscriber.address.as_str())).copied();
        let id = match old {
            Some((_, id)) => id,
            None => insert(conn, subscriber, now).await?,
        };
        if old.is_none_or(|(old, _)| old.secret != subscriber.secret) {
            set_secret(conn, secrets, id, subscriber).await?;
        }
        if old.is_none_or(|(old, _)| old.components != subscriber.components) {
            set_scope(conn, id, scope.as_deref()).await?;
        }
    }
    Ok(())
}

/// Confirmed at once: whoever may write the file answers for the address.
async fn insert(conn: &mut Connection, subscriber: &SubscriberSpec, now: Timestamp) -> Result<i64, StorageError> {
    Ok(sql!(conn, c => sqlx::query_scalar(
        "insert into subscriber (channel, address, manage_token, managed, confirmed_at, created_at) values ($1, $2, $3, $4, $5, $5)
         on conflict (channel, address) do update
             set managed = excluded.managed, confirmed_at = coalesce(subscriber.confirmed_at, excluded.confirmed_at)
         returning subscriber_id",
    )
    .bind(subscriber.channel.as_str())
    .bind(subscriber.address.as_str())
    .bind(random_token())
    .bind(true)
    .bind(now.0)
    .fetch_one(&mut *c)
    .await)?)
}

async fn set_secret(conn: &mut Connection, secrets: &Secrets<'_>, id: i64, subscriber: &SubscriberSpec) -> Result<(), StorageError> {
    let place = secret_place(SubscriberId(id));
    let seal = |secret| secrets.value(secret).map(|value| secrets.sealer.seal(&place, &value));
    let sealed = subscriber.secret.as_ref().map(seal).transpose()?;
    let fingerprint = subscriber.secret.as_ref().map(|secret| secret.fingerprint.as_str());
    execute!(
        conn,
        sqlx::query("update subscriber set secret = $2, secret_fingerprint = $3 where subscriber_id = $1")
            .bind(id)
            .bind(sealed.as_deref())
            .bind(fingerprint)
    )?;
    Ok(())
}

async fn set_scope(conn: &mut Connection, id: i64, scope: Option<&[i64]>) -> Result<(), StorageError> {
    let scoped = scope.is_some();
    execute!(conn, sqlx::query("update subscriber set scoped = $2 where subscriber_id = $1").bind(id).bind(scoped))?;
    execute!(conn, sqlx::query("delete from subscriber_component where subscriber_id = $1").bind(id))?;
    for component in scope.into_iter().flatten() {
        execute!(
            conn,
            sqlx::query("insert into subscriber_component (subscriber_id, component_id) values ($1, $2)").bind(id).bind(*component)
        )?;
    }
    Ok(())
}
