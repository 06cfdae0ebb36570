//! The alerts that Prometheus (or Thanos, Mimir, `VictoriaMetrics`) finds firing: `GET /api/v1/alerts`.
//!
//! <https://prometheus.io/docs/prometheus/latest/querying/api/#alerts>

use std::collections::BTreeMap;

use domain::{Severity, Signal, SignalState, Span};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError,
    error::unknown_word,
    labels,
    poll::{self, Poll, Request},
    prometheus_api,
    provider::Polled,
    set,
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "prometheus_alerts",
    name: "Prometheus alerts",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).and_then(|own| own.url()).map(|_| ()),
    poll: Poll { every: Span::secs(30), at_least: AT_LEAST, request, pages: None },
    parse,
});

const AT_LEAST: Span = Span::secs(5);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// The server's address, such as `http://prometheus:9090`; for Mimir with the prefix of its ruler's API.
    url: String,
    /// The tenant, for Mimir and the like.
    tenant: Option<String>,
}

impl Own {
    fn url(&self) -> Result<String, SettingsError> {
        poll::join("url", &self.url, "/api/v1/alerts")
    }
}

fn request(settings: &Settings, secrets: &[SecretString]) -> Result<Request, SettingsError> {
    let own: Own = poll::settings(settings.json())?;
    Ok(prometheus_api::request(Request::get(own.url()?), own.tenant, secrets))
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let data: Data = prometheus_api::data(inbound.document()?)?;
    // What is pending has not lasted long enough for its rule's `for`.
    let told = data.alerts.into_iter().enumerate().filter(|(_, alert)| !matches!(alert.state.as_str(), "pending" | "inactive"));
    Ok(told.map(|(index, alert)| signal(index, alert, inbound)).collect())
}

fn signal(index: usize, alert: Alert, inbound: &Inbound<'_>) -> Signal {
    let fingerprint = labels::fingerprint(&alert.labels);
    let subject = alert.labels.get("alertname").unwrap_or(&fingerprint).clone();
    let mut signal = Signal::new(fingerprint, SignalState::Firing, subject, inbound.received_at);
    let word = alert.labels.get("severity").map_or("", |word| word);
    set::severity(&mut signal, &format!("data.alerts[{index}].labels.severity"), word);
    if alert.state != "firing" {
        signal.severity = Severity::Unknown;
        signal.warnings.push(unknown_word(&format!("data.alerts[{index}].state"), &alert.state));
    }
    let annotation = |name: &str| alert.annotations.get(name).filter(|text| !text.is_empty());
    signal.summary = annotation("summary").or_else(|| annotation("description")).cloned().unwrap_or_default();
    signal.value = alert.value.and_then(|value| value.parse().ok()).filter(|value: &f64| value.is_finite());
    signal.labels = alert.labels;
    signal.annotations = alert.annotations;
    signal
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Data {
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    state: String,
    /// As text, since JSON knows neither `NaN` nor `+Inf`.
    value: Option<String>,
}
