//! Series: makes their windows ahead of time, and brings those that are made in line with what the series says.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::Planner;
use crate::{
    Change, Maintenance, MaintenanceId, MaintenanceStatus, NoticeKind, Occurrence, SERIES_HORIZON, Series, SeriesId, Timestamp, Why, Window,
};

impl Planner<'_> {
    /// Makes windows of those series whose time it is.
    pub(super) fn lay_due(&mut self) {
        let due = |series: &&Series| series.lay_at.is_some_and(|at| at <= self.now);
        let due: Vec<SeriesId> = self.state.series.values().filter(due).map(|series| series.id).collect();
        for id in due {
            let title = self.state.series.get(&id).map_or("", |series| series.title.as_str());
            let why = Why { text: format!("The series \"{title}\" goes on as planned"), ..Why::default() };
            self.lay(id, &why);
        }
    }

    /// After series were changed, added or ended.
    pub(super) fn lay_all(&mut self, why: &Why) {
        let series: Vec<SeriesId> = self.state.series.keys().copied().collect();
        for id in series {
            self.lay(id, why);
        }
        let is_orphan = |maintenance: &&Maintenance| {
            let of = maintenance.occurrence.map(|occurrence| occurrence.series);
            maintenance.is_scheduled() && of.is_some_and(|series| !self.state.series.contains_key(&series))
        };
        let orphans: Vec<Maintenance> = self.state.maintenances.values().filter(is_orphan).cloned().collect();
        for orphan in orphans {
            self.call_off(orphan, why);
        }
    }

    /// Makes the windows of a series for as far as is looked ahead. Those that are there already are changed where they differ; those
    /// that are not meant any more are called off. What has begun is left alone, and so is what goes its own way.
    pub(super) fn lay(&mut self, id: SeriesId, why: &Why) {
        let Some(series) = self.state.series.get(&id).cloned() else { return };
        let of_series = self.state.maintenances.values().filter_map(|maintenance| Some((maintenance.day_of(id)?, maintenance)));
        let (coming, begun): (Vec<_>, Vec<_>) =
            of_series.partition(|(_, maintenance)| maintenance.is_scheduled() && maintenance.starts_at > self.now);
        let mut coming: BTreeMap<Date, Maintenance> = coming.into_iter().map(|(on, maintenance)| (on, maintenance.clone())).collect();
        let taken: BTreeSet<Date> = begun.into_iter().map(|(on, _)| on).collect();
        let (wanted, lay_at) = self.wanted(&series);
        for window in wanted {
            match coming.remove(&window.on) {
                Some(there) if there.occurrence.is_some_and(|occurrence| occurrence.apart) => {}
                Some(there) => self.bring_in_line(there, &series, window, why),
                None if taken.contains(&window.on) => {}
                None => self.make(&series, window, why),
            }
        }
        for (on, left) in coming {
            let goes_its_own_way = left.occurrence.is_some_and(|occurrence| occurrence.apart);
            if !goes_its_own_way || !self.may_stay(&series, on) {
                self.call_off(left, why);
            }
        }
        if series.lay_at != lay_at {
            self.emit(Change::SeriesLaid { series: id, lay_at }, why);
        }
    }

    /// Whether what goes its own way still has a day in the series, or is older than it is now.
    fn may_stay(&self, series: &Series, on: Date) -> bool {
        let schedule = &series.schedule;
        let mut windows = schedule.windows(&self.state.zone, Timestamp(i64::MIN));
        on < schedule.starts_at.date() || windows.find(|window| window.on >= on).is_some_and(|window| window.on == on)
    }

    /// The coming windows that there should be now, at least one, and when to look again.
    fn wanted(&self, series: &Series) -> (Vec<Window>, Option<Timestamp>) {
        let horizon = self.now.plus(SERIES_HORIZON);
        let mut wanted: Vec<Window> = Vec::new();
        for window in series.schedule.windows(&self.state.zone, self.now).filter(|window| !series.closed.contains(&window.on)) {
            match wanted.last() {
                Some(last) if window.starts_at > horizon => {
                    let in_sight = Timestamp(window.starts_at.0.saturating_sub(SERIES_HORIZON.0));
                    return (wanted.clone(), Some(in_sight.min(last.starts_at)));
                }
                _ => wanted.push(window),
            }
        }
        (wanted, None)
    }

    /// What a series says of a window, put into a maintenance.
    fn as_said(&self, maintenance: Maintenance, series: &Series, window: Window) -> Maintenance {
        let is_there = |id: &crate::ComponentId| self.state.components.contains_key(id);
        Maintenance {
            title: series.title.clone(),
            body: series.body.clone(),
            starts_at: window.starts_at,
            ends_at: window.ends_at,
            scoped: series.scoped,
            components: series.components.iter().copied().filter(is_there).collect(),
            ..maintenance
        }
    }

    fn make(&mut self, series: &Series, window: Window, why: &Why) {
        let blank = Maintenance {
            id: MaintenanceId(self.fresh_id()),
            title: String::new(),
            body: String::new(),
            status: MaintenanceStatus::Scheduled,
            starts_at: window.starts_at,
            ends_at: window.ends_at,
            scoped: false,
            components: Vec::new(),
            occurrence: Some(Occurrence { series: series.id, on: window.on, apart: false }),
            announce_at: None,
            created_at: self.now,
            updated_at: self.now,
        };
        let maintenance = self.as_said(blank, series, window);
        self.announce_in_time(maintenance, series, why);
    }

    fn bring_in_line(&mut self, before: Maintenance, series: &Series, window: Window, why: &Why) {
        let after = self.as_said(before.clone(), series, window);
        let announce_at = announce_at(series, &after);
        if after == before && (before.is_told() || before.announce_at == Some(announce_at)) {
            return;
        }
        let maintenance = Maintenance { updated_at: self.now, ..after };
        if !before.is_told() {
            return self.announce_in_time(maintenance, series, why);
        }
        let moved = (before.starts_at, before.ends_at) != (maintenance.starts_at, maintenance.ends_at);
        self.set_maintenance(maintenance, moved.then_some(NoticeKind::MaintenanceScheduled), why);
    }

    /// Stores a planned window, and tells subscribers of it if it is time already.
    fn announce_in_time(&mut self, maintenance: Maintenance, series: &Series, why: &Why) {
        let at = announce_at(series, &maintenance);
        if at <= self.now {
            self.set_maintenance(Maintenance { announce_at: None, ..maintenance }, Some(NoticeKind::MaintenanceScheduled), why);
        } else {
            self.set_maintenance(Maintenance { announce_at: Some(at), ..maintenance }, None, why);
        }
    }

    /// What its series does not mean any more: said to those who were told of it, and else as if it had never been.
    fn call_off(&mut self, maintenance: Maintenance, why: &Why) {
        if !maintenance.is_told() {
            return self.emit(Change::MaintenanceRemoved { maintenance: maintenance.id }, why);
        }
        // It leaves the series, so that its day is free if the series comes back to it.
        let called_off = Maintenance { status: MaintenanceStatus::Cancelled, occurrence: None, updated_at: self.now, ..maintenance };
        self.set_maintenance(called_off, Some(NoticeKind::MaintenanceCancelled), why);
    }

    /// Tells subscribers of planned windows whose time it is.
    pub(super) fn announce(&mut self, maintenance: Maintenance) {
        let why = Why { text: format!("The maintenance \"{}\" is near", maintenance.title), ..Why::default() };
        self.set_maintenance(Maintenance { announce_at: None, ..maintenance }, Some(NoticeKind::MaintenanceScheduled), &why);
    }
}

fn announce_at(series: &Series, maintenance: &Maintenance) -> Timestamp {
    Timestamp(maintenance.starts_at.0.saturating_sub(series.announce.0))
}
