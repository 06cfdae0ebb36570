//! The server: webhooks in, the status page and its feeds out.

pub mod admin;
mod attempts;
mod cachet;
pub mod console;
mod documents;
pub mod feed;
mod hooks;
mod hub;
mod idle_timer;
mod letters;
mod limits;
pub mod listener;
pub mod ops;
pub mod page;
mod pings;
mod proxies;
mod public_limit;
mod publications;
mod subscriptions;
#[cfg(test)]
mod timing;

use std::sync::Arc;

use poem::{Endpoint, EndpointExt, Response, endpoint::BoxEndpoint, http::StatusCode};
use url::Url;

pub use hooks::MAX_BODY_BYTES;
pub use hub::Hub;
pub use letters::{IF_NOT_YOU, Letters};
pub use proxies::TrustedProxies;
pub use subscriptions::Subscriptions;

use cachet::Cachet;
use page::Page;

/// Everything that is served on `FANAL_LISTEN`.
pub fn app(
    page: &Arc<Page>,
    hub: Arc<Hub>,
    subscriptions: Subscriptions,
    admin: admin::Admin,
    console: console::Console,
    base_url: &Url,
    proxies: &TrustedProxies,
) -> impl Endpoint<Output = Response> + 'static {
    let broken = page.clone();
    let publications = publications::Publications {
        db: admin.db.clone(),
        secrets: admin.secrets.clone(),
        wake: admin.wake.clone(),
        page: page.clone(),
        clock: admin.clock,
    };
    let db = admin.db.clone();
    let admin: Arc<BoxEndpoint<'static, Response>> = Arc::new(admin::routes(admin).boxed());
    console::add_to(publications::add_to(subscriptions::add_to(page::routes(page))), console)
        .nest("/hooks", hooks::routes())
        .nest("/ping", pings::routes())
        .nest("/api/v1", Cachet::new(page.clone(), admin.clone(), db, base_url.clone()))
        .nest("/api/admin", admin)
        .data(hub)
        .data(subscriptions)
        .data(publications)
        .catch_all_error(move |error| {
            let page = broken.clone();
            async move { designed(&page, &error) }
        })
        .with(page::headers(base_url))
        .with(proxies.clone())
        .with(page::documents_first(page))
        .with(public_limit::PublicLimit::new(proxies, base_url))
}

/// An error in the page's own design; what went wrong inside is never shown.
fn designed(page: &Page, error: &poem::Error) -> Response {
    match error.status() {
        StatusCode::NOT_FOUND => page.not_found(),
        status @ StatusCode::METHOD_NOT_ALLOWED => page.error(status, "Not possible here", "This address does not take such a request."),
        status if status.is_client_error() => page.error(status, "Not understood", "The request does not fit this address."),
        status => {
            tracing::error!(error = ?error, "A request failed");
            page.error(status, "Something went wrong", "This is our fault; please try again.")
        }
    }
}
