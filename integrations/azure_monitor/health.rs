//! Service Health (Azure itself) and Resource Health (one resource). Both always say "Fired": their own fields tell how it is.

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;
use serde_json::Value;

use super::Essentials;
use crate::{Inbound, ParseError, limits, reading, set};

/// An incident or a planned maintenance of Azure. Advisories, retirements and reports afterwards say nothing about health.
pub(super) fn service(inbound: &Inbound<'_>, essentials: &Essentials, context: Value) -> Result<Option<Signal>, ParseError> {
    let context: Context<Service> = read(context)?;
    let service = context.properties;
    const STAGES: &str = "Active, InProgress, Updated, Planned, Resolved, Complete, Canceled, RCA";
    let at = "data.alertContext.properties";
    let maintenance = match service.incident_type.as_str() {
        "Incident" => false,
        "Maintenance" => true,
        "Informational" | "ActionRequired" | "Security" | "Billing" | "RCA" => return Ok(None),
        other => {
            let known = "Incident, Maintenance, Informational, ActionRequired, Security, Billing, RCA";
            return Err(ParseError::unknown(format!("{at}.incidentType"), other, known));
        }
    };
    let state = match service.stage.as_str() {
        "Active" | "InProgress" | "Updated" => SignalState::Firing,
        "Planned" => return Ok(None),
        "Resolved" | "Complete" | "Completed" | "Canceled" | "Cancelled" | "RCA" => SignalState::Resolved,
        other => return Err(ParseError::unknown(format!("{at}.stage"), other, STAGES)),
    };
    let tracking_id = reading::required("data.alertContext.properties.trackingId", &service.tracking_id)?;
    let mut signal = essentials.signal(limits::short_key("service_health:", tracking_id), state, inbound);
    signal.subject = if service.service.is_empty() { service.title.clone() } else { service.service.clone() };
    signal.summary = service.title;
    signal.severity = Severity::Info;
    if !maintenance {
        // As a word, or as a number that counts from the loudest.
        let word = match context.level.as_str() {
            "1" => "critical",
            "2" => "error",
            "3" => "warning",
            "4" => "informational",
            word => word,
        };
        set::severity(&mut signal, "data.alertContext.level", word);
    }
    set::time(&mut signal, "data.alertContext.eventTimestamp", &context.event_timestamp)?;
    set::labels(
        &mut signal,
        [
            ("service", &service.service),
            ("region", &service.region),
            ("tracking_id", tracking_id),
            ("incident_type", &service.incident_type),
            ("stage", &service.stage),
        ],
    );
    Ok(Some(signal))
}

/// How one resource is.
pub(super) fn resource(inbound: &Inbound<'_>, essentials: &Essentials, context: Value) -> Result<Signal, ParseError> {
    let context: Context<Resource> = read(context)?;
    let resource = context.properties;
    let (state, severity) = match resource.current_health_status.as_str() {
        "Available" => (SignalState::Resolved, Severity::Critical),
        "Unavailable" => (SignalState::Firing, Severity::Critical),
        "Degraded" => (SignalState::Firing, Severity::Warning),
        // Azure has heard nothing of it for a while: that is no outage.
        "Unknown" => (SignalState::Firing, Severity::Unknown),
        other => {
            let path = "data.alertContext.properties.currentHealthStatus";
            return Err(ParseError::unknown(path, other, "Available, Unavailable, Degraded, Unknown"));
        }
    };
    let target = essentials.targets.first().map(String::as_str).unwrap_or_default();
    let target = reading::required("data.essentials.alertTargetIDs", target)?;
    // Written now in one case, now in another.
    let mut signal = essentials.signal(limits::short_key("resource_health:", &target.to_ascii_lowercase()), state, inbound);
    signal.subject = signal.labels.get("resource").cloned().unwrap_or_default();
    signal.summary = resource.title;
    signal.severity = severity;
    set::time(&mut signal, "data.alertContext.eventTimestamp", &context.event_timestamp)?;
    set::labels(&mut signal, [("health", &resource.current_health_status), ("cause", &resource.cause), ("type", &resource.kind)]);
    Ok(signal)
}

fn read<T: serde::de::DeserializeOwned>(context: Value) -> Result<T, ParseError> {
    reading::nested("data.alertContext", context)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context<T> {
    event_timestamp: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    level: String,
    properties: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Service {
    incident_type: String,
    stage: String,
    tracking_id: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    title: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    service: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    region: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    current_health_status: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    title: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    cause: String,
    #[serde(default, rename = "type", deserialize_with = "reading::null_as_empty")]
    kind: String,
}
