//! From texts to values.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use guildhall_bus::RedisUrl;
use guildhall_llm::{Endpoint, Secret};
use guildhall_sandbox::Isolation;
use guildhall_team::mail::{Sender, SmtpSettings};
use guildhall_types::member::ProviderKind;
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::layers::{self, Found, Setting, Settings, Value};
use super::{Config, Fault, Faults, Guard, LISTEN, LogFormat};
use crate::auth::origin::is_loopback;
use crate::preview::PreviewUrl;

/// What a log tells unless told otherwise.
const LOG: &str = "info,sqlx=warn,hyper=warn,tower_http=warn";

impl Settings<'_> {
    /// A setting that is one text, read by `read`.
    pub(super) fn text<T>(
        &mut self,
        setting: Setting,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<(T, Found)> {
        self.text_or(setting, read, |found| found.fault(expected))
    }

    /// The same of an address, which is not shown where it is refused and may hold a password.
    pub(super) fn address<T>(
        &mut self,
        setting: Setting,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<(T, Found)> {
        self.text_or(setting, read, |found| found.bad_address(expected))
    }

    fn text_or<T>(
        &mut self,
        setting: Setting,
        read: impl FnOnce(&str) -> Option<T>,
        bad: impl FnOnce(Found) -> Fault,
    ) -> Option<(T, Found)> {
        let found = self.find(setting)?;
        let value = match &found.value {
            Value::Text(text) => read(text.trim()),
            Value::List(_) | Value::Other(_) => None,
        };
        match value {
            Some(value) => Some((value, found)),
            None => {
                self.faults.push(bad(found));
                None
            }
        }
    }

    /// The absolute path of a file with a key in it.
    pub(super) fn key_file(&mut self, setting: Setting, expected: &str) -> Option<PathBuf> {
        let absolute = |text: &str| Path::new(text).is_absolute().then(|| PathBuf::from(text));
        self.text_or(setting, absolute, |found| found.bad_file(expected)).map(|(path, _)| path)
    }

    pub(super) fn value<T>(
        &mut self,
        setting: Setting,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.text(setting, expected, read).map(|(value, _)| value)
    }
}

pub(super) fn config(mut settings: Settings<'_>) -> Result<Config, Faults> {
    let s = &mut settings;
    let listen = s.address(layers::LISTEN, "an address and a port, such as 127.0.0.1:4300", |text| {
        SocketAddr::from_str(text).ok()
    });
    let data_dir = data_dir(s);
    let public_url = s.address(
        layers::PUBLIC_URL,
        "https:// and the name under which members reach the server, without a path, or http:// on a loopback name (signing in elsewhere needs https: put a server that speaks TLS in front, such as Caddy)",
        public_url,
    );
    let preview_url = s.address(
        layers::PREVIEW_URL,
        "https://*. and a name whose subdomains lead here, such as https://*.preview.example.com, or http://*. and a name below localhost",
        PreviewUrl::parse,
    );
    if let (Some((pages, found)), Some((public, _))) = (&preview_url, &public_url)
        && public.host_str().is_some_and(|host| pages.holds(host))
    {
        s.faults.push(found.fault(
            "names of which none is the one under which members reach the server (GUILDHALL_PUBLIC_URL): what agents build must not run there",
        ));
    }
    let allowed_repo_paths = folders(s, layers::ALLOWED_REPO_PATHS);
    let toolchains = folders(s, layers::TOOLCHAINS);
    let own_addresses =
        networks(s, layers::OWN_ADDRESSES, "an address of this machine, or a network such as 203.0.113.0/28");
    let database_url = s.value(
        layers::DATABASE_URL,
        "sqlite:// and an absolute path, or postgres:// and a server's address (not shown here: it may hold a password)",
        |text| usable_database(text).then(|| Secret::new(text)),
    );
    let sandbox = s.value(layers::SANDBOX, "\"bubblewrap\" or \"none\"", |text| match text {
        "bubblewrap" => Some(Isolation::Bubblewrap),
        "none" => Some(Isolation::None),
        _ => None,
    });
    let log_format = s.value(layers::LOG_FORMAT, "\"text\" or \"json\"", |text| match text {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    });
    let log = s.value(layers::LOG, "a level or a filter, such as info or guildhall_server=debug", |text| {
        EnvFilter::builder().parse(text).is_ok().then(|| text.to_owned())
    });
    let key_file = s.key_file(layers::KEY_FILE, "the absolute path of a file with a key in base64 on each line");
    let key_file_guarded = key_file.as_deref().is_some_and(|path| s.is_credential(path));
    let anthropic = given(s, ProviderKind::Anthropic, layers::ANTHROPIC_BASE_URL, layers::ANTHROPIC_API_KEY);
    let openai = given(s, ProviderKind::Openai, layers::OPENAI_BASE_URL, layers::OPENAI_API_KEY);
    let allow_private_providers = yes_or_no(s, layers::ALLOW_PRIVATE_PROVIDERS);
    let simulated = s.value(
        layers::SIMULATED_PROVIDER_URL,
        "an http or https address without a user, a password or a query",
        // Nothing secret: a server that asks for no key must be given one all the same by the protocol.
        |text| Endpoint::new(ProviderKind::Anthropic, Some(text), Secret::new("simulated")).ok(),
    );

    let sign_in = super::providers::read(s);
    let mail = mail(s);
    let metrics_token = s.value(
        layers::METRICS_TOKEN,
        "at least 20 letters, digits and signs, without spaces (not shown here)",
        |text| (text.len() >= 20 && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Secret::new(text)),
    );
    let collector = super::traces::read(s);
    let guard = guard(s);
    let (s3, s3_faults) = super::s3::read(s);
    let (backup, backup_rules) = super::backup::read(s, &s3);

    let redis_url = s.value(
        layers::REDIS_URL,
        "redis:// or rediss:// (by TLS) and a server's address, without anything behind it but the number of a database, such as redis://:PASSWORD@10.0.0.5:6379 (not shown here: it may hold a password); or nothing, where one server is all there is",
        RedisUrl::parse,
    );

    let node_url = s.address(
        layers::NODE_URL,
        "http:// and the address at which the other servers reach this one, such as http://10.0.0.2:4300",
        node_url,
    );

    let mut notes = Vec::new();
    let postgres = database_url.as_ref().is_some_and(|url| !url.expose().starts_with("sqlite:"));
    let redis_url = redis_url.filter(|_| postgres);
    if let Some(found) = s.find(layers::REDIS_URL).filter(|_| !postgres) {
        notes.push(format!(
            "{} is set, but with SQLite there is one server, which has nobody to hear of; it is left alone",
            found.at
        ));
    }
    for (url, key) in
        [(layers::ANTHROPIC_BASE_URL, layers::ANTHROPIC_API_KEY), (layers::OPENAI_BASE_URL, layers::OPENAI_API_KEY)]
    {
        if s.find(url).is_some() && s.find(key).is_none() {
            notes.push(format!("{} is set without {}; it has no effect", url.env, key.env));
        }
    }
    if s.find(layers::SMTP_URL).is_none() && s.find(layers::MAIL_FROM).is_some() {
        notes.push("GUILDHALL_MAIL_FROM is set without GUILDHALL_SMTP_URL; no mail is sent".to_owned());
    }
    let address = listen.as_ref().map_or_else(|| LISTEN.parse().ok(), |(address, _)| Some(*address));
    if let Some(address) = address
        && !address.ip().is_loopback()
        && public_url.is_none()
        && s.find(layers::PUBLIC_URL).is_none()
        && let Some((_, found)) = &listen
    {
        s.faults.push(found.fault(
            "a loopback address, or GUILDHALL_PUBLIC_URL beside it: other machines can reach this one, and signing in there needs https, so the server must know the https:// address that members use",
        ));
    }

    let faults = settings.faults;
    match (address, data_dir) {
        (Some(listen), Some(data_dir)) if faults.is_empty() => Ok(Config {
            listen,
            database_url: database_url
                .unwrap_or_else(|| Secret::new(format!("sqlite://{}", data_dir.join("guildhall.db").display()))),
            redis_url,
            node_url: node_url.map(|(url, _)| url).filter(|_| postgres),
            data_dir,
            public_url: public_url.map(|(url, _)| url),
            preview_url: preview_url.map(|(url, _)| url),
            allowed_repo_paths,
            toolchains,
            own_addresses,
            key_file,
            key_file_guarded,
            sandbox: sandbox.unwrap_or(Isolation::Bubblewrap),
            log_format: log_format.unwrap_or(LogFormat::Text),
            log: log.unwrap_or_else(|| LOG.to_owned()),
            anthropic,
            openai,
            allow_private_providers,
            simulated,
            sign_in,
            metrics_token,
            collector,
            mail,
            guard,
            backup,
            backup_rules,
            s3,
            s3_faults,
            notes,
        }),
        _ => Err(Faults(faults)),
    }
}

fn data_dir(s: &mut Settings<'_>) -> Option<PathBuf> {
    if s.find(layers::DATA_DIR).is_some() {
        // A relative folder counts from where the server is started.
        return s.value(layers::DATA_DIR, "the path of a folder", |text| std::path::absolute(text).ok());
    }
    let default = s.default_data_dir();
    if default.is_none() {
        s.faults.push(Fault {
            at: "GUILDHALL_DATA_DIR".to_owned(),
            found: None,
            expected: "the path of a folder (there is no HOME to put it in by default)".to_owned(),
        });
    }
    default
}

/// `true` or `false`: a word in the environment, TOML's own in the file. No, unless it is said.
pub(super) fn yes_or_no(s: &mut Settings<'_>, setting: Setting) -> bool {
    said_yes_or_no(s, setting).unwrap_or(false)
}

/// The same, and nothing where it is not said.
pub(super) fn said_yes_or_no(s: &mut Settings<'_>, setting: Setting) -> Option<bool> {
    let found = s.find(setting)?;
    let (Value::Text(word) | Value::Other(word)) = &found.value else { return None };
    match word.trim() {
        "true" => Some(true),
        "false" => Some(false),
        _ => {
            s.faults.push(found.fault("true or false"));
            None
        }
    }
}

/// A list in the file, repeated flags, or one text with colons in between.
fn folders(s: &mut Settings<'_>, setting: Setting) -> Vec<PathBuf> {
    let Some(found) = s.find(setting) else { return Vec::new() };
    let list: Vec<String> = match &found.value {
        Value::Text(text) => text.split(':').filter(|part| !part.is_empty()).map(str::to_owned).collect(),
        Value::List(list) => list.clone(),
        Value::Other(_) => {
            s.faults.push(found.fault("absolute paths of folders: a list, or one text with colons in between"));
            return Vec::new();
        }
    };
    let mut paths = Vec::new();
    for part in list {
        match Path::new(&part) {
            path if path.is_absolute() && path.parent().is_some() => paths.push(path.to_owned()),
            _ => s.faults.push(Fault {
                at: found.at.clone(),
                // An address of a repository may stand there by mistake.
                found: (!found.may_hold_a_key()).then_some(part),
                expected: "the absolute path of a folder below the root".to_owned(),
            }),
        }
    }
    paths
}

/// The mail server and as whom mail is sent. Secrets are in the address and in the password's file.
fn mail(s: &mut Settings<'_>) -> Option<SmtpSettings> {
    let from = s.value(
        layers::MAIL_FROM,
        "an e-mail address, such as guildhall@example.com or Guildhall <guildhall@example.com>",
        |text| text.parse::<Sender>().ok(),
    );
    let password = file_of(s, layers::SMTP_PASSWORD_FILE, "the path of a file that holds the password", |text| {
        Some(text.trim_end_matches(['\r', '\n'])).filter(|text| !text.is_empty()).map(Secret::new)
    });
    let authorities = file_of(s, layers::SMTP_CA_FILE, "the path of a file with certificates in PEM", |text| {
        text.contains("-----BEGIN CERTIFICATE-----").then(|| text.as_bytes().to_vec())
    });
    let found = s.find(layers::SMTP_URL)?;
    let Value::Text(url) = &found.value else {
        s.faults.push(found.fault("the address of a mail server, such as smtps://user:password@mail.example.com"));
        return None;
    };
    if from.is_none() && s.find(layers::MAIL_FROM).is_none() {
        s.faults.push(Fault {
            at: "GUILDHALL_MAIL_FROM".to_owned(),
            found: None,
            expected: "the e-mail address as which mail is sent, beside GUILDHALL_SMTP_URL".to_owned(),
        });
    }
    // Read even when the sender is bad, so that all that is wrong is told at once.
    let sender = from.clone().or_else(|| "nobody@localhost".parse().ok())?;
    match SmtpSettings::parse(url.trim(), password, sender, authorities.unwrap_or_default()) {
        Ok(settings) => from.map(|_| settings),
        Err(bad) => {
            let expected = format!("{bad} (what was found is not shown: it may hold a password)");
            s.faults.push(found.fault(expected));
            None
        }
    }
}

/// What is in the file that a setting names.
pub(super) fn file_of<T>(
    s: &mut Settings<'_>,
    setting: Setting,
    expected: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let (path, found) = s.text(setting, expected, |text| Some(text.to_owned()))?;
    let content = match s.read(&path) {
        Ok(content) => content,
        Err(error) => {
            s.faults.push(found.bad_file(format!("{expected} ({error})")));
            return None;
        }
    };
    let value = read(&content);
    if value.is_none() {
        s.faults.push(found.bad_file(expected));
    }
    value
}

fn guard(s: &mut Settings<'_>) -> Guard {
    let usual = Guard::default();
    let a_minute = |text: &str| match text {
        "off" => Some(None),
        number => number.parse().ok().filter(|number| *number > 0).map(Some),
    };
    const A_MINUTE: &str = "a number of requests in a minute, or off";
    const PROXY: &str = "the address of a proxy, or a network of proxies such as 10.0.0.0/8";
    let trusted_proxies = networks(s, layers::TRUSTED_PROXIES, PROXY);
    let requests_per_member = s.value(layers::REQUESTS_PER_MEMBER, A_MINUTE, a_minute);
    let requests_per_address = s.value(layers::REQUESTS_PER_ADDRESS, A_MINUTE, a_minute);
    let max_connections = s.value(layers::MAX_CONNECTIONS, "a number of connections, 16 at least", |text| {
        text.parse().ok().filter(|number| (16..=100_000).contains(number))
    });
    Guard {
        trusted_proxies,
        requests_per_member: requests_per_member.unwrap_or(usual.requests_per_member),
        requests_per_address: requests_per_address.unwrap_or(usual.requests_per_address),
        max_connections: max_connections.unwrap_or(usual.max_connections),
        header_timeout: usual.header_timeout,
    }
}

/// A list in the file, or one text with commas in between: addresses, or networks such as `10.0.0.0/8`.
fn networks(s: &mut Settings<'_>, setting: Setting, expected: &str) -> Vec<IpNet> {
    let Some(found) = s.find(setting) else { return Vec::new() };
    let list: Vec<&str> = match &found.value {
        Value::Text(text) => text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect(),
        Value::List(list) => list.iter().map(|part| part.trim()).collect(),
        Value::Other(_) => vec!["?"],
    };
    let mut networks = Vec::new();
    for part in list {
        let network = part.parse::<IpNet>().ok().or_else(|| part.parse::<IpAddr>().ok().map(IpNet::from));
        match network {
            // All the world would be meant.
            Some(network) if network.prefix_len() > 0 => networks.push(network.trunc()),
            _ => s.faults.push(Fault {
                at: found.at.clone(),
                found: (!found.may_hold_a_key()).then(|| part.to_owned()),
                expected: expected.to_owned(),
            }),
        }
    }
    networks
}

fn public_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let nobody = url.username().is_empty() && url.password().is_none();
    let scheme = match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback(&url),
        _ => false,
    };
    (plain && nobody && scheme).then_some(url)
}

fn node_url(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let nobody = url.username().is_empty() && url.password().is_none();
    (url.scheme() == "http" && url.has_host() && plain && nobody).then(|| url.as_str().trim_end_matches('/').to_owned())
}

fn usable_database(url: &str) -> bool {
    match url.strip_prefix("sqlite://") {
        Some(path) => Path::new(path).is_absolute(),
        None => {
            let server = url.starts_with("postgres://") || url.starts_with("postgresql://");
            server && Url::parse(url).is_ok_and(|url| url.has_host())
        }
    }
}

/// A provider that the operator gave: its key, and its address if that is not the usual one.
fn given(s: &mut Settings<'_>, provider: ProviderKind, base_url: Setting, key: Setting) -> Option<Endpoint> {
    let base_url = s.value(base_url, "an http or https address without a user, a password or a query", |text| {
        Endpoint::new(provider, Some(text), Secret::new("")).ok().map(|_| text.to_owned())
    });
    let key = s.value(key, "a key: one word of printable characters", |text| {
        (text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Secret::new(text))
    })?;
    Endpoint::new(provider, base_url.as_deref(), key).ok()
}
