//! Programs that a member connects: the question for consent, and those that are connected.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use guildhall_team::clients::{Asking, Refused};
use guildhall_types::TokenId;
use guildhall_types::access::ConnectedClient;
use guildhall_types::rights::Scope;
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path, Query};
use crate::oauth::here;
use crate::problem::Problem;

/// The programs that a member has connected.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientList {
    /// The latest first.
    items: Vec<ConnectedClient>,
    /// The address of the MCP endpoint, for connecting more.
    url: String,
}

/// Lists the programs that one has connected.
#[utoipa::path(get, path = "/api/auth/clients", tag = "clients", responses((status = 200, body = ClientList)))]
pub async fn list_clients(
    State(app): State<App>,
    signed: Signed,
    headers: HeaderMap,
) -> Result<Json<ClientList>, Problem> {
    let items = app.team.store.clients_of(signed.member.id).await?;
    Ok(Json(ClientList { items, url: here(&app, &headers)?.resource }))
}

/// Ends what a program may do on one's behalf, at once.
#[utoipa::path(delete, path = "/api/auth/clients/{id}", tag = "clients",
    params(("id" = TokenId, Path, description = "The connection.")), responses((status = 204)))]
pub async fn disconnect_client(signed: Signed, Path(id): Path<TokenId>) -> Result<StatusCode, Problem> {
    match signed.team.disconnect_client(id, signed.member.id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("connected program")),
    }
}

/// What a program asks a member for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    /// What the program calls itself; nobody has proved it.
    name: String,
    /// Where the member is led back to, without what the program wrote into it: its host, or its scheme.
    leads_to: String,
    /// What it asks to be allowed and the member can allow.
    scopes: Vec<Scope>,
    /// Where to go to say no, or, when it asks wrongly, to let it hear of that.
    denied: String,
    /// What is wrong with its question, and how the program must ask. Nothing of such a one can be allowed.
    wrong: Option<&'static str>,
}

/// Shows what a program asks for, or what is wrong with its question. The query is the one that the program led the member here
/// with.
#[utoipa::path(get, path = "/api/oauth/consent", tag = "clients", params(Asking), responses((status = 200, body = Consent)))]
pub async fn get_consent(
    State(app): State<App>,
    signed: Signed,
    headers: HeaderMap,
    Query(asking): Query<Asking>,
) -> Result<Json<Consent>, Problem> {
    let here = here(&app, &headers)?;
    let wish = match app.team.look_at_asking(&asking, &here).await {
        Ok(wish) => wish,
        Err(Refused::There { name, redirect_uri, back, description }) => {
            let leads_to = place(&redirect_uri);
            let consent = Consent { name, leads_to, scopes: Vec::new(), denied: back, wrong: Some(description) };
            return Ok(Json(consent));
        }
        Err(Refused::Here(error)) => return Err(error.into()),
    };
    let denied = wish.denied(&here);
    let scopes = wish.scopes.into_iter().filter(|scope| signed.member.role.can_use(*scope)).collect();
    Ok(Json(Consent { name: wish.client.name, leads_to: place(&wish.redirect_uri), scopes, denied, wrong: None }))
}

/// A member's yes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// What the program asks for, as it came with the member.
    asking: Asking,
    /// What the member allows of it.
    scopes: Vec<Scope>,
}

/// Where the member goes next.
#[derive(Debug, Serialize, ToSchema)]
pub struct Allowed {
    /// Back to the program, with a code that is good once and for a minute.
    to: String,
}

/// Connects a program: allows it what it asks for, or less.
#[utoipa::path(post, path = "/api/oauth/consent", tag = "clients", responses((status = 201, body = Allowed)))]
pub async fn give_consent(
    State(app): State<App>,
    signed: Signed,
    headers: HeaderMap,
    Json(Allow { asking, scopes }): Json<Allow>,
) -> Result<(StatusCode, Json<Allowed>), Problem> {
    let here = here(&app, &headers)?;
    let to = signed.team.allow_client(&signed.member, &asking, scopes, &here).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(Allowed { to })))
}

fn refused(why: Refused) -> Problem {
    match why {
        Refused::Here(error) => error.into(),
        Refused::There { description, .. } => Problem::invalid("asking", description),
    }
}

fn place(redirect_uri: &str) -> String {
    match Url::parse(redirect_uri) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            let host = url.host_str().unwrap_or_default();
            url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
        }
        Ok(url) => format!("{}:", url.scheme()),
        Err(_) => String::new(),
    }
}
