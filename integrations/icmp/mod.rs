//! Echo requests: whether a host answers at all, and how fast.

use domain::Signal;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError,
    check::{self, AT_LEAST, Check, EVERY, IcmpProbe, Measured, Probe, Verdict, What},
    probe::is_host,
    provider::Checked,
};

pub(crate) static PROVIDER: Provider = Provider::checked(Checked {
    slug: "icmp",
    name: "ICMP check (ping)",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings,
    check: Check { every: EVERY, at_least: AT_LEAST, probe, judge },
    parse: |inbound, settings| signals(inbound, settings),
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    host: String,
}

impl Own {
    fn check(&self) -> Result<(), SettingsError> {
        if is_host(&self.host) { Ok(()) } else { Err(SettingsError::new("host", "must be a name such as db.example.com, or an address")) }
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
    Ok(Probe { what: What::Icmp(IcmpProbe { host: own.host }), timeout: common.timeout, ip: common.ip })
}

/// The time of the answer alone counts: resolving the name says nothing about the host.
fn judge(measured: &Measured, settings: &Settings) -> Result<Verdict, ParseError> {
    let (common, own) = check::settings::<Own>(settings.json())?;
    let answered = Verdict::healthy(own.host, "answered", measured.timings.first_byte);
    Ok(match &measured.failure {
        Some(failure) => answered.failed(failure),
        None => answered.timed(&common),
    })
}

fn signals(inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    check::signals(&PROVIDER, inbound, settings)
}
