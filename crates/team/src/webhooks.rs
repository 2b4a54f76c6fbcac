//! Webhooks: addresses of a member's or the team's that are called when somebody is told something.
//!
//! A message is put out in the transaction of the change that it tells of, and sent from there ([`sender`]), signed as
//! Standard Webhooks have it ([`message`]).

mod message;
mod sender;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use guildhall_store::{NewWebhook, WebhookChange, webhook_identity};
use guildhall_types::member::Member;
use guildhall_types::notification::NotificationKind;
use guildhall_types::webhook::{Delivery, Webhook, WebhookFormat};
use guildhall_types::{DeliveryId, MemberId, WebhookId};
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use crate::{Team, TeamError};

pub use sender::WebhookPace;

/// Characters of a name and of an address at most.
const NAME: usize = 60;
const ADDRESS: usize = 2_000;
/// Messages that the log of a webhook shows.
const LISTED: i64 = 50;
/// Bytes of a signing secret.
const SECRET: usize = 32;
/// What a signing secret begins with, by the standard.
pub(crate) const PREFIX: &str = "whsec_";

/// Address and signing secret, as they are sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    url: String,
    secret: String,
}

/// A webhook to be made, as somebody wishes it.
#[derive(Debug)]
pub struct WebhookWish {
    /// What it is called.
    pub name: String,
    /// Where it leads.
    pub url: String,
    /// Of what it is told.
    pub kinds: Vec<NotificationKind>,
    /// What is sent.
    pub format: WebhookFormat,
}

/// How a webhook is to be from now on; what is absent stays.
#[derive(Debug, Default)]
pub struct WebhookWishes {
    /// What it is called.
    pub name: Option<String>,
    /// Where it leads.
    pub url: Option<String>,
    /// Of what it is told.
    pub kinds: Option<Vec<NotificationKind>>,
    /// What is sent.
    pub format: Option<WebhookFormat>,
}

/// Whose webhook is meant: a member's own, or the team's.
pub type WebhookOwner = Option<MemberId>;

fn new_secret() -> Zeroizing<String> {
    let bytes: Zeroizing<[u8; SECRET]> = Zeroizing::new(rand::random());
    Zeroizing::new(format!("{PREFIX}{}", STANDARD.encode(bytes.as_slice())))
}

fn named(name: &str) -> Result<String, TeamError> {
    let name = name.trim();
    match name.chars().count() {
        1..=NAME => Ok(name.to_owned()),
        _ => Err(TeamError::invalid("name", format!("give it a name of 1 to {NAME} characters"))),
    }
}

fn chosen(kinds: &[NotificationKind], owner: WebhookOwner) -> Result<Vec<NotificationKind>, TeamError> {
    let mut kinds = kinds.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.is_empty() {
        return Err(TeamError::invalid("kinds", "choose at least one thing that it is told of"));
    }
    if let Some(own) = kinds.iter().find(|kind| owner.is_none() && !kind.for_team()) {
        let message = format!("{own} is one member's alone; a webhook of the team is not told of it");
        return Err(TeamError::invalid("kinds", message));
    }
    // A webhook that was switched off cannot tell of it.
    if kinds.contains(&NotificationKind::WebhookOff) {
        return Err(TeamError::invalid("kinds", "that a webhook was switched off is told on the page and by mail"));
    }
    Ok(kinds)
}

impl Team {
    /// Makes a webhook. Returns it with its signing secret, which is shown this once.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for what is no address that may be called; when there are too many.
    pub async fn create_webhook(
        &self,
        by: &Member,
        owner: WebhookOwner,
        wish: WebhookWish,
    ) -> Result<(Webhook, Zeroizing<String>), TeamError> {
        let (url, host) = self.callable(&wish.url)?;
        let (name, kinds) = (named(&wish.name)?, chosen(&wish.kinds, owner)?);
        let (id, secret) = (WebhookId::new(), new_secret());
        let identity = webhook_identity(id);
        let plain = sealable(&Sealed { url: url.into(), secret: secret.to_string() })?;
        let made = self.sealing(&identity, &plain, |sealed| {
            let (store, host) = (self.store.clone(), host.clone());
            let (name, kinds, format) = (name.clone(), kinds.clone(), wish.format);
            let new = NewWebhook { id, member: owner, name, host, kinds, format, created_by: by.id, sealed };
            async move { store.create_webhook(new).await }
        });
        Ok((made.await?, secret))
    }

    /// Changes a webhook, and switches it on again if it was off.
    ///
    /// # Errors
    /// As for [`Team::create_webhook`]; [`TeamError::NotFound`].
    pub async fn change_webhook(
        &self,
        id: WebhookId,
        owner: WebhookOwner,
        wishes: WebhookWishes,
    ) -> Result<Webhook, TeamError> {
        let name = wishes.name.as_deref().map(named).transpose()?;
        let kinds = wishes.kinds.as_deref().map(|kinds| chosen(kinds, owner)).transpose()?;
        let change = WebhookChange { name, kinds, format: wishes.format, sealed: None };
        let Some(url) = wishes.url else { return Ok(self.store.change_webhook(id, owner, change).await?) };
        let (url, host) = self.callable(&url)?;
        let secret = self.sealed_webhook(id, owner).await?.secret;
        self.reseal(id, owner, change, host, Sealed { url: url.into(), secret }).await
    }

    /// Gives a webhook another signing secret, which is shown this once; the former one signs nothing any more.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn renew_webhook_secret(
        &self,
        id: WebhookId,
        owner: WebhookOwner,
    ) -> Result<(Webhook, Zeroizing<String>), TeamError> {
        let url = self.sealed_webhook(id, owner).await?.url;
        let (parsed, host) = self.callable(&url)?;
        let secret = new_secret();
        let sealed = Sealed { url: parsed.into(), secret: secret.to_string() };
        Ok((self.reseal(id, owner, WebhookChange::default(), host, sealed).await?, secret))
    }

    async fn reseal(
        &self,
        id: WebhookId,
        owner: WebhookOwner,
        change: WebhookChange,
        host: String,
        sealed: Sealed,
    ) -> Result<Webhook, TeamError> {
        let plain = sealable(&sealed)?;
        let identity = webhook_identity(id);
        self.sealing(&identity, &plain, |secret| {
            let change = WebhookChange { sealed: Some((host.clone(), secret)), ..change.clone() };
            let store = self.store.clone();
            async move { store.change_webhook(id, owner, change).await }
        })
        .await
    }

    async fn sealed_webhook(&self, id: WebhookId, owner: WebhookOwner) -> Result<Sealed, TeamError> {
        let gone = || TeamError::NotFound { what: "webhook" };
        self.store.webhook(id, owner).await?.ok_or_else(gone)?;
        let identity = webhook_identity(id);
        let secret = self.store.secret(&identity).await?.ok_or_else(gone)?;
        let opened = self.vault.open(&identity, &secret)?;
        serde_json::from_slice(&opened).map_err(|error| TeamError::internal("reading a webhook's address", error))
    }

    /// An address that may be called, and what of it may be shown.
    fn callable(&self, text: &str) -> Result<(Url, String), TeamError> {
        let bad = |message: String| TeamError::invalid("url", message);
        let text = text.trim();
        if text.chars().count() > ADDRESS {
            return Err(bad(format!("an address has {ADDRESS} characters at most")));
        }
        let url: Url =
            text.parse().map_err(|_| bad("give a whole address, such as https://example.com/hook".to_owned()))?;
        let host = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https"));
        let Some(host) = host else { return Err(bad("the address must begin with https:// or http://".to_owned())) };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("leave user and password out of the address; messages are signed instead".to_owned()));
        }
        self.caller()?.admits(&url).map_err(|blocked| bad(blocked.to_string()))?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let shown = format!("{}://{host}{port}", url.scheme());
        Ok((url, shown))
    }

    /// Sends a message that tells of nothing, to see whether it gets there.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn test_webhook(&self, id: WebhookId, owner: WebhookOwner) -> Result<Delivery, TeamError> {
        Ok(self.store.test_webhook(id, owner).await?)
    }

    /// Sends a message once more, under the same id.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn send_delivery_again(
        &self,
        id: WebhookId,
        owner: WebhookOwner,
        delivery: DeliveryId,
    ) -> Result<Delivery, TeamError> {
        Ok(self.store.send_again(id, owner, delivery).await?)
    }

    /// The latest messages to a webhook.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn webhook_deliveries(&self, id: WebhookId, owner: WebhookOwner) -> Result<Vec<Delivery>, TeamError> {
        self.store.webhook(id, owner).await?.ok_or(TeamError::NotFound { what: "webhook" })?;
        Ok(self.store.deliveries(id, owner, LISTED).await?)
    }
}

fn sealable(sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, TeamError> {
    let plain = serde_json::to_vec(sealed).map_err(|error| TeamError::internal("sealing a webhook", error))?;
    Ok(Zeroizing::new(plain))
}
