//! The authorization server for programs that members connect (OAuth 2.1): what it says of itself, registration, tokens. A
//! member's consent is given on the page; see [`crate::routes::clients`]. The answers have the forms of their standards,
//! not problem details.

use std::collections::HashMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use guildhall_team::clients::{ACCESS, Asking, Here, MCP_SCOPES, NoTokens};
use guildhall_team::{TeamError, network};
use guildhall_types::rights::Scope;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::form_urlencoded;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::auth::From;
use crate::problem::Problem;

/// Programs that may register from one network in a minute.
const REGISTRATIONS: u32 = 10;

/// Where a program finds what it needs to be let in at `/mcp` (RFC 9728).
pub const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource/mcp";

/// The routes; everybody may call them.
pub(crate) fn routes() -> OpenApiRouter<App> {
    // Some programs look below the address of the endpoint, some for OpenID's document; all get the same.
    let server = [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/mcp",
    ];
    let router = OpenApiRouter::new()
        .route("/.well-known/oauth-protected-resource", get(protected_resource))
        .route(RESOURCE_METADATA, get(protected_resource))
        .route("/oauth/register", post(register))
        .route("/oauth/authorize", get(authorize))
        .route("/oauth/token", post(token))
        .route("/oauth/revoke", post(revoke));
    server.into_iter().fold(router, |router, path| router.route(path, get(authorization_server)))
}

/// This server as whoever sent these headers reaches it.
///
/// # Errors
/// 421 `no-address` without a public address, by a name that is not this machine's own.
pub fn here(app: &App, headers: &HeaderMap) -> Result<Here, Problem> {
    app.public.site(headers).map(|site| Here::at(&site)).ok_or_else(|| {
        Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "no-address",
            "This server does not know itself by this name. Its operator must set GUILDHALL_PUBLIC_URL.",
        )
    })
}

/// Every scope that a program can be allowed, with spaces between.
pub fn scopes() -> String {
    words(&MCP_SCOPES)
}

fn words(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}

async fn protected_resource(State(app): State<App>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    let here = here(&app, &headers)?;
    Ok(Json(json!({
        "resource": here.resource,
        "resource_name": "Guildhall",
        "authorization_servers": [here.issuer],
        "scopes_supported": MCP_SCOPES,
        "bearer_methods_supported": ["header"],
    })))
}

async fn authorization_server(State(app): State<App>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    let Here { issuer, .. } = here(&app, &headers)?;
    Ok(Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/oauth/authorize"),
        "token_endpoint": format!("{issuer}/oauth/token"),
        "registration_endpoint": format!("{issuer}/oauth/register"),
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "scopes_supported": MCP_SCOPES,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": false,
    })))
}

/// A refusal in the form of OAuth.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: String,
}

impl Refusal {
    fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, description: description.into() }
    }

    fn missing(field: &str) -> Self {
        Self::new("invalid_request", format!("{field} is missing"))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        (self.status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
    }
}

/// What went wrong, in whichever form fits.
#[derive(Debug)]
enum Failed {
    Refusal(Refusal),
    Problem(Problem),
}

impl std::convert::From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl std::convert::From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        match self {
            Self::Refusal(refusal) => refusal.into_response(),
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

/// What a program says of itself. What else it says is not kept.
#[derive(Debug, Deserialize)]
struct Registration {
    #[serde(default)]
    client_name: Option<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    response_types: Option<Vec<String>>,
    #[serde(default)]
    grant_types: Option<Vec<String>>,
}

/// Registers a program (RFC 7591). Each becomes a public client, whatever it asks to be.
async fn register(State(app): State<App>, From(origin): From, body: Bytes) -> Result<Response, Failed> {
    let caller = format!("register {}", network(origin.address.as_deref().unwrap_or_default()));
    app.rates.take(&caller, Some(REGISTRATIONS), app.team.clock.now())?;
    let asked = serde_json::from_slice::<Map<String, Value>>(&body);
    let asked = asked.and_then(|asked| serde_json::from_value::<Registration>(Value::Object(asked)));
    let asked =
        asked.map_err(|error| Refusal::new("invalid_client_metadata", format!("the body cannot be read: {error}")))?;
    if asked.response_types.is_some_and(|types| !types.iter().any(|kind| kind == "code"))
        || asked.grant_types.is_some_and(|types| !types.iter().any(|kind| kind == "authorization_code"))
    {
        let words = "only the response type code and the grant types authorization_code and refresh_token are there";
        return Err(Refusal::new("invalid_client_metadata", words).into());
    }
    let name = asked.client_name.as_deref().unwrap_or("A program without a name");
    let client = match app.team.register_client(name, &asked.redirect_uris).await {
        Ok(client) => client,
        Err(TeamError::Invalid { field: "redirect_uris", message }) => {
            return Err(Refusal::new("invalid_redirect_uri", format!("redirect_uris: {message}")).into());
        }
        Err(TeamError::Invalid { field, message }) => {
            return Err(Refusal::new("invalid_client_metadata", format!("{field}: {message}")).into());
        }
        Err(error) => return Err(Problem::from(error).into()),
    };
    let body = json!({
        "client_id": client.id,
        "client_id_issued_at": client.created_at.timestamp(),
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "response_types": ["code"],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
        "scope": scopes(),
    });
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// Takes a member whom a program has sent here to the page that asks for consent. What is wrong with the question that page
/// says, too: from here nobody is led to an address that a stranger registered.
async fn authorize(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    asking: Result<Query<Asking>, axum::extract::rejection::QueryRejection>,
) -> Result<Redirect, Problem> {
    // One that cannot be read, such as one with a word twice, is none.
    asking?;
    here(&app, &headers)?;
    // As one value, which the page's router passes on to the letter.
    let ask: String = form_urlencoded::byte_serialize(query.unwrap_or_default().as_bytes()).collect();
    Ok(Redirect::to(&format!("/oauth/consent?ask={ask}")))
}

/// The fields of a form, each of which may stand there once.
fn form(headers: &HeaderMap, body: &[u8]) -> Result<HashMap<String, String>, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Refusal::new("invalid_request", "send a form: application/x-www-form-urlencoded"));
    }
    let mut fields = HashMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        if let Some(former) = fields.insert(name.into_owned(), value.into_owned()) {
            drop(former);
            return Err(Refusal::new("invalid_request", "a field stands in the form twice"));
        }
    }
    Ok(fields)
}

/// Exchanges a code or a refresh token for tokens.
async fn token(
    State(app): State<App>,
    From(origin): From,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failed> {
    let fields = form(&headers, &body)?;
    let field = |name: &str| fields.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let needed = |name: &str| field(name).ok_or_else(|| Refusal::missing(name));
    let here = here(&app, &headers)?;
    if field("resource").is_some_and(|resource| !here.is_resource(resource)) {
        let words = "resource must be the address of this server's MCP endpoint";
        return Err(Refusal::new("invalid_target", words).into());
    }
    let client_id = needed("client_id")?;
    let pair = match needed("grant_type")? {
        "authorization_code" => {
            let (code, verifier) = (needed("code")?, needed("code_verifier")?);
            app.team.exchange_code(code, client_id, field("redirect_uri"), verifier, &here, &origin).await
        }
        "refresh_token" => {
            let refresh = needed("refresh_token")?;
            let scopes = field("scope")
                .map(|words| words.split(' ').filter_map(|word| word.parse().ok()).collect::<Vec<Scope>>());
            app.team.refresh_tokens(refresh, client_id, scopes.as_deref(), &here, &origin).await
        }
        _ => {
            let words = "grant_type must be authorization_code or refresh_token";
            return Err(Refusal::new("unsupported_grant_type", words).into());
        }
    };
    let pair = pair.map_err(|error| match error {
        NoTokens::Grant(_) => Failed::from(Refusal::new("invalid_grant", error.to_string())),
        NoTokens::Scope => Refusal::new("invalid_scope", error.to_string()).into(),
        NoTokens::Resource => Refusal::new("invalid_target", error.to_string()).into(),
        NoTokens::Team(error) => Problem::from(error).into(),
    })?;
    let body = json!({
        "access_token": pair.access,
        "token_type": "Bearer",
        "expires_in": ACCESS.num_seconds(),
        "refresh_token": pair.refresh,
        "scope": words(&pair.scopes),
    });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// Takes a token back from a program, and with it what its member allowed (RFC 7009).
async fn revoke(
    State(app): State<App>,
    From(origin): From,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Failed> {
    let fields = form(&headers, &body)?;
    let token = fields.get("token").ok_or_else(|| Refusal::missing("token"))?;
    app.team.hand_back_token(token, &origin).await.map_err(Problem::from)?;
    Ok(StatusCode::OK)
}
