//! `/roles`: what each role permits. The table itself is `Role::may`.

use domain::{Permission, Role};
use poem_openapi::{Object, OpenApi, payload::Json};

use super::{problem::Problem, reply::List, types::Name};

pub(super) struct RolesApi;

/// A role, and what people who have it may do.
#[derive(Object)]
#[oai(rename = "Role")]
struct RoleView {
    name: Name<Role>,
    /// As in `incidents:write`. Those that are also scopes of tokens mean the same there.
    permissions: Vec<String>,
    /// The roles that somebody of this role may give.
    may_give: Vec<Name<Role>>,
}

#[OpenApi]
impl RolesApi {
    /// Lists all roles with what they permit. They cannot be changed.
    #[oai(path = "/roles", method = "get")]
    async fn list(&self) -> Result<Json<List<RoleView>>, Problem> {
        let view = |role: &Role| RoleView {
            name: Name(*role),
            permissions: Permission::all().filter(|permission| role.may(*permission)).map(|permission| permission.to_string()).collect(),
            may_give: Role::ALL.iter().copied().filter(|other| role.may_give(*other)).map(Name).collect(),
        };
        Ok(Json(List { items: Role::ALL.iter().map(view).collect(), next: None }))
    }
}
