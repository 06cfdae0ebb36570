//! `/settings`: what the instance runs with. It is set where the process is started, and only looked at here.

use poem_openapi::{Object, OpenApi};

use super::{
    Admin,
    problem::Problem,
    reply::{Shown, View},
};

pub(super) struct SettingsApi(pub(super) Admin);

/// What the instance runs with, without secrets.
#[derive(Clone, Debug, Default, Object)]
pub struct Settings {
    /// Of the program.
    pub version: String,
    /// Where readers find the page.
    pub base_url: String,
    /// `sqlite` or `postgres`.
    pub database: String,
    /// Where notifications and polls wait for their turn.
    pub queue: String,
    /// The address that the page and the hooks are served on.
    pub listen: String,
    /// Whether mail can be sent.
    pub mail: bool,
    /// Who mail comes from.
    #[oai(nullable)]
    pub mail_from: Option<String>,
    /// Whether outgoing requests may go to private, loopback and link-local addresses.
    pub allow_private_targets: bool,
    /// Whether they may go over `http://`.
    pub allow_plain_http: bool,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// The roles that need a second factor.
    pub require_factor: Vec<String>,
    pub delivery_retention_days: u16,
    pub audit_retention_days: u16,
    /// Whether the audit log is handed on.
    pub audit_is_streamed: bool,
    pub token_requests_per_second: u16,
    /// Sign-in with an identity provider; null where there is none.
    #[oai(nullable)]
    pub oidc: Option<OidcSettings>,
}

/// Sign-in with an identity provider.
#[derive(Clone, Debug, Default, Object)]
pub struct OidcSettings {
    /// What the button says.
    pub name: String,
    pub issuer: String,
    pub client_id: String,
    /// The claim that names somebody's groups.
    pub groups_claim: String,
    /// Which group gives which role, as in `sre=operator`.
    pub roles: Vec<String>,
    /// Whether only owners may sign in without it.
    pub only: bool,
}

impl View for Settings {}

#[OpenApi]
impl SettingsApi {
    /// Shows what the instance runs with, without secrets.
    #[oai(path = "/settings", method = "get")]
    async fn show(&self) -> Result<Shown<Settings>, Problem> {
        Ok(Shown(self.0.settings.as_ref().clone()))
    }
}
