//! The providers by which members may sign in: Google by two settings, any others by tables in the file.

use guildhall_llm::Secret;
use guildhall_team::oidc::{GOOGLE, ProviderSettings};
use toml::{Table, Value};
use url::Url;

use super::Fault;
use super::layers::{self, Settings, may_hold_a_key};
use crate::auth::origin::is_loopback;

/// What a table may hold.
const KEYS: &[&str] =
    &["name", "label", "issuer", "clientId", "clientSecret", "clientSecretFile", "clientSecretEnv", "scopes"];
/// Characters of a name and of a label at most.
const NAME: usize = 32;
const LABEL: usize = 40;

pub(super) fn read(s: &mut Settings<'_>) -> Vec<ProviderSettings> {
    let mut all: Vec<ProviderSettings> = google(s).into_iter().collect();
    let Some((file, value)) = s.providers() else { return all };
    let Value::Array(tables) = value else {
        s.faults.push(fault(&file, "oidc", "tables: [[oidc]], one for each provider"));
        return all;
    };
    for (n, table) in tables.iter().enumerate() {
        let at = format!("[[oidc]] number {} in {file}", n + 1);
        let Value::Table(table) = table else {
            s.faults.push(fault(&file, "oidc", "tables: [[oidc]], one for each provider"));
            continue;
        };
        let Some(found) = (Reader { s, table, at: &at }).provider() else { continue };
        let doubled = all.iter().find_map(|other| {
            let name = (other.name == found.name).then_some("a name that no other provider has");
            name.or_else(|| (other.issuer == found.issuer).then_some("an issuer that no other provider has"))
        });
        match doubled {
            Some(expected) => s.faults.push(fault(&file, &format!("[[oidc]] number {}", n + 1), expected)),
            None => all.push(found),
        }
    }
    all
}

fn fault(file: &str, what: &str, expected: impl Into<String>) -> Fault {
    Fault { at: format!("{what} in {file}"), found: None, expected: expected.into() }
}

fn google(s: &mut Settings<'_>) -> Option<ProviderSettings> {
    let id = s.text(
        layers::GOOGLE_CLIENT_ID,
        "a client id as Google's console shows it, such as 1234-abc.apps.googleusercontent.com",
        |text| is_word(text).then(|| text.to_owned()),
    );
    let secret = s.text(layers::GOOGLE_CLIENT_SECRET, "a client secret as Google's console shows it", |text| {
        is_word(text).then(|| Secret::new(text))
    });
    match (id, secret) {
        (Some((id, _)), Some((secret, _))) => Some(ProviderSettings::google(&id, secret)),
        (Some((_, found)), None) if s.find(layers::GOOGLE_CLIENT_SECRET).is_none() => {
            s.faults.push(found.fault("GOOGLE_CLIENT_SECRET beside it"));
            None
        }
        (None, Some((_, found))) if s.find(layers::GOOGLE_CLIENT_ID).is_none() => {
            s.faults.push(found.fault("GOOGLE_CLIENT_ID beside it"));
            None
        }
        _ => None,
    }
}

/// One word of printable characters, as ids and secrets are.
fn is_word(text: &str) -> bool {
    (1..=2_000).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// An issuer: https, or http on this machine; no query, no fragment, nobody's name.
fn is_issuer(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let way = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    plain && url.password().is_none() && url.has_host() && way
}

/// Reads one table and tells all that is wrong with it.
struct Reader<'a, 'b> {
    s: &'a mut Settings<'b>,
    table: &'a Table,
    at: &'a str,
}

impl Reader<'_, '_> {
    fn fault(&mut self, key: &str, found: Option<String>, expected: impl Into<String>) {
        self.s.faults.push(Fault { at: format!("{key} of {}", self.at), found, expected: expected.into() });
    }

    /// A text that must be there, and fit.
    fn text(&mut self, key: &str, expected: &str, fits: impl Fn(&str) -> bool) -> Option<String> {
        let value = self.table.get(key);
        match value.and_then(Value::as_str).map(str::trim) {
            Some(text) if fits(text) => Some(text.to_owned()),
            found => {
                let found = found.map(str::to_owned).or_else(|| value.map(ToString::to_string));
                let found = found.filter(|text| key != "issuer" || !may_hold_a_key(text));
                self.fault(key, found, expected);
                None
            }
        }
    }

    fn provider(mut self) -> Option<ProviderSettings> {
        let before = self.s.faults.len();
        for key in self.table.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            self.fault(key, None, format!("one of: {}", KEYS.join(", ")));
        }
        let name = self.text("name", "1 to 32 small letters, digits and dashes; \"google\" is taken", |name| {
            let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            (1..=NAME).contains(&name.len()) && letters && name != GOOGLE
        });
        let label = match self.table.contains_key("label") {
            true => self.text("label", "1 to 40 characters: the provider's name on the button", |label| {
                (1..=LABEL).contains(&label.chars().count()) && !label.chars().any(char::is_control)
            }),
            false => name.clone(),
        };
        let issuer = self.text(
            "issuer",
            "the provider's issuer, letter by letter: https://…, or http:// on a loopback name",
            is_issuer,
        );
        let client_id = self.text("clientId", "the client id that the provider gave to this server", is_word);
        let client_secret = self.secret();
        let scopes = self.scopes();
        match (name, label, issuer, client_id, client_secret) {
            (Some(name), Some(label), Some(issuer), Some(client_id), Some(client_secret))
                if self.s.faults.len() == before =>
            {
                Some(ProviderSettings { name, label, issuer, client_id, client_secret, scopes })
            }
            _ => None,
        }
    }

    /// The secret itself, or where it is. Never told, not even when it is no secret at all.
    fn secret(&mut self) -> Option<Secret> {
        const WAYS: [&str; 3] = ["clientSecretFile", "clientSecretEnv", "clientSecret"];
        let named: Vec<&str> = WAYS.into_iter().filter(|way| self.table.contains_key(*way)).collect();
        let [way] = named[..] else {
            self.fault(
                "clientSecret",
                None,
                "one of clientSecretFile (a path), clientSecretEnv (the name of a variable) and clientSecret",
            );
            return None;
        };
        let Some(text) = self.table.get(way).and_then(Value::as_str).map(str::to_owned) else {
            self.fault(way, None, "a text");
            return None;
        };
        let (found, expected) = match way {
            "clientSecretFile" => match self.s.read_beside(&text) {
                Ok(secret) => (Some(secret), "a file that holds the client secret: one word of printable characters"),
                Err(error) => {
                    // What is no path from the root may be the secret itself.
                    let shown = Some(text).filter(|text| text.starts_with('/'));
                    self.fault(way, shown, format!("a file that can be read ({error})"));
                    return None;
                }
            },
            "clientSecretEnv" => {
                (self.s.variable(&text), "the name of a variable in the environment that holds the client secret")
            }
            _ => (Some(text), "the client secret that the provider gave to this server: one word"),
        };
        match found.as_deref().map(str::trim).filter(|secret| is_word(secret)) {
            Some(secret) => Some(Secret::new(secret)),
            None => {
                self.fault(way, None, expected);
                None
            }
        }
    }

    fn scopes(&mut self) -> Vec<String> {
        let Some(value) = self.table.get("scopes") else { return ProviderSettings::usual_scopes() };
        let scope = |value: &Value| {
            value.as_str().filter(|text| is_word(text) && !text.contains(['"', '\\'])).map(str::to_owned)
        };
        let scopes: Option<Vec<String>> = value.as_array().and_then(|list| list.iter().map(scope).collect());
        let Some(scopes) = scopes else {
            self.fault("scopes", Some(value.to_string()), "a list of words, such as [\"email\", \"profile\"]");
            return Vec::new();
        };
        // It is always asked for.
        scopes.into_iter().filter(|scope| scope != "openid").collect()
    }
}
