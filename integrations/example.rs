//! Examples: what a sender of a kind would send when something breaks, and how such a request is stored as a test.
//!
//! A test is a delivery like any other but for one header, which no sender can set: with it a delivery says nothing, however often it is
//! looked at, so that it changes no state. What it would have said is seen by looking at it without the header.

use domain::{IntegrationId, NewDelivery};

use crate::{Credentials, Inbound, Provider, Refusal, accept};

/// What the ids of tests begin with; no sender's id does.
pub const PREFIX: &str = "fanal-test:";

/// The header that makes a delivery a test.
const TEST: &str = "fanal-test";

/// A request: its headers, with names in lower case, and its body.
pub type Request = (Vec<(String, String)>, String);

/// The example of a provider: header lines, an empty line and a body, or a JSON body alone. `None` for what is asked.
#[must_use]
pub fn of(provider: &Provider) -> Option<Request> {
    let text = provider.example?;
    let Some((head, body)) = text.split_once("\n\n").filter(|_| !text.starts_with(['{', '['])) else {
        return Some((vec![("content-type".to_owned(), "application/json".to_owned())], text.to_owned()));
    };
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Some((head.lines().filter_map(header).collect(), body.to_owned()))
}

/// Turns a request into a test. It proves nothing, since it does not come from the sender; all else is held to what is asked of the sender's.
///
/// # Errors
/// It has a content type that the sender never uses.
pub fn test(
    provider: &Provider,
    integration: IntegrationId,
    credentials: &Credentials<'_>,
    inbound: &Inbound<'_>,
) -> Result<NewDelivery, Refusal> {
    let mut new = accept::storable(provider, integration, credentials, inbound)?;
    new.external_id = format!("{PREFIX}{}", uuid::Uuid::new_v4());
    new.headers.push((TEST.to_owned(), String::new()));
    Ok(new)
}

/// Whether a stored delivery with these headers is a test.
#[must_use]
pub fn is_test(headers: &[(String, String)]) -> bool {
    headers.iter().any(|(name, _)| name == TEST)
}

/// Whether the id of a stored delivery is that of a test.
#[must_use]
pub fn is_own_id(external_id: &str) -> bool {
    external_id.starts_with(PREFIX)
}

/// The headers as if it were none.
#[must_use]
pub fn without_mark(mut headers: Vec<(String, String)>) -> Vec<(String, String)> {
    headers.retain(|(name, _)| name != TEST);
    headers
}

#[cfg(test)]
mod tests {
    use domain::{SignalState, Timestamp};
    use serde_json::json;

    use super::*;
    use crate::{PROVIDERS, Settings, find, parse, tests::all_fixtures};

    const AT: Timestamp = Timestamp(1_772_366_400_000);

    /// With the settings that go with it, where it needs any.
    #[test]
    fn every_sender_has_an_example_in_which_something_breaks() {
        for provider in PROVIDERS {
            let Some((headers, body)) = of(provider) else {
                assert!(provider.poll.is_some(), "{} sends, and has no example", provider.slug);
                continue;
            };
            assert!(provider.poll.is_none(), "{} sends nothing", provider.slug);
            let fixtures = all_fixtures().iter().find(|(known, _)| known.slug == provider.slug).map(|(_, fixtures)| fixtures).unwrap();
            let fixture = fixtures.iter().find(|fixture| fixture.body == body.as_bytes()).unwrap();
            let inbound = Inbound { headers: &headers, path_token: None, body: body.as_bytes(), received_at: AT };
            let signals = parse(provider.slug, &inbound, &fixture.settings).unwrap();
            assert!(signals.iter().any(|signal| signal.state == SignalState::Firing), "{}", provider.slug);
        }
    }

    #[test]
    fn a_test_says_nothing_and_without_its_mark_what_the_sender_would_say() {
        let (provider, settings) = (find("alertmanager").unwrap(), Settings::new(json!({})));
        let (headers, body) = of(provider).unwrap();
        let inbound = Inbound { headers: &headers, path_token: None, body: body.as_bytes(), received_at: AT };
        let credentials = Credentials { secrets: &[], settings: &settings, document: None };
        let test = test(provider, IntegrationId(1), &credentials, &inbound).unwrap();
        assert!(is_test(&test.headers) && test.external_id.starts_with(PREFIX));
        let read = |headers: &[(String, String)]| {
            parse(provider.slug, &Inbound { headers, path_token: None, body: &test.body, received_at: AT }, &settings).unwrap().len()
        };
        assert_eq!(read(&test.headers), 0);
        assert_eq!(read(&without_mark(test.headers.clone())), 1);
        let csv = [("content-type".to_owned(), "text/csv".to_owned())];
        assert!(super::test(provider, IntegrationId(1), &credentials, &Inbound { headers: &csv, ..inbound }).is_err());
    }
}
