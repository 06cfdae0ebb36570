//! Checks of single values: addresses, expressions, templates.

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{
    Expression, ExpressionError, MAX_ADDRESS_CHARS, MAX_EXPRESSION_BYTES, SIGNAL_FIELDS, Signal, SignalState, TEMPLATE_NAMES, Timestamp,
    render_template, template_names, to_value,
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    problem::{did_you_mean, quoted},
    reader::At,
};

/// What a condition may read.
const CONDITION_NAMES: [&str; 1] = ["signal"];
/// How long the key of a webhook's signature is.
const SIGNING_KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// The longest mail address.
const MAX_EMAIL_CHARS: usize = 254;

/// An expression over `signal`.
pub(crate) fn expression(at: &At<'_>) -> String {
    let Some(source) = at.raw_text().filter(|_| !at.report.is_full()) else { return String::new() };
    let checked = Expression::compile(source).and_then(|expression| {
        check_names(at, &expression.names()?, &CONDITION_NAMES);
        only_unknown(expression.value(&to_value(&serde_json::json!({ "signal": trial_signal() }))).map(|_| ()))
    });
    if let Err(error) = checked {
        at.refuse(error.to_string());
    }
    source.to_owned()
}

/// A message template of a route or an incident.
pub(crate) fn template(at: &At<'_>) -> String {
    let source = at.text(MAX_EXPRESSION_BYTES, true);
    let checked = template_names(&source).and_then(|names| {
        check_names(at, &names, &TEMPLATE_NAMES);
        let context = serde_json::json!({ "signal": trial_signal(), "components": "API", "status": "major outage" });
        only_unknown(render_template(&source, &to_value(&context)).map(|_| ()))
    });
    if let Err(error) = checked {
        at.refuse(error.to_string().replacen("expression", "template", 1));
    }
    source
}

fn trial_signal() -> Signal {
    Signal::new("trial", SignalState::Firing, "trial", Timestamp(0))
}

/// One trial says nothing about other signals, except that a filter which does not exist never will.
fn only_unknown(outcome: Result<(), ExpressionError>) -> Result<(), ExpressionError> {
    outcome.or_else(|error| if matches!(error, ExpressionError::Unknown(_)) { Err(error) } else { Ok(()) })
}

/// A misspelt name is empty for every signal, so the route would silently do nothing.
fn check_names(at: &At<'_>, names: &BTreeSet<String>, known: &[&str]) {
    for name in names {
        let mut steps = name.split('.');
        let root = steps.next().unwrap_or_default();
        if !known.contains(&root) {
            let meant = did_you_mean(root, known.iter().copied());
            let hint = if meant.is_empty() { format!("; known here: {}", known.join(", ")) } else { meant };
            at.refuse(format!("there is no {}{hint}", quoted(root)));
        } else if let Some(field) = steps.next().filter(|field| root == "signal" && !SIGNAL_FIELDS.contains(field)) {
            let meant = did_you_mean(field, SIGNAL_FIELDS);
            let hint = if meant.is_empty() { format!("; a signal has {}", SIGNAL_FIELDS.join(", ")) } else { meant };
            at.refuse(format!("a signal has no {}{hint}", quoted(field)));
        }
    }
}

/// A URL with one of `schemes`.
pub(crate) fn url(at: &At<'_>, schemes: &[&str]) -> String {
    let text = at.text(MAX_ADDRESS_CHARS, false);
    if text.is_empty() {
        return text;
    }
    match Url::parse(&text) {
        Err(error) => at.refuse(format!("{} is not a URL: {error}", quoted(&text))),
        Ok(url) if !schemes.contains(&url.scheme()) => {
            at.refuse(format!("{} must begin with {}", quoted(&text), schemes.join(": or ") + ":"));
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => at.refuse("a URL must not hold a user name or password"),
        Ok(_) => {}
    }
    text
}

/// What a webhook is signed with: `whsec_` and a key in base64, as Standard Webhooks wants it.
pub(crate) fn signing_secret(at: &At<'_>, secret: &SecretString) {
    let key = secret.expose_secret().strip_prefix("whsec_").and_then(|encoded| BASE64_STANDARD.decode(encoded).ok());
    if key.is_none_or(|key| !SIGNING_KEY_BYTES.contains(&key.len())) {
        at.refuse("a webhook is signed with `whsec_` followed by 24 to 64 bytes in base64");
    }
}

/// A mail address; whether it exists, only mail can tell.
pub(crate) fn email(at: &At<'_>) -> String {
    let text = at.text(MAX_EMAIL_CHARS, false);
    let is_address = text.split_once('@').is_some_and(|(local, host)| {
        let has_odd = |part: &str| part.contains(|c: char| c.is_whitespace() || "@<>()[],;:\\\"".contains(c));
        !local.is_empty()
            && !has_odd(local)
            && !has_odd(host)
            && host.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
    });
    if !text.is_empty() && !is_address {
        at.refuse(format!("{} is not a mail address", quoted(&text)));
    }
    text
}
