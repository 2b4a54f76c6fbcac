//! What the server asks of others: the mail server, the model providers, those by whom members sign in.

use std::time::Duration;

use guildhall_llm::{Client, Endpoint, Patience};
use guildhall_team::mail::SmtpSettings;
use guildhall_team::oidc::Providers;

use super::{Level, Line};
use crate::config::Config;
use crate::problem::chain;
use crate::traces::{self, Collector};

/// How long a provider may take to answer.
const PROVIDER: Duration = Duration::from_secs(10);

/// Connects to the mail server, speaks TLS and signs in, and sends nothing.
pub(super) async fn mail(smtp: Option<&SmtpSettings>) -> Line {
    const WHAT: &str = "mail";
    let Some(smtp) = smtp else {
        return Line::new(
            Level::Ok,
            WHAT,
            "off; set GUILDHALL_SMTP_URL and GUILDHALL_MAIL_FROM to send invitations and links",
        );
    };
    match smtp.check().await {
        Ok(()) => Line::new(Level::Ok, WHAT, format!("{} answers and takes mail", smtp.server())),
        Err(error) => Line::new(Level::Fail, WHAT, format!("{}: {error}. {}", smtp.server(), error.stage.hint())),
    }
}

/// Shows the team's keys to those who gave them.
pub(super) async fn providers(config: &Config) -> Vec<Line> {
    let all = [
        ("the team's provider", &config.anthropic),
        ("the team's key for OpenAI", &config.openai),
        ("the simulated provider", &config.simulated),
    ];
    let mut lines = Vec::new();
    for (what, endpoint) in all {
        if let Some(endpoint) = endpoint {
            lines.push(provider(what, endpoint).await);
        }
    }
    lines
}

async fn provider(what: &str, endpoint: &Endpoint) -> Line {
    let patience = Patience { connect: PROVIDER, headers: PROVIDER, idle: PROVIDER };
    let checked = match Client::with_patience(patience) {
        Ok(client) => client.check(endpoint).await,
        Err(error) => Err(error),
    };
    match checked {
        Ok(()) => Line::new(Level::Ok, what, format!("{} takes the key", endpoint.base_url)),
        Err(error) => Line::new(Level::Fail, what, format!("{}. {}", chain(&error), error.kind.hint())),
    }
}

/// Shows the collector of traces a batch with nothing in it.
pub(super) async fn collector(collector: Option<&Collector>) -> Option<Line> {
    const WHAT: &str = "traces";
    let collector = collector?;
    let endpoint = &collector.endpoint;
    Some(match traces::try_out(collector).await {
        Ok(()) => Line::new(Level::Ok, WHAT, format!("{endpoint} takes traces")),
        Err(error) => {
            let detail = format!("{endpoint}: {}. {} The server runs without it", chain(&error), error.hint());
            Line::new(Level::Warn, WHAT, detail)
        }
    })
}

/// Asks every provider by which members sign in who it is.
pub(super) async fn sign_in(config: &Config) -> Vec<Line> {
    let mut lines = Vec::new();
    let providers = match Providers::new(config.sign_in.clone()) {
        Ok(providers) => providers,
        Err(error) => return vec![Line::new(Level::Fail, "sign-in", chain(&error))],
    };
    for settings in providers.all() {
        let what = format!("sign-in by {}", settings.label);
        lines.push(match providers.examine(&settings.name).await {
            Ok(found) => Line::new(Level::Ok, &what, found),
            Err(why) => {
                let detail = format!(
                    "{}/.well-known/openid-configuration is not what it should be: {why}. Check the issuer letter by letter, and that this machine reaches it",
                    settings.issuer.trim_end_matches('/')
                );
                Line::new(Level::Fail, &what, detail)
            }
        });
    }
    if !lines.is_empty() && config.public_url.is_none() {
        let detail = "without GUILDHALL_PUBLIC_URL providers can lead back to this machine's own browser alone";
        lines.push(Line::new(Level::Warn, "sign-in", detail));
    }
    lines
}
