//! A real OpenID provider (`tests/oidc`), and somebody with a browser who goes there and back.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::Stdio;

use guildhall_llm::Secret;
use guildhall_team::oidc::ProviderSettings;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use url::Url;

use crate::harness::{Answer, PATIENCE, Persona, TestApp, Wish};

/// Providers in a process of their own, which goes with the test.
pub struct Providers {
    pub issuers: Vec<String>,
    http: reqwest::Client,
    _process: Child,
}

impl Providers {
    pub async fn start(count: usize) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc");
        assert!(folder.join("node_modules").exists(), "the provider is not installed; run: scripts/setup.sh test");
        let mut process = Command::new("node")
            .arg("provider.mjs")
            .arg(count.to_string())
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut issuers = Vec::new();
        while issuers.len() < count {
            let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
            issuers.push(line);
        }
        // It says more than that, and ends when nobody listens.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        guildhall_llm::ready_tls();
        Self { issuers, http: reqwest::Client::new(), _process: process }
    }

    /// A server whose members may sign in by these, as `one`, `two` and so on, and by the first as Google where `google`.
    pub async fn app(&self, wish: Wish) -> TestApp {
        let names = ["one", "two", "three"];
        let settings = self.issuers.iter().zip(names).map(|(issuer, name)| settings(name, issuer)).collect();
        self.app_with(wish, settings).await
    }

    pub async fn app_with(&self, wish: Wish, settings: Vec<ProviderSettings>) -> TestApp {
        let paths: Vec<String> = settings.iter().map(|one| format!("{}/callback", one.path())).collect();
        let change = wish.change;
        let wish = Wish {
            change: Box::new(move |config| {
                config.sign_in = settings;
                change(config);
            }),
            ..wish
        };
        let app = TestApp::with(wish).await;
        let redirects: Vec<String> = paths.iter().map(|path| format!("{}{path}", app.url)).collect();
        for n in 0..self.issuers.len() {
            self.tell(n, json!({ "redirects": redirects })).await;
        }
        app
    }

    /// Tells a provider what to do from now on.
    pub async fn tell(&self, n: usize, what: Value) {
        let answer = self.http.post(format!("{}/test/set", self.issuers[n])).json(&what).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }

    /// This person signs in at the first provider, without being asked.
    pub async fn is(&self, who: &str, person: Value) {
        self.tell(0, json!({ "who": who, "people": { who: person } })).await;
    }

    /// How often a provider was asked for this.
    pub async fn count(&self, n: usize, path: &str) -> u64 {
        let answer = self.http.get(format!("{}/test/count", self.issuers[n])).send().await.unwrap();
        let counts: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        counts[path].as_u64().unwrap_or_default()
    }
}

pub fn settings(name: &str, issuer: &str) -> ProviderSettings {
    ProviderSettings {
        name: name.to_owned(),
        label: name.to_uppercase(),
        issuer: issuer.to_owned(),
        client_id: "guildhall".to_owned(),
        client_secret: Secret::new("the-secret-of-the-client-of-the-tests-0001"),
        scopes: ProviderSettings::usual_scopes(),
    }
}

/// Somebody with a browser that keeps cookies for each site and goes where it is led.
pub struct Visitor {
    http: reqwest::Client,
    pub app: String,
    pub jar: HashMap<String, BTreeMap<String, String>>,
    /// Every address that was gone to, the last one last.
    pub trail: Vec<Url>,
}

impl Visitor {
    pub fn new(app: &TestApp) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, app: app.url.clone(), jar: HashMap::new(), trail: Vec::new() }
    }

    /// The browser of somebody who is signed in.
    pub fn of(app: &TestApp, persona: &Persona) -> Self {
        let mut visitor = Self::new(app);
        let (name, value) = persona.cookie.as_ref().unwrap().split_once('=').unwrap();
        visitor.own().insert(name.to_owned(), value.to_owned());
        visitor
    }

    /// The cookies that this server gave.
    pub fn own(&mut self) -> &mut BTreeMap<String, String> {
        let site = Url::parse(&self.app).unwrap().authority().to_owned();
        self.jar.entry(site).or_default()
    }

    /// Is nobody any more at the providers; here still who they are.
    pub fn sign_out_there(&mut self) {
        let own = Url::parse(&self.app).unwrap().authority().to_owned();
        self.jar.retain(|site, _| *site == own);
    }

    /// The same person as the API sees them.
    pub fn persona(&mut self, app: &TestApp) -> Persona {
        let session = self.own().get("guildhall").map(|token| format!("guildhall={token}"));
        let mut persona = app.anonymous();
        persona.cookie = session;
        persona
    }

    async fn send(&mut self, method: Method, url: &Url, body: Option<Value>) -> reqwest::Response {
        let jar = self.jar.entry(url.authority().to_owned()).or_default();
        let cookies: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.http.request(method, url.clone());
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        if let Some(body) = body {
            request = request.header("origin", &self.app).json(&body);
        }
        let response = request.send().await.unwrap();
        for cookie in response.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            match cookie.contains("Max-Age=0") || cookie.contains("expires=Thu, 01 Jan 1970") {
                true => jar.remove(name),
                false => jar.insert(name.to_owned(), value.to_owned()),
            };
        }
        response
    }

    /// One step: where it leads, if anywhere.
    pub async fn step(&mut self, url: &Url) -> Option<Url> {
        self.trail.push(url.clone());
        let response = self.send(Method::GET, url, None).await;
        let to = response.headers().get("location")?.to_str().unwrap().to_owned();
        assert!(response.status().is_redirection(), "{url}: {}", response.status());
        Some(url.join(&to).unwrap())
    }

    /// Goes there, and on until a page of this server. Returns that page's path and query.
    pub async fn go(&mut self, to: &str) -> String {
        let own = Url::parse(&self.app).unwrap();
        let mut url = own.join(to).unwrap();
        for _ in 0..20 {
            if url.origin() == own.origin() && !url.path().starts_with("/api/") {
                self.trail.push(url.clone());
                return url[url::Position::BeforePath..].to_owned();
            }
            url = self.step(&url).await.unwrap_or_else(|| panic!("it ends outside: {:?}", self.trail));
        }
        panic!("it does not end: {:?}", self.trail);
    }

    /// Goes there, and on until the address by which the provider leads back, which is returned and not gone to.
    pub async fn go_until_back(&mut self, to: &str) -> Url {
        let mut url = Url::parse(&self.app).unwrap().join(to).unwrap();
        while !url.path().ends_with("/callback") {
            url = self.step(&url).await.unwrap_or_else(|| panic!("it ends outside: {:?}", self.trail));
        }
        url
    }

    /// Asks this server as its page does.
    pub async fn post(&mut self, path: &str, body: Value) -> (StatusCode, Value) {
        let url = Url::parse(&self.app).unwrap().join(path).unwrap();
        let response = self.send(Method::POST, &url, Some(body)).await;
        let status = response.status();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
    }

    /// Asks this server for an address, and goes there.
    pub async fn post_and_go(&mut self, path: &str, body: Value) -> String {
        let (status, answer) = self.post(path, body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let url = answer["url"].as_str().unwrap().to_owned();
        self.go(&url).await
    }
}

/// The status of an answer, and the word for its problem.
pub fn told(answer: &Answer) -> (StatusCode, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}
