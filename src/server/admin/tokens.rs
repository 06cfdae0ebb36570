//! `/tokens`: who may use this API, and for what.

use std::collections::BTreeSet;

use domain::TokenId;
use poem::{http::StatusCode, web::Data};
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use secrecy::ExposeSecret;
use storage::tokens::{self, MAX_TOKEN_NAME_CHARS, Scope, Token};

use super::{
    Admin,
    body::Body,
    fields::Fields,
    gate::Caller,
    problem::Problem,
    reply::{Created, Gone, List, Paging, Shown, View},
    types::{Name, Time},
};

pub(super) struct TokensApi(pub(super) Admin);

/// A token, without what it is.
#[derive(Object)]
#[oai(rename = "Token")]
pub(super) struct TokenView {
    id: i64,
    name: String,
    /// Its last four characters.
    hint: String,
    scopes: Vec<Name<Scope>>,
    created_at: Time,
    #[oai(nullable)]
    expires_at: Option<Time>,
    /// To the minute.
    #[oai(nullable)]
    last_used_at: Option<Time>,
    #[oai(nullable)]
    revoked_at: Option<Time>,
}

impl View for TokenView {
    /// That it was used changes nothing about it.
    fn etag(&self) -> String {
        super::reply::etag_of(&serde_json::json!([self.id, self.revoked_at.map(|at| at.0.0)]))
    }
}

/// A token that was just made.
#[derive(Object)]
struct CreatedToken {
    id: i64,
    name: String,
    /// What to put behind `Authorization: Bearer`. It is shown once.
    token: String,
    hint: String,
    scopes: Vec<Name<Scope>>,
    created_at: Time,
    #[oai(nullable)]
    expires_at: Option<Time>,
}

/// A token to be made.
#[derive(Object)]
struct NewToken {
    /// What it is for; stands in the history for what is done with it.
    name: String,
    /// What it may do: at least one, and none that the token in use lacks.
    scopes: Vec<Name<Scope>>,
    /// When it ends by itself; null or left out for never.
    #[oai(nullable)]
    expires_at: Option<Time>,
}

#[OpenApi]
impl TokensApi {
    /// Lists tokens, revoked ones too.
    #[oai(path = "/tokens", method = "get")]
    async fn list(&self, limit: Query<Option<i64>>, cursor: Query<Option<String>>) -> Result<Json<List<TokenView>>, Problem> {
        let paging = Paging::new(limit.0, cursor.0.as_deref())?;
        let rows = tokens::list(&mut self.0.db.read().await?, paging.after(), paging.n_wanted()).await?;
        Ok(Json(paging.list(rows, |token| token.id.0, view)))
    }

    /// Makes a token, and shows it this once.
    #[oai(path = "/tokens", method = "post")]
    async fn create(&self, Data(caller): Data<&Caller>, body: Body<NewToken>) -> Result<Created<CreatedToken>, Problem> {
        let (new, now, mut fields) = (body.0, self.0.now(), Fields::default());
        let name = fields.line("name", &new.name, MAX_TOKEN_NAME_CHARS, true);
        if new.scopes.is_empty() {
            fields.refuse("scopes", "must name at least one scope");
        }
        for (i, Name(scope)) in new.scopes.iter().enumerate() {
            if !caller.token.scopes.iter().any(|own| own.allows(scope.as_str())) {
                fields.refuse(format!("scopes[{i}]"), format!("`{scope}` cannot be given by a token that lacks it"));
            }
        }
        if new.expires_at.is_some_and(|at| at.0 <= now) {
            fields.refuse("expires_at", "must lie in the future");
        }
        fields.done()?;
        let scopes: Vec<Scope> = new.scopes.into_iter().map(|name| name.0).collect::<BTreeSet<_>>().into_iter().collect();
        let mut tx = self.0.db.begin().await?;
        let (token, secret) = tokens::create(&mut tx, &name, &scopes, new.expires_at.map(|at| at.0), now).await?;
        caller.trail.made(token.id);
        self.0.commit(tx, caller).await?;
        let location = self.0.location("tokens", token.id);
        let TokenView { id, name, hint, scopes, created_at, expires_at, .. } = view(token);
        let view = CreatedToken { id, name, token: secret.expose_secret().to_owned(), hint, scopes, created_at, expires_at };
        Ok(Created { location, view })
    }

    /// Shows a token, without what it is.
    #[oai(path = "/tokens/:id", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<TokenView>, Problem> {
        let token = tokens::find(&mut self.0.db.read().await?, TokenId(id.0)).await?;
        Ok(Shown(view(token.ok_or_else(|| Problem::not_found("token"))?)))
    }

    /// Revokes a token, for good and at once.
    #[oai(path = "/tokens/:id", method = "delete")]
    async fn revoke(&self, Data(caller): Data<&Caller>, id: Path<i64>) -> Result<Gone, Problem> {
        let mut tx = self.0.db.begin().await?;
        if !tokens::revoke(&mut tx, TokenId(id.0), self.0.now()).await? {
            let known = tokens::find(&mut tx, TokenId(id.0)).await?.is_some();
            let revoked = Problem::new(StatusCode::CONFLICT, "this token is revoked already");
            return Err(if known { revoked } else { Problem::not_found("token") });
        }
        self.0.commit(tx, caller).await?;
        Ok(Gone)
    }
}

pub(super) fn view(token: Token) -> TokenView {
    TokenView {
        id: token.id.0,
        name: token.name,
        hint: token.hint,
        scopes: token.scopes.into_iter().map(Name).collect(),
        created_at: Time(token.created_at),
        expires_at: token.expires_at.map(Time),
        last_used_at: token.last_used_at.map(Time),
        revoked_at: token.revoked_at.map(Time),
    }
}
