//! The shape every provider has, and the list of them.

use domain::{Signal, Span};
use secrecy::SecretString;

use crate::{
    Credentials, Inbound, ParseError, Settings, SettingsError, VerifyError,
    check::Check,
    example, limits,
    poll::{self, Ask, Poll},
    signature::{self, Scheme},
    silence,
};

/// A kind of sender. A provider is a constant: a forgotten field does not compile.
pub struct Provider {
    /// In URLs, configuration and the database: never changes.
    pub slug: &'static str,
    /// As people write it.
    pub name: &'static str,
    /// Markdown for whoever configures the sender, with the placeholders `{{ url }}` and `{{ secret }}`.
    pub setup: &'static str,
    /// A request that the sender makes when something breaks, as [`crate::example`] reads it; `None` for what is asked.
    pub example: Option<&'static str>,
    /// An SVG image, of a few hundred bytes and without scripts.
    pub logo: &'static str,
    /// The media types the sender uses; `+json` stands for every type that ends so. A request without a type is let through.
    pub content_types: &'static [&'static str],
    /// Refuses settings that could not work, before they are saved.
    pub check_settings: fn(&serde_json::Value) -> Result<(), SettingsError>,
    /// Refuses a secret that could never verify anything, before it is saved.
    pub check_secret: fn(&SecretString, &Settings) -> Result<(), SettingsError>,
    /// Decides over the raw bytes whether the sender is who it claims to be.
    pub verify: fn(&Inbound<'_>, &Credentials<'_>) -> Result<(), VerifyError>,
    /// The sender's id of this delivery: the same on every repeat of it, and on nothing else.
    pub delivery_id: fn(&Inbound<'_>, &Settings) -> Option<String>,
    /// What a verified delivery says. Call [`parse`] instead, which holds the result to the limits.
    pub parse: fn(&Inbound<'_>, &Settings) -> Result<Vec<Signal>, ParseError>,
    /// How it is asked, if it is asked instead of sending anything.
    pub poll: Option<Ask>,
    /// What only a few senders need.
    pub quirks: Quirks,
}

/// What only a few senders need of whoever receives from them. Begin with [`Quirks::NONE`].
#[derive(Clone, Copy)]
pub struct Quirks {
    /// The https address of a document that a request cannot be verified without, such as a certificate. It is asked over an unproven
    /// request, so it names nothing but the sender's own places. The document is handed in with [`Credentials::document`].
    pub document: Option<Document>,
    /// What is called once this request is verified and stored, so that the sender begins to send.
    pub confirm: Option<fn(&Inbound<'_>, &Settings) -> Option<Confirmation>>,
    /// Texts of the body that let whoever reads them act, such as links to unsubscribe: where they stand. They are not stored.
    pub redact: &'static [&'static [&'static str]],
    /// Whether the sender asks for leave before it sends, as CloudEvents' abuse protection has it.
    pub asks_leave: bool,
}

/// A call that a sender waits for before it begins to send.
#[derive(Clone, Debug)]
pub struct Confirmation {
    /// What begins then, such as the ARN of a topic.
    pub subject: String,
    /// What is called. It lets whoever has it act.
    pub url: SecretString,
    /// How long the sender takes it.
    pub valid_for: Span,
}

/// Tells the address of a document from a request that is not proven yet.
pub type Document = fn(&Inbound<'_>, &Settings) -> Result<String, VerifyError>;

impl Quirks {
    /// A sender that posts, is verified by what it posts, and expects nothing but an answer.
    pub const NONE: Self = Self { document: None, confirm: None, redact: &[], asks_leave: false };
}

/// What a polled provider consists of; see [`Provider`] for the fields.
pub(crate) struct Polled {
    pub(crate) slug: &'static str,
    pub(crate) name: &'static str,
    pub(crate) setup: &'static str,
    pub(crate) logo: &'static str,
    pub(crate) check_settings: fn(&serde_json::Value) -> Result<(), SettingsError>,
    pub(crate) poll: Poll,
    pub(crate) parse: fn(&Inbound<'_>, &Settings) -> Result<Vec<Signal>, ParseError>,
}

/// What a check of our own consists of; see [`Provider`] for the fields.
pub(crate) struct Checked {
    pub(crate) slug: &'static str,
    pub(crate) name: &'static str,
    pub(crate) setup: &'static str,
    pub(crate) logo: &'static str,
    pub(crate) check_settings: fn(&serde_json::Value) -> Result<(), SettingsError>,
    pub(crate) check: Check,
    pub(crate) parse: fn(&Inbound<'_>, &Settings) -> Result<Vec<Signal>, ParseError>,
}

impl Provider {
    /// Why a thing of this provider may not expire by itself, if it may not.
    #[must_use]
    pub fn refuses_expiry(&self) -> Option<&'static str> {
        let repeats = self.poll.is_none() && self.slug != crate::heartbeat::SLUG;
        (!repeats).then_some("a source that is asked does not repeat what stays the same; what it no longer names is over anyway")
    }

    /// Why silence of this provider cannot be a signal, if it cannot.
    #[must_use]
    pub fn refuses_silence(&self) -> Option<&'static str> {
        if self.slug == crate::heartbeat::SLUG {
            return Some("a heartbeat that is not heard of is missed anyway, after its `period` and `grace`");
        }
        self.poll.as_ref().map(|_| "a source that is asked is not silent; if it cannot be read, what it feeds is unknown anyway")
    }

    /// A provider that is asked. Nobody can prove to be it, so its hook lets nobody in.
    pub(crate) const fn polled(polled: Polled) -> Self {
        let Polled { slug, name, setup, logo, check_settings, poll, parse } = polled;
        Self::asked(slug, name, setup, logo, check_settings, Ask::Source(poll), parse)
    }

    /// A check of our own.
    pub(crate) const fn checked(checked: Checked) -> Self {
        let Checked { slug, name, setup, logo, check_settings, check, parse } = checked;
        Self::asked(slug, name, setup, logo, check_settings, Ask::Check(check), parse)
    }

    /// Whether most of what it says is that all is as it was, so that what changed nothing need not be kept for long.
    #[must_use]
    pub fn says_much(&self) -> bool {
        matches!(self.poll, Some(Ask::Check(_))) || self.slug == crate::heartbeat::SLUG
    }

    const fn asked(
        slug: &'static str,
        name: &'static str,
        setup: &'static str,
        logo: &'static str,
        check_settings: fn(&serde_json::Value) -> Result<(), SettingsError>,
        ask: Ask,
        parse: fn(&Inbound<'_>, &Settings) -> Result<Vec<Signal>, ParseError>,
    ) -> Self {
        Self {
            slug,
            name,
            setup,
            example: None,
            logo,
            content_types: &[],
            check_settings,
            check_secret: |secret, _| signature::check_secret(&Scheme::Bearer, secret),
            verify: |_, _| Err(VerifyError::Malformed("this provider is asked by Fanal and sends nothing".to_owned())),
            delivery_id: |_, _| None,
            parse,
            poll: Some(ask),
            quirks: Quirks::NONE,
        }
    }
}

/// Every provider, in alphabetical order.
pub static PROVIDERS: &[&Provider] = &[
    &crate::alertmanager::PROVIDER,
    &crate::aws_eventbridge::PROVIDER,
    &crate::aws_health::PROVIDER,
    &crate::aws_sns::PROVIDER,
    &crate::azure_monitor::PROVIDER,
    &crate::azure_status::PROVIDER,
    &crate::better_stack::PROVIDER,
    &crate::better_stack_api::PROVIDER,
    &crate::better_stack_page::PROVIDER,
    &crate::bitbucket::PROVIDER,
    &crate::buildkite::PROVIDER,
    &crate::cachet::PROVIDER,
    &crate::checkly::PROVIDER,
    &crate::checkly_api::PROVIDER,
    &crate::circleci::PROVIDER,
    &crate::cloudevents::PROVIDER,
    &crate::datadog::PROVIDER,
    &crate::datadog_monitors::PROVIDER,
    &crate::dns::PROVIDER,
    &crate::gatus::PROVIDER,
    &crate::gatus_api::PROVIDER,
    &crate::github::PROVIDER,
    &crate::github_actions::PROVIDER,
    &crate::gitlab::PROVIDER,
    &crate::gitlab_pipelines::PROVIDER,
    &crate::google_cloud_monitoring::PROVIDER,
    &crate::google_cloud_status::PROVIDER,
    &crate::grafana::PROVIDER,
    &crate::healthchecks::PROVIDER,
    &crate::healthchecks_api::PROVIDER,
    &crate::heartbeat::PROVIDER,
    &crate::heroku_status::PROVIDER,
    &crate::honeycomb::PROVIDER,
    &crate::http::PROVIDER,
    &crate::icinga::PROVIDER,
    &crate::icmp::PROVIDER,
    &crate::instatus::PROVIDER,
    &crate::instatus_webhook::PROVIDER,
    &crate::jenkins::PROVIDER,
    &crate::jenkins_job::PROVIDER,
    &crate::json::PROVIDER,
    &crate::json_poll::PROVIDER,
    &crate::netlify::PROVIDER,
    &crate::new_relic::PROVIDER,
    &crate::opsgenie::PROVIDER,
    &crate::pagerduty::PROVIDER,
    &crate::pingdom::PROVIDER,
    &crate::pingdom_api::PROVIDER,
    &crate::prometheus::PROVIDER,
    &crate::prometheus_alerts::PROVIDER,
    &crate::salesforce_trust::PROVIDER,
    &crate::sentry::PROVIDER,
    &crate::slack_status::PROVIDER,
    &crate::standard_webhooks::PROVIDER,
    &crate::statuscake::PROVIDER,
    &crate::statuscake_api::PROVIDER,
    &crate::statusio::PROVIDER,
    &crate::statuspage::PROVIDER,
    &crate::statuspage_webhook::PROVIDER,
    &crate::tcp::PROVIDER,
    &crate::tls::PROVIDER,
    &crate::uptime_kuma::PROVIDER,
    &crate::uptime_kuma_page::PROVIDER,
    &crate::uptimerobot::PROVIDER,
    &crate::uptimerobot_api::PROVIDER,
    &crate::vercel::PROVIDER,
    &crate::zabbix::PROVIDER,
];

/// The provider of this slug, if there is one.
#[must_use]
pub fn find(slug: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.slug == slug).copied()
}

/// What a verified delivery says, within the limits on numbers and lengths.
///
/// # Errors
/// The body does not fit its schema, or the settings no longer do. The text of the error is the reason shown in quarantine.
pub fn parse(slug: &str, inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    let provider = find(slug).ok_or_else(|| ParseError::Provider(slug.to_owned()))?;
    if example::is_test(inbound.headers) {
        return Ok(Vec::new());
    }
    if let Some(read) = silence::read(inbound) {
        return read;
    }
    if provider.poll.is_some() {
        return poll::read(provider, inbound, settings);
    }
    limits::enforce((provider.parse)(inbound, settings)?)
}
