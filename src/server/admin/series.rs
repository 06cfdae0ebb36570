//! `/maintenance-series`: maintenances that come back.

use std::collections::{BTreeSet, HashMap};

use domain::{
    ComponentId, DEFAULT_ANNOUNCE, MAX_ANNOUNCE, MAX_COMPONENTS, MAX_EXCEPTIONS, MAX_SERIES, MaintenanceId, Recurrence, Schedule, Series,
    SeriesId, Timestamp, Window,
};
use jiff::{
    ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use serde_json::json;
use storage::{
    Connection, components,
    rows::{self, Maintenances},
    series, subscribers,
};

use super::{
    Admin,
    body::Body,
    check_count,
    fields::{Fields, by_key},
    gate::Caller,
    incident_views::title_and_body,
    problem::Problem,
    reply::{Created, Gone, IfMatch, List, Paging, Shown, View},
    series_effect::{self, SeriesEffect},
    types::{Day, Length, LocalTime, Time},
};

/// Windows that are shown ahead.
pub(super) const SHOWN: usize = 10;

pub(super) struct SeriesApi(pub(super) Admin);

/// Maintenances that come back, by the clock on the page's wall.
#[derive(Object)]
#[oai(rename = "MaintenanceSeries")]
pub(super) struct SeriesView {
    id: i64,
    /// Its name in configuration files.
    key: String,
    /// The title of its windows.
    title: String,
    /// Markdown, as written.
    body: String,
    /// From when on, and at which time of the day, in the page's time zone.
    starts_at: LocalTime,
    /// How long a window is.
    duration: Length,
    /// On which days: a rule of RFC 5545.
    pub(super) rule: String,
    /// The rule in words.
    pub(super) rule_in_words: String,
    /// The days of the rule that are left out.
    except: Vec<Day>,
    /// How long before each window subscribers are told of it.
    announce: Length,
    /// The keys of the components that are under maintenance meanwhile.
    components: Vec<String>,
}

impl View for SeriesView {}

/// A series to be planned.
#[derive(Object)]
struct NewSeries {
    /// Made from the title if it is left out.
    key: Option<String>,
    title: String,
    /// Markdown: what is done, and what readers will notice.
    body: Option<String>,
    /// From when on, and at which time of the day, in the page's time zone.
    starts_at: LocalTime,
    /// How long a window is, at most seven days.
    duration: Length,
    /// On which days: a rule of RFC 5545, such as `FREQ=MONTHLY;BYDAY=1SU`.
    rule: String,
    /// Days of the rule that are left out.
    except: Option<Vec<Day>>,
    /// How long before each window subscribers are told of it; a day if it is left out.
    announce: Option<Length>,
    /// The keys of components.
    components: Option<Vec<String>>,
}

/// What is to be changed; what is left out stays.
#[derive(Object)]
pub(super) struct SeriesPatch {
    title: Option<String>,
    /// Markdown: what is done, and what readers will notice.
    body: Option<String>,
    /// From when on, and at which time of the day, in the page's time zone. The rule counts from there.
    starts_at: Option<LocalTime>,
    /// How long a window is, at most seven days.
    duration: Option<Length>,
    /// On which days: a rule of RFC 5545.
    rule: Option<String>,
    /// Days of the rule that are left out.
    except: Option<Vec<Day>>,
    /// How long before each window subscribers are told of it.
    announce: Option<Length>,
    /// The keys of components.
    components: Option<Vec<String>>,
    /// The id of one of its windows: only it and all that follow are changed. The series begins anew with it.
    from: Option<i64>,
}

/// A window that a series has, or would have.
#[derive(Object)]
#[oai(rename = "SeriesWindow")]
pub(super) struct WindowView {
    starts_at: Time,
    ends_at: Time,
    /// When it begins, by the clock on the page's wall.
    local: LocalTime,
    /// When subscribers are told of it.
    announces_at: Time,
}

/// What a series would do.
#[derive(Object)]
struct SeriesPreview {
    /// The rule, as it is stored.
    rule: String,
    /// The rule in words.
    rule_in_words: String,
    /// The zone in which its times of the day are.
    time_zone: String,
    /// The next windows, at most ten.
    windows: Vec<WindowView>,
    /// The keys of the components that are under maintenance meanwhile.
    components: Vec<String>,
    /// How many subscribers are told of each window before it begins, when it begins, and when it ends.
    subscribers: i64,
}

#[OpenApi]
impl SeriesApi {
    /// Lists series.
    #[oai(path = "/maintenance-series", method = "get")]
    async fn list(&self, limit: Query<Option<i64>>, cursor: Query<Option<String>>) -> Result<Json<List<SeriesView>>, Problem> {
        let paging = Paging::new(limit.0, cursor.0.as_deref())?;
        let mut conn = self.0.db.read().await?;
        let keys = components::keys(&mut conn).await?;
        let rows = series::all(&mut conn).await?.into_iter().filter(|series| series.id.0 > paging.after()).collect();
        Ok(Json(paging.list(rows, |series: &Series| series.id.0, |series| view(&series, &keys))))
    }

    /// Plans maintenances that come back. Those of the next 60 days, and at least the next one, are made at once.
    #[oai(path = "/maintenance-series", method = "post")]
    async fn create(&self, Data(caller): Data<&Caller>, body: Body<NewSeries>) -> Result<Created<SeriesView>, Problem> {
        let mut entry = self.0.begin().await?;
        let (series, zone) = read(&mut entry.tx, body.0).await?;
        if series.schedule.windows(&zone, self.0.now()).next().is_none() {
            return Err(Problem::field("rule", "has no window that lies ahead"));
        }
        check_count(series::all(&mut entry.tx).await?.len(), MAX_SERIES, "series")?;
        let id = series::insert(&mut entry.tx, &series).await?;
        caller.trail.made(id);
        self.0.finish(entry, caller).await?;
        Ok(Created { location: self.0.location("maintenance-series", id), view: self.find(id).await? })
    }

    /// Says what a series would do. Nothing is stored.
    #[oai(path = "/maintenance-series/preview", method = "post")]
    async fn preview(&self, body: Body<NewSeries>) -> Result<Json<SeriesPreview>, Problem> {
        let mut conn = self.0.db.read().await?;
        let (series, zone) = read(&mut conn, body.0).await?;
        let keys = components::keys(&mut conn).await?;
        let windows = series.schedule.windows(&zone, self.0.now()).take(SHOWN);
        let subscribers = n_told(&mut conn, &series).await?;
        let shown = view(&series, &keys);
        Ok(Json(SeriesPreview {
            rule: shown.rule,
            rule_in_words: shown.rule_in_words,
            time_zone: zone.iana_name().unwrap_or("UTC").to_owned(),
            windows: windows.map(|window| window_view(&series, &window, &zone)).collect(),
            components: shown.components,
            subscribers,
        }))
    }

    /// Shows a series.
    #[oai(path = "/maintenance-series/:id", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<SeriesView>, Problem> {
        Ok(Shown(self.find(SeriesId(id.0)).await?))
    }

    /// Changes a series, and with it all of its windows that have not begun, or those from one on. Windows that were changed alone stay
    /// as they are.
    #[oai(path = "/maintenance-series/:id", method = "patch")]
    async fn update(
        &self,
        Data(caller): Data<&Caller>,
        id: Path<i64>,
        if_match: IfMatch,
        body: Body<SeriesPatch>,
    ) -> Result<Shown<SeriesView>, Problem> {
        let mut entry = self.0.begin().await?;
        let series = load(&mut entry.tx, SeriesId(id.0)).await?;
        if_match.check(&view(&series, &components::keys(&mut entry.tx).await?))?;
        let series = patched(&mut entry.tx, series, body.0).await?;
        series::update(&mut entry.tx, &series).await?;
        self.0.finish(entry, caller).await?;
        Ok(Shown(self.find(series.id).await?))
    }

    /// Says what a change of a series would do to its windows. Nothing is stored.
    #[oai(path = "/maintenance-series/:id/preview", method = "post")]
    async fn preview_change(
        &self,
        Data(caller): Data<&Caller>,
        id: Path<i64>,
        body: Body<SeriesPatch>,
    ) -> Result<Json<SeriesEffect>, Problem> {
        Ok(Json(series_effect::look(&self.0, caller, SeriesId(id.0), body.0).await?))
    }

    /// Ends a series. Its windows that have not begun are called off, or those from one on: the series is kept then for as long as it has
    /// others ahead.
    #[oai(path = "/maintenance-series/:id", method = "delete")]
    async fn delete(
        &self,
        Data(caller): Data<&Caller>,
        id: Path<i64>,
        if_match: IfMatch,
        /// The id of one of its windows: only it and all that follow are called off.
        from: Query<Option<i64>>,
    ) -> Result<Gone, Problem> {
        let mut entry = self.0.begin().await?;
        let series = load(&mut entry.tx, SeriesId(id.0)).await?;
        if_match.check(&view(&series, &components::keys(&mut entry.tx).await?))?;
        match from.0 {
            None => drop(series::delete(&mut entry.tx, series.id).await?),
            Some(from) => {
                caller.trail.wanted(&json!({ "from": from }));
                let day = day_of(&mut entry.tx, MaintenanceId(from), series.id).await?;
                match ended_before(&series, day, &zone(&mut entry.tx).await?, self.0.now()) {
                    Some(rest) => series::update(&mut entry.tx, &rest).await?,
                    None => {
                        // Those before it that go their own way are not to be called off with the series.
                        series::set_free_before(&mut entry.tx, series.id, day).await?;
                        series::delete(&mut entry.tx, series.id).await?;
                    }
                }
            }
        }
        self.0.finish(entry, caller).await?;
        Ok(Gone)
    }
}

impl SeriesApi {
    async fn find(&self, id: SeriesId) -> Result<SeriesView, Problem> {
        let mut conn = self.0.db.read().await?;
        let series = load(&mut conn, id).await?;
        Ok(view(&series, &components::keys(&mut conn).await?))
    }
}

pub(super) async fn load(conn: &mut Connection, id: SeriesId) -> Result<Series, Problem> {
    series::find(conn, id).await?.ok_or_else(|| Problem::not_found("series"))
}

pub(super) async fn zone(conn: &mut Connection) -> Result<TimeZone, Problem> {
    Ok(TimeZone::get(&rows::page_settings(conn).await?.time_zone).unwrap_or(TimeZone::UTC))
}

/// A series as it is asked for, with the zone of the page.
async fn read(conn: &mut Connection, new: NewSeries) -> Result<(Series, TimeZone), Problem> {
    let zone = zone(conn).await?;
    let ids = by_key(&components::keys(conn).await?);
    let mut fields = Fields::default();
    title_and_body(&mut fields, Some(&new.title), new.body.as_deref());
    let key = fields.key(new.key, &new.title);
    let components = named(&mut fields, &ids, &new.components.unwrap_or_default());
    let announce = announce(&mut fields, new.announce);
    let rule = rule(&mut fields, &new.rule);
    let except = except(&mut fields, new.except.unwrap_or_default());
    fields.done()?;
    let schedule = Schedule { starts_at: new.starts_at.0, duration: new.duration.0, rule: rule?, except };
    check(&schedule, &zone)?;
    let (title, body) = (new.title.trim().to_owned(), new.body.unwrap_or_default().trim().to_owned());
    let scoped = !components.is_empty();
    let closed = BTreeSet::new();
    Ok((Series { id: SeriesId(0), key, title, body, schedule, announce, scoped, components, lay_at: None, closed }, zone))
}

/// A series after a change; its windows before the one that the change begins with go their own way.
pub(super) async fn patched(conn: &mut Connection, mut series: Series, patch: SeriesPatch) -> Result<Series, Problem> {
    let zone = zone(conn).await?;
    let ids = by_key(&components::keys(conn).await?);
    let mut fields = Fields::default();
    title_and_body(&mut fields, patch.title.as_deref(), patch.body.as_deref());
    let new_rule = patch.rule.map(|text| rule(&mut fields, &text));
    let new_components = patch.components.map(|keys| named(&mut fields, &ids, &keys));
    series.announce = patch.announce.map_or(series.announce, |length| announce(&mut fields, Some(length)));
    if let Some(days) = patch.except {
        series.schedule.except = except(&mut fields, days);
    }
    fields.done()?;
    if let Some(from) = patch.from {
        let day = day_of(conn, MaintenanceId(from), series.id).await?;
        series::set_apart_before(conn, series.id, day).await?;
        if patch.starts_at.as_ref().is_some_and(|at| at.0.date() < day) {
            return Err(Problem::field("starts_at", format!("must not lie before {day}, the day of the window in `from`")));
        }
        if patch.starts_at.is_some() || new_rule.is_some() || patch.duration.is_some() {
            series.schedule = series.schedule.from(day);
        }
    }
    series.title = patch.title.map_or(series.title, |title| title.trim().to_owned());
    series.body = patch.body.map_or(series.body, |body| body.trim().to_owned());
    if let Some(components) = new_components {
        series.scoped = !components.is_empty();
        series.components = components;
    }
    series.schedule.rule = new_rule.transpose()?.unwrap_or(series.schedule.rule);
    series.schedule.starts_at = patch.starts_at.map_or(series.schedule.starts_at, |at| at.0);
    series.schedule.duration = patch.duration.map_or(series.schedule.duration, |length| length.0);
    check(&series.schedule, &zone)?;
    Ok(series)
}

/// A series without its windows from a day on; `None` if none of those that are left lies ahead.
fn ended_before(series: &Series, day: Date, zone: &TimeZone, now: Timestamp) -> Option<Series> {
    let rule = series.schedule.rule.ending_on(day.saturating_sub(1.day()));
    let schedule = Schedule { rule, ..series.schedule.clone() };
    let goes_on = schedule.windows(zone, now).next().is_some();
    goes_on.then(|| Series { schedule, ..series.clone() })
}

/// The day of a window of the series that has not begun.
async fn day_of(conn: &mut Connection, window: MaintenanceId, series: SeriesId) -> Result<Date, Problem> {
    let found = rows::maintenances(conn, Maintenances::One(window)).await?.pop().filter(domain::Maintenance::is_scheduled);
    let day = found.and_then(|maintenance| maintenance.day_of(series));
    day.ok_or_else(|| Problem::field("from", "is no window of this series that has not begun"))
}

fn named(fields: &mut Fields, ids: &HashMap<String, ComponentId>, keys: &[String]) -> Vec<ComponentId> {
    fields.at_most("components", keys, MAX_COMPONENTS);
    fields.references("components", "component", ids, keys)
}

fn announce(fields: &mut Fields, length: Option<Length>) -> domain::Span {
    let announce = length.map_or(DEFAULT_ANNOUNCE, |length| length.0);
    if announce > MAX_ANNOUNCE {
        fields.refuse("announce", format!("is {announce}, at most {MAX_ANNOUNCE} are allowed"));
    }
    announce
}

fn except(fields: &mut Fields, days: Vec<Day>) -> BTreeSet<Date> {
    fields.at_most("except", &days, MAX_EXCEPTIONS);
    days.into_iter().map(|day| day.0).collect()
}

fn rule(fields: &mut Fields, text: &str) -> Result<Recurrence, Problem> {
    text.parse().map_err(|error: domain::RecurrenceError| {
        fields.refuse("rule", error.to_string());
        Problem::field("rule", error.to_string())
    })
}

fn check(schedule: &Schedule, zone: &TimeZone) -> Result<(), Problem> {
    schedule.check(zone).map_err(|error| Problem::field(error.field, error.message))
}

/// How many subscribers hear of its windows.
pub(super) async fn n_told(conn: &mut Connection, series: &Series) -> Result<i64, Problem> {
    let all = rows::components(conn).await?;
    let about = all.iter().filter(|component| series.components.contains(&component.id) && component.is_visible());
    let visible: Vec<ComponentId> = about.map(|component| component.id).collect();
    Ok(match (series.scoped, visible.is_empty()) {
        (false, _) => subscribers::n_told(conn, None).await?,
        (true, true) => 0,
        (true, false) => subscribers::n_told(conn, Some(&visible)).await?,
    })
}

pub(super) fn window_view(series: &Series, window: &Window, zone: &TimeZone) -> WindowView {
    let local: DateTime = zone.to_datetime(window.starts_at.to_jiff());
    let announced = domain::Timestamp(window.starts_at.0.saturating_sub(series.announce.0));
    let (starts_at, ends_at) = (Time(window.starts_at), Time(window.ends_at));
    WindowView { starts_at, ends_at, local: LocalTime(local), announces_at: Time(announced) }
}

pub(super) fn view(series: &Series, keys: &HashMap<ComponentId, String>) -> SeriesView {
    let Schedule { starts_at, duration, rule, except } = &series.schedule;
    SeriesView {
        id: series.id.0,
        key: series.key.clone(),
        title: series.title.clone(),
        body: series.body.clone(),
        starts_at: LocalTime(*starts_at),
        duration: Length(*duration),
        rule: rule.to_string(),
        rule_in_words: rule.words(),
        except: except.iter().copied().map(Day).collect(),
        announce: Length(series.announce),
        components: series.components.iter().filter_map(|id| keys.get(id).cloned()).collect(),
    }
}
