//! What name servers say of a name.

use std::net::{IpAddr, SocketAddr};

use domain::Signal;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError,
    check::{self, AT_LEAST, Check, DnsCode, DnsProbe, EVERY, Level, Measured, Probe, RecordType, Verdict, What},
    error::quoted,
    probe::is_host,
    provider::Checked,
};

pub(crate) static PROVIDER: Provider = Provider::checked(Checked {
    slug: "dns",
    name: "DNS check",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings,
    check: Check { every: EVERY, at_least: AT_LEAST, probe, judge },
    parse: |inbound, settings| signals(inbound, settings),
});

/// The most records that can be expected.
const MAX_EXPECTED: usize = 32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    name: String,
    #[serde(default = "a")]
    record: RecordType,
    /// Records that must be there; without any, there must be some record.
    #[serde(default)]
    expected: Vec<String>,
    /// Whether there may be no others.
    #[serde(default)]
    exact: bool,
    /// Whom to ask, if not whom this machine asks.
    resolver: Option<String>,
}

const fn a() -> RecordType {
    RecordType::A
}

impl Own {
    fn check(&self) -> Result<(), SettingsError> {
        let refuse = |path: &str, problem: &str| Err(SettingsError::new(path, problem));
        let is_server = |text: &String| text.parse::<SocketAddr>().is_ok() || text.parse::<IpAddr>().is_ok();
        match () {
            () if !is_host(&self.name) || self.name.contains(':') => refuse("name", "must be a name such as www.example.com"),
            () if self.expected.len() > MAX_EXPECTED => refuse("expected", "has more than 32 records"),
            () if self.exact && self.expected.is_empty() => refuse("exact", "needs `expected`"),
            () if self.resolver.as_ref().is_some_and(|server| !is_server(server)) => {
                refuse("resolver", "must be an address such as 9.9.9.9 or [2620:fe::fe]:53")
            }
            () => Ok(()),
        }
    }
}

fn check_settings(settings: &Value) -> Result<(), SettingsError> {
    let (common, own) = check::check_settings::<Own>(settings)?;
    common.check_latencies()?;
    own.check()
}

fn probe(settings: &Settings, _: &[SecretString]) -> Result<Probe, SettingsError> {
    let (common, own) = check::settings::<Own>(settings.json())?;
    own.check()?;
    let Own { name, record, resolver, .. } = own;
    Ok(Probe { what: What::Dns(DnsProbe { name, record, resolver }), timeout: common.timeout, ip: common.ip })
}

/// Names are equal whatever their case and with or without the dot at the end.
fn plain(record: &str) -> String {
    record.trim().trim_end_matches('.').to_ascii_lowercase()
}

fn judge(measured: &Measured, settings: &Settings) -> Result<Verdict, ParseError> {
    let (common, own) = check::settings::<Own>(settings.json())?;
    let (name, record) = (&own.name, own.record.as_str());
    let answered = Verdict::healthy(format!("{name} {record}"), "", measured.timings.total);
    if let Some(failure) = &measured.failure {
        return Ok(answered.failed(failure));
    }
    let answer = measured.dns.as_ref().ok_or_else(|| ParseError::missing("dns"))?;
    let bad = |answered: Verdict, reason: &str, text: String| Ok(answered.bad(Level::Critical, reason, text));
    match answer.code {
        DnsCode::Noerror => {}
        DnsCode::Nxdomain => return bad(answered, "nxdomain", format!("there is no name {name}")),
        DnsCode::Servfail => return bad(answered, "servfail", "the name server could not find out".to_owned()),
        DnsCode::Refused => return bad(answered, "refused", "the name server does not answer us".to_owned()),
        DnsCode::Other => return bad(answered, "other", "the name server answered with an error".to_owned()),
    }
    if answer.records.is_empty() {
        return bad(answered, "empty", format!("{name} has no {record} record"));
    }
    let found: Vec<String> = answer.records.iter().map(|record| plain(record)).collect();
    if let Some(missing) = own.expected.iter().find(|expected| !found.contains(&plain(expected))) {
        let text = format!("`{}` is missing; there is `{}`", quoted(missing), quoted(&answer.records.join(", ")));
        return bad(answered, "missing", text);
    }
    if own.exact
        && let Some(extra) = answer.records.iter().find(|record| !own.expected.iter().any(|expected| plain(expected) == plain(record)))
    {
        return bad(answered, "unexpected", format!("`{}` is not expected", quoted(extra)));
    }
    let text = format!("`{}`", quoted(&answer.records.join(", ")));
    Ok(Verdict { text, ..answered }.timed(&common))
}

fn signals(inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    check::signals(&PROVIDER, inbound, settings)
}
