//! Letting in the first member, and one who lost everything: for operators, at the machine, without a server.

use std::io::Write;
use std::sync::Arc;

use anyhow::bail;
use chrono::Duration;
use guildhall_store::NewReset;
use guildhall_team::tokens::{new_token, token_hash};
use guildhall_team::{TeamError, make_owner};
use guildhall_types::Clock;
use guildhall_types::audit::Actor;

use crate::config::Config;
use crate::database;

/// The link ends by itself after so long: whoever asked for it sits at the machine.
const LINK: Duration = Duration::hours(1);

/// What to do with a member.
#[derive(Debug, clap::Subcommand)]
pub enum MemberCommand {
    /// Make the first account of a new team, which owns it, and print a link to set its password, good once, for an hour. So
    /// nobody else comes first once the server is reached from outside.
    First {
        /// The member's e-mail address.
        email: String,
        /// The member's name, as others see it.
        #[arg(long)]
        name: String,
    },
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
    let store = database::existing(config, Arc::clone(&clock)).await?;
    let (member, done) = match command {
        MemberCommand::First { email, name } => {
            let program = Actor { user_agent: Some("guildhall member first".to_owned()), ..Actor::default() };
            let member = match make_owner(&store.acting_as(program), &email, &name).await {
                Err(TeamError::AlreadySetUp) => {
                    bail!("this team has members already; admins invite others in the page")
                }
                made => made?,
            };
            let done = format!("{} owns this team.", member.email);
            (member, done)
        }
        MemberCommand::Rescue { email } => {
            let email = email.trim().to_lowercase();
            let Some((member, _)) = store.member_by_email(&email).await? else {
                bail!("no member has the e-mail address {email}");
            };
            if member.disabled_at.is_some() {
                bail!("{email} is disabled; an admin must enable the account first");
            }
            let done = format!("The second factors of {email} are taken away, and every session has ended.");
            (member, done)
        }
    };
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
    let link = format!("{}/reset/{code}", config.url(config.listen));
    writeln!(out, "{done} Set a new password here, once, within an hour:\n{link}")?;
    Ok(())
}
