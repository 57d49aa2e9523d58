//! Every path of the management API, in one table.

use std::future::Future;
use std::pin::Pin;

use http::Method;
use serde_json::Value;

use super::desk::{Asked, Desk};
use super::error::ApiError;
use super::spend::File;
use super::{access_group, audit, budget, customer, key, model, organisation, spend, team, user};

/// What a handler answers.
pub enum Output {
    Json(Value),
    File(Box<File>),
}

impl From<Value> for Output {
    fn from(value: Value) -> Output {
        Output::Json(value)
    }
}

type Answering<'d> = Pin<Box<dyn Future<Output = Result<Output, ApiError>> + Send + 'd>>;
type Handler = for<'d> fn(&'d Desk, Asked) -> Answering<'d>;

pub struct Route {
    pub method: Method,
    /// A part in braces stands for anything.
    pub path: &'static str,
    pub handler: Handler,
}

/// `METHOD "/path" => handler, …`
macro_rules! routes {
    ($($method:ident $path:literal => $handler:path),* $(,)?) => {
        &[$(Route { method: Method::$method, path: $path, handler: |desk, asked| Box::pin(async { $handler(desk, asked).await.map(Output::from) }) }),*]
    };
}

pub static ROUTES: &[Route] = routes![
    POST "/key/generate" => key::generate,
    POST "/key/service-account/generate" => key::generate_for_service,
    GET "/key/info" => key::info,
    POST "/v2/key/info" => key::infos,
    POST "/key/update" => key::update,
    POST "/key/delete" => key::delete,
    POST "/key/regenerate" => key::regenerate,
    POST "/key/{key}/regenerate" => key::regenerate,
    POST "/key/{key}/reset_spend" => key::reset_spend,
    POST "/key/block" => key::block,
    POST "/key/unblock" => key::unblock,
    GET "/key/list" => key::list,
    GET "/key/aliases" => key::aliases,
    POST "/user/new" => user::create,
    GET "/user/info" => user::info,
    GET "/v2/user/info" => user::row_alone,
    POST "/user/update" => user::update,
    POST "/user/delete" => user::delete,
    GET "/user/list" => user::list,
    GET "/user/available_roles" => user::roles,
    POST "/team/new" => team::create,
    GET "/team/info" => team::info,
    POST "/team/update" => team::update,
    POST "/team/delete" => team::delete,
    POST "/team/block" => team::block,
    POST "/team/unblock" => team::unblock,
    GET "/team/list" => team::list,
    GET "/v2/team/list" => team::pages,
    GET "/team/available" => team::available,
    POST "/team/member_add" => team::member_add,
    POST "/team/bulk_member_add" => team::member_add_many,
    POST "/team/member_update" => team::member_update,
    POST "/team/member_delete" => team::member_delete,
    GET "/team/permissions_list" => team::permissions_show,
    POST "/team/permissions_update" => team::permissions_update,
    POST "/team/{team_id}/reset_spend" => team::reset_spend,
    POST "/budget/new" => budget::create,
    POST "/budget/update" => budget::update,
    POST "/budget/info" => budget::info,
    GET "/budget/list" => budget::list,
    GET "/budget/settings" => budget::settings,
    POST "/budget/delete" => budget::delete,
    POST "/customer/new" => customer::create,
    POST "/customer/update" => customer::update,
    GET "/customer/info" => customer::info,
    GET "/customer/list" => customer::list,
    POST "/customer/delete" => customer::delete,
    POST "/customer/block" => customer::block,
    POST "/customer/unblock" => customer::unblock,
    POST "/organization/new" => organisation::create,
    PATCH "/organization/update" => organisation::update,
    GET "/organization/info" => organisation::info,
    POST "/organization/info" => organisation::infos,
    GET "/organization/list" => organisation::list,
    DELETE "/organization/delete" => organisation::delete,
    POST "/organization/member_add" => organisation::member_add,
    PATCH "/organization/member_update" => organisation::member_update,
    DELETE "/organization/member_delete" => organisation::member_delete,
    POST "/model/new" => model::create,
    POST "/model/update" => model::update,
    PATCH "/model/{model_id}/update" => model::patch,
    POST "/model/delete" => model::delete,
    GET "/model/info" => model::info,
    GET "/v2/model/info" => model::pages,
    GET "/model_group/info" => model::group_info,
    POST "/access_group/new" => access_group::create,
    GET "/access_group/list" => access_group::list,
    GET "/access_group/{access_group}/info" => access_group::info,
    PUT "/access_group/{access_group}/update" => access_group::update,
    DELETE "/access_group/{access_group}/delete" => access_group::delete,
    POST "/access_group" => access_group::create_by_id,
    GET "/access_group" => access_group::list_by_id,
    GET "/access_group/{id}" => access_group::info_by_id,
    PUT "/access_group/{id}" => access_group::update_by_id,
    DELETE "/access_group/{id}" => access_group::delete_by_id,
    GET "/spend/logs" => spend::logs,
    GET "/spend/logs/v2" => spend::pages,
    GET "/spend/logs/export" => spend::export,
    GET "/spend/tags" => spend::tags,
    GET "/global/spend" => spend::global,
    GET "/global/spend/report" => spend::report,
    GET "/global/spend/tags" => spend::tags,
    POST "/global/spend/reset" => spend::reset,
    GET "/user/daily/activity" => spend::of_users,
    GET "/team/daily/activity" => spend::of_teams,
    GET "/tag/daily/activity" => spend::of_tags,
    GET "/organization/daily/activity" => spend::of_organisations,
    GET "/customer/daily/activity" => spend::of_customers,
    GET "/audit" => audit::list,
];

/// A path of this API.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// The position of its route, and what stands where the route's path has braces.
    Here(usize, Vec<String>),
    /// The path is for this method.
    WrongMethod(Method),
}

/// `path`: without `/v1`. `None`: it is none of this API.
pub fn find(method: &Method, path: &str) -> Option<Found> {
    // LiteLLM's other name for customers.
    let renamed = path.strip_prefix("/end_user/").map(|rest| format!("/customer/{rest}"));
    let path = renamed.as_deref().unwrap_or(path);
    let mut other = None;
    for (index, route) in ROUTES.iter().enumerate() {
        let Some(arguments) = matched(route.path, path) else { continue };
        if route.method == *method {
            return Some(Found::Here(index, arguments));
        }
        other.get_or_insert_with(|| route.method.clone());
    }
    other.map(Found::WrongMethod)
}

fn matched(pattern: &str, path: &str) -> Option<Vec<String>> {
    let mut arguments = Vec::new();
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(arguments),
            (Some(part), Some(text)) if part.starts_with('{') && !text.is_empty() => {
                arguments.push(crate::http::percent_decode(text));
            }
            (Some(part), Some(text)) if part == text => {}
            _ => return None,
        }
    }
}
