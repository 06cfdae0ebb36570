//! `/console/system`: how the instance is.

use askama::Template;
use domain::Resource;
use poem::{Response, handler, http::StatusCode, web::Data};
use serde_json::Value;
use storage::{fates, ledger, notifications};

use super::{
    Console,
    acts::Acts,
    failure::Failure,
    frame::{Frame, show},
    gate::{Needs, Table},
    seen::{Seen, names},
};

/// More than this many deliveries are not counted.
const MAX_COUNTED: i64 = 100_000;

pub(super) fn routes(table: Table) -> Table {
    table.get("/console/system", Needs::read(Resource::Settings), system)
}

#[derive(Template)]
#[template(path = "console/system.html")]
struct System<'a> {
    frame: &'a Frame,
    version: &'static str,
    base_url: &'a str,
    https: bool,
    database: &'static str,
    queue: &'static str,
    /// Whether some process evaluates now.
    evaluates: bool,
    page_version: i64,
    pending: i64,
    owed: i64,
    dead: i64,
    mail: bool,
    settings: Vec<Setting>,
}

/// A setting, as the process has it.
struct Setting {
    variable: &'static str,
    value: String,
    meaning: &'static str,
}

/// What the operation on settings tells, under the names by which they are set.
fn settings(of: &Value) -> Vec<Setting> {
    let yes = |name: &str| if of.yes(name) { "yes" } else { "no" }.to_owned();
    let some = |text: String| if text.is_empty() { "none".to_owned() } else { text };
    let list = |name: &str| some(names(of, name).join(", "));
    let setting = |variable, value, meaning| Setting { variable, value, meaning };
    let provider = of.part("oidc");
    let mut shown = vec![
        setting("FANAL_LISTEN", of.text("listen").to_owned(), "where the page and the hooks are served"),
        setting("FANAL_MAIL_FROM", some(of.text("mail_from").to_owned()), "who mail comes from"),
        setting("FANAL_TRUSTED_PROXIES", list("trusted_proxies"), "whose word on the address of a reader is believed"),
        setting("FANAL_REQUIRE_FACTOR", list("require_factor"), "the roles that need a second factor"),
        setting("FANAL_ALLOW_PRIVATE_TARGETS", yes("allow_private_targets"), "whether polls and webhooks may go inside"),
        setting("FANAL_ALLOW_PLAIN_HTTP", yes("allow_plain_http"), "whether they may go without TLS"),
        setting("FANAL_DELIVERY_RETENTION_DAYS", of.number("delivery_retention_days").to_string(), "how long deliveries are kept"),
        setting("FANAL_AUDIT_RETENTION_DAYS", of.number("audit_retention_days").to_string(), "how long the audit log is kept"),
        setting("FANAL_AUDIT_SINK", yes("audit_is_streamed"), "whether the audit log is handed on"),
        setting("FANAL_TOKEN_REQUESTS_PER_SECOND", of.number("token_requests_per_second").to_string(), "how much one token may ask"),
        setting("FANAL_OIDC_ISSUER", some(provider.text("issuer").to_owned()), "the identity provider that people sign in with"),
    ];
    if of.has("oidc") {
        shown.push(setting("FANAL_OIDC_ROLES", some(names(provider, "roles").join(", ")), "which of its groups gives which role"));
        let only = if provider.yes("only") { "yes" } else { "no" };
        shown.push(setting("FANAL_OIDC_ONLY", only.to_owned(), "whether only owners sign in without it"));
    }
    shown
}

#[handler]
async fn system(frame: Frame, acts: Acts, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let settings = settings(&acts.get("/settings").await?);
    let mut conn = console.db.read().await?;
    let reading = ledger::read(&mut conn).await?;
    let page = System {
        frame: &frame,
        version: env!("CARGO_PKG_VERSION"),
        base_url: console.base_url.as_str(),
        https: console.https(),
        database: console.db.kind(),
        queue: console.machinery.queue,
        evaluates: reading.lease_until >= console.now().0,
        page_version: reading.page_version,
        pending: fates::n_pending(&mut conn, MAX_COUNTED).await?,
        owed: notifications::n_open(&mut conn).await?,
        dead: notifications::n_dead(&mut conn, domain::Timestamp(0)).await?,
        mail: console.letters.are_sent(),
        settings,
    };
    Ok(show(StatusCode::OK, &page))
}
