//! `/me`: what the token in use may do.

use poem::web::Data;
use poem_openapi::OpenApi;

use super::{
    gate::Caller,
    problem::Problem,
    reply::Shown,
    tokens::{self, TokenView},
};

pub(super) struct MeApi;

#[OpenApi]
impl MeApi {
    /// Shows the token in use, and what it may do.
    #[oai(path = "/me", method = "get")]
    async fn me(&self, Data(caller): Data<&Caller>) -> Result<Shown<TokenView>, Problem> {
        Ok(Shown(tokens::view(caller.token.clone())))
    }
}
