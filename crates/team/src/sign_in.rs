//! Signing in by a provider, linking an account there, and proving by it once more who one is.
//!
//! A try is begun, good for once, for ten minutes and in one browser. What the store keeps of it are hashes: the browser's
//! cookie is the seed of the nonce and of the proof (PKCE) that belongs to the code.

use chrono::Duration;
use guildhall_store::{NewIdentity, NewMember, Session, SignInTry, Store, StoreError, Unlinked};
use guildhall_types::access::Identity;
use guildhall_types::audit::{AuditAction, AuditObject, AuditOutcome, Note};
use guildhall_types::member::Member;
use guildhall_types::{DateTime, IdentityId, MemberId, SessionId};
use openidconnect::RedirectUrl;
use url::Url;

use crate::accounts::{Origin, plain_name};
use crate::mail::Notice;
use crate::oidc::{Person, Provider, ProviderError, SKEW, Secrets};
use crate::tokens::{new_token, token_hash};
use crate::{Team, TeamError};

/// A try ends by itself after so long.
const TRY: Duration = Duration::minutes(10);
/// Characters of the address to go to at most.
const PATH: usize = 2_000;
/// Characters of a name at most.
const NAME: usize = 100;

/// What somebody goes to a provider for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To sign in, or to join.
    SignIn,
    /// To link the account there.
    Link,
    /// To prove once more who they are.
    Confirm,
}

impl Purpose {
    const ALL: [Self; 3] = [Self::SignIn, Self::Link, Self::Confirm];

    const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::Link => "link",
            Self::Confirm => "confirm",
        }
    }

    /// What this try is for.
    pub fn of(try_: &SignInTry) -> Self {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == try_.purpose).unwrap_or(Self::SignIn)
    }

    fn action(self) -> AuditAction {
        match self {
            Self::SignIn => AuditAction::SignIn,
            Self::Link => AuditAction::LinkIdentity,
            Self::Confirm => AuditAction::Confirm,
        }
    }
}

/// A try to be begun.
#[derive(Debug, Clone)]
pub struct Begin<'a> {
    /// At which provider, by its name.
    pub provider: &'a str,
    /// What for.
    pub purpose: Purpose,
    /// The code of an invitation.
    pub invitation: Option<&'a str>,
    /// Who is signed in, and in which session; for all but a sign-in.
    pub signed: Option<(MemberId, SessionId)>,
    /// The page to go to when it is done. One that is not of this server is not gone to.
    pub go_to: &'a str,
    /// Where the provider is to lead back to.
    pub redirect_url: String,
}

/// A try that was begun.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser is to go.
    pub url: Url,
    /// What the browser is to keep in a cookie that no script reads.
    pub browser: String,
    /// When the try ends by itself.
    pub expires_at: DateTime,
}

/// What a provider answered by way of the browser.
#[derive(Clone, Default)]
pub struct Answer {
    /// What the try was named by.
    pub state: String,
    /// What the person is told for.
    pub code: Option<String>,
    /// Who answers.
    pub iss: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
}

fn refused(code: &'static str, message: impl Into<String>) -> TeamError {
    TeamError::conflict(code, message)
}

fn ended() -> TeamError {
    refused(
        "try-ended",
        "this sign-in was begun in another browser, took longer than ten minutes or was finished already; begin again",
    )
}

/// What belongs to a try and is known to its browser alone.
fn secrets(state: &str, browser: &str) -> Secrets {
    use base64::Engine;
    let derive = |what: &str| {
        let hash = token_hash(&format!("guildhall {what}\n{browser}\n{state}"));
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(hash)
    };
    Secrets { state: state.to_owned(), nonce: derive("nonce"), verifier: derive("verifier") }
}

/// The address of a page of this server, or its first page where `path` leads elsewhere.
pub fn own_path(path: &str) -> &str {
    let base = Url::parse("http://own.invalid/").ok();
    let stays = base.is_some_and(|base| base.join(path).is_ok_and(|url| url.origin() == base.origin()));
    let plain = path.starts_with('/')
        && !path.starts_with("//")
        && !path.starts_with("/api/")
        && path.len() <= PATH
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if stays && plain { path } else { "/" }
}

impl Team {
    fn provider(&self, name: &str) -> Result<&Provider, TeamError> {
        self.sign_in.get(name).ok_or(TeamError::NotFound { what: "way to sign in" })
    }

    /// Begins a try at a provider.
    ///
    /// # Errors
    /// [`TeamError::NotFound`] for a provider that is not there; [`TeamError::Throttled`]; [`TeamError::Conflict`]
    /// `provider-away`, or `not-linked` when a member wants to prove who they are by an account that is not theirs.
    pub async fn begin(&self, begin: Begin<'_>, origin: &Origin) -> Result<Begun, TeamError> {
        let now = self.clock.now();
        let provider = self.provider(begin.provider)?;
        if let Some(address) = &origin.address {
            self.throttle.may_now(&format!("begin {address}"), now)?;
        }
        if begin.purpose == Purpose::Confirm
            && let Some((member, _)) = begin.signed
        {
            let linked = self.store.identities_of(member).await?;
            if !linked.iter().any(|identity| identity.issuer == provider.settings.issuer) {
                let label = &provider.settings.label;
                return Err(refused(
                    "not-linked",
                    format!("you have linked no account at {label}; choose another way"),
                ));
            }
        }
        let (state, browser) = (new_token(), new_token());
        let redirect = redirect(&begin.redirect_url)?;
        let url = provider
            .address(&redirect, &secrets(&state, &browser), begin.purpose == Purpose::Confirm, now)
            .await
            .map_err(|error| error.told(&provider.settings.label))?;
        let expires_at = now + TRY;
        let try_ = SignInTry {
            state_hash: token_hash(&state),
            browser_hash: token_hash(&browser),
            provider: begin.provider.to_owned(),
            purpose: begin.purpose.as_str().to_owned(),
            invitation_hash: begin.invitation.map(|code| token_hash(code.trim())),
            member_id: begin.signed.map(|(member, _)| member),
            session_id: begin.signed.map(|(_, session)| session),
            go_to: own_path(begin.go_to).to_owned(),
            redirect_url: begin.redirect_url,
            started_at: now,
            expires_at,
        };
        self.store.create_try(&try_).await?;
        Ok(Begun { url, browser, expires_at })
    }

    /// Takes the try to which an answer belongs. It is over from then on, whatever comes of it.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `try-ended` when it is over already, or was begun at another provider or in another browser.
    pub async fn take_try(&self, provider: &str, state: &str, browser: Option<&str>) -> Result<SignInTry, TeamError> {
        let browser = browser.ok_or_else(ended)?;
        let taken = self.store.take_try(&token_hash(state)).await?.ok_or_else(ended)?;
        match taken.provider == provider && taken.browser_hash == token_hash(browser) {
            true => Ok(taken),
            false => Err(ended()),
        }
    }

    /// Finds out who came back from a provider.
    ///
    /// # Errors
    /// [`TeamError::Conflict`]: `provider-declined`, `provider-ended`, `provider-away`, `provider-untrusted`.
    pub async fn arrived(&self, try_: &SignInTry, browser: &str, answer: Answer) -> Result<Person, TeamError> {
        let now = self.clock.now();
        let provider = self.provider(&try_.provider)?;
        let label = &provider.settings.label;
        provider.answers_as(answer.iss.as_deref(), now).await.map_err(|error| error.told(label))?;
        if let Some(error) = answer.error {
            return Err(match error.as_str() {
                "access_denied" | "interaction_required" | "login_required" | "consent_required" => refused(
                    "provider-declined",
                    format!("you were not signed in at {label}; begin again if you want to"),
                ),
                other => ProviderError::Ended(other.chars().take(100).collect()).told(label),
            });
        }
        let code = answer.code.unwrap_or_default();
        let redirect = redirect(&try_.redirect_url)?;
        let secrets = secrets(&answer.state, browser);
        provider.person(code, &redirect, &secrets, try_.started_at, now).await.map_err(|error| error.told(label))
    }

    /// The member who signs in as this person: the one who linked the account, or a new one who was invited or for whom
    /// sign-up is open.
    ///
    /// # Errors
    /// [`TeamError::Conflict`]: `account-disabled`, `email-unverified`, `link-first`, `bad-invitation`, `no-account`.
    pub async fn member_for(&self, person: &Person, try_: &SignInTry, origin: &Origin) -> Result<Member, TeamError> {
        let team = self.acting_as(origin.nobody());
        if let Some((identity, member)) = team.store.member_by_identity(&person.issuer, &person.subject).await? {
            if member.disabled_at.is_some() {
                return Err(refused("account-disabled", "your account is disabled; ask an admin of your team"));
            }
            team.store.touch_identity(identity.id, person.email.as_deref()).await?;
            return Ok(member);
        }
        let member = team.newcomer(person, try_).await.map_err(|error| match error {
            // Somebody was faster with this address or this account: another window, or another browser.
            TeamError::Store(StoreError::Taken { .. }) => link_first(),
            error => error,
        })?;
        tracing::info!(member = %member.id, role = %member.role, provider = try_.provider, "a member joined");
        Ok(member)
    }

    /// Makes the member that this person becomes, if it may become one.
    async fn newcomer(&self, person: &Person, try_: &SignInTry) -> Result<Member, TeamError> {
        let setting = self.sign_up_setting().await?;
        let invited = try_.invitation_hash.as_deref();
        let Some(email) = person.verified_email() else {
            return Err(match invited.is_some() || setting.open {
                true => refused(
                    "email-unverified",
                    "your provider has not verified your e-mail address, so it cannot be believed; verify it there, or join with a password",
                ),
                false => no_account(),
            });
        };
        if self.store.member_by_email(email).await?.is_some() {
            return Err(link_first());
        }
        let name = plain_name(person.name.as_deref().unwrap_or_default().trim())
            .or_else(|_| plain_name(&shortened(email.split('@').next().unwrap_or(email))))?;
        let new = NewMember { email: email.to_owned(), name, password_hash: None };
        let identity = new_identity(person);
        if let Some(code_hash) = invited {
            return self.store.join_by_identity(new, code_hash, &identity).await?.ok_or_else(|| {
                refused(
                    "bad-invitation",
                    "this invitation cannot be used: it is not for the address that your provider tells, was used or taken back, or has ended; ask for a new one",
                )
            });
        }
        let host = email.split_once('@').map(|(_, host)| host);
        match setting.open && setting.domain.as_deref().is_none_or(|domain| host == Some(domain)) {
            true => Ok(self.store.sign_up_by_identity(new, setting.role, &identity).await?),
            false => Err(no_account()),
        }
    }

    /// Whether a try was begun in this session, by its member.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `try-ended` when it was not.
    pub fn same_session(&self, try_: &SignInTry, session: &Session) -> Result<(), TeamError> {
        match try_.session_id == Some(session.id) && try_.member_id == Some(session.member_id) {
            true => Ok(()),
            false => Err(ended()),
        }
    }

    /// Links a person's account to a member who is signed in and has asked for it.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `identity-taken` when it is another member's.
    pub async fn link(&self, member: &Member, person: &Person) -> Result<Identity, TeamError> {
        let (id, new) = (member.id, new_identity(person));
        let new = &new;
        let change = |store: Store| async move { store.link_identity(id, new).await };
        let notice = Notice::account_linked(self.sign_in.label_of(&person.issuer));
        let identity = self.notify(member, &notice, change).await.map_err(|error| match error {
            TeamError::Store(StoreError::Taken { .. }) => refused(
                "identity-taken",
                "this account is linked to another member of the team; sign in there with another account, or unlink it first",
            ),
            error => error,
        })?;
        tracing::info!(member = %member.id, identity = %identity.id, "a member linked an account");
        Ok(identity)
    }

    /// Takes the proof of a provider for the member's own. The session goes on with a new token, which is returned.
    ///
    /// # Errors
    /// [`TeamError::Conflict`]: `other-person` when the account is not linked to this member; `not-fresh` when the provider
    /// does not say that the person has proved it anew.
    pub async fn confirm_by(
        &self,
        session: &Session,
        try_: &SignInTry,
        person: &Person,
    ) -> Result<(String, Session), TeamError> {
        let linked = self.store.member_by_identity(&person.issuer, &person.subject).await?;
        if linked.is_none_or(|(_, member)| member.id != session.member_id) {
            return Err(refused(
                "other-person",
                "you came back with another account than the one that is linked to you; sign in there as yourself",
            ));
        }
        if person.auth_time.is_none_or(|at| at < try_.started_at - SKEW) {
            return Err(refused(
                "not-fresh",
                "your provider does not say that you proved anew who you are; ask an admin for a link to set a password, and confirm with that",
            ));
        }
        self.confirmed(session.id).await
    }

    /// Takes an account away from a member.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; [`TeamError::Conflict`] `last-way-in` when the member could not sign in any more.
    pub async fn unlink(&self, member: &Member, id: IdentityId) -> Result<(), TeamError> {
        let missing = || TeamError::NotFound { what: "linked account" };
        let linked = self.store.identities_of(member.id).await?;
        let identity = linked.into_iter().find(|identity| identity.id == id).ok_or_else(missing)?;
        let notice = Notice::account_unlinked(self.sign_in.label_of(&identity.issuer));
        let (member_id, issuers) = (member.id, self.sign_in.issuers());
        let issuers = issuers.as_slice();
        let change = |store: Store| async move { store.unlink_identity(member_id, id, issuers).await };
        match self.notify(member, &notice, change).await? {
            Unlinked::Done => {
                tracing::info!(member = %member.id, identity = %id, "a member unlinked an account");
                Ok(())
            }
            Unlinked::NotFound => Err(missing()),
            Unlinked::LastWayIn => Err(refused(
                "last-way-in",
                "this account is the only way in which you can sign in; set a password, add a passkey or link another account first",
            )),
        }
    }

    /// Tells the audit that a try came to nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn tell_refused(
        &self,
        provider: &str,
        try_: Option<&SignInTry>,
        code: &str,
        origin: &Origin,
    ) -> Result<(), TeamError> {
        let address = origin.address.as_deref().unwrap_or_default();
        if !self.throttle.worth_telling(&format!("refused at {address}"), self.clock.now()) {
            return Ok(());
        }
        let purpose = try_.map_or(Purpose::SignIn, Purpose::of);
        let note = Note::new(purpose.action()).outcome(AuditOutcome::Refused).with("by", provider).with("code", code);
        let (actor, note) = match try_.and_then(|try_| try_.member_id) {
            Some(member) => (origin.of(member), note.on(AuditObject::Member, member)),
            None => (origin.nobody(), note),
        };
        Ok(self.store.acting_as(actor).audit(note).await?)
    }
}

fn no_account() -> TeamError {
    refused("no-account", "nobody in this team signs in by this account; ask an admin for an invitation")
}

fn link_first() -> TeamError {
    refused(
        "link-first",
        "a member has this e-mail address but has not linked this account; sign in as before, and link it under Settings",
    )
}

fn redirect(url: &str) -> Result<RedirectUrl, TeamError> {
    RedirectUrl::new(url.to_owned()).map_err(|error| TeamError::internal("making the address to come back to", error))
}

fn new_identity(person: &Person) -> NewIdentity {
    NewIdentity { issuer: person.issuer.clone(), subject: person.subject.clone(), email: person.email.clone() }
}

/// So much of a text as a name may have.
fn shortened(text: &str) -> String {
    text.chars().take(NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_pages_are_gone_to() {
        for path in ["/", "/p/1?q=a%20b&f=2", "/settings#identities", "/f/018f?tab=live"] {
            assert_eq!(own_path(path), path);
        }
        let long = format!("/{}", "x".repeat(PATH));
        for path in [
            "",
            "p",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "/a\r\nSet-Cookie: x",
            "javascript:alert(1)",
            "/api/auth/logout",
            "/a\\b",
            "/ü",
            "http:/evil",
            &long,
        ] {
            assert_eq!(own_path(path), "/", "{path}");
        }
    }

    #[test]
    fn what_belongs_to_a_try_is_of_its_browser_and_its_state() {
        let one = secrets("state", "browser");
        for (state, browser) in [("state", "other"), ("other", "browser"), ("browser", "state")] {
            let other = secrets(state, browser);
            assert!(one.nonce != other.nonce && one.verifier != other.verifier, "{state} {browser}");
        }
        assert_ne!(one.nonce, one.verifier);
        assert!((43..=128).contains(&one.verifier.len()), "as RFC 7636 has it");
    }
}
