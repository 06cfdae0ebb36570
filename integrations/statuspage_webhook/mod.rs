//! A vendor's page on Atlassian Statuspage, as a webhook subscriber hears it.
//!
//! <https://support.atlassian.com/statuspage/docs/enable-webhook-notifications/>

use crate::{Provider, Quirks, plain_secret, reading, vendor_page};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "statuspage_webhook",
    name: "Statuspage subscription",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/component_major_outage.json")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json"],
    check_settings: reading::no_settings,
    check_secret: plain_secret::check_secret,
    verify: plain_secret::verify,
    delivery_id: |_, _| None,
    parse: |inbound, _| vendor_page::parse(inbound),
    poll: None,
    quirks: Quirks { redact: vendor_page::LINKS_THAT_ACT, ..Quirks::NONE },
};
