//! Grafana Alerting, the webhook contact point; and the notification channel that came before it.
//!
//! <https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/>

use domain::{Severity, Signal};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Credentials, Inbound, ParseError, Provider, Quirks, Settings, SettingsError, VerifyError,
    alert_group::{self, Alert, Dialect},
    limits, plain_secret, reading,
    signature::{self, Scheme},
};

mod legacy;

pub(crate) static PROVIDER: Provider = Provider {
    slug: "grafana",
    name: "Grafana",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/firing.json")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json"],
    check_settings: |settings| Prepared::read(settings).map(|_| ()),
    check_secret: |secret: &SecretString, settings| signature::check_secret(&settings.prepared(Prepared::read)?.scheme, secret),
    verify,
    delivery_id,
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

const DIALECT: Dialect = Dialect { version: "1", limit: "Max Alerts", finish };

/// Both names can be chosen in Grafana; it signs a timestamp only if it is told in which header to send it.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrafanaSettings {
    signature_header: Option<String>,
    timestamp_header: Option<String>,
}

struct Prepared {
    signature_header: String,
    scheme: Scheme,
}

impl Prepared {
    fn read(settings: &Value) -> Result<Self, SettingsError> {
        let settings: GrafanaSettings = if settings.is_null() { GrafanaSettings::default() } else { reading::settings("", settings)? };
        let header = settings.signature_header.unwrap_or_else(|| "X-Grafana-Alerting-Signature".to_owned());
        let scheme = match settings.timestamp_header {
            None => json!({"header": header}),
            Some(timestamp) => json!({"header": header, "timestamp_header": timestamp, "signed_text": "{ts}:{body}"}),
        };
        Ok(Self { scheme: Scheme::read("signature", &scheme)?, signature_header: header.to_ascii_lowercase() })
    }
}

/// A request that is signed is judged by its signature alone.
fn verify(inbound: &Inbound<'_>, credentials: &Credentials<'_>) -> Result<(), VerifyError> {
    let prepared = credentials.settings.prepared(Prepared::read)?;
    if inbound.header(&prepared.signature_header).is_none() {
        return plain_secret::verify(inbound, credentials);
    }
    signature::verify(&prepared.scheme, inbound, credentials.secrets)
}

/// Grafana gives its deliveries no id; with a signed timestamp, an equal text is the same delivery again.
fn delivery_id(inbound: &Inbound<'_>, settings: &Settings) -> Option<String> {
    match &settings.prepared(Prepared::read).ok()?.scheme {
        Scheme::Signature(signed) => signature::signed_text_hash(signed, inbound).map(|hash| format!("signed:{hash}")),
        _ => None,
    }
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let document = inbound.document()?;
    if document.get("version").is_none() && document.get("ruleId").is_some() {
        return legacy::signals(inbound, document);
    }
    alert_group::signals(document, inbound.received_at, &DIALECT)
}

fn finish(alert: &Alert, mut signal: Signal) -> Option<Signal> {
    // What the button "Test" of a contact point sends.
    if alert.label("alertname") == Some("TestAlert") && alert.label("instance") == Some("Grafana") {
        return None;
    }
    // The rule could not be evaluated: nobody knows whether what it watches is well.
    if let (Some("DatasourceNoData" | "DatasourceError"), Some(rule)) = (alert.label("alertname"), alert.label("rulename")) {
        signal.severity = Severity::Unknown;
        rule.clone_into(&mut signal.subject);
    }
    let page = [&alert.panel_url, &alert.dashboard_url].into_iter().flatten().find_map(|url| limits::link(url));
    signal.url = page.or(signal.url);
    let mut values = alert.values.values().filter_map(Value::as_f64);
    // With several queries nobody knows which one people look at.
    signal.value = values.next().filter(|_| values.next().is_none());
    Some(signal)
}
