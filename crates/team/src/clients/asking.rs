//! What a program asks a member for, when it sends the member's browser here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guildhall_types::ClientId;
use guildhall_types::access::OauthClient;
use guildhall_types::rights::Scope;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;
use utoipa::{IntoParams, ToSchema};

use super::redirect;
use crate::{Team, TeamError};

/// What a connected program can be allowed.
pub const MCP_SCOPES: [Scope; 4] = [Scope::Read, Scope::Write, Scope::Run, Scope::Knowledge];
/// Characters of a program's own words at most.
const STATE: usize = 1_000;

/// The question of a program, as it stands in the address that it leads a member to; there under the names of the standard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Asking {
    /// The program's id.
    #[serde(default = "String::new", alias = "client_id")]
    pub client_id: String,
    /// Where it wants the member led back to.
    #[serde(default = "String::new", alias = "redirect_uri")]
    pub redirect_uri: String,
    /// `code`.
    #[serde(default = "String::new", alias = "response_type")]
    pub response_type: String,
    /// The hash of its proof (PKCE).
    #[serde(default = "String::new", alias = "code_challenge")]
    pub code_challenge: String,
    /// `S256`.
    #[serde(default = "String::new", alias = "code_challenge_method")]
    pub code_challenge_method: String,
    /// What it wants to be allowed, with spaces between.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    #[param(nullable = false)]
    pub scope: Option<String>,
    /// The program's own words, which it gets back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    #[param(nullable = false)]
    pub state: Option<String>,
    /// The address that it wants tokens for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    #[param(nullable = false)]
    pub resource: Option<String>,
}

/// This server, as the browser or the program reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Here {
    /// Who issues tokens: the server's address, without a slash at the end.
    pub issuer: String,
    /// What they are good for.
    pub resource: String,
}

impl Here {
    /// The server at this address.
    pub fn at(site: &Url) -> Self {
        let issuer = site.as_str().trim_end_matches('/').to_owned();
        Self { resource: format!("{issuer}/mcp"), issuer }
    }

    /// Whether this names what is here: case of the host and a slash at the end do not count.
    pub fn is_resource(&self, resource: &str) -> bool {
        let whole = |text: &str| Url::parse(text).ok().map(|url| url.as_str().trim_end_matches('/').to_owned());
        whole(resource).is_some_and(|asked| Some(asked) == whole(&self.resource))
    }
}

/// What a program may be allowed, once it has been looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The program.
    pub client: OauthClient,
    /// Where it wants the member led back to.
    pub redirect_uri: String,
    /// What it wants to be allowed, as far as it can be.
    pub scopes: Vec<Scope>,
    /// The hash of its proof.
    pub challenge: String,
    /// Its own words.
    state: Option<String>,
}

impl Wish {
    /// Where to lead the member: back to the program, with this to say.
    pub fn back(&self, here: &Here, words: &[(&str, &str)]) -> String {
        back(&self.redirect_uri, self.state.as_deref(), here, words)
    }

    /// Where to lead a member who does not allow it.
    pub fn denied(&self, here: &Here) -> String {
        self.back(here, &[("error", "access_denied"), ("error_description", "the member did not allow it")])
    }
}

/// Why a program's question is not put to the member.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Nobody is to be led anywhere: who asks is not known, or what is asked is not for it to say.
    #[error(transparent)]
    Here(#[from] TeamError),
    /// The program is to hear of it, as soon as a member has seen who that is and goes there: nobody is led there unasked, as
    /// anybody may register an address.
    #[error("the program asks for something that there is not: {description}")]
    There {
        /// What the program calls itself.
        name: String,
        /// The address that it registered.
        redirect_uri: String,
        /// The same with what is wrong.
        back: String,
        /// What is wrong and how to mend it.
        description: &'static str,
    },
}

impl Team {
    /// Looks at a program's question.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn look_at_asking(&self, asking: &Asking, here: &Here) -> Result<Wish, Refused> {
        let unknown = || TeamError::invalid("client_id", "this program is not registered here; connect it anew");
        let id: ClientId = asking.client_id.parse().map_err(|_| unknown())?;
        let client = self.store.client(id).await.map_err(TeamError::from)?.ok_or_else(unknown)?;
        if !redirect::is_registered(&client.redirect_uris, &asking.redirect_uri) {
            let message = "the program did not register this address; nobody is led there";
            return Err(TeamError::invalid("redirect_uri", message).into());
        }
        let there = |error, description| {
            let words = [("error", error), ("error_description", description)];
            let state = asking.state.as_deref().filter(|state| state.len() <= STATE);
            Refused::There {
                name: client.name.clone(),
                redirect_uri: asking.redirect_uri.clone(),
                back: back(&asking.redirect_uri, state, here, &words),
                description,
            }
        };
        if asking.state.as_ref().is_some_and(|state| state.len() > STATE) {
            return Err(there("invalid_request", "state has more than 1000 characters"));
        }
        if asking.response_type != "code" {
            return Err(there("unsupported_response_type", "response_type must be code"));
        }
        if asking.code_challenge_method != "S256" {
            return Err(there("invalid_request", "code_challenge_method must be S256"));
        }
        if URL_SAFE_NO_PAD.decode(&asking.code_challenge).map_or(0, |hash| hash.len()) != 32 {
            return Err(there("invalid_request", "code_challenge must be the base64url SHA-256 of the code_verifier"));
        }
        if asking.resource.as_ref().is_some_and(|resource| !here.is_resource(resource)) {
            return Err(there("invalid_target", "resource must be the address of this server's MCP endpoint"));
        }
        let scopes = wanted(asking.scope.as_deref());
        if scopes.is_empty() {
            return Err(there("invalid_scope", "ask for one of: read, write, run, knowledge"));
        }
        Ok(Wish {
            client,
            redirect_uri: asking.redirect_uri.clone(),
            scopes,
            challenge: asking.code_challenge.clone(),
            state: asking.state.clone(),
        })
    }
}

/// What a program wants to be allowed, as far as it can be; all of that when it does not say.
fn wanted(scope: Option<&str>) -> Vec<Scope> {
    match scope.map(str::trim).filter(|scope| !scope.is_empty()) {
        None => MCP_SCOPES.to_vec(),
        Some(words) => {
            let asked: Vec<&str> = words.split(' ').collect();
            MCP_SCOPES.into_iter().filter(|scope| asked.contains(&scope.as_str())).collect()
        }
    }
}

fn back(redirect_uri: &str, state: Option<&str>, here: &Here, words: &[(&str, &str)]) -> String {
    // It was parsed when it was registered.
    let Ok(mut url) = Url::parse(redirect_uri) else { return here.issuer.clone() };
    let mut query = url.query_pairs_mut();
    query.extend_pairs(words);
    if let Some(state) = state {
        query.append_pair("state", state);
    }
    // RFC 9207: who answers, so that a program that knows several cannot mix them up.
    query.append_pair("iss", &here.issuer);
    drop(query);
    url.into()
}

/// Whether a proof is the one whose hash came with the question (RFC 7636).
pub(super) fn proves(verifier: &str, challenge: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(plain)
        && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) == challenge
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_of_the_standard_is_one() {
        // RFC 7636, appendix B.
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(proves(verifier, challenge));
        assert!(!proves(challenge, challenge), "plain");
        assert!(!proves("short", &URL_SAFE_NO_PAD.encode(Sha256::digest(b"short"))));
    }

    #[test]
    fn a_resource_is_this_one_or_another() {
        let here = Here::at(&Url::parse("https://guild.example.com/").unwrap());
        assert_eq!(
            (here.issuer.as_str(), here.resource.as_str()),
            ("https://guild.example.com", "https://guild.example.com/mcp")
        );
        for (asked, is) in [
            ("https://guild.example.com/mcp", true),
            ("https://GUILD.example.com/mcp/", true),
            ("https://guild.example.com", false),
            ("http://guild.example.com/mcp", false),
            ("https://guild.example.com:8443/mcp", false),
            ("https://guild.example.com/mcp?x", false),
            ("https://guild.example.com.evil.example/mcp", false),
            ("mcp", false),
        ] {
            assert_eq!(here.is_resource(asked), is, "{asked}");
        }
    }

    #[test]
    fn only_what_can_be_allowed_is_wanted() {
        assert_eq!(wanted(None), MCP_SCOPES);
        assert_eq!(wanted(Some(" ")), MCP_SCOPES);
        assert_eq!(wanted(Some("run read admin openid")), [Scope::Read, Scope::Run]);
        assert!(wanted(Some("admin git")).is_empty());
    }

    #[test]
    fn a_member_is_led_back_with_the_programs_own_words() {
        let here = Here::at(&Url::parse("http://localhost:4300").unwrap());
        let back = back("http://127.0.0.1:1/cb?x=1", Some("a&b=c"), &here, &[("code", "k")]);
        assert_eq!(back, "http://127.0.0.1:1/cb?x=1&code=k&state=a%26b%3Dc&iss=http%3A%2F%2Flocalhost%3A4300");
    }
}
