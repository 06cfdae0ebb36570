//! `/tokens`: who may use this API, and for what.

use std::{collections::BTreeSet, net::IpAddr};

use domain::{Span, TokenId};
use ipnet::IpNet;
use poem::{http::StatusCode, web::Data};
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use secrecy::ExposeSecret;
use storage::{
    order::Order,
    tokens::{self, MAX_GRACE, MAX_NETWORKS, MAX_TOKEN_NAME_CHARS, Scope, Token, TokenFilter},
};

use super::{
    Admin,
    body::Body,
    fields::Fields,
    gate::Caller,
    problem::Problem,
    reply::{Created, Gone, IfMatch, List, Shown, View},
    schema::quoted,
    sorting,
    types::{Length, Name, Sort, Time},
};

/// How long the secret before counts unless the client says otherwise.
const DEFAULT_GRACE: Span = Span(24 * 3_600_000);

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
    /// When it got its present secret; null if that is its first.
    #[oai(nullable)]
    rotated_at: Option<Time>,
    /// Until when the secret before counts too.
    #[oai(nullable)]
    previous_until: Option<Time>,
    /// From where it may be used; null for everywhere.
    #[oai(nullable)]
    networks: Option<Vec<String>>,
}

impl View for TokenView {
    /// That it was used changes nothing about it.
    fn etag(&self) -> String {
        let (revoked, rotated) = (self.revoked_at.map(|at| at.0.0), self.rotated_at.map(|at| at.0.0));
        super::reply::etag_of(&serde_json::json!([self.id, revoked, rotated]))
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
    /// From where it may be used; null for everywhere.
    #[oai(nullable)]
    networks: Option<Vec<String>>,
}

/// How a token gets another secret.
#[derive(Object)]
struct Rotation {
    /// How long the secret before goes on counting: at most a week, and a day if it is left out.
    grace: Option<Length>,
}

/// A token with another secret.
#[derive(Object)]
struct RotatedToken {
    id: i64,
    name: String,
    /// What to put behind `Authorization: Bearer`. It is shown once.
    token: String,
    hint: String,
    /// Until when the secret before counts too.
    previous_until: Time,
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
    /// Addresses and networks from which it may be used, such as `192.0.2.7` or `2001:db8::/32`; null or left out for everywhere.
    #[oai(nullable)]
    networks: Option<Vec<String>>,
}

#[OpenApi]
impl TokensApi {
    /// Lists tokens, revoked ones too.
    #[oai(path = "/tokens", method = "get")]
    async fn list(
        &self,
        limit: Query<Option<i64>>,
        cursor: Query<Option<String>>,
        /// True for those that count now, false for those that are revoked or have run out.
        valid: Query<Option<bool>>,
        /// What their names hold, in any case.
        name: Query<Option<String>>,
        /// By what they are ordered; by id if it is left out.
        sort: Query<Option<Sort<Token>>>,
    ) -> Result<Json<List<TokenView>>, Problem> {
        let slice = sorting::slice(limit.0, cursor.0.as_deref(), sort.0, Order::oldest())?;
        let filter = TokenFilter { valid: valid.0.map(|valid| (valid, self.0.now())), name: name.0 };
        let rows = tokens::list(&mut self.0.db.read().await?, &filter, &slice).await?;
        Ok(Json(sorting::list(&slice, rows, view)))
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
        let networks = new.networks.map(|texts| networks(&mut fields, &texts));
        fields.done()?;
        let scopes: Vec<Scope> = new.scopes.into_iter().map(|name| name.0).collect::<BTreeSet<_>>().into_iter().collect();
        let mut tx = self.0.db.begin().await?;
        let row =
            tokens::NewToken { name: &name, scopes: &scopes, expires_at: new.expires_at.map(|at| at.0), networks: networks.as_deref() };
        let (token, secret) = tokens::insert(&mut tx, row, now).await?;
        caller.trail.made(token.id);
        self.0.commit(tx, caller).await?;
        let location = self.0.location("tokens", token.id);
        let TokenView { id, name, hint, scopes, created_at, expires_at, networks, .. } = view(token);
        let token = secret.expose_secret().to_owned();
        let view = CreatedToken { id, name, token, hint, scopes, created_at, expires_at, networks };
        Ok(Created { location, view })
    }

    /// Shows a token, without what it is.
    #[oai(path = "/tokens/:id", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<TokenView>, Problem> {
        let token = tokens::find(&mut self.0.db.read().await?, TokenId(id.0)).await?;
        Ok(Shown(view(token.ok_or_else(|| Problem::not_found("token"))?)))
    }

    /// Gives a token another secret, and shows it this once. The secret before counts for some time, so that nothing stops meanwhile.
    #[oai(path = "/tokens/:id/rotate", method = "post")]
    async fn rotate(
        &self,
        Data(caller): Data<&Caller>,
        id: Path<i64>,
        if_match: IfMatch,
        body: Body<Rotation>,
    ) -> Result<Json<RotatedToken>, Problem> {
        let (id, now, mut fields) = (TokenId(id.0), self.0.now(), Fields::default());
        let grace = body.0.grace.map_or(DEFAULT_GRACE, |grace| grace.0);
        if grace > MAX_GRACE {
            fields.refuse("grace", format!("{grace} is more than {MAX_GRACE}"));
        }
        fields.done()?;
        let mut tx = self.0.db.begin().await?;
        let token = tokens::find(&mut tx, id).await?.ok_or_else(|| Problem::not_found("token"))?;
        if_match.check(&view(token.clone()))?;
        // Whoever gets the secret can do what the token can.
        if let Some(lacking) = token.scopes.iter().find(|scope| !caller.token.scopes.iter().any(|own| own.allows(scope.as_str()))) {
            return Err(Problem::new(StatusCode::FORBIDDEN, format!("the token in use lacks `{lacking}`, which this token has")));
        }
        let (until, name) = (now.plus(grace), token.name);
        let Some(secret) = tokens::rotate(&mut tx, id, until, now).await? else {
            return Err(Problem::conflict("this token is revoked or has run out"));
        };
        self.0.commit(tx, caller).await?;
        let (token, hint) = (secret.expose_secret().to_owned(), storage::hint(&secret));
        Ok(Json(RotatedToken { id: id.0, name, token, hint, previous_until: Time(until) }))
    }

    /// Revokes a token, for good and at once.
    #[oai(path = "/tokens/:id", method = "delete")]
    async fn revoke(&self, Data(caller): Data<&Caller>, id: Path<i64>, if_match: IfMatch) -> Result<Gone, Problem> {
        let mut tx = self.0.db.begin().await?;
        let token = tokens::find(&mut tx, TokenId(id.0)).await?.ok_or_else(|| Problem::not_found("token"))?;
        if_match.check(&view(token))?;
        if !tokens::revoke(&mut tx, TokenId(id.0), self.0.now()).await? {
            return Err(Problem::conflict("this token is revoked already"));
        }
        self.0.commit(tx, caller).await?;
        Ok(Gone)
    }
}

fn networks(fields: &mut Fields, texts: &[String]) -> Vec<IpNet> {
    fields.at_most("networks", texts, MAX_NETWORKS);
    if texts.is_empty() {
        fields.refuse("networks", "must not be empty; leave it out for everywhere");
    }
    let mut found = Vec::new();
    for (i, text) in texts.iter().take(MAX_NETWORKS).enumerate() {
        match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()))) {
            Ok(network) => found.push(network.trunc()),
            Err(_) => fields
                .refuse(format!("networks[{i}]"), format!("`{}` is neither an address nor a network such as 10.1.0.0/16", quoted(text))),
        }
    }
    found
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
        rotated_at: token.rotated_at.map(Time),
        previous_until: token.previous_until.map(Time),
        networks: token.networks.map(|networks| networks.iter().map(ToString::to_string).collect()),
    }
}
