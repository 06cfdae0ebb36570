//! A Prometheus query: each series it gives is healthy or not by thresholds, and a sample for a metric.
//!
//! <https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries>

use std::collections::BTreeMap;

use domain::{Severity, Signal, SignalState, Span};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError,
    error::quoted,
    labels,
    poll::{self, Poll, Request},
    prometheus_api,
    provider::Polled,
    reading,
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "prometheus",
    name: "Prometheus query",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).and_then(|own| own.check()),
    poll: Poll { every: Span::secs(30), at_least: AT_LEAST, request, pages: None },
    parse,
});

const AT_LEAST: Span = Span::secs(5);
/// The longest query.
const MAX_QUERY_BYTES: usize = 4 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// The server's address, such as `http://prometheus:9090`; for Mimir and Thanos with the prefix of their query API.
    url: String,
    /// `PromQL` that gives an instant vector or a scalar.
    query: String,
    /// The tenant, for Mimir and the like.
    tenant: Option<String>,
    /// A query that only gives series for what is broken, such as `up == 0`, gives none in good times.
    #[serde(default)]
    empty_is_healthy: bool,
    /// What a value means. Without it the query only gives samples.
    thresholds: Option<Thresholds>,
}

/// From which value on something is wrong.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Thresholds {
    #[serde(default)]
    above: BTreeMap<Severity, f64>,
    #[serde(default)]
    below: BTreeMap<Severity, f64>,
}

impl Own {
    fn check(&self) -> Result<(), SettingsError> {
        self.url()?;
        if self.query.trim().is_empty() || self.query.len() > MAX_QUERY_BYTES {
            return Err(SettingsError::new("query", format!("must have 1 to {MAX_QUERY_BYTES} bytes")));
        }
        if self.thresholds.as_ref().is_some_and(|given| given.above.is_empty() && given.below.is_empty()) {
            return Err(SettingsError::new("thresholds", "names no value; give `above` or `below`, such as `above: { critical: 0.05 }`"));
        }
        Ok(())
    }

    fn url(&self) -> Result<String, SettingsError> {
        poll::join("url", &self.url, "/api/v1/query")
    }
}

impl Thresholds {
    /// The worst that `value` exceeds. What is no number is not healthy.
    fn severity(&self, value: f64) -> Option<Severity> {
        if value.is_nan() {
            return Some(Severity::Unknown);
        }
        let above = self.above.iter().filter(|(_, limit)| value > **limit);
        let below = self.below.iter().filter(|(_, limit)| value < **limit);
        above.chain(below).map(|(severity, _)| *severity).max()
    }
}

/// By POST, since a query may be longer than a URL; the secret, if there is one, as Bearer or, if it is `user:password`, as Basic.
fn request(settings: &Settings, secrets: &[SecretString]) -> Result<Request, SettingsError> {
    let own: Own = poll::settings(settings.json())?;
    Ok(prometheus_api::request(Request::get(own.url()?).form(&[("query", &own.query)]), own.tenant, secrets))
}

fn parse(inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    let own: Own = poll::settings(settings.json())?;
    let data: Data = prometheus_api::data(inbound.document()?)?;
    let series: Vec<Series> = match data.result_type.as_str() {
        "vector" => reading::nested("data.result", data.result)?,
        "scalar" => vec![Series { metric: BTreeMap::new(), value: reading::nested("data.result", data.result)? }],
        other => return Err(ParseError::unknown("data.resultType", other, "vector, scalar")),
    };
    // No data is not health, unless somebody says so: the query may be wrong, or what it asks for gone.
    if series.is_empty() && !own.empty_is_healthy {
        return Err(ParseError::field(
            "data.result",
            "is empty: the query gives no series; if that is how health looks, set `empty_is_healthy`",
        ));
    }
    series.into_iter().enumerate().map(|(index, series)| signal(index, series, &own, inbound)).collect()
}

fn signal(index: usize, series: Series, own: &Own, inbound: &Inbound<'_>) -> Result<Signal, ParseError> {
    let Series { metric, value: (_, text) } = series;
    let value: f64 = text
        .parse()
        .map_err(|_| ParseError::field(format!("data.result[{index}].value[1]"), format!("`{}` is not a number", quoted(&text))))?;
    let subject = metric.get("__name__").cloned().unwrap_or_else(|| own.query.clone());
    let severity = own.thresholds.as_ref().map(|thresholds| thresholds.severity(value));
    let state = match severity {
        None => SignalState::Sample,
        Some(None) => SignalState::Resolved,
        Some(Some(_)) => SignalState::Firing,
    };
    let mut signal = Signal::new(labels::fingerprint(&metric), state, subject, inbound.received_at);
    signal.severity = severity.flatten().unwrap_or(Severity::Info);
    signal.summary = format!("{} is {text}", own.query);
    signal.value = Some(value).filter(|value| value.is_finite());
    signal.labels = metric;
    Ok(signal)
}

// The fields we read, and only those.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Value,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    /// When, in unix seconds, and how much: a text, since JSON knows neither `NaN` nor `+Inf`.
    value: (f64, String),
}
