//! What else decides whether and when a route publishes, as it is written and read.

use domain::{
    DayTime, Flapping, MAX_FLAP_CHANGES, MAX_FLAP_SPAN, MAX_PUBLISH_AFTER, MIN_FLAP_CHANGES, Policy, Publish, PublishHours, Severity, Span,
    Weekday,
};
use poem_openapi::Object;

use super::{
    fields::Fields,
    types::{Length, Name},
};

/// The fields of a route that are read here.
#[derive(Default)]
pub(super) struct PolicyBody {
    pub(super) publish_after: Option<Length>,
    pub(super) publish_hours: Option<HoursBody>,
    pub(super) minimum_severity: Option<Name<Severity>>,
    pub(super) flapping: Option<FlappingBody>,
}

/// Hours of the week, by the clock of the page's time zone.
#[derive(Object)]
#[oai(rename = "PublishHours")]
pub(super) struct HoursBody {
    /// The days on which they begin; every day if they are left out.
    days: Option<Vec<Name<Weekday>>>,
    /// When they begin, as in `08:00`; `00:00` if it is left out.
    from: Option<String>,
    /// When they end, on the next day if it is not later than `from`; `24:00` if it is left out.
    to: Option<String>,
    /// True means all times but these.
    outside: Option<bool>,
}

/// When a route's word is taken for flapping.
#[derive(Object)]
#[oai(rename = "Flapping")]
pub(super) struct FlappingBody {
    /// So many changes, from 3 to 50; 5 if it is left out.
    changes: Option<i32>,
    /// Within so long; `30m` if it is left out.
    within: Option<Length>,
    /// Over after so long without a change; `15m` if it is left out.
    calm: Option<Length>,
}

/// Reads the policy of the route that stands `at` a place of the request, and says everything that is wrong with it.
pub(super) fn read(fields: &mut Fields, at: &str, publish: Publish, body: PolicyBody) -> Policy {
    let waits =
        [("publish_after", body.publish_after.is_some_and(|after| after.0 > Span::ZERO)), ("publish_hours", body.publish_hours.is_some())];
    for (name, _) in waits.iter().filter(|(_, given)| *given && publish != Publish::Auto) {
        fields.refuse(format!("{at}.{name}"), format!("only a route that publishes by itself (`auto`) can wait; this one is `{publish}`"));
    }
    let publish_after = body.publish_after.map_or(Span::ZERO, |after| after.0);
    at_most(fields, &format!("{at}.publish_after"), publish_after, MAX_PUBLISH_AFTER);
    if body.minimum_severity.is_some_and(|severity| severity.0 == Severity::Unknown) {
        fields.refuse(format!("{at}.minimum_severity"), "must be `info`, `warning`, `error` or `critical`: what is unknown always counts");
    }
    Policy {
        publish_after,
        publish_hours: body.publish_hours.map(|hours| read_hours(fields, &format!("{at}.publish_hours"), hours)),
        minimum_severity: body.minimum_severity.map(|severity| severity.0),
        flapping: body.flapping.map(|flapping| read_flapping(fields, &format!("{at}.flapping"), flapping)),
    }
}

fn at_most(fields: &mut Fields, field: &str, span: Span, most: Span) {
    if span > most {
        fields.refuse(field, format!("{span} is more than {most}"));
    }
}

fn read_hours(fields: &mut Fields, at: &str, body: HoursBody) -> PublishHours {
    let mut time = |name: &str, text: Option<String>, otherwise: DayTime| {
        let Some(text) = text else { return otherwise };
        text.parse().unwrap_or_else(|error: domain::DayTimeError| {
            fields.refuse(format!("{at}.{name}"), error.to_string());
            otherwise
        })
    };
    let (from, to) = (time("from", body.from, DayTime::MIDNIGHT), time("to", body.to, DayTime::END));
    let days = body.days.map_or_else(|| Weekday::ALL.iter().copied().collect(), |days| days.into_iter().map(|day| day.0).collect());
    let hours = PublishHours { days, from, to, outside: body.outside.unwrap_or(false) };
    if fields.is_fine() && !hours.is_ever() {
        fields.refuse(at, "leave no time at which the route could publish");
    }
    hours
}

fn read_flapping(fields: &mut Fields, at: &str, body: FlappingBody) -> Flapping {
    let usual = Flapping::default();
    let changes = body.changes.map_or(Some(usual.changes), |n| u8::try_from(n).ok());
    let changes = changes.filter(|n| (MIN_FLAP_CHANGES..=MAX_FLAP_CHANGES).contains(n)).unwrap_or_else(|| {
        fields.refuse(format!("{at}.changes"), format!("must be from {MIN_FLAP_CHANGES} to {MAX_FLAP_CHANGES}"));
        usual.changes
    });
    let mut span = |name: &str, length: Option<Length>, otherwise: Span| {
        let span = length.map_or(otherwise, |length| length.0);
        let field = format!("{at}.{name}");
        if span < Span::secs(1) {
            fields.refuse(&field, "must be at least 1s");
        }
        at_most(fields, &field, span, MAX_FLAP_SPAN);
        span
    };
    Flapping { changes, within: span("within", body.within, usual.within), calm: span("calm", body.calm, usual.calm) }
}

/// A policy as it is.
pub(super) fn view(policy: Policy) -> PolicyBody {
    PolicyBody {
        publish_after: Some(Length(policy.publish_after)),
        publish_hours: policy.publish_hours.map(|hours| HoursBody {
            days: Some(hours.days.into_iter().map(Name).collect()),
            from: Some(hours.from.to_string()),
            to: Some(hours.to.to_string()),
            outside: Some(hours.outside),
        }),
        minimum_severity: policy.minimum_severity.map(Name),
        flapping: policy.flapping.map(|flapping| FlappingBody {
            changes: Some(i32::from(flapping.changes)),
            within: Some(Length(flapping.within)),
            calm: Some(Length(flapping.calm)),
        }),
    }
}
