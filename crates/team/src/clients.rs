//! Programs that members connect (OAuth 2.1): registering, asking, allowing, and what their tokens are good for.
//!
//! A program is a public client: it holds no secret, so what it says of itself proves nothing. It gets a code only where it
//! said when it registered, and tokens only for the proof (PKCE) that belongs to the code. Its tokens are good for one
//! address of this server and for nothing else.

mod asking;
mod redirect;

use chrono::Duration;
use guildhall_store::{ClientBounds, FoundClientToken, Grant, NewGrant, NewPair, Store};
use guildhall_types::access::{ApiToken, OauthClient};
use guildhall_types::audit::Actor;
use guildhall_types::member::Member;
use guildhall_types::rights::Scope;
use guildhall_types::{DateTime, MemberId, TokenId};

pub use asking::{Asking, Here, MCP_SCOPES, Refused, Wish};

use crate::accounts::{Origin, TOUCH};
use crate::mail::Notice;
use crate::tokens::{new_token, token_hash};
use crate::{Team, TeamError, TokenAnswer};

/// What a token for use begins with, so that people and scanners know it when they see it.
pub const ACCESS_PREFIX: &str = "guildmcp_";
/// Parts a token for use from the scopes that it is for, where those are not all that the member allowed. They are a part of what
/// is hashed, so that nobody changes them.
const NARROWED: char = '.';
/// What a token for getting new ones begins with.
pub const REFRESH_PREFIX: &str = "guildmcr_";
/// A code is good for so long.
const CODE: Duration = Duration::minutes(1);
/// A token for use is good for so long.
pub const ACCESS: Duration = Duration::hours(1);
/// A connection that was not used for so long has ended.
const REFRESH: Duration = Duration::days(30);
/// Whoever got no answer to a refresh token may ask so long afterwards once more.
const LOST: Duration = Duration::seconds(30);
/// A program that no member has connected after so long is forgotten.
const UNUSED: Duration = Duration::days(1);
/// What ended is kept for so long, to tell a stolen token from an unknown one.
const ENDED: Duration = Duration::days(90);
/// Programs that wait for being connected, at most; those that wait longest make room. What one network may register in a minute
/// leaves a program the better part of an hour for it.
const WAITING: i64 = 500;
/// Programs that a member can have connected.
const MOST: i64 = 50;
/// Addresses that a program may name.
const ADDRESSES: usize = 10;
/// Characters of a program's name at most.
const NAME: usize = 100;

/// A pair of tokens for a program. They are shown once and stored hashed.
pub struct Pair {
    /// The token for use.
    pub access: String,
    /// The token for getting the next pair.
    pub refresh: String,
    /// What they may be used for.
    pub scopes: Vec<Scope>,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

/// Why a program gets no tokens.
#[derive(Debug, thiserror::Error)]
pub enum NoTokens {
    /// The code, the token or what belongs to it is not right, or no longer.
    #[error("{0}")]
    Grant(&'static str),
    /// It asks for more than the member allowed.
    #[error("the member did not allow this scope; send the member to the authorization endpoint again")]
    Scope,
    /// It asks for tokens for another address.
    #[error("these tokens are for another resource; ask for the one that the code was made for")]
    Resource,
    /// The store failed.
    #[error(transparent)]
    Team(#[from] TeamError),
}

impl From<guildhall_store::StoreError> for NoTokens {
    fn from(error: guildhall_store::StoreError) -> Self {
        Self::Team(error.into())
    }
}

impl Team {
    /// Registers a program that calls itself `name`.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] `redirect_uris` or `client_name`.
    pub async fn register_client(&self, name: &str, redirect_uris: &[String]) -> Result<OauthClient, TeamError> {
        let name = name.trim();
        if !(1..=NAME).contains(&name.chars().count()) || guildhall_types::audit::plain(name) != name {
            return Err(TeamError::invalid("client_name", "give a name of 1 to 100 characters on one line"));
        }
        if redirect_uris.is_empty() || redirect_uris.len() > ADDRESSES {
            return Err(TeamError::invalid("redirect_uris", "name 1 to 10 addresses"));
        }
        for uri in redirect_uris {
            redirect::check(uri).map_err(|message| TeamError::invalid("redirect_uris", message))?;
        }
        let now = self.clock.now();
        let bounds = ClientBounds { most: WAITING, unused_since: now - UNUSED, ended_since: now - ENDED };
        let client = self.store.register_client(name, redirect_uris, bounds).await?;
        tracing::info!(client = %client.id, "a program registered");
        Ok(client)
    }

    /// Lets a member allow a program what it asks for, or less. Returns where to lead the member: back to the program, with
    /// a code.
    ///
    /// # Errors
    /// [`Refused`] as for looking at it; [`TeamError::Invalid`] when the scopes are not among those asked for;
    /// [`TeamError::Conflict`] `too-many-clients`.
    pub async fn allow_client(
        &self,
        member: &Member,
        asking: &Asking,
        mut scopes: Vec<Scope>,
        here: &Here,
    ) -> Result<String, Refused> {
        let wish = self.look_at_asking(asking, here).await?;
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() || scopes.iter().any(|scope| !wish.scopes.contains(scope)) {
            let message = "choose at least one of the scopes that the program asks for, and no other";
            return Err(TeamError::invalid("scopes", message).into());
        }
        if let Some(scope) = scopes.iter().find(|scope| !member.role.can_use(**scope)) {
            let message = format!("as a {} you have no use of the scope {scope}", member.role);
            return Err(TeamError::invalid("scopes", message).into());
        }
        let code = new_token();
        let new = NewGrant {
            member_id: member.id,
            client_id: wish.client.id,
            scopes,
            resource: here.resource.clone(),
            code_hash: token_hash(&code),
            redirect_uri: wish.redirect_uri.clone(),
            challenge: wish.challenge.clone(),
            code_ends: self.clock.now() + CODE,
        };
        let change = |store: Store| {
            let new = new.clone();
            async move { store.allow_client(new, MOST).await }
        };
        let connected = self.notify(member, &Notice::client_connected(&wish.client.name), change).await?;
        let grant = connected.ok_or_else(|| {
            let message = format!("you have connected {MOST} programs; end one that you do not need");
            TeamError::conflict("too-many-clients", message)
        })?;
        tracing::info!(member = %member.id, client = %wish.client.id, %grant, "a member connected a program");
        Ok(wish.back(here, &[("code", &code)]))
    }

    /// Exchanges a code for the first pair of tokens. A code that is shown twice ends what was made of it.
    ///
    /// # Errors
    /// [`NoTokens`].
    pub async fn exchange_code(
        &self,
        code: &str,
        client_id: &str,
        redirect_uri: Option<&str>,
        verifier: &str,
        here: &Here,
        origin: &Origin,
    ) -> Result<Pair, NoTokens> {
        const AGAIN: &str = "this code is not good, or no longer; send the member to the authorization endpoint again";
        let hash = token_hash(code);
        let Some(found) = self.store.client_code(&hash).await? else { return Err(NoTokens::Grant(AGAIN)) };
        let grant = &found.grant;
        if grant.client_id.to_string() != client_id {
            return Err(NoTokens::Grant("this code was made for another client"));
        }
        if found.used_at.is_some() {
            self.reused(grant, "a code was shown twice", origin).await?;
            return Err(NoTokens::Grant(AGAIN));
        }
        if !asking::proves(verifier, &found.challenge) {
            return Err(NoTokens::Grant("code_verifier does not belong to the code_challenge of this code"));
        }
        if redirect_uri.is_some_and(|uri| uri != found.redirect_uri) {
            return Err(NoTokens::Grant("redirect_uri is not the one that the code was sent to"));
        }
        if !here.is_resource(&grant.resource) {
            return Err(NoTokens::Resource);
        }
        let (pair, new) = self.new_pair(grant, None);
        if !self.store.exchange_code(&hash, grant, new).await? {
            let now = self.store.client_code(&hash).await?;
            if now.is_some_and(|now| now.used_at.is_some()) {
                self.reused(grant, "a code was shown twice", origin).await?;
            }
            return Err(NoTokens::Grant(AGAIN));
        }
        Ok(pair)
    }

    /// Exchanges a refresh token for the next pair. One that is shown twice was stolen, and ends the connection; unless that is so
    /// soon that the answer may have been lost, and nothing of it was used: then that pair is void, and another is given. A program may ask
    /// for a token for use that is good for less; the next refresh token is good for all again (RFC 6749, section 6).
    ///
    /// # Errors
    /// [`NoTokens`].
    pub async fn refresh_tokens(
        &self,
        refresh: &str,
        client_id: &str,
        scopes: Option<&[Scope]>,
        here: &Here,
        origin: &Origin,
    ) -> Result<Pair, NoTokens> {
        const AGAIN: &str =
            "this refresh token is not good, or no longer; send the member to the authorization endpoint again";
        let found = self.found_token(refresh, REFRESH_PREFIX).await?.filter(|found| found.refresh);
        let Some(found) = found else { return Err(NoTokens::Grant(AGAIN)) };
        let grant = &found.grant;
        if grant.client_id.to_string() != client_id {
            return Err(NoTokens::Grant("this refresh token was made for another client"));
        }
        let lost_since = self.clock.now() - LOST;
        if found.used_at.is_some_and(|at| at <= lost_since) {
            self.reused(grant, "a refresh token was shown twice", origin).await?;
            return Err(NoTokens::Grant(AGAIN));
        }
        if scopes.is_some_and(|asked| asked.is_empty() || asked.iter().any(|scope| !grant.scopes.contains(scope))) {
            return Err(NoTokens::Scope);
        }
        if !here.is_resource(&grant.resource) {
            return Err(NoTokens::Resource);
        }
        let (pair, new) = self.new_pair(grant, scopes);
        let hash = token_hash(refresh);
        if !self.store.rotate_tokens(&hash, grant, new, lost_since).await? {
            let now = self.store.client_token(&hash).await?;
            if now.is_some_and(|now| now.used_at.is_some()) {
                self.reused(grant, "a refresh token was shown twice", origin).await?;
            }
            return Err(NoTokens::Grant(AGAIN));
        }
        Ok(pair)
    }

    /// What is known of a token that a program shows at the address `resource`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn client_token(&self, token: &str, here: &Here) -> Result<TokenAnswer, TeamError> {
        let found = self.found_token(token, ACCESS_PREFIX).await?.filter(|found| !found.refresh);
        let Some(found) = found else { return Ok(TokenAnswer::Unknown) };
        let now = self.clock.now();
        let mut grant = found.grant;
        if let Some((_, only)) = token.split_once(NARROWED) {
            grant.scopes.retain(|scope| only.split(NARROWED).any(|word| word == scope.as_str()));
        }
        let why = match &grant {
            grant if grant.member.disabled_at.is_some() => Some("the member is disabled"),
            grant if grant.revoked_at.is_some() => Some("the program was disconnected"),
            _ if found.expires_at <= now => Some("the token has expired"),
            grant if !here.is_resource(&grant.resource) => Some("the token is for another address"),
            _ => None,
        };
        if let Some(why) = why {
            return Ok(TokenAnswer::Ended(grant.id, grant.member.id, why));
        }
        if found.used_at.is_none() {
            self.store.use_client_token(&token_hash(token)).await?;
        }
        if grant.last_used_at.is_none_or(|at| at + TOUCH <= now) {
            self.store.touch_grant(grant.id).await?;
        }
        let token = ApiToken {
            id: grant.id,
            name: grant.name,
            scopes: grant.scopes,
            created_at: grant.created_at,
            expires_at: found.expires_at,
            last_used_at: grant.last_used_at,
        };
        Ok(TokenAnswer::Good(token, Box::new(grant.member)))
    }

    /// Ends a connection, by either of its tokens (RFC 7009). That there is none such is no failure.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn hand_back_token(&self, token: &str, origin: &Origin) -> Result<(), TeamError> {
        let found = match self.found_token(token, ACCESS_PREFIX).await? {
            None => self.found_token(token, REFRESH_PREFIX).await?,
            found => found,
        };
        if let Some(FoundClientToken { grant, .. }) = found {
            let actor = Actor { token: Some(grant.id), ..origin.of(grant.member.id) };
            self.store
                .acting_as(actor)
                .disconnect_client(grant.id, grant.member.id, "the program handed it back")
                .await?;
        }
        Ok(())
    }

    /// Ends a connection on behalf of its member; false when there is none such.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn disconnect_client(&self, id: TokenId, member: MemberId) -> Result<bool, TeamError> {
        Ok(self.store.disconnect_client(id, member, "the member ended it").await?)
    }

    async fn found_token(&self, token: &str, prefix: &str) -> Result<Option<FoundClientToken>, TeamError> {
        match token.starts_with(prefix) {
            true => Ok(self.store.client_token(&token_hash(token)).await?),
            false => Ok(None),
        }
    }

    async fn reused(&self, grant: &Grant, why: &'static str, origin: &Origin) -> Result<(), TeamError> {
        tracing::warn!(grant = %grant.id, member = %grant.member.id, why, "a program is disconnected");
        // Who shows it is not known to be the program.
        let store = self.store.acting_as(Actor { token: Some(grant.id), ..origin.nobody() });
        store.disconnect_client(grant.id, grant.member.id, why).await?;
        Ok(())
    }

    /// A pair for all that the member allowed, or with a token for use that is good for `only` these.
    fn new_pair(&self, grant: &Grant, only: Option<&[Scope]>) -> (Pair, NewPair) {
        let now: DateTime = self.clock.now();
        let mut scopes = grant.scopes.clone();
        let mut access = format!("{ACCESS_PREFIX}{}", new_token());
        if let Some(only) = only {
            scopes.retain(|scope| only.contains(scope));
        }
        if scopes != grant.scopes {
            for scope in &scopes {
                access.push(NARROWED);
                access.push_str(scope.as_str());
            }
        }
        let pair = Pair { access, refresh: format!("{REFRESH_PREFIX}{}", new_token()), scopes };
        let new = NewPair {
            access_hash: token_hash(&pair.access),
            access_ends: now + ACCESS,
            refresh_hash: token_hash(&pair.refresh),
            refresh_ends: now + REFRESH,
        };
        (pair, new)
    }
}
