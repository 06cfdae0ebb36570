//! `/integrations`: configured providers, with their secrets and routes.

use domain::{IntegrationId, MAX_INTEGRATIONS, MAX_SECRETS, MAX_SPAN, MIN_SILENT_AFTER, RouteSpec, SilentAfter};
use integrations::{Provider, Settings};
use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
    types::MaybeUndefined,
};
use secrecy::SecretString;
use serde_json::Value;
use storage::{
    Connection, Entry, components,
    integrations::{self as stored, Integration, IntegrationEdit},
    order::Order,
    page,
};

use super::{
    Admin,
    body::Body,
    check_count,
    fields::{Fields, by_key},
    gate::Caller,
    integration_views::{IntegrationView, SecretView, load, secret_view, view},
    problem::Problem,
    reply::{Created, Gone, IfMatch, List, Shown},
    routes::{self, RouteBody, Targets},
    schema::quoted,
    sorting,
    types::{Silence, Sort},
};

/// The longest secret, in bytes.
const MAX_SECRET_BYTES: usize = 4096;
/// The longest settings, in bytes of JSON.
const MAX_SETTINGS_BYTES: usize = 64 << 10;

pub(super) struct IntegrationsApi(pub(super) Admin);

/// An integration to be made.
#[derive(Object)]
struct NewIntegration {
    /// Its name in the hook's address; made from the name if it is left out.
    key: Option<String>,
    /// The kind of sender, such as `alertmanager`.
    provider: String,
    /// The key if it is left out.
    name: Option<String>,
    /// What the provider asks for; an object.
    settings: Option<Value>,
    enabled: Option<bool>,
    /// After how long without a delivery its silence is a signal: a length of time, or `habit` for longer than is usual for the sender. Null for
    /// never.
    #[oai(nullable)]
    silent_after: Option<Silence>,
    /// What the sender proves itself with; any of them is accepted. Shown never again.
    secrets: Option<Vec<NewSecret>>,
    /// Tried in this order.
    routes: Option<Vec<RouteBody>>,
}

/// What is to be changed; what is left out stays.
#[derive(Object)]
struct IntegrationPatch {
    name: Option<String>,
    /// All of them: what is left out here is gone.
    settings: Option<Value>,
    enabled: Option<bool>,
    /// As when it is made.
    #[oai(nullable)]
    silent_after: MaybeUndefined<Silence>,
    /// All of them: what is left out here is gone.
    secrets: Option<Vec<NewSecret>>,
    /// All of them: what is left out here is gone. A route that stays as it is, or stays in its place, keeps what it has taken up.
    routes: Option<Vec<RouteBody>>,
}

/// What a sender proves itself with.
#[derive(Object)]
struct NewSecret {
    /// Shown never again.
    value: String,
}

#[OpenApi]
impl IntegrationsApi {
    /// Lists integrations.
    #[oai(path = "/integrations", method = "get")]
    async fn list(
        &self,
        limit: Query<Option<i64>>,
        cursor: Query<Option<String>>,
        /// By what they are ordered; by id if it is left out.
        sort: Query<Option<Sort<Integration>>>,
        /// Whether their routes are shown, of which there may be many; true if it is left out.
        routes: Query<Option<bool>>,
    ) -> Result<Json<List<IntegrationView>>, Problem> {
        let slice = sorting::slice(limit.0, cursor.0.as_deref(), sort.0, Order::oldest())?;
        let mut conn = self.0.db.read().await?;
        let has_routes = routes.0.unwrap_or(true);
        let rows = if has_routes { stored::list(&mut conn, &slice).await? } else { stored::list_without_routes(&mut conn, &slice).await? };
        let mut activities = Vec::with_capacity(rows.len());
        for row in &rows {
            activities.push(super::integration_views::activity(&mut conn, row.id, &row.provider).await?);
        }
        let mut activities = activities.into_iter();
        let shown = |row| {
            let shown = view(row, activities.next().unwrap_or_default(), &self.0.base_url);
            if has_routes { shown } else { shown.without_routes() }
        };
        let list = sorting::list(&slice, rows, shown);
        Ok(Json(list))
    }

    /// Adds an integration.
    #[oai(path = "/integrations", method = "post")]
    async fn create(&self, Data(caller): Data<&Caller>, body: Body<NewIntegration>) -> Result<Created<IntegrationView>, Problem> {
        let mut entry = self.0.begin().await?;
        let (new, mut fields) = (body.0, Fields::default());
        let key = fields.key(new.key, new.name.as_deref().unwrap_or_default());
        let name = fields.name("name", new.name.as_deref().unwrap_or(&key));
        let provider = find_provider(&mut fields, &new.provider);
        let settings = new.settings.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        let secrets = check(&mut fields, provider, &settings, new.secrets.unwrap_or_default());
        let routes = routes::read(&mut fields, &targets(&mut entry.tx).await?, new.routes.unwrap_or_default());
        check_expiry(&mut fields, provider, &routes);
        let silent_after = new.silent_after.map(|silence| silence.0);
        check_silence(&mut fields, provider, silent_after);
        fields.done()?;
        check_count(stored::keys(&mut entry.tx).await?.len(), MAX_INTEGRATIONS, "integrations")?;
        let edit = IntegrationEdit { name, settings, enabled: new.enabled.unwrap_or(true), silent_after };
        let id = stored::insert(&mut entry.tx, &key, &new.provider, &edit, self.0.now()).await?;
        caller.trail.made(id);
        for secret in &secrets {
            stored::add_secret(&mut entry.tx, &self.0.secrets, id, secret, self.0.now()).await?;
        }
        stored::replace_routes(&mut entry.tx, id, &routes).await?;
        self.0.finish(entry, caller).await?;
        Ok(Created { location: self.0.location("integrations", id), view: self.find(id).await? })
    }

    /// Shows an integration.
    #[oai(path = "/integrations/:id", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<IntegrationView>, Problem> {
        Ok(Shown(self.find(IntegrationId(id.0)).await?))
    }

    /// Changes an integration.
    #[oai(path = "/integrations/:id", method = "patch")]
    async fn update(
        &self,
        Data(caller): Data<&Caller>,
        id: Path<i64>,
        if_match: IfMatch,
        body: Body<IntegrationPatch>,
    ) -> Result<Shown<IntegrationView>, Problem> {
        let id = IntegrationId(id.0);
        let mut entry = self.0.begin().await?;
        self.apply(&mut entry, id, &if_match, body.0).await?;
        self.0.finish(entry, caller).await?;
        Ok(Shown(self.find(id).await?))
    }

    /// Removes an integration with its routes and its deliveries; what it said counts no more.
    #[oai(path = "/integrations/:id", method = "delete")]
    async fn delete(&self, Data(caller): Data<&Caller>, id: Path<i64>, if_match: IfMatch) -> Result<Gone, Problem> {
        let id = IntegrationId(id.0);
        let mut entry = self.0.begin().await?;
        if_match.check(&load(&mut entry.tx, id, &self.0.base_url).await?)?;
        stored::delete(&mut entry.tx, id).await?;
        self.0.finish(entry, caller).await?;
        Ok(Gone)
    }

    /// Adds a secret beside those there are, so that it can be exchanged without a gap.
    #[oai(path = "/integrations/:id/secrets", method = "post")]
    async fn add_secret(&self, Data(caller): Data<&Caller>, id: Path<i64>, body: Body<NewSecret>) -> Result<Created<SecretView>, Problem> {
        let id = IntegrationId(id.0);
        let mut entry = self.0.begin().await?;
        let integration = find(&mut entry.tx, id).await?;
        let secret = SecretString::from(body.0.value);
        let mut fields = Fields::default();
        let settings = Settings::new(integration.edit.settings);
        check_secret(&mut fields, "value", integrations::find(&integration.provider), &settings, &secret);
        fields.done()?;
        check_count(integration.secrets.len(), MAX_SECRETS, "secrets of this integration")?;
        let secret_id = stored::add_secret(&mut entry.tx, &self.0.secrets, id, &secret, self.0.now()).await?;
        let known = find(&mut entry.tx, id).await?.secrets.into_iter().find(|known| known.id == secret_id);
        self.0.finish(entry, caller).await?;
        let view = secret_view(known.ok_or_else(Problem::internal)?);
        Ok(Created { location: self.0.location("integrations", id), view })
    }

    /// Removes a secret; what is signed with it is refused from then on.
    #[oai(path = "/integrations/:id/secrets/:secret_id", method = "delete")]
    async fn remove_secret(
        &self,
        Data(caller): Data<&Caller>,
        id: Path<i64>,
        secret_id: Path<i64>,
        if_match: IfMatch,
    ) -> Result<Gone, Problem> {
        let mut entry = self.0.begin().await?;
        let known = find(&mut entry.tx, IntegrationId(id.0)).await?.secrets.into_iter().find(|known| known.id == secret_id.0);
        if_match.check(&secret_view(known.ok_or_else(|| Problem::not_found("secret of this integration"))?))?;
        if !stored::remove_secret(&mut entry.tx, IntegrationId(id.0), secret_id.0).await? {
            return Err(Problem::not_found("secret of this integration"));
        }
        self.0.finish(entry, caller).await?;
        Ok(Gone)
    }
}

impl IntegrationsApi {
    async fn find(&self, id: IntegrationId) -> Result<IntegrationView, Problem> {
        load(&mut self.0.db.read().await?, id, &self.0.base_url).await
    }

    async fn apply(&self, entry: &mut Entry, id: IntegrationId, if_match: &IfMatch, patch: IntegrationPatch) -> Result<(), Problem> {
        if_match.check(&load(&mut entry.tx, id, &self.0.base_url).await?)?;
        let old = find(&mut entry.tx, id).await?;
        let (mut edit, mut fields) = (old.edit, Fields::default());
        if let Some(name) = patch.name {
            edit.name = fields.name("name", &name);
        }
        edit.enabled = patch.enabled.unwrap_or(edit.enabled);
        edit.settings = patch.settings.unwrap_or(edit.settings);
        match patch.silent_after {
            MaybeUndefined::Undefined => {}
            MaybeUndefined::Null => edit.silent_after = None,
            MaybeUndefined::Value(silence) => edit.silent_after = Some(silence.0),
        }
        check_silence(&mut fields, integrations::find(&old.provider), edit.silent_after);
        let replaces_secrets = patch.secrets.is_some();
        let secrets = check(&mut fields, integrations::find(&old.provider), &edit.settings, patch.secrets.unwrap_or_default());
        let routes = match patch.routes {
            Some(routes) => Some(routes::read(&mut fields, &targets(&mut entry.tx).await?, routes)),
            None => None,
        };
        check_expiry(&mut fields, integrations::find(&old.provider), routes.as_deref().unwrap_or_default());
        fields.done()?;
        stored::update(&mut entry.tx, id, &edit).await?;
        if replaces_secrets {
            let mut kept = Vec::with_capacity(secrets.len());
            for secret in &secrets {
                kept.push(stored::add_secret(&mut entry.tx, &self.0.secrets, id, secret, self.0.now()).await?);
            }
            for gone in old.secrets.iter().filter(|known| !kept.contains(&known.id)) {
                stored::remove_secret(&mut entry.tx, id, gone.id).await?;
            }
        }
        if let Some(routes) = routes {
            stored::replace_routes(&mut entry.tx, id, &routes).await?;
        }
        Ok(())
    }
}

pub(super) async fn find(conn: &mut Connection, id: IntegrationId) -> Result<stored::Integration, Problem> {
    stored::find(conn, id).await?.ok_or_else(|| Problem::not_found("integration"))
}

pub(super) async fn targets(conn: &mut Connection) -> Result<Targets<domain::ComponentId, domain::MetricId>, Problem> {
    let components = by_key(&components::keys(conn).await?);
    let metrics = page::all_metrics(conn).await?.into_iter().map(|metric| (metric.key, metric.id)).collect();
    Ok(Targets { components, metrics })
}

fn find_provider(fields: &mut Fields, slug: &str) -> Option<&'static Provider> {
    let found = integrations::find(slug);
    if found.is_none() {
        let known = integrations::PROVIDERS.iter().map(|provider| provider.slug).collect::<Vec<_>>().join(", ");
        fields.refuse("provider", format!("`{}` is not one of {known}", quoted(slug)));
    }
    found
}

fn check_expiry(fields: &mut Fields, provider: Option<&Provider>, routes: &[RouteSpec]) {
    let Some(why) = provider.and_then(Provider::refuses_expiry) else { return };
    for (i, _) in routes.iter().enumerate().filter(|(_, route)| route.expire_after.0 > 0) {
        fields.refuse(format!("routes[{i}].expire_after"), why);
    }
}

fn check_silence(fields: &mut Fields, provider: Option<&Provider>, silent_after: Option<SilentAfter>) {
    let Some(silent_after) = silent_after else { return };
    if !silent_after.is_sensible() {
        fields.refuse("silent_after", format!("must be `habit`, or from {MIN_SILENT_AFTER} to {MAX_SPAN}"));
    } else if let Some(why) = provider.and_then(Provider::refuses_silence) {
        fields.refuse("silent_after", why);
    }
}

/// Checks settings, and secrets against them.
fn check(fields: &mut Fields, provider: Option<&'static Provider>, settings: &Value, secrets: Vec<NewSecret>) -> Vec<SecretString> {
    check_settings(fields, provider, settings);
    fields.at_most("secrets", &secrets, MAX_SECRETS);
    let settings = Settings::new(settings.clone());
    let secrets: Vec<SecretString> = secrets.into_iter().take(MAX_SECRETS).map(|secret| SecretString::from(secret.value)).collect();
    for (i, secret) in secrets.iter().enumerate() {
        check_secret(fields, &format!("secrets[{i}].value"), provider, &settings, secret);
    }
    secrets
}

/// Checks what the provider asks for.
pub(super) fn check_settings(fields: &mut Fields, provider: Option<&'static Provider>, settings: &Value) {
    let n_bytes = settings.to_string().len();
    if !settings.is_object() {
        fields.refuse("settings", "must be an object");
    } else if n_bytes > MAX_SETTINGS_BYTES {
        fields.refuse("settings", format!("have {n_bytes} bytes, at most {MAX_SETTINGS_BYTES} are allowed"));
    } else {
        for error in provider.map(|provider| provider.settings_problems(settings)).unwrap_or_default() {
            let path = if error.path.is_empty() { "settings".to_owned() } else { format!("settings.{}", error.path) };
            fields.refuse(path, error.problem);
        }
    }
}

/// No message holds the secret.
fn check_secret(fields: &mut Fields, field: &str, provider: Option<&'static Provider>, settings: &Settings, secret: &SecretString) {
    use secrecy::ExposeSecret;
    let n_bytes = secret.expose_secret().len();
    if n_bytes == 0 {
        return fields.refuse(field, "must not be empty");
    }
    if n_bytes > MAX_SECRET_BYTES {
        return fields.refuse(field, format!("has {n_bytes} bytes, at most {MAX_SECRET_BYTES} are allowed"));
    }
    // Settings that do not work are told as such.
    let Some(provider) = provider.filter(|provider| (provider.check_settings)(settings.json()).is_ok()) else { return };
    if let Err(error) = (provider.check_secret)(secret, settings) {
        fields.refuse(field, error.problem);
    }
}
