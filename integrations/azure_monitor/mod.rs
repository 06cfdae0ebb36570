//! Azure Monitor, the common alert schema: metric and log alerts, and the health of resources and of Azure itself.
//!
//! <https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema>

mod health;

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Inbound, ParseError, Provider, Quirks, Settings, error::quoted, limits, plain_secret, reading, set};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "azure_monitor",
    name: "Azure Monitor",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/metric_fired.json")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json"],
    check_settings: reading::no_settings,
    check_secret: plain_secret::check_secret,
    verify: plain_secret::verify,
    delivery_id: |_, _| None,
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

const SCHEMA: &str = "azureMonitorCommonAlertSchema";

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let document = inbound.document()?;
    match document.get("schemaId") {
        Some(Value::String(schema)) if schema == SCHEMA => {}
        Some(other) => return Err(ParseError::unknown("schemaId", other.as_str().unwrap_or_default(), SCHEMA)),
        None => return Err(ParseError::missing("schemaId")),
    }
    let Data { essentials, alert_context, custom_properties } = reading::object::<Message>(document)?.data;
    if essentials.is_sample() {
        return Ok(Vec::new());
    }
    let signal = match essentials.monitoring_service.replace(' ', "").as_str() {
        "ServiceHealth" => health::service(inbound, &essentials, alert_context)?,
        "ResourceHealth" => Some(health::resource(inbound, &essentials, alert_context)?),
        // Who did what, and what it costs: not whether it works.
        "CostAlerts" => None,
        service if service.starts_with("ActivityLog") => None,
        _ => Some(alert(inbound, &essentials, &alert_context, &custom_properties)?),
    };
    Ok(signal.into_iter().collect())
}

fn alert(
    inbound: &Inbound<'_>,
    essentials: &Essentials,
    context: &Value,
    custom_properties: &Map<String, Value>,
) -> Result<Signal, ParseError> {
    let (state, path, time) = match essentials.monitor_condition.as_str() {
        "Fired" => (SignalState::Firing, "data.essentials.firedDateTime", &essentials.fired),
        "Resolved" => (SignalState::Resolved, "data.essentials.resolvedDateTime", &essentials.resolved),
        other => return Err(ParseError::unknown("data.essentials.monitorCondition", other, "Fired, Resolved")),
    };
    let id = reading::required("data.essentials.alertId", &essentials.alert_id)?;
    let mut signal = essentials.signal(limits::short_key("", id), state, inbound);
    set::time(&mut signal, path, time)?;
    let condition = context.pointer("/condition/allOf/0").unwrap_or(&Value::Null);
    signal.value = condition.get("metricValue").and_then(Value::as_f64);
    for dimension in condition.get("dimensions").and_then(Value::as_array).into_iter().flatten() {
        if let (Some(name), Some(value)) = (text(dimension, "name"), text(dimension, "value")) {
            signal.labels.insert(format!("dimension_{name}"), value.to_owned());
        }
    }
    set::labels(&mut signal, [("metric", text(condition, "metricName").unwrap_or_default())]);
    let of_context = ["properties", "labels"].iter().filter_map(|name| context.get(name)?.as_object());
    for (name, value) in of_context.chain([custom_properties]).flatten() {
        if let Value::String(value) = value {
            set::tag(&mut signal, name, value);
        }
    }
    let links = [text(condition, "linkToSearchResultsUI"), text(context, "LinkToSearchResults"), Some(&*essentials.investigation_link)];
    set::link(&mut signal, links.into_iter().flatten().next().unwrap_or_default());
    Ok(signal)
}

fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str().filter(|text| !text.is_empty())
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Message {
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    essentials: Essentials,
    #[serde(default)]
    alert_context: Value,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    custom_properties: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Essentials {
    alert_id: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    alert_rule: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    severity: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    signal_type: String,
    monitor_condition: String,
    monitoring_service: String,
    #[serde(default, rename = "alertTargetIDs", deserialize_with = "reading::null_as_empty")]
    targets: Vec<String>,
    #[serde(rename = "firedDateTime")]
    fired: String,
    #[serde(default, rename = "resolvedDateTime", deserialize_with = "reading::null_as_empty")]
    resolved: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    description: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    investigation_link: String,
}

impl Essentials {
    /// What "Test action group" sends: all its samples bear such a name and this description.
    fn is_sample(&self) -> bool {
        let description = self.description.replace(' ', "").to_ascii_lowercase();
        self.alert_rule.starts_with("test-") && description == "alertruledescription" || self.alert_id.ends_with("/alerts/Test_Alert")
    }

    /// What all kinds of alerts have in common.
    fn signal(&self, fingerprint: String, state: SignalState, inbound: &Inbound<'_>) -> Signal {
        let mut signal = Signal::new(fingerprint, state, self.alert_rule.clone(), inbound.received_at);
        signal.severity = match self.severity.as_str() {
            "Sev0" => Severity::Critical,
            "Sev1" => Severity::Error,
            "Sev2" => Severity::Warning,
            "Sev3" | "Sev4" => Severity::Info,
            "" => Severity::Unknown,
            other => {
                signal.warnings.push(format!("`data.essentials.severity` has the unknown value `{}`", quoted(other)));
                Severity::Unknown
            }
        };
        signal.summary.clone_from(&self.description);
        let target = self.targets.first().map(String::as_str).unwrap_or_default();
        let segments: Vec<&str> = target.split('/').collect();
        let group_at = segments.iter().position(|segment| segment.eq_ignore_ascii_case("resourcegroups"));
        let resource_group = group_at.and_then(|at| segments.get(at + 1)).copied().unwrap_or_default();
        let is_resource = segments.iter().any(|segment| segment.eq_ignore_ascii_case("providers"));
        let resource = segments.last().copied().filter(|_| is_resource).unwrap_or_default();
        set::labels(
            &mut signal,
            [
                ("rule", &self.alert_rule),
                ("monitoring_service", &self.monitoring_service),
                ("signal_type", &self.signal_type),
                ("azure_severity", &self.severity),
                ("resource", resource),
                ("resource_group", resource_group),
                ("target", target),
            ],
        );
        signal
    }
}
