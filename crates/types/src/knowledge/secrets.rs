//! Whether a text looks as if a secret stood in it: then it does not come into the hub, whose texts every agent reads.
//!
//! What is found is named by its kind and its line, never by itself.

/// Something that looks like a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspect {
    /// The line that it stands in, from 1 on.
    pub line: usize,
    /// What it looks like.
    pub what: &'static str,
}

/// How keys begin that their makers mark, how many characters follow at least, and whose they are.
const MARKED: &[(&str, usize, &str)] = &[
    ("sk-ant-", 16, "a key of Anthropic"),
    ("sk-proj-", 16, "a key of OpenAI"),
    ("sk-or-v1-", 16, "a key of OpenRouter"),
    ("sk-", 20, "a key of OpenAI or a like provider"),
    ("sk_live_", 16, "a key of Stripe"),
    ("rk_live_", 16, "a key of Stripe"),
    ("sk_test_", 16, "a key of Stripe"),
    ("whsec_", 20, "the signing secret of a webhook"),
    ("ghp_", 20, "a token of GitHub"),
    ("gho_", 20, "a token of GitHub"),
    ("ghu_", 20, "a token of GitHub"),
    ("ghs_", 20, "a token of GitHub"),
    ("ghr_", 20, "a token of GitHub"),
    ("github_pat_", 20, "a token of GitHub"),
    ("glpat-", 16, "a token of GitLab"),
    ("gldt-", 16, "a token of GitLab"),
    ("guild_", 20, "a token of Guildhall"),
    ("guildmcp_", 20, "a token of Guildhall"),
    ("guildmcr_", 20, "a token of Guildhall"),
    ("xoxb-", 10, "a token of Slack"),
    ("xoxp-", 10, "a token of Slack"),
    ("xoxa-", 10, "a token of Slack"),
    ("xoxr-", 10, "a token of Slack"),
    ("xoxs-", 10, "a token of Slack"),
    ("xapp-", 10, "a token of Slack"),
    ("AKIA", 16, "an access key of AWS"),
    ("ASIA", 16, "an access key of AWS"),
    ("AIza", 30, "a key of Google"),
    ("ya29.", 20, "a token of Google"),
    ("GOCSPX-", 16, "a client secret of Google"),
    ("npm_", 30, "a token of npm"),
    ("pypi-", 40, "a token of PyPI"),
    ("hf_", 30, "a token of Hugging Face"),
    ("gsk_", 30, "a key of Groq"),
    ("xai-", 30, "a key of xAI"),
    ("r8_", 30, "a token of Replicate"),
    ("dop_v1_", 30, "a token of DigitalOcean"),
    ("shpat_", 20, "a token of Shopify"),
    ("lin_api_", 20, "a key of Linear"),
    ("ATATT3", 30, "a token of Atlassian"),
    ("tskey-", 16, "a key of Tailscale"),
    ("glsa_", 20, "a token of Grafana"),
    ("AGE-SECRET-KEY-1", 30, "a private key of age"),
    ("hvs.", 20, "a token of Vault"),
];

/// Parts of names whose values are secrets.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "accountkey",
    "privatekey",
    "credential",
    "authkey",
    "encryptionkey",
    "signingkey",
];
/// What stands where a value is left open.
const OPEN: &[&str] = &[
    "example",
    "changeme",
    "change-me",
    "change_me",
    "placeholder",
    "your",
    "redacted",
    "dummy",
    "sample",
    "xxxx",
    "****",
    "....",
    "todo",
    "insert",
    "replace",
    "process.env",
    "os.environ",
    "getenv",
    "env.",
    "secrets.",
    "vault.",
    "password",
    "secret",
    "token",
    "test",
    "foobar",
    "1234567",
];

/// The first thing in a text that looks like a secret.
pub fn find(text: &str) -> Option<Suspect> {
    let mut key_block = false;
    for (n, line) in text.lines().enumerate() {
        let found = |what| Some(Suspect { line: n + 1, what });
        if line.contains("-----BEGIN") && line.contains("PRIVATE KEY") {
            key_block = true;
        } else if key_block && line.split(|c: char| !is_base64(c)).any(|run| run.len() >= 32) {
            return found("a private key");
        } else if line.contains("-----END") {
            key_block = false;
        }
        if key_block && line.len() > 120 && line.contains("-----END") {
            return found("a private key");
        }
        if let Some(what) = marked(line)
            .or_else(|| address(line))
            .or_else(|| hook(line))
            .or_else(|| header(line))
            .or_else(|| assigned(line))
        {
            return found(what);
        }
    }
    None
}

const fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')
}

/// Characters of which keys are made.
fn belongs_to_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// A key that its maker marks, or a signed token.
fn marked(line: &str) -> Option<&'static str> {
    for run in line.split(|c: char| !belongs_to_key(c)).filter(|run| run.len() >= 12) {
        for (prefix, least, what) in MARKED {
            let mut rest = run;
            while let Some(at) = rest.find(prefix) {
                // Not in the middle of a word: `task-…` holds `sk-`.
                let alone = !rest[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
                let key = &rest[at + prefix.len()..];
                if alone && key.len() >= *least && is_random(key) {
                    return Some(what);
                }
                rest = key;
            }
        }
        if is_signed_token(run) {
            return Some("a signed token (JWT)");
        }
    }
    None
}

/// Three parts of base64, the first of which is an object.
fn is_signed_token(run: &str) -> bool {
    let parts: Vec<&str> = run.trim_matches('.').split('.').collect();
    parts.len() == 3
        && parts[0].starts_with("eyJ")
        && parts[1].starts_with("eyJ")
        && parts.iter().all(|part| part.len() >= 10)
}

/// An address in which a password stands.
fn address(line: &str) -> Option<&'static str> {
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        rest = &rest[at + 3..];
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '`' | '<' | '>' | '?' | '#'));
        let authority = &rest[..end.unwrap_or(rest.len())];
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        if let Some((_, password)) = user.and_then(|user| user.split_once(':'))
            && password.len() >= 4
            && !is_open(password)
        {
            return Some("an address with a password");
        }
        if user.is_none() && holds_slash(rest) {
            return Some("an address with a password");
        }
    }
    None
}

/// Whether what follows `://` begins with a password in which a slash or the like stands that nobody escaped: then the `@` comes
/// after it. What is a port, and a path behind it, is none.
fn holds_slash(rest: &str) -> bool {
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>'));
    let Some((user, _)) = rest[..end.unwrap_or(rest.len())].split_once('@') else { return false };
    let Some((name, password)) = user.split_once(':') else { return false };
    let first = password.split(['/', '?', '#']).next().unwrap_or_default();
    !name.contains(['/', '?', '#', '['])
        && !first.is_empty()
        && first != "port"
        && !first.bytes().all(|byte| byte.is_ascii_digit())
        && password.bytes().any(|byte| byte.is_ascii_digit())
        && password.len() >= 4
        && !is_open(password)
}

/// Addresses that let in whoever knows them, and what they let into.
const HOOKS: &[(&str, &str)] = &[
    ("hooks.slack.com/services/", "the address of a webhook of Slack"),
    ("hooks.slack.com/workflows/", "the address of a webhook of Slack"),
    ("hooks.slack.com/triggers/", "the address of a webhook of Slack"),
    ("discord.com/api/webhooks/", "the address of a webhook of Discord"),
    ("discordapp.com/api/webhooks/", "the address of a webhook of Discord"),
];

/// The address of a webhook: its last part is what lets in.
fn hook(line: &str) -> Option<&'static str> {
    HOOKS.iter().find_map(|(host, what)| {
        line.match_indices(host).find_map(|(at, _)| {
            let path = line[at + host.len()..].split(|c: char| !(belongs_to_key(c) || c == '/')).next()?;
            let key = path.trim_end_matches(['/', '.']).rsplit_once('/')?.1;
            (key.len() >= 16 && is_random(key) && !is_open(key)).then_some(*what)
        })
    })
}

/// What a request is signed in by.
fn header(line: &str) -> Option<&'static str> {
    let lower = line.to_ascii_lowercase();
    let at = lower.find("authorization")?;
    for way in ["bearer ", "basic ", "token "] {
        if let Some(found) = lower[at..].find(way) {
            let value = line[at + found + way.len()..].trim_start();
            let value =
                value.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`')).next().unwrap_or_default();
            if value.len() >= 16 && is_random(value) && !is_open(value) {
                return Some("what a request is signed in by");
            }
        }
    }
    None
}

/// A value that is given to a name such as `password`.
fn assigned(line: &str) -> Option<&'static str> {
    for (at, sign) in line.char_indices().filter(|(_, c)| matches!(c, '=' | ':')) {
        let name = line[..at].trim_end().trim_end_matches(['"', '\'', '`', ']', ':']);
        let name =
            name.rsplit(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))).next().unwrap_or_default();
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        let Some(kind) = NAMES.iter().find(|kind| plain.ends_with(*kind) || plain.ends_with(&format!("{kind}s")))
        else {
            continue;
        };
        let rest = line[at + sign.len_utf8()..].trim_start_matches(['=', '>', ' ', '\t']);
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
        let value = match quote {
            Some(quote) => rest[1..].split(quote).next().unwrap_or_default(),
            None => rest
                .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ')' | '}' | '"' | '\'' | '`'))
                .next()?,
        };
        let is_password = kind.starts_with("pass");
        let sentence = value.contains(' ');
        let suspicious = match is_password {
            true => value.len() >= 8 && is_mixed(value),
            false => value.len() >= 16 && is_random(value),
        };
        if suspicious && !sentence && !is_open(value) && !is_code(value) {
            return Some(if is_password { "a password" } else { "a secret that is given to a name" });
        }
    }
    None
}

/// What is read from elsewhere, rather than being the secret.
fn is_code(value: &str) -> bool {
    value.contains(['(', '[', '$', '{', '<', '%']) || value.contains("::") || value.starts_with(['/', '.', '~'])
}

/// A value that is left open, for whoever reads to put theirs.
fn is_open(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    is_code(value)
        || OPEN.iter().any(|open| lower.contains(open))
        || matches!(lower.as_str(), "pass" | "user" | "none" | "null" | "true" | "false" | "postgres" | "guildhall")
}

/// Letters with digits or signs.
fn is_mixed(value: &str) -> bool {
    value.contains(|c: char| c.is_ascii_alphabetic()) && value.contains(|c: char| !c.is_ascii_alphabetic())
}

/// Whether a text looks as if a machine drew it: digits among its letters, and hardly any order.
fn is_random(value: &str) -> bool {
    let counted: Vec<u32> = (0..128_u8)
        .map(|byte| value.bytes().filter(|other| *other == byte).count() as u32)
        .filter(|count| *count > 0)
        .collect();
    let all: u32 = counted.iter().sum();
    let entropy: f64 = counted
        .iter()
        .map(|count| {
            let part = f64::from(*count) / f64::from(all.max(1));
            -part * part.log2()
        })
        .sum();
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    let cased = value.bytes().any(|b| b.is_ascii_uppercase()) && value.bytes().any(|b| b.is_ascii_lowercase());
    // Words that are joined by lines have no digits, or one number at their end.
    entropy >= 3.0 && letters > 0 && (digits >= 2 || (cased && !value.contains('-') && value.len() >= 20))
}

#[cfg(test)]
mod tests;
