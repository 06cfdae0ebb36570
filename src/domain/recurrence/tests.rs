//! What rules mean, held against another implementation, and what is refused.

use std::collections::BTreeSet;

use jiff::{civil::date, tz::TimeZone};
use proptest::prelude::*;

use super::Recurrence;
use crate::{Schedule, Span, Timestamp};

/// Made with python-dateutil 2.9.0: the first twelve days of each rule, those of the first 39 years.
const VECTORS: &str = include_str!("vectors.txt");

fn schedule(rule: &str, start: &str) -> Schedule {
    let rule: Recurrence = rule.parse().unwrap_or_else(|error| panic!("{rule}: {error}"));
    Schedule { starts_at: start.parse().unwrap(), duration: Span::mins(60), rule, except: BTreeSet::new() }
}

fn days(schedule: &Schedule, n: usize) -> String {
    schedule.windows(&TimeZone::UTC, Timestamp(i64::MIN)).take(n).map(|window| window.on.to_string()).collect::<Vec<_>>().join(" ")
}

#[test]
fn rules_mean_the_same_days_as_elsewhere() {
    for line in VECTORS.lines() {
        let (head, expected) = line.split_once(':').unwrap();
        let (rule, start) = head.split_once(" from ").unwrap();
        let n = expected.split_whitespace().count();
        let schedule = schedule(rule, &format!("{start}T02:00"));
        assert_eq!(days(&schedule, n), expected.trim(), "{head}");
        let ends = rule.contains("COUNT") || rule.contains("UNTIL");
        assert_eq!(days(&schedule, 12).split_whitespace().count(), if ends { n } else { 12 }, "{head}");
    }
    assert!(VECTORS.lines().count() > 200);
}

#[test]
fn a_rule_reads_back_as_it_is_written() {
    for line in VECTORS.lines() {
        let rule: Recurrence = line.split_once(" from ").unwrap().0.parse().unwrap();
        assert_eq!(rule.to_string().parse(), Ok(rule.clone()), "{rule}");
    }
    let tidy = |text: &str| text.parse::<Recurrence>().unwrap().to_string();
    assert_eq!(tidy("RRULE:byday=th,tu;freq=weekly;interval=1;wkst=mo;"), "FREQ=WEEKLY;BYDAY=TU,TH");
    assert_eq!(tidy("FREQ=MONTHLY;BYMONTHDAY=15,2,15;UNTIL=20271231T235959Z"), "FREQ=MONTHLY;BYMONTHDAY=2,15;UNTIL=20271231T235959Z");
}

#[test]
fn what_is_not_taken_is_refused_by_name() {
    let refused = |text: &str| text.parse::<Recurrence>().unwrap_err().to_string();
    for (rule, expected) in [
        ("", "needs FREQ, such as FREQ=WEEKLY"),
        ("BYDAY=MO", "needs FREQ, such as FREQ=WEEKLY"),
        ("every tuesday", "`EVERY TUESDAY` is no part of a rule: one looks like FREQ=WEEKLY, and `;` stands between two"),
        ("FREQ=SECONDLY", "FREQ=SECONDLY comes back several times a day; the shortest is FREQ=DAILY"),
        ("FREQ=MINUTELY;INTERVAL=5", "FREQ=MINUTELY comes back several times a day; the shortest is FREQ=DAILY"),
        ("FREQ=HOURLY", "FREQ=HOURLY comes back several times a day; the shortest is FREQ=DAILY"),
        ("FREQ=FORTNIGHTLY", "FREQ=`FORTNIGHTLY` is none of DAILY, WEEKLY, MONTHLY and YEARLY"),
        ("FREQ=DAILY;FREQ=WEEKLY", "`FREQ` stands in it twice"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20270101", "ends by COUNT or by UNTIL, not by both"),
        ("FREQ=DAILY;COUNT=0", "COUNT=`0` is not a whole number from 1 to 10000"),
        ("FREQ=DAILY;COUNT=99999999999", "COUNT=`99999999999` is not a whole number from 1 to 10000"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL=`-1` is not a whole number from 1 to 1000"),
        ("FREQ=DAILY;BYHOUR=2", "BYHOUR is not taken: every window begins at the time of the day at which the first one does"),
        ("FREQ=YEARLY;BYWEEKNO=3", "BYWEEKNO is not taken: name the days with BYMONTH, BYMONTHDAY and BYDAY"),
        (
            "FREQ=DAILY;BYEASTER=1",
            "`BYEASTER` is not taken; known here: FREQ, INTERVAL, BYMONTH, BYMONTHDAY, BYDAY, BYSETPOS, WKST, COUNT, UNTIL",
        ),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY goes with FREQ=DAILY, MONTHLY and YEARLY, not with weeks"),
        ("FREQ=WEEKLY;BYDAY=1MO", "a number before a day, as in 1SU, goes with FREQ=MONTHLY, or with FREQ=YEARLY and BYMONTH"),
        ("FREQ=YEARLY;BYDAY=MO", "BYDAY with FREQ=YEARLY needs BYMONTH, which says in which month"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS chooses among days, so BYDAY or BYMONTHDAY must name some"),
        ("FREQ=MONTHLY;BYDAY=6MO", "BYDAY=`6` is not a whole number from -5 to 5"),
        ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY counts from 1, or from -1 at the end: 0 is none"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY counts from 1, or from -1 at the end: 0 is none"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY=`32` is not a whole number from -31 to 31"),
        ("FREQ=WEEKLY;BYDAY=XX", "`XX` is none of MO, TU, WE, TH, FR, SA and SU"),
        ("FREQ=WEEKLY;BYDAY=é", "`É` is none of MO, TU, WE, TH, FR, SA and SU"),
        ("FREQ=DAILY;UNTIL=20270230", "UNTIL=`20270230` is no day such as 20271231, nor a time such as 20271231T235959Z"),
        ("FREQ=DAILY;UNTIL=soon", "UNTIL=`SOON` is no day such as 20271231, nor a time such as 20271231T235959Z"),
    ] {
        let said = refused(rule);
        assert_eq!(said.to_lowercase(), expected.to_lowercase(), "{rule}");
    }
    assert_eq!(refused(&"X".repeat(501)), "has 501 characters, at most 500 are allowed");
}

#[test]
fn rules_are_said_in_words() {
    for (rule, words) in [
        ("FREQ=DAILY", "every day"),
        ("FREQ=WEEKLY;BYDAY=TU", "every week on Tuesday"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;COUNT=10", "every 2 weeks on Monday and Thursday, 10 times"),
        ("FREQ=MONTHLY;BYDAY=1SU;UNTIL=20271231", "every month on the 1st Sunday, until 31 December 2027"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "every month on the last day of the month"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,15,22,-3", "every month on the 3rd last, 1st, 15th or 22nd of the month"),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "every month on the 13th of the month, if it is Friday"),
        ("FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1", "every month on Monday or Tuesday, only the last of these"),
        ("FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU", "every year in March and October on the last Sunday"),
    ] {
        assert_eq!(rule.parse::<Recurrence>().unwrap().words(), words);
    }
}

fn instants(schedule: &Schedule, zone: &str, n: usize) -> Vec<String> {
    let zone = TimeZone::get(zone).unwrap();
    schedule.windows(&zone, Timestamp(i64::MIN)).take(n).map(|w| format!("{} to {}", w.starts_at, w.ends_at)).collect()
}

/// Clocks in Paris go forward on 28 March 2027 at 02:00, and back on 31 October at 03:00.
#[test]
fn windows_keep_to_the_clock_on_the_wall() {
    let spring = instants(&schedule("FREQ=DAILY", "2027-03-27T02:30"), "Europe/Paris", 3);
    assert_eq!(
        spring,
        [
            "2027-03-27T01:30:00.000Z to 2027-03-27T02:30:00.000Z",
            "2027-03-28T01:30:00.000Z to 2027-03-28T02:30:00.000Z", // 02:30 is left out: it is 03:30, and an hour long.
            "2027-03-29T00:30:00.000Z to 2027-03-29T01:30:00.000Z",
        ]
    );
    let autumn = instants(&schedule("FREQ=WEEKLY", "2027-10-24T02:30"), "Europe/Paris", 3);
    assert_eq!(
        autumn,
        [
            "2027-10-24T00:30:00.000Z to 2027-10-24T01:30:00.000Z",
            "2027-10-31T00:30:00.000Z to 2027-10-31T01:30:00.000Z", // The first of two.
            "2027-11-07T01:30:00.000Z to 2027-11-07T02:30:00.000Z",
        ]
    );
}

#[test]
fn an_end_means_what_it_says_in_the_zone_of_the_page() {
    let n = |until: &str, zone: &str| instants(&schedule(&format!("FREQ=DAILY;UNTIL={until}"), "2027-01-01T22:00"), zone, 9).len();
    assert_eq!(n("20270103", "America/New_York"), 3);
    assert_eq!(n("20270103T215959", "America/New_York"), 2);
    assert_eq!(n("20270104T025959Z", "America/New_York"), 2, "22:00 in New York is 03:00 the next day in UTC");
    assert_eq!(n("20270104T030000Z", "America/New_York"), 3);
}

#[test]
fn a_schedule_must_make_sense() {
    let said = |rule: &str, change: fn(&mut Schedule)| {
        let mut schedule = schedule(rule, "2026-12-01T02:00");
        change(&mut schedule);
        schedule.check(&TimeZone::get("Europe/Paris").unwrap()).map_err(|error| error.to_string())
    };
    assert_eq!(said("FREQ=WEEKLY", |_| ()), Ok(()));
    assert_eq!(said("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", |_| ()), Err("rule: never occurs: no day fits it".to_owned()));
    assert_eq!(
        said("FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29", |s| s.starts_at = "2027-01-01T00:00".parse().unwrap()),
        Err("rule: never occurs: no day fits it".to_owned())
    );
    assert_eq!(said("FREQ=DAILY;UNTIL=20261130", |_| ()), Err("rule: never occurs: no day fits it".to_owned()));
    assert_eq!(said("FREQ=DAILY;COUNT=1", |s| s.except = [date(2026, 12, 1)].into()), Err("rule: never occurs: no day fits it".to_owned()));
    assert_eq!(said("FREQ=DAILY", |s| s.duration = Span::ZERO), Err("duration: must lie between 1m and 7d".to_owned()));
    assert_eq!(
        said("FREQ=DAILY", |s| s.duration = Span::mins(24 * 60)),
        Err("duration: is 1d, but on 2027-03-28 the next window begins after 23h".to_owned())
    );
    assert_eq!(
        said("FREQ=DAILY", |s| s.starts_at = "1999-12-01T02:00".parse().unwrap()),
        Err("starts_at: must lie in the years 2000 to 2100".to_owned())
    );
    assert_eq!(said("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", |_| ()), Ok(()), "what rests for years is fine");
}

#[test]
fn a_series_that_goes_on_from_a_window_counts_only_what_was_left() {
    let later = schedule("FREQ=WEEKLY;COUNT=5", "2026-12-01T02:00").from(date(2026, 12, 15));
    assert_eq!(days(&later, 9), "2026-12-15 2026-12-22 2026-12-29");
    let ended = schedule("FREQ=WEEKLY;COUNT=5", "2026-12-01T02:00").rule.ending_on(date(2026, 12, 14));
    assert_eq!(ended.to_string(), "FREQ=WEEKLY;UNTIL=20261214");
}

proptest! {
    /// Whatever is written, reading it ends, and what is taken gives days in order, soon.
    #[test]
    fn any_rule_ends(text in "(FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY))(;INTERVAL=[1-9][0-9]{0,2})?(;BYMONTH=[1-9](,1[0-2])?)?(;BYMONTHDAY=-?[1-9](,3[01])?)?(;BYDAY=-?[1-5]?(MO|SU)(,(TU|FR))?)?(;BYSETPOS=-?[1-9])?(;COUNT=[1-9])?") {
        if let Ok(rule) = text.parse::<Recurrence>() {
            let read: Recurrence = rule.to_string().parse().unwrap();
            prop_assert_eq!(&read, &rule);
            let days: Vec<_> = rule.days(date(2026, 12, 1)).take(50).collect();
            prop_assert!(days.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn no_text_is_too_much_for_it(text in "\\PC{0,80}") {
        let _ = text.parse::<Recurrence>();
        let _ = format!("FREQ=MONTHLY;BYDAY={text}").parse::<Recurrence>();
        let _ = format!("FREQ=DAILY;UNTIL={text}").parse::<Recurrence>();
    }
}
