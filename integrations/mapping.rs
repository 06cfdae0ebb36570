//! Takes signals out of any document, with expressions from the settings.
//!
//! Expressions see `body` (the document), `item` (one element of `each`, or the whole body) and `headers` (a map, names in lower case).

use std::collections::BTreeMap;

use domain::{Expression, MAX_SIGNALS, Severity, Signal, SignalState, Timestamp, to_value};
use minijinja::{Value, context, value::ValueKind};
use serde::Deserialize;

use crate::{Inbound, MAX_LABELS, ParseError, SettingsError, accept, error::quoted, limits, reading};

/// From this number on, a unix time is in milliseconds: in seconds it would be the year 5138.
const FIRST_UNIX_MS: f64 = 1e11;

/// The settings of every provider whose body has a shape of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MappingSettings {
    /// Only for `json`.
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

/// A field of the settings and its expression, ready to run.
pub(crate) struct Field {
    name: String,
    expression: Expression,
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
        })
    }

    /// The signals in `document`.
    pub(crate) fn signals(&self, document: &serde_json::Value, inbound: &Inbound<'_>) -> Result<Vec<Signal>, ParseError> {
        let (body, headers) = (to_value(document), headers(inbound));
        let context = |item: Value| context! { body => body.clone(), item => item, headers => headers.clone() };
        let Some(each) = &self.each else {
            let signal =
                Item { mapping: self, path: String::new(), context: context(body.clone()), received_at: inbound.received_at }.signal()?;
            return Ok(signal.into_iter().collect());
        };
        let list = each.value("", &context(body.clone()))?;
        match list.kind() {
            ValueKind::Seq => {}
            ValueKind::Undefined | ValueKind::None => return Err(ParseError::missing(each.path(""))),
            other => return Err(ParseError::field(each.path(""), format!("is a {other}, not a list"))),
        }
        let n = list.len().unwrap_or(0);
        if n > MAX_SIGNALS {
            return Err(ParseError::TooMany { n, max: MAX_SIGNALS });
        }
        let items = list.try_iter().map_err(|error| ParseError::field(each.path(""), error.to_string()))?;
        let signal = |(index, item): (usize, Value)| {
            Item { mapping: self, path: format!("each[{index}]."), context: context(item), received_at: inbound.received_at }.signal()
        };
        items.enumerate().map(signal).filter_map(Result::transpose).collect()
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
        let state = mapping.state.as_ref().map_or(Ok(SignalState::Sample), |states| states.of(&self.path, &self.context))?;
        let fingerprint = mapping.fingerprint.required(&self.path, &self.context)?;
        let subject = self.text(mapping.subject.as_ref())?.unwrap_or_else(|| fingerprint.clone());
        let mut signal = Signal::new(fingerprint, state, subject, self.received_at);
        signal.summary = self.text(mapping.summary.as_ref())?.unwrap_or_default();
        for (name, field) in &mapping.labels {
            if let Some(value) = self.text(Some(field))? {
                signal.labels.insert(name.clone(), value);
            }
        }
        self.read_severity(&mut signal)?;
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

impl Field {
    pub(crate) fn compile(name: &str, source: &str) -> Result<Self, SettingsError> {
        let expression = Expression::compile(source).map_err(|error| SettingsError::new(name, error.to_string()))?;
        Ok(Self { name: name.to_owned(), expression })
    }

    /// The place and the expression, for whoever has to find out why.
    fn path(&self, prefix: &str) -> String {
        format!("{prefix}{} = {}", self.name, self.expression.source())
    }

    fn value(&self, prefix: &str, context: &Value) -> Result<Value, ParseError> {
        self.expression.value(context).map_err(|error| ParseError::Expression { path: self.path(prefix), error })
    }

    /// The text of a scalar; nothing for null and for what is not there.
    fn text(&self, prefix: &str, context: &Value) -> Result<Option<String>, ParseError> {
        let value = self.value(prefix, context)?;
        match value.kind() {
            ValueKind::Undefined | ValueKind::None => Ok(None),
            ValueKind::String | ValueKind::Number => Ok(Some(value.to_string())),
            // As JSON writes it: the language itself says `True`.
            ValueKind::Bool => Ok(Some(value.is_true().to_string())),
            other => Err(ParseError::field(self.path(prefix), format!("is a {other}, not a text, number or boolean"))),
        }
    }

    fn required(&self, prefix: &str, context: &Value) -> Result<String, ParseError> {
        self.text(prefix, context)?.filter(|text| !text.is_empty()).ok_or_else(|| ParseError::missing(self.path(prefix)))
    }

    /// As a delivery's id: where the expression gives nothing usable, there is none.
    pub(crate) fn id(&self, document: &serde_json::Value, inbound: &Inbound<'_>) -> Option<String> {
        let body = to_value(document);
        let context = context! { body => body.clone(), item => body, headers => headers(inbound) };
        self.text("", &context).ok().flatten()
    }
}

/// The headers an expression may see: a credential must not get into a fingerprint or a label.
fn headers(inbound: &Inbound<'_>) -> Value {
    let mut headers: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in inbound.headers.iter().filter(|(name, _)| !accept::holds_credential(name)) {
        headers.entry(name).and_modify(|all| *all = format!("{all}, {value}")).or_insert_with(|| value.clone());
    }
    to_value(&headers)
}

/// Reads RFC 3339 or a unix time in seconds or milliseconds; Go's zero time means that there is none.
fn time(text: &str) -> Result<Option<Timestamp>, String> {
    let Ok(number) = text.parse::<f64>() else {
        return Timestamp::parse_unless_zero(text).map_err(|error| error.to_string());
    };
    let ms = if number.abs() < FIRST_UNIX_MS { number * 1000.0 } else { number };
    // Up to the year 9999, which also excludes micro- and nanoseconds and what is no number.
    if !(0.0..253_402_300_800_000.0).contains(&ms) {
        return Err(format!("`{}` is not a unix time in seconds or milliseconds", quoted(text)));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked one line above")]
    Ok(Some(Timestamp(ms as i64)))
}
