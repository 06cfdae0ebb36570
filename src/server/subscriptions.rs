//! `/subscribe` and `/subscriptions/{token}`: readers subscribe with a mail address, confirm, and unsubscribe.

use std::{net::IpAddr, sync::Arc, time::Instant};

use jobs::{Clock, channels::Channels};
use poem::{
    IntoResponse, Request, Response, Route, get, handler,
    http::StatusCode,
    web::{Data, Form, Path},
};
use serde::Deserialize;
use storage::{Db, StorageError, subscriptions};
use tracing::{error, warn};
use url::Url;

use crate::page::{Page, SubscribePage, SubscriptionPage, SubscriptionState};
use crate::{
    limits::{Limiter, Rate},
    proxies::client,
};

/// The longest mail address.
const MAX_ADDRESS_BYTES: usize = 254;
/// How often one client may ask to be subscribed.
const WISHES_PER_CLIENT: Rate = Rate { burst: 10, per_sec: 1.0 / 60.0 };
/// How often one mail address is asked to confirm: nobody is to be buried in mail by strangers.
const MAILS_PER_ADDRESS: Rate = Rate { burst: 2, per_sec: 1.0 / 1800.0 };

/// What the forms need.
#[derive(Clone)]
pub struct Subscriptions {
    db: Db,
    channels: Arc<Channels>,
    /// Whether mail can be sent at all.
    mail: bool,
    base_url: Url,
    page: Arc<Page>,
    clock: Clock,
    per_client: Arc<Limiter<Option<IpAddr>>>,
    per_address: Arc<Limiter<String>>,
}

impl Subscriptions {
    /// `mail` says whether mail can be sent at all; `base_url` is where readers find the page.
    #[must_use]
    pub fn new(db: Db, channels: Arc<Channels>, mail: bool, base_url: Url, page: Arc<Page>, clock: Clock) -> Self {
        let (per_client, per_address) = (Arc::new(Limiter::new(WISHES_PER_CLIENT)), Arc::new(Limiter::new(MAILS_PER_ADDRESS)));
        Self { db, channels, mail, base_url, page, clock, per_client, per_address }
    }
}

pub(crate) fn add_to(route: Route) -> Route {
    route
        .at("/subscribe", get(show_form).post(subscribe))
        .at("/subscriptions/:token", get(show).post(act))
        .at("/subscriptions/:token/unsubscribe", get(show).post(one_click))
}

#[handler]
fn show_form(Data(subscriptions): Data<&Subscriptions>) -> Response {
    subscriptions.page.subscribe(&SubscribePage { mail: subscriptions.mail, ..SubscribePage::default() })
}

#[derive(Deserialize)]
struct Wish {
    address: String,
}

/// Answers the same for addresses that are known and unknown.
#[handler]
async fn subscribe(request: &Request, Form(wish): Form<Wish>, Data(s): Data<&Subscriptions>) -> Response {
    let address = wish.address.trim().to_owned();
    let form = SubscribePage { mail: s.mail, address: address.clone(), ..SubscribePage::default() };
    if !s.mail {
        return s.page.subscribe(&form);
    }
    if !is_address(&address) {
        let error = Some("This is not a mail address like name@example.com.".to_owned());
        return s.page.subscribe(&SubscribePage { error, ..form });
    }
    if s.per_client.take(&client(request), Instant::now()).is_err() {
        return s.page.error(StatusCode::TOO_MANY_REQUESTS, "Too many requests", "Please try again in a few minutes.");
    }
    if s.per_address.take(&address.to_ascii_lowercase(), Instant::now()).is_err() {
        return s.page.subscribe(&SubscribePage { sent: true, ..form }); // Asked already; the answer tells nothing about the address.
    }
    match page_name(s).await {
        Ok(name) => {
            let s = s.clone();
            // Not awaited, neither what is written nor the mail: the time it takes would tell whether the address is known.
            tokio::spawn(async move { ask_to_confirm(&s, &name, &address).await });
        }
        Err(failed) => return broken(&s.page, &failed),
    }
    s.page.subscribe(&SubscribePage { sent: true, ..form })
}

/// Also tells whether the database answers at all.
async fn page_name(s: &Subscriptions) -> Result<String, StorageError> {
    Ok(storage::rows::page_settings(&mut s.db.read().await?).await?.name)
}

async fn ask_to_confirm(s: &Subscriptions, page_name: &str, address: &str) {
    let token = match pending_token(s, address).await {
        Ok(Some(token)) => token,
        Ok(None) => return,
        Err(failed) => return error!(error = ?failed, "Could not store a subscription"),
    };
    let link = s.base_url.join(&format!("subscriptions/{token}")).map(String::from).unwrap_or_default();
    if let Err(failed) = s.channels.send_confirmation(page_name, address, &link).await {
        warn!(error = %failed, "Could not ask for the confirmation of a subscription");
    }
}

async fn pending_token(s: &Subscriptions, address: &str) -> Result<Option<String>, StorageError> {
    let mut tx = s.db.begin().await?;
    let token = subscriptions::subscribe_by_mail(&mut tx, address, s.clock.now()).await?;
    tx.commit().await?;
    Ok(token)
}

fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    text.len() <= MAX_ADDRESS_BYTES
        && !local.is_empty()
        && domain.contains('.')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | ',' | ';' | ':' | '\\' | '"'))
}

/// A GET changes nothing: mail scanners follow links.
#[handler]
async fn show(Path(token): Path<String>, Data(s): Data<&Subscriptions>) -> Response {
    let found = match s.db.read().await {
        Ok(mut conn) => subscriptions::find_by_token(&mut conn, &token).await,
        Err(failed) => Err(failed),
    };
    match found {
        Ok(Some(found)) => {
            let state = match (found.confirmed, found.disabled) {
                (_, true) => SubscriptionState::Ended,
                (false, false) => SubscriptionState::Pending,
                (true, false) => SubscriptionState::Active,
            };
            let scope = if found.scoped { "some components" } else { "everything" };
            s.page.subscription(&SubscriptionPage { address: found.address, scope: scope.to_owned(), state })
        }
        Ok(None) => s.page.error(StatusCode::NOT_FOUND, "No such subscription", "It may have been ended already."),
        Err(failed) => broken(&s.page, &failed),
    }
}

#[derive(Deserialize)]
struct Choice {
    action: String,
}

#[handler]
async fn act(Path(token): Path<String>, Form(choice): Form<Choice>, Data(s): Data<&Subscriptions>) -> Response {
    let done = match choice.action.as_str() {
        "confirm" => change(s, &token, true).await,
        "unsubscribe" => change(s, &token, false).await,
        _ => return s.page.error(StatusCode::BAD_REQUEST, "Unknown action", "It must be confirm or unsubscribe."),
    };
    if let Err(failed) = done {
        return broken(&s.page, &failed);
    }
    poem::web::Redirect::see_other(format!("/subscriptions/{token}")).into_response()
}

/// RFC 8058: one POST without cookies or questions ends the subscription.
#[handler]
async fn one_click(Path(token): Path<String>, Data(s): Data<&Subscriptions>) -> Response {
    match change(s, &token, false).await {
        Ok(()) => "Unsubscribed.\n".into_response(),
        Err(failed) => broken(&s.page, &failed),
    }
}

async fn change(s: &Subscriptions, token: &str, confirm: bool) -> Result<(), StorageError> {
    let mut tx = s.db.begin().await?;
    if confirm {
        subscriptions::confirm(&mut tx, token, s.clock.now()).await?;
    } else {
        subscriptions::end(&mut tx, token, s.clock.now()).await?;
    }
    tx.commit().await
}

fn broken(page: &Page, failed: &StorageError) -> Response {
    error!(error = ?failed, "A subscription could not be read or changed");
    page.error(StatusCode::SERVICE_UNAVAILABLE, "Please try again", "We cannot reach our own database right now.")
}

#[cfg(test)]
mod tests;
