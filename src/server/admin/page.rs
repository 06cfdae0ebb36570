//! `/page`: how the page presents itself.

use domain::{MAX_ADDRESS_CHARS, MAX_DESCRIPTION_CHARS, PageSettings};
use jiff::tz::TimeZone;
use poem::web::Data;
use poem_openapi::{Object, OpenApi};
use storage::{page, rows};

use super::{
    Admin,
    body::Body,
    fields::Fields,
    gate::Caller,
    problem::Problem,
    reply::{IfMatch, Shown, View},
};

pub(super) struct PageApi(pub(super) Admin);

/// How the page presents itself.
#[derive(Object)]
#[oai(rename = "Page")]
struct PageView {
    /// The company or product.
    name: String,
    /// A sentence below the name; may be empty.
    description: String,
    /// The zone in which days begin and times are shown, such as `Europe/Paris`.
    time_zone: String,
    /// Where readers find help: http, https or mailto; may be empty.
    support_url: String,
}

impl View for PageView {}

/// What is to be changed; what is left out stays.
#[derive(Object)]
struct PagePatch {
    name: Option<String>,
    description: Option<String>,
    time_zone: Option<String>,
    support_url: Option<String>,
}

#[OpenApi]
impl PageApi {
    /// Shows the page's settings.
    #[oai(path = "/page", method = "get")]
    async fn show(&self) -> Result<Shown<PageView>, Problem> {
        Ok(Shown(view(rows::page_settings(&mut self.0.db.read().await?).await?)))
    }

    /// Changes the page's settings.
    #[oai(path = "/page", method = "patch")]
    async fn update(&self, Data(caller): Data<&Caller>, if_match: IfMatch, body: Body<PagePatch>) -> Result<Shown<PageView>, Problem> {
        let mut entry = self.0.begin().await?;
        let mut settings = rows::page_settings(&mut entry.tx).await?;
        if_match.check(&view(settings.clone()))?;
        apply(&mut settings, body.0)?;
        page::set_settings(&mut entry.tx, &settings).await?;
        self.0.finish(entry, caller).await?;
        Ok(Shown(view(settings)))
    }
}

fn apply(settings: &mut PageSettings, patch: PagePatch) -> Result<(), Problem> {
    let mut fields = Fields::default();
    if let Some(name) = patch.name {
        settings.name = fields.name("name", &name);
    }
    if let Some(description) = patch.description {
        settings.description = fields.line("description", &description, MAX_DESCRIPTION_CHARS, false);
    }
    if let Some(zone) = patch.time_zone {
        if TimeZone::get(&zone).is_err() {
            fields.refuse("time_zone", format!("`{}` is not a time zone such as Europe/Paris", super::schema::quoted(&zone)));
        }
        settings.time_zone = zone;
    }
    if let Some(url) = patch.support_url {
        let given = !url.trim().is_empty();
        settings.support_url =
            if given { fields.url("support_url", &url, &["https", "http", "mailto"], MAX_ADDRESS_CHARS) } else { String::new() };
    }
    fields.done()
}

fn view(settings: PageSettings) -> PageView {
    let PageSettings { name, time_zone, description, support_url } = settings;
    PageView { name, description, time_zone, support_url }
}
