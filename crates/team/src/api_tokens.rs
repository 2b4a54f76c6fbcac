//! Personal access tokens: what programs show instead of a session.

use chrono::Duration;
use guildhall_store::{FoundToken, NewToken, Store};
use guildhall_types::access::ApiToken;
use guildhall_types::member::Member;
use guildhall_types::rights::Scope;
use guildhall_types::{DateTime, MemberId, TokenId};

use crate::accounts::TOUCH;
use crate::mail::Notice;
use crate::tokens::{new_token, token_hash};
use crate::{Team, TeamError};

/// What a token begins with, so that people and scanners know it when they see it.
pub const PREFIX: &str = "guild_";
/// A token ends by itself after so long when nothing else is asked for.
const USUAL: Duration = Duration::days(90);
/// A token ends by itself after so long at most.
const LONGEST: Duration = Duration::days(366);
/// Tokens that a member can have.
const MOST: i64 = 50;

/// What came of a token that was presented.
#[derive(Debug, Clone, PartialEq)]
pub enum TokenAnswer {
    /// It may be used.
    Good(ApiToken, Box<Member>),
    /// It was one, and has ended; why.
    Ended(TokenId, MemberId, &'static str),
    /// There never was such a token.
    Unknown,
}

impl Team {
    /// Makes a token for a member. Returns it; it is shown once and stored hashed.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a bad name, no scope, one that the member has no use of, or a bad end.
    pub async fn create_token(
        &self,
        member: &Member,
        name: &str,
        mut scopes: Vec<Scope>,
        expires_at: Option<DateTime>,
    ) -> Result<(String, ApiToken), TeamError> {
        let name = name.trim();
        if !(1..=100).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(TeamError::invalid("name", "say in 1 to 100 characters what the token is for"));
        }
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(TeamError::invalid("scopes", "name at least one scope"));
        }
        if let Some(scope) = scopes.iter().find(|scope| !member.role.can_use(**scope)) {
            let message = format!("as a {} you have no use of the scope {scope}", member.role);
            return Err(TeamError::invalid("scopes", message));
        }
        let now = self.clock.now();
        let expires_at = expires_at.unwrap_or(now + USUAL);
        if expires_at <= now || expires_at > now + LONGEST {
            return Err(TeamError::invalid("expiresAt", "give a time from now on, a year from now at most"));
        }
        let token = format!("{PREFIX}{}", new_token());
        let new = NewToken {
            member_id: member.id,
            name: name.to_owned(),
            scopes,
            token_hash: token_hash(&token),
            expires_at,
        };
        let change = |store: Store| {
            let new = new.clone();
            async move { store.create_token(new, MOST).await }
        };
        let made = self.notify(member, &Notice::token_made(name), change).await?.ok_or_else(|| {
            TeamError::conflict("too-many-tokens", format!("you have {MOST} tokens; revoke one that you do not need"))
        })?;
        tracing::info!(member = %member.id, token = %made.id, "a personal access token was made");
        Ok((token, made))
    }

    /// What is known of a token that was presented.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn token(&self, token: &str) -> Result<TokenAnswer, TeamError> {
        if !token.starts_with(PREFIX) {
            return Ok(TokenAnswer::Unknown);
        }
        let Some(found) = self.store.token_by_hash(&token_hash(token)).await? else { return Ok(TokenAnswer::Unknown) };
        let now = self.clock.now();
        if let Some(why) = end(&found, now) {
            return Ok(TokenAnswer::Ended(found.token.id, found.member.id, why));
        }
        if found.token.last_used_at.is_none_or(|at| at + TOUCH <= now) {
            self.store.touch_token(found.token.id).await?;
        }
        Ok(TokenAnswer::Good(found.token, Box::new(found.member)))
    }

    /// Whether a token that was good has not ended since.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn token_holds(&self, id: TokenId) -> Result<bool, TeamError> {
        let found = self.store.token(id).await?;
        Ok(found.is_some_and(|found| end(&found, self.clock.now()).is_none()))
    }
}

/// Why a token can no longer be used.
fn end(found: &FoundToken, now: DateTime) -> Option<&'static str> {
    match found {
        found if found.member.disabled_at.is_some() => Some("the member is disabled"),
        found if found.revoked_at.is_some() => Some("the token was revoked"),
        found if found.token.expires_at <= now => Some("the token has expired"),
        _ => None,
    }
}
