//! A program that a member connects, as the standards have it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use crate::harness::{Persona, TestApp};

pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk-of-the-tests";
pub const BACK: &str = "http://127.0.0.1:7777/callback";

/// A program without a browser.
pub struct Program {
    pub http: Client,
    pub base: String,
    pub client_id: String,
}

/// What came of a request, whatever its form.
#[derive(Debug)]
pub struct Got {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Got {
    #[track_caller]
    pub fn is(&self, status: StatusCode) -> &Value {
        assert_eq!(self.status, status, "{}", self.body);
        &self.body
    }

    /// A refusal as OAuth has it.
    #[track_caller]
    pub fn is_refused(&self, error: &str) {
        assert_eq!((self.status, &self.body["error"]), (StatusCode::BAD_REQUEST, &json!(error)), "{}", self.body);
        assert!(self.body["error_description"].as_str().unwrap().len() > 10, "{}", self.body);
        assert_eq!(self.header("cache-control"), "no-store");
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

pub async fn got(request: reqwest::RequestBuilder) -> Got {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Got { status, headers, body }
}

pub fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER.as_bytes()))
}

impl Program {
    /// Registered at a server.
    pub async fn at(app: &TestApp) -> Self {
        drop(app.anonymous());
        let http = Client::builder().redirect(Policy::none()).build().unwrap();
        let mut program = Self { http, base: app.url.clone(), client_id: String::new() };
        let made =
            program.register(json!({ "client_name": "Editor", "redirect_uris": ["http://127.0.0.1/callback"] })).await;
        let made = made.is(StatusCode::CREATED);
        assert_eq!(made["token_endpoint_auth_method"], "none");
        program.client_id = made["client_id"].as_str().unwrap().to_owned();
        program
    }

    pub async fn register(&self, body: Value) -> Got {
        got(self.http.post(format!("{}/oauth/register", self.base)).json(&body)).await
    }

    pub async fn get(&self, path: &str) -> Got {
        got(self.http.get(format!("{}{path}", self.base))).await
    }

    /// What it asks a member for.
    pub fn asking(&self) -> Value {
        json!({
            "clientId": self.client_id, "redirectUri": BACK, "responseType": "code", "codeChallenge": challenge(),
            "codeChallengeMethod": "S256", "scope": "read write run knowledge", "state": "the state",
            "resource": format!("{}/mcp", self.base),
        })
    }

    /// The code with which a member who allows these scopes is led back.
    pub async fn code(&self, member: &mut Persona, scopes: &[&str]) -> String {
        let yes = json!({ "asking": self.asking(), "scopes": scopes });
        let to = member.post("/api/oauth/consent", yes).await.is(StatusCode::CREATED);
        word(to["to"].as_str().unwrap(), "code").unwrap()
    }

    pub async fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Got {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(format!("{}{path}", self.base));
        got(request.header("content-type", "application/x-www-form-urlencoded").body(body)).await
    }

    /// Exchanges a code, with these fields otherwise than they should be.
    pub async fn exchange(&self, code: &str, other: &[(&str, &str)]) -> Got {
        let resource = format!("{}/mcp", self.base);
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("client_id", &self.client_id),
            ("code", code),
            ("code_verifier", VERIFIER),
            ("redirect_uri", BACK),
            ("resource", &resource),
        ];
        fields.retain(|(name, _)| !other.iter().any(|(changed, _)| changed == name));
        fields.extend(other.iter().filter(|(_, value)| !value.is_empty()));
        self.post_form("/oauth/token", &fields).await
    }

    pub async fn refresh(&self, token: &str) -> Got {
        let fields = [("grant_type", "refresh_token"), ("client_id", &self.client_id), ("refresh_token", token)];
        self.post_form("/oauth/token", &fields).await
    }

    /// Connected by a member: its token for use, and the one for the next.
    pub async fn connect(&self, member: &mut Persona, scopes: &[&str]) -> (String, String) {
        let code = self.code(member, scopes).await;
        let got = self.exchange(&code, &[]).await;
        let pair = got.is(StatusCode::OK);
        let word = |name: &str| pair[name].as_str().unwrap().to_owned();
        (word("access_token"), word("refresh_token"))
    }

    /// Says something to the MCP endpoint, as a client of the revision before the latest.
    pub async fn say(&self, token: &str, method: &str, params: Value) -> Got {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        got(self.mcp(token).header("mcp-protocol-version", "2025-11-25").json(&body)).await
    }

    pub fn mcp(&self, token: &str) -> reqwest::RequestBuilder {
        let request =
            self.http.post(format!("{}/mcp", self.base)).header("accept", "application/json, text/event-stream");
        if token.is_empty() { request } else { request.bearer_auth(token) }
    }

    /// Calls a tool. Returns what it answers, and whether it failed.
    pub async fn call(&self, token: &str, tool: &str, arguments: Value) -> (Value, bool) {
        let got = self.say(token, "tools/call", json!({ "name": tool, "arguments": arguments })).await;
        let result = &got.is(StatusCode::OK)["result"];
        assert!(result.is_object(), "{}", got.body);
        let failed = result["isError"].as_bool().unwrap_or(false);
        let said = match failed {
            true => result["content"][0]["text"].clone(),
            false => result["structuredContent"].clone(),
        };
        (said, failed)
    }
}

/// A value in the query of an address.
pub fn word(url: &str, name: &str) -> Option<String> {
    Url::parse(url).unwrap().query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
