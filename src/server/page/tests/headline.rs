use domain::{PageData, Span, Status, Timestamp};

use super::sample::{ago, day, healthy, now, troubled};
use crate::page::{
    site::{Site, span_words},
    tests::sample::base_url,
    v2::Indicator,
    view::{Headline, percent, uptime},
};

fn with(statuses: &[Status]) -> PageData {
    let mut data = healthy();
    for (shown, status) in data.components.iter_mut().zip(statuses) {
        shown.component.status = *status;
        shown.component.status_since = ago(Span::mins(23));
    }
    data
}

#[test]
fn one_sentence_answers_the_question() {
    use Status::{DegradedPerformance as D, MajorOutage as M, Operational as O, PartialOutage as P, UnderMaintenance as W, Unknown as U};
    for (statuses, text, more) in [
        (vec![], "All systems operational", None),
        (vec![M], "Public API: major outage", None),
        (vec![M, D], "Public API: major outage", Some("1 more system has trouble")),
        (vec![M, D, P, W, U], "Public API: major outage", Some("2 more systems have trouble")),
        (vec![P, O, P], "Public API and Dashboard: partial outage", None),
        (vec![D, D, D], "Platform: degraded performance", None),
        (vec![D, D, O, D], "3 systems: degraded performance", None),
        (vec![U], "Public API: status unknown", None),
        (vec![W, O], "Public API: under maintenance", None),
        (vec![M; 8], "All systems: major outage", None),
    ] {
        let headline = Headline::of(&with(&statuses));
        assert_eq!((headline.text.as_str(), headline.more.as_deref()), (text, more), "{statuses:?}");
        assert_eq!(headline.since, (!statuses.is_empty()).then(|| ago(Span::mins(23))));
    }
}

#[test]
fn an_open_incident_is_not_hidden_by_healthy_components() {
    let mut data = troubled();
    for shown in &mut data.components {
        shown.component.status = Status::Operational;
    }
    assert_eq!(Headline::of(&data).text, "All systems operational, 1 incident open");
    data.components.clear();
    assert_eq!(Headline::of(&data).text, "1 incident is open");
    data.incidents.clear();
    assert_eq!(Headline::of(&data).text, "No systems are listed yet");
}

#[test]
fn the_indicator_follows_statuspage() {
    use Status::{DegradedPerformance as D, MajorOutage as M, Operational as O, PartialOutage as P, UnderMaintenance as W, Unknown as U};
    let captured: Vec<Status> = [(P, 36), (D, 4), (W, 22), (O, 408)].into_iter().flat_map(|(status, n)| vec![status; n]).collect();
    for (statuses, expected) in [
        (vec![], (Indicator::None, "All Systems Operational")),
        (vec![O, O], (Indicator::None, "All Systems Operational")),
        (vec![M, M], (Indicator::Critical, "Major System Outage")),
        (vec![M, O], (Indicator::Major, "Partial System Outage")),
        (vec![P, P], (Indicator::Major, "Partial System Outage")),
        (vec![P, O], (Indicator::Minor, "Minor Service Outage")),
        (vec![D, O], (Indicator::Minor, "Partially Degraded Service")),
        (vec![D, D], (Indicator::Minor, "Degraded System Service")),
        (vec![W, O], (Indicator::Maintenance, "Service Under Maintenance")),
        (vec![W, D], (Indicator::Minor, "Partially Degraded Service")),
        (vec![U, O], (Indicator::Minor, "Partially Degraded Service")),
        (captured, (Indicator::Minor, "Minor Service Outage")),
    ] {
        assert_eq!(Indicator::of(&statuses), expected, "{statuses:?}");
    }
}

#[test]
fn uptime_counts_what_readers_felt() {
    let site = Site::new(&healthy(), &base_url(), None);
    let long_ago = Timestamp(0);
    let share = |days: &[domain::Day], created_at| uptime(days, created_at, &site).map(percent);
    let spotless = Some("100\u{a0}%".to_owned());
    assert_eq!(share(&[], long_ago), spotless);
    assert_eq!(share(&[day(3, Status::DegradedPerformance, 900), day(4, Status::UnderMaintenance, 900)], long_ago), spotless);
    assert_eq!(share(&[day(3, Status::MajorOutage, 1)], long_ago), Some("99.99\u{a0}%".to_owned()), "never rounded up to 100");
    // 89 whole days, one of them an hour longer, and 14 h 25 min of today.
    let known = 89.0 * 1440.0 + 60.0 + 865.0;
    let expected = 1.0 - 1000.0 * 0.3 / known;
    assert!((uptime(&[day(3, Status::PartialOutage, 1000)], long_ago, &site).unwrap() - expected).abs() < 1e-9);
    assert_eq!(share(&[day(0, Status::MajorOutage, 30)], ago(Span::mins(60))), Some("50.00\u{a0}%".to_owned()), "only since it exists");
    assert_eq!(share(&[day(0, Status::Unknown, 60)], ago(Span::mins(60))), None, "nothing is known");
    assert_eq!(share(&[], now()), None, "added this moment");
    assert_eq!(share(&[day(90, Status::MajorOutage, 900)], long_ago), spotless, "before the first bar");
    assert_eq!(percent(0.999), "99.90\u{a0}%");
    assert_eq!(percent(0.999_999), "99.99\u{a0}%");
}

#[test]
fn spans_read_as_people_say_them() {
    for (minutes, words) in [(0, "less than a minute"), (23, "23 min"), (60, "1 h"), (72, "1 h 12 min"), (1440, "1 d"), (3060, "2 d 3 h")] {
        assert_eq!(span_words(Span::mins(minutes)), words);
    }
}
