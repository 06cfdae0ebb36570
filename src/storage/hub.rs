//! Integrations as the hooks and the evaluator need them: with their secrets, ready to verify.

use std::collections::HashMap;

use domain::IntegrationId;
use secrecy::SecretString;

use crate::{Connection, SecretBox, StorageError, db::sql, rows::json};

/// A configured provider that is switched on.
#[derive(Debug)]
pub struct Integration {
    /// Its id.
    pub id: IntegrationId,
    /// Its name in URLs.
    pub key: String,
    /// The provider's slug.
    pub provider: String,
    /// As the provider wants them.
    pub settings: serde_json::Value,
    /// Every secret that is valid now.
    pub secrets: Vec<SecretString>,
}

/// The place that an integration's secret is bound to. Not the row, so that secrets may be stored before they have one.
#[must_use]
pub fn secret_place(integration: IntegrationId) -> String {
    format!("integration:{integration}:secret")
}

/// One integration, if it is switched on.
///
/// # Errors
/// What the database said, or a secret that does not open.
pub async fn find(conn: &mut Connection, secrets: &SecretBox, id: IntegrationId) -> Result<Option<Integration>, StorageError> {
    let sealed: Vec<Vec<u8>> = sql!(conn, c => sqlx::query_scalar(
        "select ciphertext from integration_secret where integration_id = $1 order by secret_id",
    )
    .bind(id.0)
    .fetch_all(&mut *c)
    .await)?;
    let row: Option<(String, String, String)> = sql!(conn, c => sqlx::query_as(
        "select key, provider, settings from integration where integration_id = $1 and enabled",
    )
    .bind(id.0)
    .fetch_optional(&mut *c)
    .await)?;
    let Some((key, provider, settings)) = row else { return Ok(None) };
    let settings = json(&settings, "integration", "settings")?;
    let secrets = sealed.iter().map(|ciphertext| secrets.open(&secret_place(id), ciphertext)).collect::<Result<_, _>>()?;
    Ok(Some(Integration { id, key, provider, settings, secrets }))
}

/// The rows behind the integrations that are switched on, with sealed secrets: equal if nothing about them has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    rows: Vec<(i64, String, String, String)>,
    sealed: Vec<(i64, Vec<u8>)>,
}

/// Reads every integration that is switched on.
///
/// # Errors
/// What the database said.
pub async fn stored(conn: &mut Connection) -> Result<Stored, StorageError> {
    let sealed = sql!(conn, c => sqlx::query_as("select integration_id, ciphertext from integration_secret order by secret_id").fetch_all(&mut *c).await)?;
    let rows = sql!(conn, c => sqlx::query_as("select integration_id, key, provider, settings from integration where enabled order by integration_id").fetch_all(&mut *c).await)?;
    Ok(Stored { rows, sealed })
}

impl Stored {
    /// The integrations, ready to verify.
    ///
    /// # Errors
    /// A secret that does not open, or settings that do not read back.
    pub fn open(&self, secrets: &SecretBox) -> Result<Vec<Integration>, StorageError> {
        let mut of: HashMap<i64, Vec<SecretString>> = HashMap::new();
        for (integration, ciphertext) in &self.sealed {
            of.entry(*integration).or_default().push(secrets.open(&secret_place(IntegrationId(*integration)), ciphertext)?);
        }
        let open = |(id, key, provider, settings): &(i64, String, String, String)| {
            Ok(Integration {
                id: IntegrationId(*id),
                key: key.clone(),
                provider: provider.clone(),
                settings: json(settings, "integration", "settings")?,
                secrets: of.remove(id).unwrap_or_default(),
            })
        };
        self.rows.iter().map(open).collect()
    }
}

/// Every integration that is switched on.
///
/// # Errors
/// What the database said, or a secret that does not open.
pub async fn load(conn: &mut Connection, secrets: &SecretBox) -> Result<Vec<Integration>, StorageError> {
    stored(conn).await?.open(secrets)
}
