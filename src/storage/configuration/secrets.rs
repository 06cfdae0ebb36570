//! Secrets of integrations and of subscribers that configuration made: found by fingerprint, sealed for their place.

use std::collections::HashMap;

use domain::{IntegrationId, Secret, SubscriberId, Timestamp};
use secrecy::SecretString;

use crate::{
    Connection, SecretBox, StorageError,
    db::{execute, sql},
    hint, hub, notifications,
};

/// Every secret that a file may keep.
pub(super) struct Secrets<'a> {
    pub(super) sealer: &'a SecretBox,
    /// By fingerprint: where it is bound to, and what it is there.
    stored: HashMap<String, (String, Vec<u8>)>,
}

impl<'a> Secrets<'a> {
    pub(super) async fn load(conn: &mut Connection, sealer: &'a SecretBox) -> Result<Self, StorageError> {
        let of_integrations: Vec<(String, i64, Vec<u8>)> = sql!(conn, c => sqlx::query_as(
            "select fingerprint, integration_id, ciphertext from integration_secret",
        )
        .fetch_all(&mut *c)
        .await)?;
        let of_subscribers: Vec<(String, i64, Vec<u8>)> = sql!(conn, c => sqlx::query_as(
            "select secret_fingerprint, subscriber_id, secret from subscriber
             where managed and secret is not null and secret_fingerprint is not null",
        )
        .fetch_all(&mut *c)
        .await)?;
        let of_integrations =
            of_integrations.into_iter().map(|(print, id, sealed)| (print, (hub::secret_place(IntegrationId(id)), sealed)));
        let of_subscribers =
            of_subscribers.into_iter().map(|(print, id, sealed)| (print, (notifications::secret_place(SubscriberId(id)), sealed)));
        Ok(Self { sealer, stored: of_integrations.chain(of_subscribers).collect() })
    }

    /// The value of `secret`: given, or the stored one of its fingerprint.
    pub(super) fn value(&self, secret: &Secret) -> Result<SecretString, StorageError> {
        if let Some(value) = &secret.value {
            return Ok(value.clone());
        }
        let stored = self.stored.get(&secret.fingerprint);
        let (place, sealed) = stored.ok_or_else(|| StorageError::NoSuchSecret { fingerprint: secret.fingerprint.clone() })?;
        self.sealer.open(place, sealed)
    }
}

/// Gives an integration exactly the secrets it should have. `stored` are those it has, each with its id.
pub(super) async fn set_of_integration(
    conn: &mut Connection,
    secrets: &Secrets<'_>,
    integration: i64,
    stored: &[(&Secret, i64)],
    desired: &[Secret],
    now: Timestamp,
) -> Result<(), StorageError> {
    for secret in desired.iter().filter(|secret| !stored.iter().any(|(old, _)| old == secret)) {
        let value = secrets.value(secret)?;
        let sealed = secrets.sealer.seal(&hub::secret_place(IntegrationId(integration)), &value);
        execute!(
            conn,
            sqlx::query(
                "insert into integration_secret (integration_id, ciphertext, fingerprint, hint, created_at) values ($1, $2, $3, $4, $5)",
            )
            .bind(integration)
            .bind(sealed.as_slice())
            .bind(secret.fingerprint.as_str())
            .bind(hint(&value))
            .bind(now.0)
        )?;
    }
    for (_, id) in stored.iter().filter(|(old, _)| !desired.contains(old)) {
        execute!(conn, sqlx::query("delete from integration_secret where secret_id = $1").bind(*id))?;
    }
    Ok(())
}
