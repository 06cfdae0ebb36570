//! An integration's settings, and what a provider makes of them.

use std::{any::Any, sync::OnceLock};

use serde_json::Value;

use crate::SettingsError;

type Prepared = Box<dyn Any + Send + Sync>;

/// The settings of one integration, as its provider understands them.
///
/// Signature schemes and expressions are compiled at first use and kept, so hold on to one of these for as long as the settings stay
/// the same.
#[derive(Debug, Default)]
pub struct Settings {
    json: Value,
    prepared: OnceLock<Result<Prepared, SettingsError>>,
}

impl Settings {
    /// Takes the settings as they are stored. Nothing is checked yet: see [`crate::Provider::check_settings`].
    #[must_use]
    pub const fn new(json: Value) -> Self {
        Self { json, prepared: OnceLock::new() }
    }

    /// As they are stored.
    #[must_use]
    pub const fn json(&self) -> &Value {
        &self.json
    }

    /// What `prepare` makes of the settings, made once. A provider always asks for the same type.
    pub(crate) fn prepared<T: Any + Send + Sync>(&self, prepare: fn(&Value) -> Result<T, SettingsError>) -> Result<&T, SettingsError> {
        let prepared = self.prepared.get_or_init(|| prepare(&self.json).map(|made| Box::new(made) as Prepared));
        let made = prepared.as_ref().map_err(Clone::clone)?;
        made.downcast_ref().ok_or_else(|| SettingsError::new("", "these settings were read by another provider"))
    }
}

impl From<Value> for Settings {
    fn from(json: Value) -> Self {
        Self::new(json)
    }
}
