//! Components: the status a batch leaves each in, and how long it was in trouble on which day.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Change, ComponentId, Day, PastSpan, Recorded, Span, State, Status, Timestamp};
use sqlx::QueryBuilder;

use super::portions;
use crate::{Connection, StorageError, db::sql, past};

/// What readers see since when, if that changed; and what signals say.
struct Last {
    published: Option<(Status, Timestamp)>,
    internal: Status,
}

pub(super) async fn store(conn: &mut Connection, state: &State, recorded: &[Recorded]) -> Result<(), StorageError> {
    let mut last: BTreeMap<ComponentId, Last> = BTreeMap::new();
    let (mut past, mut corrected): (Vec<(ComponentId, PastSpan)>, BTreeSet<ComponentId>) = Default::default();
    for Recorded { change, at, .. } in recorded {
        if let Change::Past { component, .. } = change {
            corrected.insert(*component);
        }
        let Change::ComponentStatus { component, from, to, internal_to, since, .. } = change else { continue };
        let entry = last.entry(*component).or_insert(Last { published: None, internal: *internal_to });
        entry.internal = *internal_to;
        if from == to {
            continue;
        }
        entry.published = Some((*to, *at));
        if *from != Status::Operational {
            past.push((*component, PastSpan { since: *since, until: *at, status: *from }));
        }
    }
    let last: Vec<(ComponentId, Last)> = last.into_iter().collect();
    for portion in portions(&last) {
        set(conn, portion).await?;
    }
    let days: Vec<(ComponentId, Day)> = days_of(state, recorded).into_iter().map(|((component, _), day)| (component, day)).collect();
    for portion in portions(&days) {
        add_days(conn, portion).await?;
    }
    past.retain(|(component, _)| !corrected.contains(component));
    past::store(conn, state, past, &corrected).await
}

/// What changes add to the bars of components, by component and day. What is corrected is taken from one status and added to another.
#[must_use]
pub fn days_of(state: &State, recorded: &[Recorded]) -> BTreeMap<(ComponentId, i32), Day> {
    let mut days: BTreeMap<(ComponentId, i32), Day> = BTreeMap::new();
    let mut add = |component: ComponentId, since, until, status, sign: i64| {
        for (day, length) in split_by_day(state, since, until) {
            days.entry((component, day)).or_insert(Day { day, ..Day::default() }).add(status, Span(sign * length.0));
        }
    };
    for Recorded { change, at, .. } in recorded {
        match change {
            Change::Past { component, span, pieces } => {
                for piece in pieces {
                    add(*component, piece.since, piece.until, span.status, 1);
                    add(*component, piece.since, piece.until, piece.status, -1);
                }
            }
            Change::ComponentStatus { component, from, to, since, .. } if from != to && *from != Status::Operational => {
                add(*component, *since, *at, *from, 1);
            }
            _ => {}
        }
    }
    days
}

async fn set(conn: &mut Connection, rows: &[(ComponentId, Last)]) -> Result<(), StorageError> {
    sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new("with moved (id, internal, published, at) as (");
        query.push_values(rows, |mut row, (component, Last { published, internal })| {
            row.push("cast(").push_bind_unseparated(component.0).push_unseparated(" as bigint)");
            row.push("cast(").push_bind_unseparated(internal.as_str()).push_unseparated(" as text)");
            row.push("cast(").push_bind_unseparated(published.map(|(status, _)| status.as_str())).push_unseparated(" as text)");
            row.push("cast(").push_bind_unseparated(published.map(|(_, at)| at.0)).push_unseparated(" as bigint)");
        });
        query.push(
            ") update component set internal_status = moved.internal, status = coalesce(moved.published, status),
               status_since = coalesce(moved.at, status_since) from moved where component.component_id = moved.id",
        );
        query.build().execute(&mut *c).await?;
    });
    Ok(())
}

async fn add_days(conn: &mut Connection, days: &[(ComponentId, Day)]) -> Result<(), StorageError> {
    sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new(
            "insert into component_day as d (component_id, day, under_maintenance, unknown, degraded_performance, partial_outage, major_outage) ",
        );
        query.push_values(days, |mut row, (component, counted)| {
            row.push_bind(component.0)
                .push_bind(counted.day)
                .push_bind(counted.under_maintenance.0)
                .push_bind(counted.unknown.0)
                .push_bind(counted.degraded_performance.0)
                .push_bind(counted.partial_outage.0)
                .push_bind(counted.major_outage.0);
        });
        query.push(
            " on conflict (component_id, day) do update set
                  under_maintenance = d.under_maintenance + excluded.under_maintenance,
                  unknown = d.unknown + excluded.unknown,
                  degraded_performance = d.degraded_performance + excluded.degraded_performance,
                  partial_outage = d.partial_outage + excluded.partial_outage,
                  major_outage = d.major_outage + excluded.major_outage",
        );
        query.build().execute(&mut *c).await?;
    });
    Ok(())
}

fn split_by_day(state: &State, since: Timestamp, until: Timestamp) -> Vec<(i32, Span)> {
    let (first, last) = (since.day_in(&state.zone), until.day_in(&state.zone));
    (first..=last)
        .map(|day| {
            let begin = Timestamp::start_of_day(day, &state.zone).max(since);
            let end = Timestamp::start_of_day(day + 1, &state.zone).min(until);
            (day, end.since(begin))
        })
        .filter(|(_, span)| span.0 > 0)
        .collect()
}
