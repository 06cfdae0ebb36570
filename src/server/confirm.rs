//! Calls a sender back once, so that it begins to send: some ask for it before they believe that we want to hear of them.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use jobs::egress::{Egress, HeaderMap, MAX_RESPONSE_BYTES, Method, Request};
use tokio::sync::Semaphore;
use tracing::{info, warn};
use url::Url;

/// How long to wait before each try.
const PAUSES: [Duration; 4] = [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(15), Duration::from_secs(60)];
const TIMEOUT: Duration = Duration::from_secs(10);
/// Calls under way at once.
const MAX_CALLS: usize = 16;

static CALLS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(MAX_CALLS)));

/// Calls `url` in the background. It lets whoever has it act, so no log holds it.
pub(crate) fn call_back(egress: &Egress, integration: &str, url: &str) {
    let (Ok(permit), Ok(url)) = (CALLS.clone().try_acquire_owned(), Url::parse(url)) else {
        warn!(
            integration,
            "Did not confirm the subscription: too many others are being confirmed. Ask the sender to send its request again"
        );
        return;
    };
    let (egress, integration) = (egress.clone(), integration.to_owned());
    tokio::spawn(async move {
        let _permit = permit;
        for pause in PAUSES {
            tokio::time::sleep(pause).await;
            let request = Request {
                method: Method::GET,
                url: url.clone(),
                headers: HeaderMap::new(),
                body: Vec::new(),
                timeout: TIMEOUT,
                max_response_bytes: MAX_RESPONSE_BYTES,
            };
            match egress.send(request).await {
                Ok(answer) if (200..300).contains(&answer.status) => return info!(integration, "Confirmed the subscription"),
                Ok(answer) => warn!(integration, status = answer.status, "The sender did not take the confirmation of the subscription"),
                Err(error) => warn!(integration, %error, "Could not confirm the subscription"),
            }
        }
        warn!(integration, "Gave up confirming the subscription: ask the sender to send its request again");
    });
}
