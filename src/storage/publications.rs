//! Publications that wait for their time, and the links by which the owner decides on them.
//!
//! A link is signed and not stored: it is good for one verdict on one publication, and for as long as this is pending.

use domain::{Act, Incident, IncidentEdit, IncidentId, Notice, NoticeAbout, Timestamp};

use crate::{
    Connection, Db, SecretBox, StorageError,
    audit::By,
    db::sql,
    history, ledger,
    rows::{self, Incidents, json},
};

/// What the owner may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not published, unless by hand.
    Veto,
    /// It is published now.
    Publish,
}

impl Verdict {
    /// Its name in links.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Veto => "veto",
            Self::Publish => "publish",
        }
    }

    /// The verdict of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Veto, Self::Publish].into_iter().find(|verdict| verdict.as_str() == name)
    }
}

/// The last part of the link for a verdict on what publishes itself at `due`.
#[must_use]
pub fn token(secrets: &SecretBox, verdict: Verdict, incident: IncidentId, due: Timestamp) -> String {
    format!("{}.{}", due.0, secrets.sign(&said(verdict, incident, due)))
}

/// When what the link is about publishes itself; `None` if we have not made it.
#[must_use]
pub fn due_of(secrets: &SecretBox, verdict: Verdict, incident: IncidentId, token: &str) -> Option<Timestamp> {
    let (due, proof) = token.split_once('.')?;
    let due = Timestamp(due.parse().ok()?);
    secrets.has_signed(&said(verdict, incident, due), proof).then_some(due)
}

fn said(verdict: Verdict, incident: IncidentId, due: Timestamp) -> String {
    format!("publication {} {incident} {}", verdict.as_str(), due.0)
}

/// What mail and pages call the publications of an incident.
pub(crate) fn thread(incident: IncidentId) -> String {
    format!("publication:{incident}")
}

/// Where a publication stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It waits; this is what the owner was told.
    Pending(Box<Notice>),
    /// It is not pending any more: the incident as it is now, if it is still there.
    Decided(Option<Box<Incident>>),
}

/// Where the publication at `due` of an incident stands.
///
/// # Errors
/// What the database said.
pub async fn find(conn: &mut Connection, incident: IncidentId, due: Timestamp) -> Result<Found, StorageError> {
    let now = rows::incidents(conn, Incidents::One(incident)).await?.pop();
    let pending = now.as_ref().and_then(Incident::pending) == Some(due);
    let told: Option<String> = sql!(conn, c => sqlx::query_scalar("select data from notice where thread = $1 order by notice_id desc limit 1")
        .bind(thread(incident))
        .fetch_optional(&mut *c)
        .await)?;
    let told: Option<Notice> = told.map(|data| json(&data, "notice", "data")).transpose()?;
    Ok(match (told, now) {
        (Some(mut notice), Some(now)) if pending => {
            // Its title may have been edited, and it may have become worse since.
            if let NoticeAbout::Publication { incident, .. } = &mut notice.about {
                let shown = |id: &domain::ComponentId| notice.components.contains_key(id);
                incident.components = now.components.into_iter().filter(|(id, _)| shown(id)).collect();
                incident.title = now.title;
            }
            Found::Pending(Box::new(notice))
        }
        (_, now) => Found::Decided(now.map(Box::new)),
    })
}

/// Does what the owner says, unless it is decided already; tells which it was.
///
/// # Errors
/// What the database said.
pub async fn decide(
    db: &Db,
    secrets: &SecretBox,
    (incident, due): (IncidentId, Timestamp),
    verdict: Verdict,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let mut entry = ledger::begin(db, None).await?;
    let known = rows::incidents(&mut entry.tx, Incidents::One(incident)).await?.pop();
    if known.as_ref().and_then(Incident::pending) != Some(due) {
        return Ok(false);
    }
    let act = match verdict {
        Verdict::Veto => Act::Veto { incident },
        Verdict::Publish => Act::UpdateIncident { incident, edit: IncidentEdit { published: Some(true), ..IncidentEdit::default() } },
    };
    // Whoever holds the link decides; nobody has said who they are.
    history::act_noted(entry, secrets, (&By::nobody(None), "the owner, by mail"), act, now).await?;
    Ok(true)
}
