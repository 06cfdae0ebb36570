//! `/users`: the people who sign in to the console. The console acts through these operations too, so what is refused here is refused there.

use domain::{Role, UserId, mail_address};
use poem::{http::StatusCode, web::Data};
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use serde_json::json;
use storage::{
    Connection, devices,
    entry_links::Purpose,
    factors, identities,
    order::Order,
    sessions,
    users::{self, Changed, User, UserFilter},
};

use super::{
    Admin,
    body::Body,
    fields::Fields,
    gate::Caller,
    problem::Problem,
    reply::{Gone, IfMatch, List, Paging, Shown, View, etag_of},
    sessions::{SessionView, session_view},
    sorting,
    types::{Name, Sort, Time},
};
use crate::console::entry_link;

/// The longest name of a person.
const MAX_PERSON_NAME_CHARS: usize = 100;

pub(super) struct UsersApi(pub(super) Admin);

/// Somebody who signs in to the console.
#[derive(Object)]
#[oai(rename = "User")]
struct UserView {
    id: i64,
    /// In lower case.
    email: String,
    /// What the history calls them.
    name: String,
    role: Name<Role>,
    /// Whether they may not come in.
    disabled: bool,
    has_password: bool,
    /// Whether they have an app that shows codes, or a passkey.
    has_factor: bool,
    /// Whether an identity provider knows them.
    has_identity: bool,
    created_at: Time,
    /// To the minute; null for never.
    #[oai(nullable)]
    seen_at: Option<Time>,
    #[oai(nullable)]
    disabled_at: Option<Time>,
}

impl View for UserView {
    /// That somebody was seen changes nothing about them.
    fn etag(&self) -> String {
        let disabled_at = self.disabled_at.map(|at| at.0.0);
        let can = [self.has_password, self.has_factor, self.has_identity];
        etag_of(&json!([self.id, self.email, self.name, self.role.0.as_str(), disabled_at, can]))
    }
}

/// What is to be changed; what is left out stays.
#[derive(Object)]
struct UserPatch {
    /// What the history calls them from now on.
    name: Option<String>,
    /// Ends their sessions. None may be given that the token in use does not hold itself: owners are made with the scope `*` alone.
    role: Option<Name<Role>>,
    /// True shuts them out, at once and everywhere; false lets them in again.
    disabled: Option<bool>,
}

/// A link by which somebody chooses a new password.
#[derive(Object)]
struct PasswordLink {
    /// It works once. It is shown once.
    link: String,
    expires_at: Time,
}

#[OpenApi]
impl UsersApi {
    /// Lists people, disabled ones too.
    #[oai(path = "/users", method = "get")]
    async fn list(
        &self,
        limit: Query<Option<i64>>,
        cursor: Query<Option<String>>,
        role: Query<Option<Name<Role>>>,
        /// The whole mail address, in any case.
        email: Query<Option<String>>,
        /// True for those who are shut out, false for those who are not.
        disabled: Query<Option<bool>>,
        /// By what they are ordered; by id if it is left out.
        sort: Query<Option<Sort<User>>>,
    ) -> Result<Json<List<UserView>>, Problem> {
        let slice = sorting::slice(limit.0, cursor.0.as_deref(), sort.0, Order::oldest())?;
        let email = email.0.map(|text| mail_address(&text).unwrap_or(text));
        let filter = UserFilter { role: role.0.map(|role| role.0), email, disabled: disabled.0 };
        let rows = users::list_some(&mut self.0.db.read().await?, &filter, &slice).await?;
        Ok(Json(sorting::list(&slice, rows, view)))
    }

    /// Shows somebody.
    #[oai(path = "/users/:id", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<UserView>, Problem> {
        Ok(Shown(view(find(&mut self.0.db.read().await?, UserId(id.0)).await?)))
    }

    /// Gives somebody another name or role, shuts them out, or lets them in again. The last owner who can sign in stays one.
    #[oai(path = "/users/:id", method = "patch")]
    async fn update(
        &self,
        Data(caller): Data<&Caller>,
        id: Path<i64>,
        if_match: IfMatch,
        body: Body<UserPatch>,
    ) -> Result<Shown<UserView>, Problem> {
        let mut tx = self.0.db.begin().await?;
        let user = changeable(&mut tx, caller, UserId(id.0)).await?;
        if_match.check(&view(user.clone()))?;
        let (patch, mut fields) = (body.0, Fields::default());
        let name = patch.name.map(|name| fields.line("name", &name, MAX_PERSON_NAME_CHARS, true));
        fields.done()?;
        let role = patch.role.map(|role| role.0).filter(|role| *role != user.role);
        if let Some(role) = role {
            check_role(caller, role)?;
            check(users::set_role(&mut tx, user.id, role).await?)?;
        }
        if let Some(disabled) = patch.disabled.filter(|disabled| *disabled != user.disabled_at.is_some()) {
            check(users::set_disabled(&mut tx, user.id, disabled.then(|| self.0.now())).await?)?;
        }
        if let Some(name) = &name {
            users::rename(&mut tx, user.id, name).await?;
        }
        let shown = find(&mut tx, user.id).await?;
        // Names stand beside the log, where they can be erased.
        let said = |user: &User| json!({ "role": user.role, "disabled": user.disabled_at.is_some() });
        let mut after = said(&shown);
        after["renamed"] = json!(shown.name != user.name);
        caller.trail.was(said(&user));
        caller.trail.wanted(&after);
        self.0.commit(tx, caller).await?;
        if let Some(role) = role {
            self.0.letters.tell(&user.email, "Your role was changed", format!("You are {role} now, on the word of {}.", caller.name()));
        }
        Ok(Shown(view(shown)))
    }

    /// Removes somebody with everything that is only theirs. In the audit log a pseudonym stays of them.
    #[oai(path = "/users/:id", method = "delete")]
    async fn delete(&self, Data(caller): Data<&Caller>, id: Path<i64>, if_match: IfMatch) -> Result<Gone, Problem> {
        let mut tx = self.0.db.begin().await?;
        let user = changeable(&mut tx, caller, UserId(id.0)).await?;
        if_match.check(&view(user.clone()))?;
        check(users::delete(&mut tx, user.id).await?)?;
        caller.trail.was(json!({ "role": user.role }));
        self.0.commit(tx, caller).await?;
        Ok(Gone)
    }

    /// Lists somebody's sessions, newest first.
    #[oai(path = "/users/:id/sessions", method = "get")]
    async fn sessions(
        &self,
        id: Path<i64>,
        limit: Query<Option<i64>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<List<SessionView>>, Problem> {
        let paging = Paging::new(limit.0, cursor.0.as_deref())?;
        let mut conn = self.0.db.read().await?;
        let user = find(&mut conn, UserId(id.0)).await?;
        let rows = sessions::list_all(&mut conn, Some(user.id), paging.before(), paging.n_wanted(), self.0.now()).await?;
        Ok(Json(paging.list(rows, |session| session.id.0, session_view)))
    }

    /// Ends all sessions of somebody, and forgets the browsers that they are known from.
    #[oai(path = "/users/:id/sessions", method = "delete")]
    async fn end_sessions(&self, Data(caller): Data<&Caller>, id: Path<i64>, if_match: IfMatch) -> Result<Gone, Problem> {
        let mut tx = self.0.db.begin().await?;
        let user = changeable(&mut tx, caller, UserId(id.0)).await?;
        if_match.check(&view(user.clone()))?;
        let n = sessions::end_all(&mut tx, user.id, None).await?;
        devices::forget_all(&mut tx, user.id).await?;
        caller.trail.was(json!({ "sessions": n }));
        caller.trail.wanted(&json!(0));
        self.0.commit(tx, caller).await?;
        Ok(Gone)
    }

    /// Takes every second factor and recovery code away from somebody who has lost them, and ends their sessions.
    #[oai(path = "/users/:id/factors", method = "delete")]
    async fn remove_factors(&self, Data(caller): Data<&Caller>, id: Path<i64>, if_match: IfMatch) -> Result<Gone, Problem> {
        let mut tx = self.0.db.begin().await?;
        let user = changeable(&mut tx, caller, UserId(id.0)).await?;
        if_match.check(&view(user.clone()))?;
        factors::remove_all(&mut tx, user.id).await?;
        sessions::end_all(&mut tx, user.id, None).await?;
        caller.trail.was(json!({ "factors": user.has_factor }));
        caller.trail.wanted(&json!(false));
        self.0.commit(tx, caller).await?;
        let text = format!("{} took it away, since you had lost it.", caller.name());
        self.0.letters.tell(&user.email, "Your second factor was removed", text);
        Ok(Gone)
    }

    /// Unlinks somebody from their identity provider, and ends their sessions. Whoever it knows under their verified mail address is linked
    /// anew when they sign in.
    #[oai(path = "/users/:id/identities", method = "delete")]
    async fn unlink(&self, Data(caller): Data<&Caller>, id: Path<i64>, if_match: IfMatch) -> Result<Gone, Problem> {
        let mut tx = self.0.db.begin().await?;
        let user = changeable(&mut tx, caller, UserId(id.0)).await?;
        if_match.check(&view(user.clone()))?;
        let n = identities::unlink_all(&mut tx, user.id).await?;
        sessions::end_all(&mut tx, user.id, None).await?;
        caller.trail.was(json!({ "identities": n }));
        caller.trail.wanted(&json!(0));
        self.0.commit(tx, caller).await?;
        let text = format!("{} unlinked your account from it.", caller.name());
        self.0.letters.tell(&user.email, "Your identity provider was unlinked", text);
        Ok(Gone)
    }

    /// Makes a link by which somebody who is locked out chooses a new password. Whoever opens it gets in, unless there is a second factor.
    #[oai(path = "/users/:id/link", method = "post")]
    async fn password_link(&self, Data(caller): Data<&Caller>, id: Path<i64>) -> Result<Json<PasswordLink>, Problem> {
        let (mut tx, now) = (self.0.db.begin().await?, self.0.now());
        let user = changeable(&mut tx, caller, UserId(id.0)).await?;
        if user.disabled_at.is_some() {
            return Err(Problem::conflict("they are shut out; let them in again first"));
        }
        let purpose = Purpose::Password { user: user.id };
        let link = entry_link(&mut tx, &purpose, &self.0.base_url, now).await?;
        self.0.commit(tx, caller).await?;
        Ok(Json(PasswordLink { link, expires_at: Time(now.plus(purpose.lasts())) }))
    }
}

async fn find(conn: &mut Connection, id: UserId) -> Result<User, Problem> {
    users::find(conn, id).await?.ok_or_else(|| Problem::not_found("user"))
}

/// Somebody whom the caller may change: neither the caller nor above them.
pub(super) async fn changeable(conn: &mut Connection, caller: &Caller, id: UserId) -> Result<User, Problem> {
    let user = find(conn, id).await?;
    if caller.user() == Some(user.id) {
        return Err(Problem::conflict("you cannot do this to yourself; ask another owner"));
    }
    check_role(caller, user.role)?;
    Ok(user)
}

/// Refuses what concerns a role above the caller's.
pub(super) fn check_role(caller: &Caller, role: Role) -> Result<(), Problem> {
    let Some(scope) = caller.token.lacks_for(role) else { return Ok(()) };
    let detail = match caller.user() {
        Some(_) => format!("only an owner decides who is {role}"),
        None => format!("this token lacks the scope `{scope}`, which it takes to have to do with somebody who is {role}"),
    };
    Err(Problem::new(StatusCode::FORBIDDEN, detail))
}

fn check(changed: Changed) -> Result<(), Problem> {
    match changed {
        Changed::Yes => Ok(()),
        Changed::NoSuchUser => Err(Problem::not_found("user")),
        Changed::LastOwner => Err(Problem::conflict("they are the only owner who can sign in; make another one first")),
    }
}

fn view(user: User) -> UserView {
    UserView {
        id: user.id.0,
        email: user.email,
        name: user.name,
        role: Name(user.role),
        disabled: user.disabled_at.is_some(),
        has_password: user.has_password,
        has_factor: user.has_factor,
        has_identity: user.has_identity,
        created_at: Time(user.created_at),
        seen_at: user.seen_at.map(Time),
        disabled_at: user.disabled_at.map(Time),
    }
}
