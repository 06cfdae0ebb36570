//! `/incident-templates`: what incidents may begin with.

use std::collections::BTreeMap;

use domain::{ComponentId, DeliveryId, IncidentStatus, IncidentTemplate, MAX_TEMPLATES, Signal, Status, TemplateId};
use poem::{http::StatusCode, web::Data};
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use storage::{Connection, attention, rows, templates};

use super::{
    Admin,
    body::Body,
    check_count,
    fields::Fields,
    gate::Caller,
    incident_views::{Affected, Called, components},
    insight,
    problem::Problem,
    reply::{Created, Gone, IfMatch, List, Paging, Shown, View},
    routes::template,
    types::Name,
};

/// What one must be allowed to see of deliveries before words of theirs are filled in.
const DELIVERIES: &str = "deliveries:read";

pub(super) struct TemplatesApi(pub(super) Admin);

/// What an incident may begin with.
#[derive(Object)]
#[oai(rename = "IncidentTemplate")]
struct TemplateView {
    id: i64,
    /// Its name in configuration files.
    key: String,
    name: String,
    /// A template over `components`, `status` and `signal`.
    title: String,
    /// Markdown; a template over the same.
    body: String,
    /// Where the incident stands.
    status: Name<IncidentStatus>,
    /// What it affects, and how.
    components: Vec<Affected>,
}

impl View for TemplateView {}

/// A template to be kept.
#[derive(Object)]
#[oai(rename = "NewIncidentTemplate")]
struct NewTemplate {
    /// Made from the name if it is left out.
    key: Option<String>,
    name: String,
    /// A template over `components` (names, as in a sentence), `status` (the worst, in words) and `signal`.
    title: String,
    /// Markdown; a template over the same.
    body: Option<String>,
    /// `investigating` if it is left out.
    status: Option<Name<IncidentStatus>>,
    /// What it affects, and how.
    components: Option<Vec<Affected>>,
}

/// What is to be changed; what is left out stays.
#[derive(Object)]
#[oai(rename = "IncidentTemplatePatch")]
struct TemplatePatch {
    name: Option<String>,
    /// A template over `components`, `status` and `signal`.
    title: Option<String>,
    /// Markdown; a template over the same.
    body: Option<String>,
    /// Where the incident stands.
    status: Option<Name<IncidentStatus>>,
    /// What it affects, and how.
    components: Option<Vec<Affected>>,
}

/// What a template is filled in with.
#[derive(Object)]
#[oai(rename = "RenderIncidentTemplate")]
struct Occasion {
    /// What is affected, and how; what the template says if it is left out.
    components: Option<Vec<Affected>>,
    /// The id of a delivery whose first signal is filled in. Needs the scope `deliveries:read` as well.
    delivery: Option<i64>,
    /// What was said last of something that fires. Needs the scope `deliveries:read` as well.
    alert: Option<AlertBody>,
}

/// Something that a sender speaks of.
#[derive(Object)]
#[oai(rename = "AlertReference")]
struct AlertBody {
    /// The key of the integration.
    integration: String,
    /// The thing's name, as signals give it.
    fingerprint: String,
}

/// What an incident may begin with, filled in: what `POST /incidents` takes.
#[derive(Object)]
#[oai(rename = "RenderedIncident")]
struct RenderedView {
    title: String,
    /// Markdown.
    body: String,
    status: Name<IncidentStatus>,
    components: Vec<Affected>,
}

#[OpenApi]
impl TemplatesApi {
    /// Lists templates of incidents.
    #[oai(path = "/incident-templates", method = "get")]
    async fn list(&self, limit: Query<Option<i64>>, cursor: Query<Option<String>>) -> Result<Json<List<TemplateView>>, Problem> {
        let paging = Paging::new(limit.0, cursor.0.as_deref())?;
        let mut conn = self.0.db.read().await?;
        let called = Called::load(&mut conn).await?;
        let rows = templates::all(&mut conn).await?.into_iter().filter(|template| template.id.0 > paging.after()).collect();
        Ok(Json(paging.list(rows, |template: &IncidentTemplate| template.id.0, |template| view(template, &called))))
    }

    /// Keeps a template.
    #[oai(path = "/incident-templates", method = "post")]
    async fn create(&self, Data(caller): Data<&Caller>, body: Body<NewTemplate>) -> Result<Created<TemplateView>, Problem> {
        let mut tx = self.0.db.begin().await?;
        let called = Called::load(&mut tx).await?;
        let new = read(body.0, &called)?;
        check_count(templates::all(&mut tx).await?.len(), MAX_TEMPLATES, "incident templates")?;
        let id = templates::insert(&mut tx, &new).await?;
        caller.trail.made(id);
        self.0.commit(tx, caller).await?;
        Ok(Created { location: self.0.location("incident-templates", id), view: view(IncidentTemplate { id, ..new }, &called) })
    }

    /// Shows a template.
    #[oai(path = "/incident-templates/:id", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<TemplateView>, Problem> {
        let mut conn = self.0.db.read().await?;
        let template = load(&mut conn, id.0).await?;
        Ok(Shown(view(template, &Called::load(&mut conn).await?)))
    }

    /// Changes a template. Incidents that began with it stay as they are.
    #[oai(path = "/incident-templates/:id", method = "patch")]
    async fn update(
        &self,
        Data(caller): Data<&Caller>,
        id: Path<i64>,
        if_match: IfMatch,
        body: Body<TemplatePatch>,
    ) -> Result<Shown<TemplateView>, Problem> {
        let mut tx = self.0.db.begin().await?;
        let called = Called::load(&mut tx).await?;
        let before = load(&mut tx, id.0).await?;
        if_match.check(&view(before.clone(), &called))?;
        let after = patched(before, body.0, &called)?;
        templates::update(&mut tx, &after).await?;
        self.0.commit(tx, caller).await?;
        Ok(Shown(view(after, &called)))
    }

    /// Removes a template. Incidents that began with it stay as they are.
    #[oai(path = "/incident-templates/:id", method = "delete")]
    async fn delete(&self, Data(caller): Data<&Caller>, id: Path<i64>, if_match: IfMatch) -> Result<Gone, Problem> {
        let mut tx = self.0.db.begin().await?;
        let called = Called::load(&mut tx).await?;
        let before = load(&mut tx, id.0).await?;
        if_match.check(&view(before, &called))?;
        templates::delete(&mut tx, TemplateId(id.0)).await?;
        self.0.commit(tx, caller).await?;
        Ok(Gone)
    }

    /// Fills a template in. Nothing is stored.
    #[oai(path = "/incident-templates/:id/render", method = "post")]
    async fn render(&self, Data(caller): Data<&Caller>, id: Path<i64>, body: Body<Occasion>) -> Result<Json<RenderedView>, Problem> {
        let mut conn = self.0.db.read().await?;
        let template = load(&mut conn, id.0).await?;
        let called = Called::load(&mut conn).await?;
        let mut fields = Fields::default();
        let affected = body.0.components.map(|list| components(&mut fields, &called, &list));
        fields.done()?;
        let affected = affected.unwrap_or_else(|| template.components.clone());
        let shown = names(&mut conn, &affected).await?;
        drop(conn);
        let signal = self.signal(caller, body.0.delivery, body.0.alert).await?;
        let worst = affected.values().copied().max().unwrap_or_default();
        let status = template.status;
        let (title, body) = insight::off_thread(move || {
            let names: Vec<&str> = shown.iter().map(String::as_str).collect();
            template.fill(&names, worst, signal.as_ref())
        })
        .await?
        .map_err(|refused| Problem::conflict(format!("the `{}` of the template gives no text: {}", refused.field, refused.error)))?;
        Ok(Json(RenderedView { title, body, status: Name(status), components: called.affected(&affected) }))
    }
}

impl TemplatesApi {
    /// The signal that is filled in, if one is asked for.
    async fn signal(&self, caller: &Caller, delivery: Option<i64>, alert: Option<AlertBody>) -> Result<Option<Signal>, Problem> {
        let asked = match (delivery, &alert) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(Problem::field("alert", "is one signal, and `delivery` is another; only one is filled in")),
            (Some(_), None) => "delivery",
            (None, Some(_)) => "alert",
        };
        if !caller.token.scopes.iter().any(|scope| scope.allows(DELIVERIES)) {
            return Err(Problem::new(StatusCode::FORBIDDEN, format!("`{asked}` needs the scope `{DELIVERIES}`")));
        }
        let found = match (delivery, alert) {
            (Some(id), _) => insight::first_signal(&self.0, DeliveryId(id)).await?,
            (None, Some(alert)) => {
                let mut conn = self.0.db.read().await?;
                attention::signal(&mut conn, &alert.integration, &alert.fingerprint).await?
            }
            (None, None) => None,
        };
        let missing = || Problem::field(asked, "holds no signal, or there is none of this name");
        found.map(Some).ok_or_else(missing)
    }
}

async fn load(conn: &mut Connection, id: i64) -> Result<IncidentTemplate, Problem> {
    templates::find(conn, TemplateId(id)).await?.ok_or_else(|| Problem::not_found("incident template"))
}

/// The names that readers may see.
async fn names(conn: &mut Connection, affected: &BTreeMap<ComponentId, Status>) -> Result<Vec<String>, Problem> {
    let all = rows::components(conn).await?.into_iter();
    Ok(all.filter(|component| component.is_visible() && affected.contains_key(&component.id)).map(|component| component.name).collect())
}

fn read(new: NewTemplate, called: &Called) -> Result<IncidentTemplate, Problem> {
    let mut fields = Fields::default();
    let name = fields.name("name", &new.name);
    let read = IncidentTemplate {
        id: TemplateId(0),
        key: fields.key(new.key, &name),
        title: title(&mut fields, &new.title),
        body: body(&mut fields, &new.body.unwrap_or_default()),
        status: status(&mut fields, new.status.map_or(IncidentStatus::Investigating, |status| status.0)),
        components: components(&mut fields, called, &new.components.unwrap_or_default()),
        name,
    };
    fields.done()?;
    Ok(read)
}

fn patched(before: IncidentTemplate, patch: TemplatePatch, called: &Called) -> Result<IncidentTemplate, Problem> {
    let mut fields = Fields::default();
    let after = IncidentTemplate {
        name: patch.name.map_or(before.name, |text| fields.name("name", &text)),
        title: patch.title.map_or(before.title, |text| title(&mut fields, &text)),
        body: patch.body.map_or(before.body, |text| body(&mut fields, &text)),
        status: patch.status.map_or(before.status, |name| status(&mut fields, name.0)),
        components: patch.components.map_or(before.components, |list| components(&mut fields, called, &list)),
        ..before
    };
    fields.done()?;
    Ok(after)
}

fn title(fields: &mut Fields, text: &str) -> String {
    if text.trim().is_empty() {
        fields.refuse("title", "must not be empty");
    } else if text.contains(char::is_control) {
        fields.refuse("title", "must not contain control characters");
    }
    template(fields, "title", text);
    text.trim().to_owned()
}

fn body(fields: &mut Fields, text: &str) -> String {
    if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        fields.refuse("body", "must not contain control characters other than line breaks and tabs");
    }
    template(fields, "body", text);
    text.trim().to_owned()
}

fn status(fields: &mut Fields, status: IncidentStatus) -> IncidentStatus {
    if status.is_over() {
        fields.refuse("status", "is an end, and an incident does not begin with it");
    }
    status
}

fn view(template: IncidentTemplate, called: &Called) -> TemplateView {
    TemplateView {
        id: template.id.0,
        key: template.key,
        name: template.name,
        title: template.title,
        body: template.body,
        status: Name(template.status),
        components: called.affected(&template.components),
    }
}
