//! Answers that come in pages. `<provider>/fixtures/pages` holds the pages of one answer, `1.json` and so on, and what is asked for after
//! the first; the second page names a thing in trouble.

use std::{fs, path::PathBuf};

use domain::{IntegrationId, Severity, Signal, SignalState, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    Inbound, PROVIDERS, Provider, Settings, parse,
    poll::{Answer, Ask, Extent, Joined, MAX_ANSWER_BYTES, MAX_PAGES, MAX_THINGS, Pages, Poll, Request, answered},
    tests::{check, folder},
};

const AT: Timestamp = Timestamp(1_772_366_400_000);

fn paged() -> impl Iterator<Item = (&'static Provider, &'static Poll, &'static Pages)> {
    PROVIDERS.iter().filter_map(|provider| match &provider.poll {
        Some(Ask::Source(poll)) => Some((*provider, poll, poll.pages.as_ref()?)),
        _ => None,
    })
}

fn pages_of(provider: &Provider) -> PathBuf {
    folder(provider.slug).join("fixtures/pages")
}

fn page(provider: &Provider, number: usize) -> Vec<u8> {
    fs::read(pages_of(provider).join(format!("{number}.json"))).unwrap()
}

fn settings(provider: &Provider) -> Settings {
    Settings::new(fs::read(pages_of(provider).join("settings.json")).map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap()))
}

/// What is made of an answer once it is stored.
fn read(provider: &Provider, body: &[u8], n_pages: usize) -> Vec<Signal> {
    let settings = settings(provider);
    let (delivery, read) = answered(provider, IntegrationId(1), &settings, Answer { status: 200, headers: &[], body, n_pages, at: AT });
    assert_eq!(read, Ok(()), "{}", provider.slug);
    let inbound = Inbound { headers: &delivery.headers, path_token: None, body: &delivery.body, received_at: AT };
    parse(provider.slug, &inbound, &settings).unwrap()
}

fn is_whole(signals: &[Signal]) -> bool {
    signals.iter().any(|signal| signal.whole_group)
}

#[test]
fn what_is_down_on_the_second_page_is_down() {
    assert_eq!(paged().count(), 5);
    for (provider, poll, pages) in paged() {
        let first = page(provider, 1);
        let alone = read(provider, &first, 1);
        assert!(!is_whole(&alone) && alone[0].warnings.len() == 1, "{}: one page of several is not all there is", provider.slug);

        let secrets = [SecretString::from("api:application")];
        let request = (poll.request)(&settings(provider), &secrets).unwrap();
        let mut joined = Joined::begin(pages, &first).unwrap();
        let further = joined.next(&request).expect("a second page");
        check(&pages_of(provider).join("2.request"), &asked(&further));
        assert_eq!(joined.add(&page(provider, 2)), Ok(true));
        assert!(joined.next(&request).is_none(), "{}: the second page is the last", provider.slug);

        let n_pages = joined.n_pages();
        let signals = read(provider, &joined.into_body(), n_pages);
        let down: Vec<&Signal> = signals.iter().filter(|signal| signal.state == SignalState::Firing).collect();
        assert_eq!(down.len(), 1, "{}: {down:?}", provider.slug);
        assert_eq!(down[0].subject, "On the second page");
        assert!(down[0].severity >= Severity::Error, "{}: {:?}", provider.slug, down[0].severity);
        assert!(is_whole(&signals) && signals.iter().all(|signal| signal.warnings.is_empty()), "{}: nothing is left out", provider.slug);
    }
}

fn asked(request: &Request) -> String {
    let headers = request.headers.iter().map(|(name, value)| format!("{name}: {}\n", value.expose_secret())).collect::<String>();
    let body = request.body.as_ref().map(|body| format!("\n{}\n", String::from_utf8_lossy(body))).unwrap_or_default();
    format!("{}\n{headers}{body}", request.url)
}

#[test]
fn a_page_that_is_none_is_refused() {
    for (provider, _, pages) in paged() {
        let first = page(provider, 1);
        for none in ["", "<html>", "3", r#"{"stat":"fail"}"#, r#"{"data":{}}"#] {
            assert!(Joined::begin(pages, none.as_bytes()).is_err(), "{}: {none}", provider.slug);
            assert!(Joined::begin(pages, &first).unwrap().add(none.as_bytes()).is_err(), "{}: {none}", provider.slug);
        }
        let again = Joined::begin(pages, &first).unwrap().add(&first).unwrap_err();
        assert!(again.to_string().contains("does not turn its pages"), "{}: {again}", provider.slug);
    }
}

/// A source of numbers, whose `more` says itself that there is more.
const NUMBERS: Pages =
    Pages { turn: |page| ("page", page), lists: &["numbers"], total: Some("/total"), more: |page, _| Ok(page["more"] == true) };

fn numbers(numbers: &[usize], more: bool) -> Vec<u8> {
    json!({"numbers": numbers, "more": more, "total": 7}).to_string().into_bytes()
}

#[test]
fn pages_become_the_last_one_with_the_lists_of_all() {
    let mut joined = Joined::begin(&NUMBERS, &numbers(&[1, 2], true)).unwrap();
    assert_eq!(joined.add(&numbers(&[3], true)), Ok(true));
    assert_eq!(joined.add(&numbers(&[], false)), Ok(true));
    assert_eq!(joined.n_pages(), 3);
    let body: Value = serde_json::from_slice(&joined.into_body()).unwrap();
    assert_eq!(body, json!({"numbers": [1, 2, 3], "more": false, "total": 7}));
}

#[test]
fn a_list_that_changes_while_it_is_read_is_no_answer() {
    let mut joined = Joined::begin(&NUMBERS, &numbers(&[1, 2], true)).unwrap();
    let changed = json!({"numbers": [4], "more": false, "total": 6}).to_string();
    let why = joined.add(changed.as_bytes()).unwrap_err().to_string();
    assert!(why.contains("`total`") && why.ends_with("has changed while the pages were read"), "{why}");
}

#[test]
fn no_more_pages_are_asked_for_than_the_limit() {
    let request = Request::get("https://source.example/numbers?limit=1");
    let mut joined = Joined::begin(&NUMBERS, &numbers(&[0], true)).unwrap();
    for number in 1..MAX_PAGES {
        assert_eq!(joined.next(&request).unwrap().url, format!("https://source.example/numbers?limit=1&page={number}"));
        assert_eq!(joined.add(&numbers(&[number], true)), Ok(true));
    }
    assert_eq!((joined.n_pages(), joined.next(&request).is_none()), (MAX_PAGES, true));
}

#[test]
fn all_pages_together_hold_no_more_bytes_and_things_than_the_limits() {
    let padded = |bytes: usize| {
        let page = |filler: &str| json!({"numbers": [2], "more": true, "total": 7, "filler": filler}).to_string();
        page(&"x".repeat(bytes - page("").len())).into_bytes()
    };
    let mut joined = Joined::begin(&NUMBERS, &numbers(&[1], true)).unwrap();
    let room = joined.room();
    assert_eq!(room, MAX_ANSWER_BYTES - numbers(&[1], true).len());
    assert_eq!(joined.add(&padded(room + 1)), Ok(false));
    assert_eq!((joined.n_pages(), joined.room()), (1, room), "what found no room left nothing behind");
    assert_eq!((joined.add(&padded(room)), joined.room()), (Ok(true), 0));

    let many: Vec<usize> = (0..MAX_THINGS - 1).collect();
    let mut joined = Joined::begin(&NUMBERS, &numbers(&many, true)).unwrap();
    assert_eq!(joined.add(&numbers(&[1_000_001, 1_000_002], true)), Ok(false));
    assert_eq!(joined.add(&numbers(&[1_000_001], true)), Ok(true));
}

#[test]
fn what_is_left_out_after_the_last_page_read_is_told_and_ends_nothing() {
    for (provider, _, pages) in paged() {
        // As if the limit came after the first page: what was joined says itself that it goes on.
        let joined = Joined::begin(pages, &page(provider, 1)).unwrap();
        let signals = read(provider, &joined.into_body(), 1);
        assert!(!is_whole(&signals), "{}", provider.slug);
        assert!(signals[0].warnings[0].contains("those left out are not seen"), "{}: {:?}", provider.slug, signals[0].warnings);
    }
}

/// Datadog says nothing of further pages: a full one may be the last.
#[test]
fn a_full_page_is_followed_by_another_that_may_be_empty() {
    let (provider, _, pages) = paged().find(|(provider, ..)| provider.slug == "datadog_monitors").unwrap();
    let request = Request::get("https://api.datadoghq.com/api/v1/monitor?page=0&page_size=1000");
    let mut joined = Joined::begin(pages, &page(provider, 1)).unwrap();
    assert!(joined.next(&request).is_some());
    assert_eq!(joined.add(b"[]"), Ok(true));
    assert!(joined.next(&request).is_none());
    assert!(is_whole(&read(provider, &joined.into_body(), 2)));
    let full = Extent { n_things: 2000, n_pages: 2 };
    assert_eq!((pages.more)(&Value::Null, full), Ok(true));
    assert_eq!((pages.more)(&Value::Null, Extent { n_things: 1999, ..full }), Ok(false));
}
