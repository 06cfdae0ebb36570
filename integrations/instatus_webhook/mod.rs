//! A vendor's page on Instatus, as a webhook subscriber hears it.
//!
//! <https://instatus.com/help/webhooks>

use std::sync::LazyLock;

use serde_json::json;

use crate::{
    Credentials, Inbound, Provider, Quirks, VerifyError, plain_secret, reading,
    signature::{self, Scheme},
    vendor_page,
};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "instatus_webhook",
    name: "Instatus subscription",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/component_majoroutage.json")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json"],
    check_settings: reading::no_settings,
    check_secret: plain_secret::check_secret,
    verify,
    delivery_id: |_, _| None,
    parse: |inbound, _| vendor_page::parse(inbound),
    poll: None,
    quirks: Quirks { redact: vendor_page::LINKS_THAT_ACT, ..Quirks::NONE },
};

static SCHEME: LazyLock<Scheme> = LazyLock::new(|| {
    Scheme::read("signature", &json!({"header": "x-instatus-webhook-signature"})).expect("the scheme above is written here and tested")
});

/// Not every page shows its subscribers the key it signs with. Where a token stands in the URL, it is what must be right.
fn verify(inbound: &Inbound<'_>, credentials: &Credentials<'_>) -> Result<(), VerifyError> {
    if inbound.path_token.is_some() {
        return plain_secret::verify(inbound, credentials);
    }
    signature::verify(&SCHEME, inbound, credentials.secrets)
}
