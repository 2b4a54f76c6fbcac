//! A new password by a link that is mailed to who forgot the former one.

use chrono::Duration;
use guildhall_store::{NewReset, Store};
use guildhall_types::mail::MailKind;
use tracing::Instrument;

use crate::accounts::{Origin, plain_email};
use crate::mail::Words;
use crate::tokens::{new_token, token_hash};
use crate::{Team, TeamError, throttle};

/// A mailed link ends by itself after so long.
const LINK: Duration = Duration::hours(1);

impl Team {
    /// Mails a link to set a new password to the member of this address, if there is one that is not disabled. Whether
    /// there is, neither the answer nor its time tells: the look comes after the answer.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `mail-off`; [`TeamError::Invalid`] for what is no address; [`TeamError::Throttled`].
    pub async fn forgot_password(&self, email: &str, origin: &Origin) -> Result<(), TeamError> {
        self.mailer()?;
        let email = plain_email(email)?;
        self.throttle.take(&self.store, &throttle::asking_for_mail(&email, origin)).await?;
        let team = self.acting_as(origin.nobody());
        let mailing = async move {
            if let Err(error) = team.mail_reset_link(&email).await {
                tracing::error!(%error, "a link to set a new password could not be mailed");
            }
        };
        tokio::spawn(mailing.in_current_span());
        Ok(())
    }

    async fn mail_reset_link(&self, email: &str) -> Result<(), TeamError> {
        let found = self.store.member_by_email(email).await?;
        let Some((member, _)) = found.filter(|(member, _)| member.disabled_at.is_none()) else {
            tracing::info!("a new password was asked for where there is no account to have one");
            return Ok(());
        };
        let code = new_token();
        let link = self.mailer()?.link(&format!("/reset/{code}"));
        let words = Words::PasswordReset { email: &member.email, link };
        let draft = self.letter(MailKind::PasswordReset, &member.email, &words)?;
        let new = NewReset {
            member_id: member.id,
            code_hash: token_hash(&code),
            created_by: member.id,
            mailed: true,
            expires_at: self.clock.now() + LINK,
        };
        let change = |store: Store| {
            let new = new.clone();
            async move { store.create_reset(new).await }
        };
        self.posting(Some(draft), change).await?;
        tracing::info!(member = %member.id, "a link to set a new password is mailed");
        Ok(())
    }
}
