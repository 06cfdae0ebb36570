//! Checkly: a check fails, degrades and recovers, in the body that `setup.md` prescribes.
//!
//! <https://www.checklyhq.com/docs/integrations/alerts/webhooks/>

use std::sync::LazyLock;

use domain::{
    Severity, Signal,
    SignalState::{Firing, Resolved},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Inbound, ParseError, Provider, Quirks, Settings, reading, set,
    signature::{self, Scheme},
};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "checkly",
    name: "Checkly",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/failure.json")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json", "text/plain"],
    check_settings: reading::no_settings,
    check_secret: |secret, _| signature::check_secret(&SCHEME, secret),
    verify: |inbound, credentials| signature::verify(&SCHEME, inbound, credentials.secrets),
    delivery_id,
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

/// Its timestamp header is not signed and so proves nothing.
static SCHEME: LazyLock<Scheme> = LazyLock::new(|| {
    Scheme::read("signature", &json!({"header": "x-checkly-signature"})).expect("the scheme above is written here and tested")
});

/// A retry repeats the result it tells of. One result may be told in several ways.
fn delivery_id(inbound: &Inbound<'_>, _: &Settings) -> Option<String> {
    let document = inbound.document().ok()?;
    let text = |name: &str| document.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    Some(format!("{}:{}", text("check_result_id")?, text("alert_type")?))
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let alert: Alert = inbound.json()?;
    let (state, severity, part) = match alert.alert_type.as_str() {
        "ALERT_FAILURE" | "ALERT_FAILURE_REMAIN" | "ALERT_DEGRADED_FAILURE" => (Firing, Severity::Critical, ""),
        "ALERT_DEGRADED" | "ALERT_DEGRADED_REMAIN" | "ALERT_FAILURE_DEGRADED" => (Firing, Severity::Warning, ""),
        "ALERT_RECOVERY" | "ALERT_DEGRADED_RECOVERY" => (Resolved, Severity::Unknown, ""),
        // A certificate that will expire: told once and its end never, apart from the check itself, and no fault.
        "ALERT_SSL" => (Firing, Severity::Info, "certificate:"),
        "NO_ALERT" => return Ok(Vec::new()),
        other => return Err(ParseError::unknown("alert_type", other, "ALERT_FAILURE, ALERT_DEGRADED, ALERT_RECOVERY and their kin")),
    };
    let id = reading::required("check_id", &alert.check_id)?;
    let name = unescape(&alert.check_name);
    let mut signal = Signal::new(format!("check:{part}{id}"), state, name.clone(), inbound.received_at);
    signal.severity = severity;
    signal.summary = unescape(&alert.event);
    signal.value = alert.response_time.parse().ok().filter(|ms: &f64| ms.is_finite());
    set::time(&mut signal, "started_at", &unescape(&alert.started_at))?;
    set::labels(
        &mut signal,
        [
            ("check", &name),
            ("check_id", id),
            ("type", &alert.check_type),
            ("group", &unescape(&alert.group_name)),
            ("location", &unescape(&alert.run_location)),
            ("certificate_days", &alert.ssl_days_remaining),
        ],
    );
    unescape(&alert.tags).split(',').for_each(|tag| set::tag(&mut signal, tag, ""));
    set::link(&mut signal, &unescape(&alert.link));
    Ok(vec![signal])
}

/// Undoes what Handlebars does to a value between two braces.
fn unescape(text: &str) -> String {
    const ENTITIES: [(&str, &str); 9] = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&#x60;", "`"),
        ("&#x3D;", "="),
        ("&#x2F;", "/"),
        // Last, so that nothing is undone twice.
        ("&amp;", "&"),
    ];
    ENTITIES.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

// The fields we read, and only those. A variable without a value is an empty text.

#[derive(Deserialize)]
struct Alert {
    alert_type: String,
    check_id: String,
    check_name: String,
    started_at: String,
    #[serde(default)]
    event: String,
    #[serde(default)]
    check_type: String,
    #[serde(default)]
    group_name: String,
    #[serde(default)]
    run_location: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    response_time: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    ssl_days_remaining: String,
    #[serde(default)]
    tags: String,
    #[serde(default)]
    link: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_handlebars_escapes_comes_back_and_nothing_else() {
        assert_eq!(unescape("A &amp; B &lt;&quot;&#x27;&#x60;&#x3D;&gt;"), "A & B <\"'`=>");
        assert_eq!(unescape("&amp;lt; &nbsp; &"), "&lt; &nbsp; &");
    }
}
