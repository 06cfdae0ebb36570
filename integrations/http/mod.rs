//! A request, and what has to be true of the answer.

mod conditions;

use std::collections::BTreeMap;

use domain::Signal;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError,
    check::{self, AT_LEAST, Check, Common, EVERY, HttpProbe, Level, Measured, Probe, Verdict, What},
    poll::{self, Request},
    provider::Checked,
    request::{check_headers, is_header_name},
};
use conditions::Conditions;

pub(crate) static PROVIDER: Provider = Provider::checked(Checked {
    slug: "http",
    name: "HTTP check",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings,
    check: Check { every: EVERY, at_least: AT_LEAST, probe, judge },
    parse: |inbound, settings| signals(inbound, settings),
});

/// The longest body to ask with.
const MAX_BODY_BYTES: usize = 64 << 10;
/// How much of an answer is kept where nothing hangs on it, and where something does.
const KEPT: usize = 1 << 10;
const KEPT_FOR_CONDITIONS: usize = 64 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// The whole address, with its query.
    url: String,
    #[serde(default)]
    method: Method,
    /// Further headers. None is a secret: settings are shown.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Where the secret goes, if not into `Authorization`.
    secret_header: Option<String>,
    /// A text as it is, anything else as JSON.
    body: Option<Value>,
    #[serde(default = "yes")]
    follow_redirects: bool,
    #[serde(default)]
    expect: conditions::Expect,
}

const fn yes() -> bool {
    true
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Method {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Method {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
}

impl Own {
    fn check(&self) -> Result<(), SettingsError> {
        let refuse = |path: &str, problem: &str| Err(SettingsError::new(path, problem));
        if !poll::is_address(&self.url) || self.url.contains('#') {
            return refuse("url", "must be an address such as https://example.com/health");
        }
        if self.body.is_some() && matches!(self.method, Method::Get | Method::Head) {
            return refuse("body", "is not sent by GET and HEAD");
        }
        if self.bytes().is_some_and(|bytes| bytes.len() > MAX_BODY_BYTES) {
            return refuse("body", "is longer than 64 KiB");
        }
        check_headers(&self.headers)?;
        match &self.secret_header {
            Some(name) if !is_header_name(name) => refuse("secret_header", "is not a name of a header"),
            _ => Ok(()),
        }
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        Some(match self.body.as_ref()? {
            Value::String(text) => text.clone().into_bytes(),
            json => json.to_string().into_bytes(),
        })
    }

    /// Without the query, in which people hide keys.
    fn subject(&self) -> String {
        format!("{} {}", self.method.as_str(), self.url.split('?').next().unwrap_or_default())
    }
}

/// The settings, ready to judge by.
struct Ready {
    common: Common,
    subject: String,
    conditions: Conditions,
}

fn ready(settings: &Value) -> Result<Ready, SettingsError> {
    let (common, own) = check::settings::<Own>(settings)?;
    Ok(Ready { common, subject: own.subject(), conditions: Conditions::compile(own.expect)? })
}

fn check_settings(settings: &Value) -> Result<(), SettingsError> {
    let (common, own) = check::check_settings::<Own>(settings)?;
    common.check_latencies()?;
    own.check()?;
    Conditions::compile(own.expect).map(|_| ())
}

fn probe(settings: &Settings, secrets: &[SecretString]) -> Result<Probe, SettingsError> {
    let (common, own) = check::settings::<Own>(settings.json())?;
    own.check()?;
    let mut request = Request::get(own.url.clone()).header("accept", "*/*");
    if let Some(bytes) = own.bytes() {
        let is_text = matches!(own.body, Some(Value::String(_)));
        request.body = Some(bytes);
        request = request.header("content-type", if is_text { "text/plain" } else { "application/json" });
    }
    for (name, value) in &own.headers {
        request = request.header(name, value.as_str());
    }
    let request = match (&own.secret_header, secrets.last()) {
        (Some(name), Some(secret)) => request.header(name, secret.clone()),
        _ => request.authorized(secrets),
    };
    let what = What::Http(HttpProbe {
        method: own.method.as_str(),
        request,
        follow_redirects: own.follow_redirects,
        keep_headers: own.expect.headers(),
        keep_body: if own.expect.reads_body() { KEPT_FOR_CONDITIONS } else { KEPT },
    });
    Ok(Probe { what, timeout: common.timeout, ip: common.ip })
}

fn judge(measured: &Measured, settings: &Settings) -> Result<Verdict, ParseError> {
    let Ready { common, subject, conditions } = settings.prepared(ready)?;
    let mut answered = Verdict::healthy(subject.clone(), "", measured.timings.total);
    if let Some(failure) = &measured.failure {
        return Ok(answered.failed(failure));
    }
    let status = measured.status.ok_or_else(|| ParseError::missing("status"))?;
    answered.labels.insert("status".to_owned(), status.to_string());
    answered.text = format!("answered {status}");
    Ok(match conditions.broken_by(status, measured) {
        Some((reason, text)) => answered.bad(Level::Critical, reason, text),
        None => answered.timed(common),
    })
}

fn signals(inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    check::signals(&PROVIDER, inbound, settings)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_could_not_work_is_refused_before_it_is_saved() {
        let problem = |changes: Value| {
            let mut settings = json!({"url": "https://example.com/health"});
            settings.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            check_settings(&settings).map_err(|error| error.to_string())
        };
        let fine = json!({"every": "5s", "method": "POST", "body": {"a": 1}, "warning": "500ms", "critical": "2s", "expect": {"status": [204, "300-399"]}});
        assert_eq!(problem(fine), Ok(()));
        for (changes, part) in [
            (json!({"url": "example.com"}), "`url`: must be an address"),
            (json!({"body": "x"}), "`body`: is not sent"),
            (json!({"method": "TRACE"}), "`method`: unknown variant"),
            (json!({"headers": {"Authorization": "x"}}), "`headers.Authorization`: is a secret"),
            (json!({"warning": "2s", "critical": "1s"}), "`warning`: must be less"),
            (json!({"critical": "11s"}), "`critical`: must be more than 0 and at most 10s"),
            (json!({"expect": {"status": ["2xx"]}}), "`expect.status`: `2xx` is neither"),
            (json!({"expect": {"status": [99]}}), "`expect.status`: `99` is neither"),
            (json!({"expect": {"json": "body."}}), "`expect.json`: expression does not compile"),
            (json!({"expect": {"contains": ""}}), "`expect.contains`: is empty"),
            (json!({"expect": {"headers": {"a b": "x"}}}), "`expect.headers.a b`: is not a name"),
            (json!({"every": "1s"}), "`every`: must be between"),
            (json!({"unknown": 1}), "unknown field"),
        ] {
            let problem = problem(changes).unwrap_err();
            assert!(problem.contains(part), "{part}: {problem}");
        }
    }
}
