//! Components that depend on others.

use super::*;
use crate::Effect;

const VENDOR: ComponentId = DB;

/// The web depends on the vendor ("Database"), of which the other integration speaks.
fn depending(effect: Effect) -> World {
    let mut world = World::new([auto(&[WEB]), Route { integration: CI, ..auto(&[VENDOR]) }]);
    world.depends(WEB, VENDOR, effect);
    world
}

fn vendor_fails(world: &mut World, severity: Severity) {
    world.say_from(CI, firing("vendor", severity));
    world.told();
}

fn vendor_recovers(world: &mut World) {
    world.say_from(CI, resolved("vendor"));
    world.told();
}

#[test]
fn an_incident_names_what_its_trouble_comes_from() {
    let mut world = depending(Effect::Label);
    vendor_fails(&mut world, Critical);
    world.fires("web", Warning);
    assert_eq!(
        world.told_people(),
        [
            "incident.opened Problem with Web: We are investigating a problem with Web. It comes from a problem with Database. [Web degraded_performance]"
        ]
    );
    let incident = world.state.incidents.values().last().unwrap();
    assert_eq!((incident.status, world.status(WEB)), (IncidentStatus::Identified, DegradedPerformance));
    world.resolves("web");
    vendor_recovers(&mut world);
    world.fires("web", Warning);
    assert_eq!(
        world.told_people(),
        ["incident.reopened Problem with Web: The problem with Web is back. [Web degraded_performance]"],
        "it is nobody else's problem now"
    );
}

#[test]
fn what_is_hidden_is_never_named_as_a_cause() {
    let mut world = World::new([auto(&[WEB]), Route { integration: CI, ..auto(&[VAULT]) }]);
    world.depends(WEB, VAULT, Effect::Cap);
    vendor_fails(&mut world, Warning);
    world.fires("web", Critical);
    assert_eq!(world.status(WEB), DegradedPerformance, "it acts all the same");
    assert_eq!(
        world.told_people(),
        ["incident.opened Problem with Web: We are investigating a problem with Web. [Web degraded_performance]"]
    );
}

#[test]
fn a_capped_component_is_no_worse_than_what_it_comes_from() {
    let mut world = depending(Effect::Cap);
    world.fires("web", Critical);
    world.told();
    vendor_fails(&mut world, Warning);
    assert_eq!((world.status(WEB), world.internal(WEB)), (DegradedPerformance, MajorOutage));
    world.say_from(CI, firing("vendor", Error));
    assert_eq!(
        world.told_people(),
        [
            "incident.updated Problem with Web: Web is now in a partial outage. [Web partial_outage]",
            "incident.updated Problem with Database: Database is now in a partial outage. [Database partial_outage]",
        ]
    );
    world.acts(set(WEB, MajorOutage, None));
    assert_eq!(world.status(WEB), MajorOutage, "a person's word is not capped");
    world.acts(unset(WEB));
    world.told();
    world.say_from(CI, resolved("vendor"));
    assert_eq!(world.status(WEB), MajorOutage, "its own trouble remains");
    assert!(
        world.told_people().contains(&"incident.updated Problem with Web: Web is now in a major outage. [Web major_outage]".to_owned())
    );
}

#[test]
fn an_heir_is_degraded_while_what_it_depends_on_is_down() {
    let mut world = World::new([Route { integration: CI, ..auto(&[VENDOR]) }]);
    world.depends(WEB, VENDOR, Effect::Inherit);
    world.depends(API, WEB, Effect::Inherit);
    world.say_from(CI, firing("vendor", Critical));
    assert_eq!((world.status(WEB), world.status(API), world.internal(WEB)), (DegradedPerformance, DegradedPerformance, Operational));
    assert_eq!(world.told_people().len(), 1, "the incident of what it comes from says enough");
    world.say_from(CI, resolved("vendor"));
    assert_eq!((world.status(WEB), world.status(API)), (Operational, Operational));
}

#[test]
fn a_silent_component_shows_its_trouble_and_opens_no_incident_until_its_upstream_has_been_well_for_a_while() {
    let mut world = depending(Effect::Silence);
    vendor_fails(&mut world, Critical);
    world.fires("web", Critical);
    assert_eq!(world.status(WEB), MajorOutage);
    assert_eq!(world.told(), ["component.status_changed Web major_outage"], "machines alone");
    assert_eq!(world.state.incidents.len(), 1);
    vendor_recovers(&mut world);
    world.after("4m59s");
    assert_eq!(world.told(), Vec::<String>::new());
    world.after("1s");
    assert_eq!(world.told(), ["incident.opened Problem with Web: We are investigating a problem with Web."]);
    world.resolves("web");
    assert_eq!(world.told_people(), ["incident.resolved Problem with Web: Web has recovered. [Web operational]"]);
}

#[test]
fn what_gets_well_with_its_upstream_is_never_told() {
    let mut world = depending(Effect::Silence);
    vendor_fails(&mut world, Critical);
    world.fires("web", Critical);
    vendor_recovers(&mut world);
    world.after("2m");
    world.resolves("web");
    world.after("1h");
    assert_eq!(world.told_people(), Vec::<String>::new());
    assert_eq!(world.state.dependencies.quiet().count(), 0);
}

#[test]
fn trouble_that_comes_back_meanwhile_keeps_it_silent() {
    let mut world = depending(Effect::Silence);
    vendor_fails(&mut world, Critical);
    vendor_recovers(&mut world);
    world.after("1m");
    world.fires("web", Critical);
    vendor_fails(&mut world, Warning);
    world.after("1h");
    assert_eq!(world.told_people(), Vec::<String>::new());
    vendor_recovers(&mut world);
    world.after("5m");
    assert_eq!(world.told_people().len(), 1);
}

#[test]
fn an_incident_of_before_goes_on() {
    let mut world = depending(Effect::Silence);
    world.fires("web", Warning);
    vendor_fails(&mut world, Critical);
    world.fires("web", Critical);
    assert_eq!(world.told_people(), ["incident.updated Problem with Web: Web is now in a major outage. [Web major_outage]"]);
    world.resolves("web");
    assert_eq!(world.told_people(), ["incident.resolved Problem with Web: Web has recovered. [Web operational]"]);
}

#[test]
fn silence_reaches_through_what_is_silent_itself() {
    let mut world = World::new([auto(&[API]), Route { integration: CI, ..auto(&[VENDOR]) }]);
    world.depends(API, WEB, Effect::Silence);
    world.depends(WEB, VENDOR, Effect::Silence);
    vendor_fails(&mut world, Critical);
    world.fires("api", Critical);
    assert_eq!(world.told_people(), Vec::<String>::new());
    vendor_recovers(&mut world);
    world.after("5m");
    assert_eq!(world.told_people().len(), 1);
}

#[test]
fn a_dependency_that_is_taken_away_silences_no_more() {
    let mut world = depending(Effect::Silence);
    vendor_fails(&mut world, Critical);
    world.fires("web", Critical);
    world.told();
    world.configure(|state| state.dependencies = crate::Dependencies::default());
    world.reconfigured();
    assert_eq!(world.told_people().len(), 1);
}

#[test]
fn the_reason_of_a_status_names_what_it_depends_on() {
    let mut world = depending(Effect::Silence);
    vendor_fails(&mut world, Critical);
    world.fires("web", Critical);
    let of_web = |recorded: &&Recorded| matches!(recorded.change, Change::ComponentStatus { component: WEB, .. });
    let why = world.log.iter().rev().find(of_web).unwrap().why.text.clone();
    assert_eq!(
        why,
        "web (critical) fires on route route-1: major outage; no new incident while Database, on which it depends, is in trouble"
    );
}

#[test]
fn what_was_silent_is_told_when_it_joins_an_incident_that_goes_on() {
    let mut world = World::new([auto(&[API, WEB]), Route { integration: CI, ..auto(&[VENDOR]) }]);
    world.depends(WEB, VENDOR, Effect::Silence);
    vendor_fails(&mut world, Critical);
    world.fires("both", Critical);
    assert_eq!(world.told_people(), ["incident.opened Problem with API: We are investigating a problem with API. [API major_outage]"]);
    vendor_recovers(&mut world);
    world.after("5m");
    assert_eq!(world.told_people(), ["incident.updated Problem with API: Web is now in a major outage. [Web major_outage]"]);
}
