//! Letting a member in again who lost everything: for operators, at the machine, without a server.

use std::io::Write;
use std::sync::Arc;

use anyhow::bail;
use chrono::Duration;
use guildhall_store::NewReset;
use guildhall_team::tokens::{new_token, token_hash};
use guildhall_types::Clock;

use crate::config::Config;
use crate::database;

/// The link ends by itself after so long: whoever asked for it sits at the machine.
const LINK: Duration = Duration::hours(1);

/// What to do with a member.
#[derive(Debug, clap::Subcommand)]
pub enum MemberCommand {
    /// Let a member in again who lost the password and every second factor: takes the second factors and passkeys away, ends
    /// the sessions, and prints a link to set a new password, good once, for an hour. The audit tells of it.
    Rescue {
        /// The member's e-mail address.
        email: String,
    },
}

/// Does it.
///
/// # Errors
/// When there is no such database or member, the member is disabled, or `out` cannot be written.
pub async fn run(
    command: MemberCommand,
    config: &Config,
    clock: Arc<dyn Clock>,
    out: &mut (impl Write + Send),
) -> anyhow::Result<()> {
    let MemberCommand::Rescue { email } = command;
    let store = database::existing(config, Arc::clone(&clock)).await?;
    let email = email.trim().to_lowercase();
    let Some((member, _)) = store.member_by_email(&email).await? else {
        bail!("no member has the e-mail address {email}");
    };
    if member.disabled_at.is_some() {
        bail!("{email} is disabled; an admin must enable the account first");
    }
    let code = new_token();
    let new = NewReset {
        member_id: member.id,
        code_hash: token_hash(&code),
        created_by: member.id,
        mailed: false,
        expires_at: clock.now() + LINK,
    };
    store.rescue(new).await?;
    store.close().await;
    writeln!(
        out,
        "The second factors of {email} are taken away, and every session has ended. Set a new password here, once, within \
         an hour:\n{}/reset/{code}",
        config.url(config.listen)
    )?;
    Ok(())
}
