//! Providers: how each kind of sender is verified, and what it says in our terms.
//!
//! Pure: bytes in, signals out. No network, no database, no clock; the only thing taken from outside is randomness for the id of a
//! delivery that has none of its own.

mod accept;
#[cfg(test)]
mod accept_tests;
mod alert_group;
mod alertmanager;
mod azure_monitor;
mod better_stack;
mod bitbucket;
mod buildkite;
mod checkly;
mod circleci;
mod cloudevents;
mod datadog;
mod document;
mod error;
mod field;
mod form;
mod gatus;
mod github;
mod gitlab;
mod google_cloud_monitoring;
mod grafana;
mod healthchecks;
mod honeycomb;
mod icinga;
mod inbound;
mod instatus_webhook;
mod jenkins;
mod json;
mod jws;
mod labels;
mod limits;
mod mapping;
mod netlify;
mod new_relic;
mod opsgenie;
mod pagerduty;
mod pingdom;
mod plain_secret;
pub mod poll;
mod prometheus;
mod provider;
#[cfg(test)]
mod provider_tests;
mod reading;
mod scheme;
mod sentry;
mod set;
mod settings;
pub mod signature;
#[cfg(test)]
mod signature_tests;
mod standard_webhooks;
mod statuscake;
mod statuspage;
mod statuspage_webhook;
#[cfg(test)]
mod tests;
mod time;
mod uptime_kuma;
mod uptimerobot;
mod vendor_page;
mod vercel;
mod zabbix;

pub use accept::{MAX_EXTERNAL_ID_BYTES, MAX_STORED_HEADER_BYTES, MAX_STORED_HEADERS, accept};
pub use error::{ParseError, Refusal, SettingsError, VerifyError};
pub use inbound::{Credentials, Inbound};
pub use limits::{MAX_LABEL_BYTES, MAX_LABELS, MAX_TEXT_BYTES, MAX_URL_BYTES};
pub use provider::{PROVIDERS, Provider, find, parse};
pub use settings::Settings;
