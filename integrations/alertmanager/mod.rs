//! Prometheus Alertmanager, payload version 4.
//!
//! <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>

use crate::{
    Provider, Quirks,
    alert_group::{self, Dialect},
    plain_secret, reading,
};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "alertmanager",
    name: "Prometheus Alertmanager",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/firing.json")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json"],
    check_settings: reading::no_settings,
    check_secret: plain_secret::check_secret,
    // Alertmanager signs nothing.
    verify: plain_secret::verify,
    // Alertmanager repeats a group under no id; the alerts' own fingerprints absorb the repeats.
    delivery_id: |_, _| None,
    parse: |inbound, _| alert_group::signals(inbound.document()?, inbound.received_at, &DIALECT),
    poll: None,
    quirks: Quirks::NONE,
};

const DIALECT: Dialect = Dialect { version: "4", limit: "max_alerts", finish: |_, signal| Some(signal) };
