//! What changes an integration besides its routes: its name and settings, its secrets, whether it is on, and whether it is there.

use askama::Template;
use poem::{
    IntoResponse, Response, handler,
    http::StatusCode,
    web::{Html, Path},
};
use serde_json::{Value, json};

use super::{
    PATH, back_to,
    catalogue::{make_secret, read_settings, refuse},
    find, path_of, provider_of, quarantined, timeline,
};
use crate::{
    admin::Refused,
    console::{
        acts::{Acts, sentence},
        failure::Failure,
        frame::{Frame, render, see_other, show},
        going::Next,
        meanwhile::{Field, Meanwhile, Version},
        seen::{Seen, Sent, Typed, names, pretty},
    },
};

#[handler]
pub(super) async fn enable(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    acts.patch(&format!("/integrations/{id}"), &json!({ "enabled": true }), None).await?;
    Ok(back_to(id))
}

#[handler]
pub(super) async fn disable(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    acts.patch(&format!("/integrations/{id}"), &json!({ "enabled": false }), None).await?;
    Ok(back_to(id))
}

#[derive(Template)]
#[template(path = "console/integration_settings.html")]
struct SettingsPage<'a> {
    frame: &'a Frame,
    integration: &'a Value,
    typed: &'a Typed,
    refused: Option<&'a Refused>,
    version: Version,
    meanwhile: Option<Meanwhile>,
    /// Whether a back-test goes on.
    goes_on: bool,
}

/// What can be changed at once, as it stands in the form.
fn fields(integration: &Value) -> Vec<Field> {
    vec![
        Field::new("name", "The name", integration.text("name")),
        Field::new("silent_after", "When it counts as silent", integration.text("silent_after")),
        Field::new("settings", "The settings", pretty(integration.part("settings"))),
    ]
}

impl SettingsPage<'_> {
    /// Whether its silence can be a signal.
    fn can_be_silent(&self) -> bool {
        provider_of(self.integration).is_some_and(|provider| provider.refuses_silence().is_none())
    }

    fn wrong(&self, field: &str) -> Option<String> {
        self.refused?.field(field).map(sentence)
    }
}

#[handler]
pub(super) async fn settings_form(frame: Frame, acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    let integration = find(&acts, id).await?;
    let mut typed = Typed::default();
    typed.add("name", integration.text("name"));
    typed.add("silent_after", integration.text("silent_after"));
    typed.add("settings", pretty(integration.part("settings")));
    let version = Version::new(integration.text("etag"), &fields(&integration));
    Ok(show(
        StatusCode::OK,
        &SettingsPage { frame: &frame, integration: &integration, typed: &typed, refused: None, version, meanwhile: None, goes_on: false },
    ))
}

#[handler]
pub(super) async fn settings(frame: Frame, acts: Acts, Path(id): Path<i64>, sent: Sent) -> Result<Response, Failure> {
    let typed = Typed::from(sent);
    let opened = Version { etag: typed.text("etag").to_owned(), was: typed.text("was").to_owned() };
    let integration = find(&acts, id).await?;
    let again = |refused: Option<&Refused>, goes_on| {
        let version = opened.clone();
        render(&SettingsPage { frame: &frame, integration: &integration, typed: &typed, refused, version, meanwhile: None, goes_on })
    };
    let done = match (read_settings(typed.text("settings")), typed.text("act")) {
        (Err(why), _) => Err(refuse("settings", why)),
        (Ok(settings), "back-test") => {
            let mut going = timeline::begin(acts, id, &typed, json!({ "settings": settings }));
            match going.first().await {
                Next::Done(Err(refused)) => Err(refused),
                first => return Ok(going.answer(&again(None, true)?, first, timeline::end)),
            }
        }
        // Nothing but to leave the page on which a back-test goes on.
        (Ok(_), "stop") => Ok(()),
        (Ok(settings), _) => {
            let body = json!({ "name": typed.text("name"), "silent_after": typed.given("silent_after"), "settings": settings });
            match acts.patch(&format!("/integrations/{id}"), &body, opened.etag()).await {
                Ok(_) => return Ok(back_to(id)),
                Err(refused) if refused.is_outdated() => return overtaken(&frame, &acts, id, &typed, &opened).await,
                Err(refused) => Err(refused),
            }
        }
    };
    let refused = done.err();
    if let Some(refused) = refused.clone().filter(|refused| !refused.status.is_client_error()) {
        return Err(refused.into());
    }
    let status = refused.as_ref().map_or(StatusCode::OK, |refused| refused.status);
    Ok(Html(again(refused.as_ref(), false)?).with_status(status).into_response())
}

/// Shows what somebody else has changed meanwhile, beside what was typed.
async fn overtaken(frame: &Frame, acts: &Acts, id: i64, typed: &Typed, opened: &Version) -> Result<Response, Failure> {
    let integration = find(acts, id).await?;
    let meanwhile = Meanwhile::new(opened, fields(&integration), |name| Some(typed.text(name).replace("\r\n", "\n")));
    let mut merged = Typed::default();
    for name in ["name", "silent_after", "settings"] {
        merged.add(name, meanwhile.taken(name).unwrap_or_else(|| typed.text(name)));
    }
    let version = Version::new(integration.text("etag"), &fields(&integration));
    let meanwhile = Some(meanwhile);
    let shown = SettingsPage { frame, integration: &integration, typed: &merged, refused: None, version, meanwhile, goes_on: false };
    Ok(show(StatusCode::PRECONDITION_FAILED, &shown))
}

#[derive(Template)]
#[template(path = "console/integration_secrets.html")]
struct SecretsPage<'a> {
    frame: &'a Frame,
    integration: Value,
    error: Option<String>,
    /// Shown this once.
    secret: Option<&'a str>,
}

#[handler]
pub(super) async fn secrets_page(frame: Frame, acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    let integration = find(&acts, id).await?;
    Ok(show(StatusCode::OK, &SecretsPage { frame: &frame, integration, error: None, secret: None }))
}

#[handler]
pub(super) async fn add_secret(frame: Frame, acts: Acts, Path(id): Path<i64>, sent: Sent) -> Result<Response, Failure> {
    let (integration, typed) = (find(&acts, id).await?, Typed::from(sent));
    let pasted = typed.given("secret").map(str::to_owned);
    let made = match &pasted {
        Some(_) => None,
        None => provider_of(&integration).and_then(|provider| make_secret(provider, integration.part("settings"))),
    };
    let added = match pasted.as_ref().or(made.as_ref()) {
        Some(secret) => acts.post(&format!("/integrations/{id}/secrets"), Some(&json!({ "value": secret }))).await,
        None => Err(refuse("value", "cannot be made here, since the sender makes it; paste it")),
    };
    match added {
        Ok(_) => {
            let integration = find(&acts, id).await?;
            Ok(show(StatusCode::OK, &SecretsPage { frame: &frame, integration, error: None, secret: made.as_deref() }))
        }
        Err(refused) if refused.status.is_client_error() => {
            let error = Some(sentence(refused.field("value").unwrap_or(&refused.detail)));
            Ok(show(refused.status, &SecretsPage { frame: &frame, integration, error, secret: None }))
        }
        Err(refused) => Err(refused.into()),
    }
}

#[handler]
pub(super) async fn remove_secret(acts: Acts, Path((id, secret)): Path<(i64, i64)>) -> Result<Response, Failure> {
    acts.delete(&format!("/integrations/{id}/secrets/{secret}")).await?;
    Ok(see_other(&format!("{}/secrets", path_of(id))))
}

#[derive(Template)]
#[template(path = "console/integration_delete.html")]
struct DeletePage<'a> {
    frame: &'a Frame,
    integration: Value,
    components: Vec<String>,
    last_day: i64,
    quarantined: (i64, bool),
}

#[handler]
pub(super) async fn delete_page(frame: Frame, acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    let integration = find(&acts, id).await?;
    let health = acts.get(&format!("/integrations/{id}/health")).await?;
    let mut components: Vec<String> = integration.list("routes").iter().flat_map(|route| names(route, "components")).collect();
    components.sort();
    components.dedup();
    let quarantined = quarantined(&acts, integration.text("key")).await?;
    Ok(show(StatusCode::OK, &DeletePage { frame: &frame, integration, components, last_day: health.number("last_day"), quarantined }))
}

#[handler]
pub(super) async fn delete(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    acts.delete(&format!("/integrations/{id}")).await?;
    Ok(see_other(PATH))
}
