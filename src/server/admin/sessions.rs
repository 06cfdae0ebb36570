//! `/sessions`: who is signed in to the console now.

use domain::{SessionId, UserId};
use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use serde_json::json;
use storage::{
    Connection,
    sessions::{self, Session},
};

use super::{
    Admin,
    gate::Caller,
    problem::Problem,
    reply::{Gone, IfMatch, List, Paging, Shown, View, etag_of},
    types::Time,
    users::changeable,
};

pub(super) struct SessionsApi(pub(super) Admin);

/// Somebody who is signed in, in one browser.
#[derive(Object)]
#[oai(rename = "Session")]
pub(super) struct SessionView {
    id: i64,
    /// The id of the user.
    user: i64,
    email: String,
    /// By what it began: `password`, `passkey`, `provider`.
    means: String,
    /// How the identity provider made sure who it was, in its own words (`amr`); null where it began otherwise.
    #[oai(nullable)]
    methods: Option<Vec<String>>,
    /// From where it began.
    address: String,
    /// What the browser says it is.
    user_agent: String,
    created_at: Time,
    /// To the minute.
    seen_at: Time,
    /// When they last proved who they are.
    proved_at: Time,
}

impl View for SessionView {
    /// That it was used changes nothing about it.
    fn etag(&self) -> String {
        etag_of(&json!([self.id, self.user]))
    }
}

#[OpenApi]
impl SessionsApi {
    /// Lists sessions, newest first.
    #[oai(path = "/sessions", method = "get")]
    async fn list(
        &self,
        limit: Query<Option<i64>>,
        cursor: Query<Option<String>>,
        /// Only those of the user of this id.
        user: Query<Option<i64>>,
    ) -> Result<Json<List<SessionView>>, Problem> {
        let paging = Paging::new(limit.0, cursor.0.as_deref())?;
        let mut conn = self.0.db.read().await?;
        let rows = sessions::list_all(&mut conn, user.0.map(UserId), paging.before(), paging.n_wanted(), self.0.now()).await?;
        Ok(Json(paging.list(rows, |session| session.id.0, session_view)))
    }

    /// Shows a session.
    #[oai(path = "/sessions/:id", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<SessionView>, Problem> {
        Ok(Shown(session_view(self.find(&mut self.0.db.read().await?, id.0).await?)))
    }

    /// Ends a session, at once.
    #[oai(path = "/sessions/:id", method = "delete")]
    async fn end(&self, Data(caller): Data<&Caller>, id: Path<i64>, if_match: IfMatch) -> Result<Gone, Problem> {
        let mut tx = self.0.db.begin().await?;
        let session = self.find(&mut tx, id.0).await?;
        let (id, user) = (session.id, changeable(&mut tx, caller, session.user.id).await?);
        if_match.check(&session_view(session))?;
        sessions::end(&mut tx, user.id, id).await?;
        caller.trail.was(json!({ "user": user.id.0 }));
        self.0.commit(tx, caller).await?;
        Ok(Gone)
    }
}

impl SessionsApi {
    async fn find(&self, conn: &mut Connection, id: i64) -> Result<Session, Problem> {
        let found = sessions::list_all(conn, None, id.saturating_add(1), 1, self.0.now()).await?.pop();
        found.filter(|session| session.id == SessionId(id)).ok_or_else(|| Problem::not_found("session"))
    }
}

pub(super) fn session_view(session: Session) -> SessionView {
    SessionView {
        id: session.id.0,
        user: session.user.id.0,
        email: session.user.email,
        means: session.means.as_str().to_owned(),
        methods: session.means.methods().map(<[String]>::to_vec),
        address: session.address,
        user_agent: session.user_agent,
        created_at: Time(session.created_at),
        seen_at: Time(session.seen_at),
        proved_at: Time(session.proved_at),
    }
}
