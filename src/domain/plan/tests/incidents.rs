//! Incidents that signals open, change and resolve.

use super::*;

const OPENED: &str = "incident.opened Problem with API: We are investigating a problem with API. [API major_outage]";

#[test]
fn an_incident_opens_with_the_first_cause_and_resolves_with_the_last() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    assert_eq!(world.told(), ["component.status_changed API major_outage", OPENED]);
    world.fires("disk", Critical);
    world.after("5m");
    world.resolves("cpu");
    assert_eq!(world.told(), Vec::<String>::new());
    world.resolves("disk");
    assert_eq!(
        world.told(),
        ["component.status_changed API operational", "incident.resolved Problem with API: API has recovered. [API operational]"]
    );
    let incident = world.incident();
    assert_eq!((incident.status, incident.impact, incident.resolved_at), (IncidentStatus::Resolved, Impact::Critical, Some(world.now)));
}

#[test]
fn an_incident_says_when_it_gets_worse_and_when_it_gets_better() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Warning);
    assert_eq!(world.incident().impact, Impact::Minor);
    world.told();
    world.fires("cpu", Critical);
    let worse = "incident.updated Problem with API: API is now in a major outage. [API major_outage]";
    assert_eq!(world.told_people(), [worse]);
    world.fires("cpu", Warning);
    assert_eq!(world.told_people(), ["incident.updated Problem with API: API now has degraded performance. [API degraded_performance]"]);
    world.fires("cpu", Critical);
    assert_eq!(world.told_people(), [worse], "as bad as before is news again");
    assert_eq!((world.incident().impact, world.incident().components[&API]), (Impact::Critical, MajorOutage));
}

#[test]
fn one_incident_speaks_of_all_components_of_its_route() {
    let mut world = World::new([auto(&[API, WEB])]);
    world.fires("network", Error);
    assert_eq!(
        world.told(),
        [
            "component.status_changed API partial_outage",
            "component.status_changed Web partial_outage",
            "incident.opened Problem with API and Web: We are investigating a problem with API and Web. [API partial_outage] [Web partial_outage]",
        ]
    );
    world.resolves("network");
    assert_eq!(
        world.told_people(),
        ["incident.resolved Problem with API and Web: API and Web have recovered. [API operational] [Web operational]"]
    );
}

#[test]
fn routes_and_integrations_that_speak_of_one_component_share_its_incident() {
    let mut world = World::new([auto(&[API]), auto(&[API, WEB]), Route { integration: CI, ..auto(&[API]) }]);
    world.fires("cpu", Critical);
    world.say_from(CI, firing("build", Warning));
    world.told();
    assert_eq!(world.incident().components.keys().copied().collect::<Vec<_>>(), [API, WEB]);
    world.resolves("cpu");
    assert_eq!(
        world.told_people(),
        [
            "incident.updated Problem with API: API now has degraded performance. Web is operational again. [API degraded_performance] [Web operational]"
        ]
    );
    world.say_from(CI, resolved("build"));
    assert_eq!(world.incident().status, IncidentStatus::Resolved);
}

#[test]
fn a_component_that_recovers_before_the_others_is_reported() {
    let on = |what: &str, component| Route { condition: when(&format!("signal.subject == '{what}'")), ..auto(&[component]) };
    let both = Route { condition: when("signal.subject == 'network'"), ..auto(&[API, WEB]) };
    let mut world = World::new([both, on("cpu", API), on("disk", WEB)]);
    for what in ["network", "cpu"] {
        world.fires(what, Critical);
    }
    world.told();
    world.resolves("network");
    assert_eq!(world.told_people(), ["incident.updated Problem with API and Web: Web is operational again. [Web operational]"]);
    world.resolves("cpu");
    assert_eq!(
        world.told_people(),
        ["incident.resolved Problem with API and Web: API and Web have recovered. [API operational] [Web operational]"]
    );
}

#[test]
fn components_that_have_nothing_in_common_have_their_own_incidents() {
    let on = |what: &str, component| Route { condition: when(&format!("signal.subject == '{what}'")), ..auto(&[component]) };
    let mut world = World::new([on("cpu", API), on("disk", WEB)]);
    world.fires("cpu", Critical);
    world.fires("disk", Critical);
    assert_eq!(world.state.incidents.len(), 2);
}

#[test]
fn what_comes_back_within_the_cool_off_reopens_its_incident() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Warning);
    world.resolves("cpu");
    world.after("10m");
    world.told();
    world.fires("cpu", Critical);
    assert_eq!(world.told_people(), ["incident.reopened Problem with API: The problem with API is back. [API major_outage]"]);
    let incident = world.incident();
    assert_eq!((incident.status, incident.resolved_at, incident.impact), (IncidentStatus::Investigating, None, Impact::Critical));
}

#[test]
fn what_comes_back_after_the_cool_off_is_a_new_incident() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    world.resolves("cpu");
    world.after("10m1s");
    world.told();
    world.fires("cpu", Critical);
    assert_eq!((world.told_people(), world.state.incidents.len()), (vec![OPENED.to_owned()], 2));
}

#[test]
fn without_a_cool_off_nothing_is_reopened() {
    let mut world = World::new([Route { cool_off: Span::ZERO, ..auto(&[API]) }]);
    world.fires("cpu", Critical);
    world.resolves("cpu");
    world.fires("cpu", Critical);
    assert_eq!(world.state.incidents.len(), 2);
}

#[test]
fn a_post_mortem_is_the_last_word() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    world.resolves("cpu");
    world.acts(move_to(world.incident().id, IncidentStatus::Postmortem));
    world.fires("cpu", Critical);
    assert_eq!(world.state.incidents.len(), 2);
}

#[test]
fn incidents_too_old_to_be_reopened_are_forgotten() {
    let mut world = World::new([auto(&[API])]);
    for _ in 0..5 {
        world.fires("cpu", Critical);
        world.resolves("cpu");
        world.after("20h");
    }
    assert_eq!(world.state.incidents.len(), 2);
}

#[test]
fn titles_and_texts_come_from_the_route_where_it_has_templates() {
    let route = || Route {
        title: Some("{{ signal.labels.service }} is down\nfor {{ components }}".to_owned()),
        body: Some("Status: {{ status }}".to_owned()),
        ..auto(&[API])
    };
    let mut signal = firing("cpu", Critical);
    signal.labels.insert("service".to_owned(), "Login".to_owned());
    let told = "incident.opened Login is down for API: Status: major outage [API major_outage]";

    let mut world = World::new([route()]);
    world.say(signal.clone());
    assert_eq!(world.told_people(), [told]);

    let mut world = World::new([Route { hold: Span::mins(5), ..route() }]);
    world.say(signal);
    world.after("5m");
    assert_eq!(world.told_people(), [told], "the signal is still known when the hold is over");
}

#[test]
fn a_template_that_fails_or_says_nothing_gives_way_to_the_default() {
    for template in [
        "{{ signal.subject | abs }}",
        "{{ signal.labels.none }}",
        "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
    ] {
        let mut world = World::new([Route { title: Some(template.to_owned()), body: Some(template.to_owned()), ..auto(&[API]) }]);
        world.fires("cpu", Critical);
        assert_eq!(world.told_people(), [OPENED]);
    }
}

#[test]
fn a_problem_of_unknown_weight_does_not_pretend_to_know() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Severity::Unknown);
    assert_eq!(
        world.told_people(),
        ["incident.opened Status of API is unknown: We do not know at the moment how API is doing, and are finding out. [API unknown]"]
    );
    assert_eq!(world.incident().impact, Impact::None);
}

#[test]
fn a_signal_that_means_maintenance_opens_no_incident() {
    let status = StatusMap { named: [(Info, UnderMaintenance)].into(), default: None };
    let mut world = World::new([Route { status, ..auto(&[API]) }]);
    world.fires("upgrade", Info);
    assert_eq!((world.status(API), world.told()), (UnderMaintenance, vec!["component.status_changed API under_maintenance".to_owned()]));
}

#[test]
fn what_was_not_heard_of_any_more_is_not_said_to_have_recovered() {
    let mut world = World::new([Route { expire_after: Span::mins(5), ..auto(&[API]) }]);
    world.fires("cpu", Critical);
    world.told();
    world.after("5m");
    assert_eq!(world.told_people(), ["incident.resolved Problem with API: No problem with API is reported any more. [API operational]"]);
}

#[test]
fn many_components_are_not_all_named() {
    let mut world = World::new([auto(&[API, WEB, DB])]);
    world.configure(|state| drop(state.components.insert(ComponentId(9), component(ComponentId(9), "Mail", false))));
    world.add(auto(&[API, WEB, DB, ComponentId(9)]));
    world.fires("network", Critical);
    let told = world.told_people();
    assert!(told[0].starts_with("incident.opened Problem with API, Web and Database: "), "{told:#?}");
    assert!(told[1].starts_with("incident.updated Problem with API, Web and Database: Mail is now in a major outage."), "{told:#?}");
}
