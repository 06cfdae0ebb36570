//! Takes signals out of any document, with expressions from the settings.
//!
//! Expressions see `body` (the document), `item` (one element of `each`, or the whole body) and `headers` (a map, names in lower case).

use std::collections::BTreeMap;

use domain::{MAX_SIGNALS, Severity, Signal, SignalState, Timestamp, to_value};
use minijinja::{Value, context, value::ValueKind};
use serde::Deserialize;

use crate::{
    Inbound, MAX_LABELS, ParseError, SettingsError,
    error::quoted,
    field::{Field, headers, time},
    limits::{self, Room},
    reading,
};

/// The settings of every provider whose body has a shape of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MappingSettings {
    /// Only for `json`, whose sender must prove itself.
    pub(crate) signature: Option<serde_json::Value>,
    /// Only for `json`.
    pub(crate) delivery_id: Option<String>,
    ignore_when: Option<String>,
    each: Option<String>,
    fingerprint: String,
    state: Option<String>,
    #[serde(default)]
    firing: Vec<String>,
    #[serde(default)]
    resolved: Vec<String>,
    severity: Option<String>,
    subject: Option<String>,
    summary: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    value: Option<String>,
    occurred_at: Option<String>,
    url: Option<String>,
}

/// Where a signal's fields come from.
pub(crate) struct Mapping {
    ignore_when: Option<Field>,
    each: Option<Field>,
    fingerprint: Field,
    state: Option<States>,
    severity: Option<Field>,
    subject: Option<Field>,
    summary: Option<Field>,
    labels: BTreeMap<String, Field>,
    value: Option<Field>,
    occurred_at: Option<Field>,
    url: Option<Field>,
    /// Whether a state in neither list makes the one thing unknown, instead of the whole document.
    tolerant: bool,
}

/// Which values of the state mean what. A value in neither list is an error: it is never guessed.
struct States {
    field: Field,
    firing: Vec<String>,
    resolved: Vec<String>,
}

impl MappingSettings {
    pub(crate) fn read(settings: &serde_json::Value) -> Result<Self, SettingsError> {
        reading::settings("", settings)
    }

    /// A mapping for what a provider of its own does not understand; `path` is where it stands in the settings.
    pub(crate) fn nested(path: &str, settings: &serde_json::Value) -> Result<Mapping, SettingsError> {
        let settings: Self = reading::settings(path, settings)?;
        if settings.signature.is_some() || settings.delivery_id.is_some() {
            return Err(SettingsError::new(path, "cannot set `signature` or `delivery_id`, which the provider knows"));
        }
        let within = |error: SettingsError| SettingsError::new(format!("{path}.{}", error.path), error.problem);
        Mapping::compile(settings).map_err(within)
    }
}

impl Mapping {
    /// Compiles every expression.
    pub(crate) fn compile(settings: MappingSettings) -> Result<Self, SettingsError> {
        let optional = |name: &str, source: Option<String>| source.map(|source| Field::compile(name, &source)).transpose();
        if settings.labels.len() > MAX_LABELS {
            return Err(SettingsError::new("labels", format!("has {} labels, at most {MAX_LABELS} are allowed", settings.labels.len())));
        }
        let label = |(name, source): (String, String)| Field::compile(&format!("labels.{name}"), &source).map(|field| (name, field));
        let value = optional("value", settings.value)?;
        let state = States::compile(settings.state, settings.firing, settings.resolved, value.is_some())?;
        Ok(Self {
            ignore_when: optional("ignore_when", settings.ignore_when)?,
            each: optional("each", settings.each)?,
            fingerprint: Field::compile("fingerprint", &settings.fingerprint)?,
            state,
            severity: optional("severity", settings.severity)?,
            subject: optional("subject", settings.subject)?,
            summary: optional("summary", settings.summary)?,
            labels: settings.labels.into_iter().map(label).collect::<Result<_, _>>()?,
            value,
            occurred_at: optional("occurred_at", settings.occurred_at)?,
            url: optional("url", settings.url)?,
            tolerant: false,
        })
    }

    /// For a document that speaks of everything at once: a new word for one thing must not hide the others.
    pub(crate) const fn tolerant(mut self) -> Self {
        self.tolerant = true;
        self
    }

    /// The signals in `document`.
    pub(crate) fn signals(&self, document: &serde_json::Value, inbound: &Inbound<'_>) -> Result<Vec<Signal>, ParseError> {
        self.signals_at("", document, inbound, &mut Room::default())
    }

    /// The signals in one `document` of several; `prefix` is where it stands in the body, and all of them share the room.
    pub(crate) fn signals_at(
        &self,
        prefix: &str,
        document: &serde_json::Value,
        inbound: &Inbound<'_>,
        room: &mut Room,
    ) -> Result<Vec<Signal>, ParseError> {
        let (body, headers) = (to_value(document), headers(inbound));
        let context = |item: Value| context! { body => body.clone(), item => item, headers => headers.clone() };
        let Some(each) = &self.each else {
            let signal = Item { mapping: self, path: prefix.to_owned(), context: context(body.clone()), received_at: inbound.received_at }
                .signal()?;
            signal.iter().try_for_each(|signal| room.take(signal))?;
            return Ok(signal.into_iter().collect());
        };
        let list = each.value(prefix, &context(body.clone()))?;
        match list.kind() {
            ValueKind::Seq => {}
            ValueKind::Undefined | ValueKind::None => return Err(ParseError::missing(each.path(prefix))),
            other => return Err(ParseError::field(each.path(prefix), format!("is a {other}, not a list"))),
        }
        let n = list.len().unwrap_or(0);
        if n > MAX_SIGNALS {
            return Err(ParseError::TooMany { n, max: MAX_SIGNALS });
        }
        let items = list.try_iter().map_err(|error| ParseError::field(each.path(prefix), error.to_string()))?;
        let mut signals = Vec::new();
        for (index, item) in items.enumerate() {
            let path = format!("{prefix}each[{index}].");
            let item = Item { mapping: self, path, context: context(item), received_at: inbound.received_at };
            let Some(signal) = item.signal()? else { continue };
            room.take(&signal)?;
            signals.push(signal);
        }
        Ok(signals)
    }
}

impl States {
    fn compile(state: Option<String>, firing: Vec<String>, resolved: Vec<String>, samples: bool) -> Result<Option<Self>, SettingsError> {
        let refuse = |path: &str, problem: &str| Err(SettingsError::new(path, problem));
        let Some(source) = state else {
            return match () {
                () if !samples => refuse("state", "is missing; only an integration that reads a `value` can do without"),
                () if !firing.is_empty() || !resolved.is_empty() => refuse("state", "is missing, although `firing` or `resolved` is given"),
                () => Ok(None),
            };
        };
        if firing.is_empty() {
            return refuse("firing", "must list at least one value of `state`");
        }
        if let Some(both) = firing.iter().find(|value| resolved.contains(value)) {
            return refuse("resolved", &format!("`{}` is also in `firing`", quoted(both)));
        }
        Ok(Some(Self { field: Field::compile("state", &source)?, firing, resolved }))
    }

    /// Whether no word says that something is over.
    const fn is_endless(&self) -> bool {
        self.resolved.is_empty()
    }

    fn of(&self, prefix: &str, context: &Value) -> Result<SignalState, ParseError> {
        let word = self.field.required(prefix, context)?;
        if self.firing.contains(&word) {
            return Ok(SignalState::Firing);
        }
        if self.resolved.contains(&word) {
            return Ok(SignalState::Resolved);
        }
        let known = self.firing.iter().chain(&self.resolved).map(String::as_str).collect::<Vec<_>>().join(", ");
        Err(ParseError::unknown(self.field.path(prefix), &word, known))
    }
}

/// One thing the document speaks of.
struct Item<'a> {
    mapping: &'a Mapping,
    path: String,
    context: Value,
    received_at: Timestamp,
}

impl Item<'_> {
    fn signal(&self) -> Result<Option<Signal>, ParseError> {
        let mapping = self.mapping;
        if let Some(field) = &mapping.ignore_when
            && field.value(&self.path, &self.context)?.is_true()
        {
            return Ok(None);
        }
        let (state, new_word) = match mapping.state.as_ref().map(|states| states.of(&self.path, &self.context)) {
            None => (SignalState::Sample, None),
            Some(Err(error @ ParseError::Unknown { .. })) if mapping.tolerant => (SignalState::Firing, Some(error.to_string())),
            Some(state) => (state?, None),
        };
        let fingerprint = mapping.fingerprint.required(&self.path, &self.context)?;
        let subject = self.text(mapping.subject.as_ref())?.unwrap_or_else(|| fingerprint.clone());
        let mut signal = Signal::new(fingerprint, state, subject, self.received_at);
        // A source that is asked ends what it no longer names.
        signal.endless = state == SignalState::Firing && !mapping.tolerant && mapping.state.as_ref().is_some_and(States::is_endless);
        signal.summary = self.text(mapping.summary.as_ref())?.unwrap_or_default();
        for (name, field) in &mapping.labels {
            if let Some(value) = self.text(Some(field))? {
                signal.labels.insert(name.clone(), value);
            }
        }
        match new_word {
            None => self.read_severity(&mut signal)?,
            Some(warning) => signal.warnings.push(warning),
        }
        self.read_time(&mut signal)?;
        self.read_value(&mut signal)?;
        self.read_url(&mut signal)?;
        Ok(Some(signal))
    }

    fn text(&self, field: Option<&Field>) -> Result<Option<String>, ParseError> {
        field.map_or(Ok(None), |field| field.text(&self.path, &self.context))
    }

    fn read_severity(&self, signal: &mut Signal) -> Result<(), ParseError> {
        let Some(word) = self.text(self.mapping.severity.as_ref())?.filter(|word| !word.is_empty()) else { return Ok(()) };
        signal.severity = Severity::from_word(&word).unwrap_or_else(|| {
            signal.warnings.push(format!("`severity` has the unknown value `{}`", quoted(&word)));
            Severity::Unknown
        });
        Ok(())
    }

    fn read_time(&self, signal: &mut Signal) -> Result<(), ParseError> {
        let Some(field) = &self.mapping.occurred_at else { return Ok(()) };
        let Some(text) = field.text(&self.path, &self.context)?.filter(|text| !text.is_empty()) else { return Ok(()) };
        let claimed = time(&text).map_err(|problem| ParseError::field(field.path(&self.path), problem))?;
        if let Some(claimed) = claimed {
            signal.occurred_at = limits::event_time("occurred_at", claimed, self.received_at, &mut signal.warnings);
        }
        Ok(())
    }

    /// A sample without a number is nothing; an alert without one is still an alert.
    fn read_value(&self, signal: &mut Signal) -> Result<(), ParseError> {
        let Some(field) = &self.mapping.value else { return Ok(()) };
        let text = field.text(&self.path, &self.context)?;
        signal.value = text.as_deref().and_then(|text| text.trim().parse().ok()).filter(|value: &f64| value.is_finite());
        match text {
            _ if signal.value.is_some() => {}
            None if signal.state == SignalState::Sample => return Err(ParseError::missing(field.path(&self.path))),
            None => {}
            Some(text) if signal.state == SignalState::Sample => {
                return Err(ParseError::field(field.path(&self.path), format!("`{}` is not a number", quoted(&text))));
            }
            Some(text) => signal.warnings.push(format!("`value` is `{}`, which is not a number", quoted(&text))),
        }
        Ok(())
    }

    fn read_url(&self, signal: &mut Signal) -> Result<(), ParseError> {
        let Some(url) = self.text(self.mapping.url.as_ref())?.filter(|url| !url.is_empty()) else { return Ok(()) };
        signal.url = limits::link(&url);
        if signal.url.is_none() {
            signal.warnings.push(format!("`url` is not an http or https address: `{}`", quoted(&url)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Settings, parse};
    use serde_json::json;

    fn outcome(summary: &str, body: &serde_json::Value) -> Result<usize, ParseError> {
        let settings = json!({
            "signature": {"mode": "token"}, "each": "body.checks", "fingerprint": "item", "state": "body.state", "firing": ["down"],
            "summary": summary,
        });
        let body = body.to_string();
        let inbound = Inbound { headers: &[], path_token: None, body: body.as_bytes(), received_at: Timestamp(0) };
        parse("json", &inbound, &Settings::new(settings)).map(|signals| signals.len())
    }

    #[test]
    fn one_delivery_may_speak_of_so_many_things_and_no_more() {
        let things = |n: usize| json!({"state": "down", "checks": (0..n).collect::<Vec<_>>()});
        assert_eq!(outcome("body.state", &things(MAX_SIGNALS)), Ok(MAX_SIGNALS));
        assert_eq!(outcome("body.state", &things(MAX_SIGNALS + 1)), Err(ParseError::TooMany { n: MAX_SIGNALS + 1, max: MAX_SIGNALS }));
    }

    #[test]
    fn a_long_text_repeated_for_every_item_is_cut_and_then_refused() {
        let body = |n: usize| json!({"state": "down", "text": "x".repeat(100_000), "checks": (0..n).collect::<Vec<_>>()});
        assert_eq!(outcome("body.text", &body(4096)), Ok(4096));
        assert!(matches!(outcome("body.text", &body(4097)), Err(ParseError::TooLong { .. })));
    }
}
