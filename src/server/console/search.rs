//! `/console/search`: finds everything by what it is called. Ctrl+K asks for the same as a part of a page.

use askama::Template;
use domain::{Permission, Resource};
use poem::{Response, handler, http::StatusCode, web::Data};
use storage::{
    Connection, StorageError,
    search::{self, Hit, Kind},
};

use super::{
    Console,
    failure::Failure,
    frame::{AREAS, Frame, show},
    gate::{Needs, Table},
    seen::{Asked, Typed, address},
    session::Person,
};

const PATH: &str = "/console/search";
/// Things of one kind that are shown.
const MAX_HITS: i64 = 8;
/// The longest text that is looked for.
const MAX_TEXT_CHARS: usize = 100;

/// What people do, by the words they may look for.
const ACTS: &[(&str, &str, Permission)] = &[
    ("New incident", "/console/incidents/new", Permission::write(Resource::Incidents)),
    ("Schedule maintenance", "/console/maintenances/new", Permission::write(Resource::Maintenances)),
    ("Schedule maintenance that comes back", "/console/maintenance-series/new", Permission::write(Resource::Maintenances)),
    ("New component", "/console/components/new", Permission::write(Resource::Components)),
    ("New group of components", "/console/components#new-group", Permission::write(Resource::Groups)),
    ("Add an integration", "/console/integrations/new", Permission::write(Resource::Integrations)),
    ("Look at deliveries in quarantine", "/console/deliveries?state=quarantined", Permission::read(Resource::Deliveries)),
    ("New metric", "/console/metrics/new", Permission::write(Resource::Metrics)),
    ("Change the page’s name, logo, colours and time zone", "/console/page", Permission::write(Resource::Page)),
    ("Add a subscriber", "/console/subscribers/new", Permission::write(Resource::Subscribers)),
    ("Send dead notifications again", "/console/notifications/resend", Permission::write(Resource::Notifications)),
    ("See who is signed in, and end sessions", "/console/sessions", Permission::read(Resource::Users)),
    ("Invite somebody", "/console/team#invite", Permission::write(Resource::Users)),
    ("Make an API token", "/console/tokens/new", Permission::write(Resource::Tokens)),
    ("Templates of incidents", "/console/incident-templates", Permission::read(Resource::Incidents)),
    ("Settings of this instance", "/console/system#settings", Permission::read(Resource::Settings)),
    ("Export the audit log", "/console/audit", Permission::read(Resource::Audit)),
];

/// What is looked for, and where a hit leads.
const KINDS: &[(Kind, &str, Resource, &str)] = &[
    (Kind::Component, "Components", Resource::Components, "/console/components"),
    (Kind::Incident, "Incidents", Resource::Incidents, "/console/incidents"),
    (Kind::Maintenance, "Maintenance", Resource::Maintenances, "/console/maintenances"),
    (Kind::Integration, "Integrations", Resource::Integrations, "/console/integrations"),
    (Kind::Metric, "Metrics", Resource::Metrics, "/console/metrics"),
    (Kind::Person, "People", Resource::Users, "/console/team"),
    (Kind::Subscriber, "Subscribers", Resource::Subscribers, "/console/subscribers"),
];

pub(super) fn routes(table: Table) -> Table {
    table.get(PATH, Needs::signed_in(), page)
}

/// What was found of one kind.
struct Found {
    heading: &'static str,
    places: Vec<Place>,
}

struct Place {
    name: String,
    detail: String,
    path: String,
}

#[derive(Template)]
#[template(path = "console/search.html")]
struct Page<'a> {
    frame: &'a Frame,
    q: &'a str,
    found: Vec<Found>,
}

/// What the dialog shows.
#[derive(Template)]
#[template(path = "console/found.html")]
struct Part<'a> {
    q: &'a str,
    found: Vec<Found>,
}

#[handler]
async fn page(person: Person, frame: Frame, asked: Asked, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed::from(asked);
    let q: String = typed.text("q").chars().take(MAX_TEXT_CHARS).collect();
    let found = find(&mut console.db.read().await?, &person, &q).await?;
    Ok(if typed.given("part").is_some() {
        show(StatusCode::OK, &Part { q: &q, found })
    } else {
        show(StatusCode::OK, &Page { frame: &frame, q: &q, found })
    })
}

/// What this person may see of what is called so. Without a text: what there is to do.
async fn find(conn: &mut Connection, person: &Person, q: &str) -> Result<Vec<Found>, StorageError> {
    let words: Vec<String> = q.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let holds = |name: &str| words.iter().all(|word| name.to_lowercase().contains(word.as_str()));
    let place = |name: &str, path: &str| Place { name: name.to_owned(), detail: String::new(), path: path.to_owned() };
    let acts = ACTS.iter().filter(|(name, _, needs)| holds(name) && person.may(*needs)).map(|(name, path, _)| place(name, path));
    let screens = AREAS.iter().filter(|area| holds(area.name) && area.is_for(person)).map(|area| place(area.name, area.path));
    let mut found = vec![Found { heading: "Screens", places: screens.collect() }];
    for (kind, heading, _, path) in KINDS.iter().filter(|(_, _, resource, _)| person.may(Permission::read(*resource))) {
        let hits = search::find(conn, *kind, q, MAX_HITS).await?;
        let to_place = |hit: Hit| Place { path: path_of(*kind, path, &hit), name: hit.name, detail: hit.detail.replace('_', " ") };
        found.push(Found { heading, places: hits.into_iter().map(to_place).collect() });
    }
    found.push(Found { heading: "Acts", places: acts.collect() });
    found.retain(|found| !found.places.is_empty());
    Ok(found)
}

fn path_of(kind: Kind, path: &str, hit: &Hit) -> String {
    match kind {
        Kind::Person => format!("{path}#person-{}", hit.id),
        Kind::Subscriber => address(path, &[("address", &hit.name)]),
        _ => format!("{path}/{}", hit.id),
    }
}
