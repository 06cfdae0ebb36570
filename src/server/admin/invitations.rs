//! `/invitations`: who is asked to become one of the team.

use domain::{Role, mail_address};
use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use storage::{
    Connection, StorageError,
    entry_links::{self, EntryLink, Purpose},
    users,
};

use super::{
    Admin,
    body::Body,
    fields::Fields,
    gate::Caller,
    problem::Problem,
    reply::{Created, Gone, IfMatch, List, Paging, Shown, View},
    schema::quoted,
    types::{Name, Time},
    users::check_role,
};
use crate::{console::entry_link, letters::Words};

pub(super) struct InvitationsApi(pub(super) Admin);

/// An invitation that nobody has accepted yet.
#[derive(Object)]
#[oai(rename = "Invitation")]
struct InvitationView {
    id: i64,
    email: String,
    role: Name<Role>,
    /// On whose word: a mail address, or the name of a token.
    invited_by: String,
    created_at: Time,
    expires_at: Time,
}

impl View for InvitationView {}

/// Somebody to be invited.
#[derive(Object)]
struct NewInvitation {
    /// By which they will sign in.
    email: String,
    /// None may be given that the token in use does not hold itself: owners are invited with the scope `*` alone.
    role: Name<Role>,
}

/// An invitation that was just made.
#[derive(Object)]
struct MadeInvitation {
    id: i64,
    email: String,
    role: Name<Role>,
    expires_at: Time,
    /// The link to hand over where no mail can be sent, shown once; null where it was mailed.
    #[oai(nullable)]
    link: Option<String>,
}

#[OpenApi]
impl InvitationsApi {
    /// Lists invitations that are good now, newest first.
    #[oai(path = "/invitations", method = "get")]
    async fn list(&self, limit: Query<Option<i64>>, cursor: Query<Option<String>>) -> Result<Json<List<InvitationView>>, Problem> {
        let paging = Paging::new(limit.0, cursor.0.as_deref())?;
        let all = entry_links::invitations(&mut self.0.db.read().await?, self.0.now()).await?;
        let views: Vec<InvitationView> = all.into_iter().filter(|link| link.id < paging.before()).filter_map(view).collect();
        Ok(Json(paging.list(views, |view| view.id, |view| view)))
    }

    /// Invites somebody by mail, or with a link to hand over where no mail can be sent. It is good for three days and works once; an older
    /// one to the same address is good no longer.
    #[oai(path = "/invitations", method = "post")]
    async fn create(&self, Data(caller): Data<&Caller>, body: Body<NewInvitation>) -> Result<Created<MadeInvitation>, Problem> {
        let (new, now, mut fields) = (body.0, self.0.now(), Fields::default());
        let email = mail_address(&new.email).unwrap_or_else(|| {
            fields.refuse("email", format!("`{}` is not a mail address like name@example.com", quoted(&new.email)));
            String::new()
        });
        fields.done()?;
        let role = new.role.0;
        check_role(caller, role)?;
        let mut tx = self.0.db.begin().await?;
        if users::find_by_email(&mut tx, &email).await?.is_some() {
            return Err(StorageError::Taken { field: "email" }.into());
        }
        let purpose = Purpose::Invitation { email: email.clone(), role, invited_by: caller.trail.by().name.clone() };
        let link = entry_link(&mut tx, &purpose, &self.0.base_url, now).await?;
        let made = entry_links::invitation_of(&mut tx, &email, now).await?.ok_or_else(Problem::internal)?;
        caller.trail.made(made.id);
        self.0.commit(tx, caller).await?;
        let link = self.hand_over(&email, link, format!("{} invites you as {role}.", caller.name()));
        let view = MadeInvitation { id: made.id, email, role: new.role, expires_at: Time(made.expires_at), link };
        Ok(Created { location: self.0.location("invitations", made.id), view })
    }

    /// Shows an invitation.
    #[oai(path = "/invitations/:id", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<InvitationView>, Problem> {
        Ok(Shown(self.find(&mut self.0.db.read().await?, id.0).await?))
    }

    /// Takes an invitation back.
    #[oai(path = "/invitations/:id", method = "delete")]
    async fn delete(&self, Data(caller): Data<&Caller>, id: Path<i64>, if_match: IfMatch) -> Result<Gone, Problem> {
        let mut tx = self.0.db.begin().await?;
        if_match.check(&self.find(&mut tx, id.0).await?)?;
        if !entry_links::delete_invitation(&mut tx, id.0).await? {
            return Err(Problem::not_found("invitation"));
        }
        self.0.commit(tx, caller).await?;
        Ok(Gone)
    }
}

impl InvitationsApi {
    async fn find(&self, conn: &mut Connection, id: i64) -> Result<InvitationView, Problem> {
        let all = entry_links::invitations(conn, self.0.now()).await?;
        all.into_iter().find(|link| link.id == id).and_then(view).ok_or_else(|| Problem::not_found("invitation"))
    }

    /// Mails the link; gives it back where that cannot be done.
    fn hand_over(&self, email: &str, link: String, who: String) -> Option<String> {
        if !self.0.letters.are_sent() {
            return Some(link);
        }
        let words = Words {
            subject: "You are invited",
            text: format!("{who} The link works once, for three days:"),
            link,
            foot: "If you do not know what this is about, ignore this mail.",
        };
        self.0.letters.write(email, words);
        None
    }
}

fn view(link: EntryLink) -> Option<InvitationView> {
    let Purpose::Invitation { email, role, invited_by } = link.purpose else { return None };
    let (created_at, expires_at) = (Time(link.created_at), Time(link.expires_at));
    Some(InvitationView { id: link.id, email, role: Name(role), invited_by, created_at, expires_at })
}
