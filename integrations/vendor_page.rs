//! What somebody else's status page tells its subscribers: Statuspage's shape, which Instatus took over with words of its own.

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;

use crate::{Inbound, ParseError, error::quoted, limits, reading, set};

/// Ends the subscription at once for whoever opens it.
pub(crate) const LINKS_THAT_ACT: &[&[&str]] = &[&["meta", "unsubscribe"]];

/// One delivery tells of one component or one incident.
pub(crate) fn parse(inbound: &Inbound<'_>) -> Result<Vec<Signal>, ParseError> {
    let message: Message = inbound.json()?;
    let page = message.page.id;
    let signal = match (message.component_update, message.component, message.incident, message.maintenance) {
        (Some(update), Some(component), ..) => Some(component_signal(inbound, &page, &update, &component)?),
        (Some(_), None, ..) => return Err(ParseError::missing("component")),
        (_, _, Some(incident), _) => incident_signal(inbound, "incident", &page, incident)?,
        (_, _, _, Some(maintenance)) => incident_signal(inbound, "maintenance", &page, maintenance)?,
        _ => return Err(ParseError::missing("incident")),
    };
    Ok(signal.into_iter().collect())
}

/// `MAJOROUTAGE` and `major_outage` are the same word.
fn word(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '_' | ' ' | '-')).map(|c| c.to_ascii_lowercase()).collect()
}

fn component_signal(inbound: &Inbound<'_>, page: &str, update: &ComponentUpdate, component: &Component) -> Result<Signal, ParseError> {
    let (state, severity, status) = match word(&update.new_status).as_str() {
        "operational" => (SignalState::Resolved, Severity::Info, "operational"),
        "degradedperformance" => (SignalState::Firing, Severity::Warning, "degraded_performance"),
        "minoroutage" => (SignalState::Firing, Severity::Warning, "minor_outage"),
        "partialoutage" => (SignalState::Firing, Severity::Error, "partial_outage"),
        "majoroutage" => (SignalState::Firing, Severity::Critical, "major_outage"),
        "undermaintenance" => (SignalState::Firing, Severity::Info, "under_maintenance"),
        _ => {
            let known = "operational, degraded_performance, minor_outage, partial_outage, major_outage, under_maintenance";
            return Err(ParseError::unknown("component_update.new_status", &update.new_status, known));
        }
    };
    let id = reading::required("component.id", &component.id)?;
    let name = component.name.trim();
    let mut signal = Signal::new(limits::short_key("component:", id), state, name, inbound.received_at);
    signal.severity = severity;
    signal.summary = format!("{name}: {}", status.replace('_', " "));
    set::time(&mut signal, "component_update.created_at", &update.created_at)?;
    set::labels(&mut signal, [("kind", "component"), ("component", name), ("component_id", id), ("status", status), ("page_id", page)]);
    Ok(signal)
}

fn incident_signal(inbound: &Inbound<'_>, kind: &str, page: &str, incident: Incident) -> Result<Option<Signal>, ParseError> {
    // Statuspage calls a maintenance an incident with an impact of that name.
    let maintenance = kind == "maintenance" || word(&incident.impact) == "maintenance";
    let state = match word(&incident.status).as_str() {
        "investigating" | "identified" | "monitoring" | "inprogress" | "verifying" => SignalState::Firing,
        "resolved" | "postmortem" | "completed" => SignalState::Resolved,
        "scheduled" | "notstartedyet" => return Ok(None), // A plan.
        _ => {
            let known = "investigating, identified, monitoring, resolved, postmortem, scheduled, in_progress, verifying, completed";
            return Err(ParseError::unknown(format!("{kind}.status"), &incident.status, known));
        }
    };
    let id = reading::required(&format!("{kind}.id"), &incident.id)?;
    let mut signal = Signal::new(limits::short_key(&format!("{kind}:"), id), state, incident.name.clone(), inbound.received_at);
    signal.severity = if maintenance { Severity::Info } else { impact(kind, &incident.impact, &mut signal.warnings) };
    let updates = if incident.updates.is_empty() { incident.maintenance_updates } else { incident.updates };
    let newest = updates.into_iter().max_by(|one, other| one.created_at.cmp(&other.created_at));
    signal.summary = newest.map(|update| update.body).unwrap_or_default();
    set::time(&mut signal, &format!("{kind}.updated_at"), &incident.updated_at)?;
    let names: Vec<&str> = incident.components.iter().map(|component| component.name.trim()).collect();
    let (status, impact) = (incident.status.to_lowercase(), incident.impact.to_lowercase());
    set::labels(
        &mut signal,
        [
            ("kind", if maintenance { "maintenance" } else { "incident" }),
            ("incident_id", id),
            ("status", &status),
            ("impact", &impact),
            ("components", &names.join(", ")),
            ("page_id", page),
        ],
    );
    set::link(&mut signal, if incident.url.is_empty() { &incident.shortlink } else { &incident.url });
    Ok(Some(signal))
}

fn impact(kind: &str, impact: &str, warnings: &mut Vec<String>) -> Severity {
    match word(impact).as_str() {
        "none" | "operational" | "maintenance" | "undermaintenance" => Severity::Info,
        "minor" | "degradedperformance" | "minoroutage" => Severity::Warning,
        "major" | "partialoutage" => Severity::Error,
        "critical" | "majoroutage" => Severity::Critical,
        "" => Severity::Unknown,
        _ => {
            warnings.push(format!("`{kind}.impact` has the unknown value `{}`", quoted(impact)));
            Severity::Unknown
        }
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Message {
    page: Page,
    component_update: Option<ComponentUpdate>,
    component: Option<Component>,
    incident: Option<Incident>,
    maintenance: Option<Incident>,
}

#[derive(Deserialize)]
struct Page {
    id: String,
}

#[derive(Deserialize)]
struct ComponentUpdate {
    new_status: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    created_at: String,
}

#[derive(Deserialize)]
struct Component {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Incident {
    id: String,
    name: String,
    status: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    impact: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    updated_at: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    shortlink: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    url: String,
    #[serde(default, rename = "incident_updates", deserialize_with = "reading::null_as_empty")]
    updates: Vec<Update>,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    maintenance_updates: Vec<Update>,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    components: Vec<Component>,
}

#[derive(Deserialize)]
struct Update {
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    body: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    created_at: String,
}
