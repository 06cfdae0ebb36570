//! Providers: how each kind of sender is verified, and what it says in our terms.
//!
//! Pure: bytes in, signals out. No network, no database, no clock; the only thing taken from outside is randomness for the id of a
//! delivery that has none of its own.

mod accept;
#[cfg(test)]
mod accept_tests;
mod alert_group;
mod alertmanager;
mod aws_alarm;
mod aws_event;
mod aws_eventbridge;
mod aws_health;
mod aws_sns;
mod azure_monitor;
mod azure_status;
mod better_stack;
mod better_stack_api;
mod better_stack_page;
mod bitbucket;
mod buildkite;
mod cachet;
mod challenge;
pub mod check;
mod checkly;
mod checkly_api;
mod circleci;
mod cloudevents;
#[cfg(test)]
mod damage_tests;
mod datadog;
mod datadog_monitors;
mod dns;
mod document;
mod error;
mod field;
mod form;
mod gatus;
mod gatus_api;
mod github;
mod github_actions;
mod gitlab;
mod gitlab_pipelines;
mod google_cloud_monitoring;
mod google_cloud_status;
mod grafana;
mod healthchecks;
mod healthchecks_api;
pub mod heartbeat;
mod heroku_status;
mod honeycomb;
mod http;
mod icinga;
mod icmp;
mod inbound;
mod instatus;
mod instatus_webhook;
mod jenkins;
mod jenkins_job;
mod json;
mod json_poll;
mod jws;
mod labels;
mod limits;
mod mapping;
mod measured;
mod multipart;
mod netlify;
mod new_relic;
mod opsgenie;
mod pagerduty;
mod pages;
#[cfg(test)]
mod pages_tests;
mod pingdom;
mod pingdom_api;
mod plain_secret;
pub mod poll;
mod probe;
mod problems;
mod prometheus;
mod prometheus_alerts;
mod prometheus_api;
mod provider;
#[cfg(test)]
mod provider_tests;
mod reading;
mod redact;
mod request;
mod salesforce_trust;
mod scheme;
mod sentry;
mod set;
mod settings;
pub mod signature;
#[cfg(test)]
mod signature_tests;
pub mod silence;
mod slack_status;
mod standard_webhooks;
mod statuscake;
mod statuscake_api;
mod statusio;
mod statuspage;
mod statuspage_webhook;
mod tcp;
#[cfg(test)]
mod tests;
mod thing;
mod time;
mod tls;
mod uptime_kuma;
mod uptime_kuma_page;
mod uptimerobot;
mod uptimerobot_api;
mod vendor_page;
mod vercel;
mod xml;
mod zabbix;

pub use accept::{MAX_EXTERNAL_ID_BYTES, MAX_STORED_HEADER_BYTES, MAX_STORED_HEADERS, accept};
pub use challenge::challenges;
pub use error::{ParseError, Refusal, SettingsError, VerifyError};
pub use inbound::{Credentials, Inbound};
pub use limits::{MAX_LABEL_BYTES, MAX_LABELS, MAX_TEXT_BYTES, MAX_URL_BYTES};
pub use problems::MAX_PROBLEMS;
pub use provider::{Confirmation, Document, PROVIDERS, Provider, Quirks, find, parse};
pub use settings::Settings;
