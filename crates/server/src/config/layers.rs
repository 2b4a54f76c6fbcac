//! Where settings stand: the flags, the environment, the file.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::{Config, Fault, Faults};

/// The flags that every command takes. Values are read later, so that all that is wrong with them is told at once.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Flags {
    /// Configuration file (TOML); by default <data-dir>/guildhall.toml, if there is one [env: GUILDHALL_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<String>,
    /// Address and port to listen on [env: GUILDHALL_LISTEN] [default: 127.0.0.1:4300]
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Folder for repositories, worktrees, keys and the database [env: GUILDHALL_DATA_DIR]
    /// [default: ~/.local/share/guildhall]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data_dir: Option<String>,
    /// Address under which members reach the server, such as https://guild.example.com [env: GUILDHALL_PUBLIC_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub public_url: Option<String>,
    /// Folder below which projects may be cloned from a path; may be repeated [env: GUILDHALL_ALLOWED_REPO_PATHS]
    #[arg(long = "allow-repo-path", global = true, value_name = "FOLDER")]
    pub allowed_repo_paths: Vec<String>,
    /// sqlite:///path or postgres://… [env: DATABASE_URL] [default: sqlite://<data-dir>/guildhall.db]
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// How agents' commands are kept apart from the host: bubblewrap or none [env: GUILDHALL_SANDBOX]
    #[arg(long, global = true, value_name = "KIND")]
    pub sandbox: Option<String>,
    /// How the log is written: text or json [env: GUILDHALL_LOG_FORMAT]
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// What is logged, such as info or guildhall_server=debug [env: GUILDHALL_LOG]
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
}

impl Flags {
    fn get(&self, flag: &str) -> Option<Value> {
        let one = |value: &Option<String>| value.clone().map(Value::Text);
        match flag {
            "config" => one(&self.config),
            "listen" => one(&self.listen),
            "data-dir" => one(&self.data_dir),
            "public-url" => one(&self.public_url),
            "allow-repo-path" if self.allowed_repo_paths.is_empty() => None,
            "allow-repo-path" => Some(Value::List(self.allowed_repo_paths.clone())),
            "database-url" => one(&self.database_url),
            "sandbox" => one(&self.sandbox),
            "log-format" => one(&self.log_format),
            "log" => one(&self.log),
            _ => None,
        }
    }
}

/// One setting: its names, and whether it may be shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    /// In the file.
    pub(super) key: &'static str,
    /// In the environment.
    pub(super) env: &'static str,
    /// On the command line, where it has a flag. Secrets have none: everyone on the machine can read arguments.
    pub(super) flag: Option<&'static str>,
    pub(super) secret: bool,
}

macro_rules! settings {
    ($($name:ident $key:literal $env:literal $flag:expr, $secret:literal;)+) => {
        $(pub(super) const $name: Setting = Setting { key: $key, env: $env, flag: $flag, secret: $secret };)+
        /// Every setting that can stand in the file.
        const ALL: &[Setting] = &[$($name),+];
    };
}

settings! {
    LISTEN "listen" "GUILDHALL_LISTEN" Some("listen"), false;
    DATA_DIR "data_dir" "GUILDHALL_DATA_DIR" Some("data-dir"), false;
    PUBLIC_URL "public_url" "GUILDHALL_PUBLIC_URL" Some("public-url"), false;
    PREVIEW_URL "preview_url" "GUILDHALL_PREVIEW_URL" None, false;
    ALLOWED_REPO_PATHS "allowed_repo_paths" "GUILDHALL_ALLOWED_REPO_PATHS" Some("allow-repo-path"), false;
    TOOLCHAINS "toolchains" "GUILDHALL_TOOLCHAINS" None, false;
    OWN_ADDRESSES "own_addresses" "GUILDHALL_OWN_ADDRESSES" None, false;
    DATABASE_URL "database_url" "DATABASE_URL" Some("database-url"), true;
    REDIS_URL "redis_url" "REDIS_URL" None, true;
    NODE_URL "node_url" "GUILDHALL_NODE_URL" None, false;
    KEY_FILE "key_file" "GUILDHALL_KEY_FILE" None, false;
    SANDBOX "sandbox" "GUILDHALL_SANDBOX" Some("sandbox"), false;
    LOG_FORMAT "log_format" "GUILDHALL_LOG_FORMAT" Some("log-format"), false;
    LOG "log" "GUILDHALL_LOG" Some("log"), false;
    ANTHROPIC_API_KEY "anthropic_api_key" "ANTHROPIC_API_KEY" None, true;
    ANTHROPIC_BASE_URL "anthropic_base_url" "ANTHROPIC_BASE_URL" None, true;
    OPENAI_API_KEY "openai_api_key" "OPENAI_API_KEY" None, true;
    OPENAI_BASE_URL "openai_base_url" "OPENAI_BASE_URL" None, true;
    ALLOW_PRIVATE_PROVIDERS "allow_private_providers" "GUILDHALL_ALLOW_PRIVATE_PROVIDERS" None, false;
    GOOGLE_CLIENT_ID "google_client_id" "GOOGLE_CLIENT_ID" None, false;
    GOOGLE_CLIENT_SECRET "google_client_secret" "GOOGLE_CLIENT_SECRET" None, true;
    SMTP_URL "smtp_url" "GUILDHALL_SMTP_URL" None, true;
    SMTP_PASSWORD_FILE "smtp_password_file" "GUILDHALL_SMTP_PASSWORD_FILE" None, false;
    SMTP_CA_FILE "smtp_ca_file" "GUILDHALL_SMTP_CA_FILE" None, false;
    MAIL_FROM "mail_from" "GUILDHALL_MAIL_FROM" None, false;
    METRICS_TOKEN "metrics_token" "GUILDHALL_METRICS_TOKEN" None, true;
    TRUSTED_PROXIES "trusted_proxies" "GUILDHALL_TRUSTED_PROXIES" None, false;
    REQUESTS_PER_MEMBER "requests_per_member" "GUILDHALL_REQUESTS_PER_MEMBER" None, false;
    REQUESTS_PER_ADDRESS "requests_per_address" "GUILDHALL_REQUESTS_PER_ADDRESS" None, false;
    MAX_CONNECTIONS "max_connections" "GUILDHALL_MAX_CONNECTIONS" None, false;
    BACKUP_TO "backup_to" "GUILDHALL_BACKUP_TO" None, false;
    BACKUP_EVERY "backup_every" "GUILDHALL_BACKUP_EVERY" None, false;
    BACKUP_KEEP "backup_keep" "GUILDHALL_BACKUP_KEEP" None, false;
    BACKUP_FULL_EVERY "backup_full_every" "GUILDHALL_BACKUP_FULL_EVERY" None, false;
    BACKUP_VERIFY "backup_verify" "GUILDHALL_BACKUP_VERIFY" None, false;
    BACKUP_SCRATCH "backup_scratch" "GUILDHALL_BACKUP_SCRATCH" None, false;
    BACKUP_KEY_FILE "backup_key_file" "GUILDHALL_BACKUP_KEY_FILE" None, false;
    OTLP_ENDPOINT "otel_exporter_otlp_endpoint" "OTEL_EXPORTER_OTLP_ENDPOINT" None, false;
    OTLP_TRACES_ENDPOINT "otel_exporter_otlp_traces_endpoint" "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" None, false;
    OTLP_HEADERS "otel_exporter_otlp_headers" "OTEL_EXPORTER_OTLP_HEADERS" None, true;
    OTLP_PROTOCOL "otel_exporter_otlp_protocol" "OTEL_EXPORTER_OTLP_PROTOCOL" None, false;
    OTEL_SERVICE_NAME "otel_service_name" "OTEL_SERVICE_NAME" None, false;
    OTEL_TRACES_SAMPLER "otel_traces_sampler" "OTEL_TRACES_SAMPLER" None, false;
    OTEL_TRACES_SAMPLER_ARG "otel_traces_sampler_arg" "OTEL_TRACES_SAMPLER_ARG" None, false;
    S3_ENDPOINT "s3_endpoint" "AWS_ENDPOINT_URL" None, true;
    S3_REGION "s3_region" "AWS_REGION" None, false;
    S3_ACCESS_KEY_ID "s3_access_key_id" "AWS_ACCESS_KEY_ID" None, true;
    S3_SECRET_ACCESS_KEY "s3_secret_access_key" "AWS_SECRET_ACCESS_KEY" None, true;
    S3_SECRET_ACCESS_KEY_FILE "s3_secret_access_key_file" "GUILDHALL_S3_SECRET_ACCESS_KEY_FILE" None, false;
    S3_SESSION_TOKEN "s3_session_token" "AWS_SESSION_TOKEN" None, true;
    S3_CA_FILE "s3_ca_file" "AWS_CA_BUNDLE" None, false;
    S3_ALLOW_HTTP "s3_allow_http" "GUILDHALL_S3_ALLOW_HTTP" None, false;
    S3_CHECKSUM_ALGORITHM "s3_checksum_algorithm" "AWS_CHECKSUM_ALGORITHM" None, false;
    SIMULATED_PROVIDER_URL "simulated_provider_url" "GUILDHALL_SIMULATED_PROVIDER_URL" None, true;
}

/// The tables of providers, which stand in the file alone.
const OIDC: &str = "oidc";

/// Where what stands in the environment is said to stand, behind its name.
const ENVIRONMENT: &str = " in the environment";

/// What stands for a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
    /// Of a kind that no setting has: TOML's fractions, dates, tables; bytes that are no text.
    Other(String),
}

/// A setting that was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) value: Value,
    /// Where it stands, in words.
    pub(super) at: String,
    pub(super) secret: bool,
}

impl Found {
    /// This value is bad.
    pub(super) fn fault(&self, expected: impl Into<String>) -> Fault {
        let found = (!self.secret).then(|| self.words());
        Fault { at: self.at.clone(), found, expected: expected.into() }
    }

    /// This address is bad. One in which a key or a password may stand is not shown: whoever writes them there shall not find them
    /// in a log.
    pub(super) fn bad_address(mut self, expected: impl Into<String>) -> Fault {
        self.secret |= self.may_hold_a_key();
        self.fault(expected)
    }

    /// Whether a key or a password may stand in it, if it is, or was meant to be, an address.
    pub(super) fn may_hold_a_key(&self) -> bool {
        may_hold_a_key(&self.words())
    }

    /// This is no file with a secret in it. What is no path from the root is not shown: it may be the secret itself.
    pub(super) fn bad_file(mut self, expected: impl Into<String>) -> Fault {
        self.secret |= !self.words().starts_with('/');
        self.fault(expected)
    }

    fn words(&self) -> String {
        match &self.value {
            Value::Text(text) => text.clone(),
            Value::List(list) => list.join(":"),
            Value::Other(what) => what.clone(),
        }
    }
}

/// The same of a text.
pub(super) fn may_hold_a_key(text: &str) -> bool {
    text.contains(['@', '?', '#'])
}

impl Fault {
    /// Whether the value stands in the environment, and so perhaps for other programs.
    pub(super) fn of_environment(&self) -> bool {
        self.at.ends_with(ENVIRONMENT)
    }
}

/// The places where settings stand.
pub struct Layers<'a> {
    /// The command line.
    pub flags: &'a Flags,
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<OsString>,
    /// Reads a file.
    pub file: &'a dyn Fn(&Path) -> io::Result<String>,
}

impl std::fmt::Debug for Layers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The environment holds secrets.
        f.debug_struct("Layers").field("flags", &self.flags).finish_non_exhaustive()
    }
}

/// The settings as they were found, and what was wrong so far.
pub(super) struct Settings<'a> {
    layers: &'a Layers<'a>,
    file: Option<(PathBuf, toml::Table)>,
    pub(super) faults: Vec<Fault>,
}

impl<'a> Settings<'a> {
    /// Opens the file: the one that is named, or the one in the data folder, if there is one.
    pub(super) fn open(layers: &'a Layers<'a>) -> Self {
        let mut settings = Self { layers, file: None, faults: Vec::new() };
        const CONFIG: Setting = Setting { key: "", env: "GUILDHALL_CONFIG", flag: Some("config"), secret: false };
        let named = settings.find(CONFIG);
        let path = match &named {
            Some(Found { value: Value::Text(path), .. }) => PathBuf::from(path),
            Some(found) => {
                settings.faults.push(found.fault("the path of a TOML file"));
                return settings;
            }
            None => match settings.data_dir() {
                Some(folder) => folder.join("guildhall.toml"),
                None => return settings,
            },
        };
        let text = match (layers.file)(&path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => return settings,
            Err(error) => {
                let at = named.map_or_else(|| path.display().to_string(), |found| found.at);
                let found = Some(path.display().to_string());
                settings.faults.push(Fault { at, found, expected: format!("a file that can be read ({error})") });
                return settings;
            }
        };
        match text.parse::<toml::Table>() {
            Ok(table) => {
                for key in table.keys() {
                    if key != OIDC && !ALL.iter().any(|setting| setting.key == key) {
                        let known: Vec<&str> = ALL.iter().map(|setting| setting.key).chain([OIDC]).collect();
                        settings.faults.push(Fault {
                            at: format!("{key} in {}", path.display()),
                            found: None,
                            expected: format!("one of the known settings: {}", known.join(", ")),
                        });
                    }
                }
                settings.file = Some((path, table));
            }
            Err(error) => settings.faults.push(Fault {
                at: place(&path, &text, &error),
                found: None,
                // The error's own text would show the line, which may hold a secret.
                expected: format!("TOML ({})", error.message()),
            }),
        }
        settings
    }

    /// What is in a file that a setting names.
    pub(super) fn read(&self, path: &str) -> io::Result<String> {
        (self.layers.file)(Path::new(path))
    }

    /// The files in which secrets stand: the configuration, where it holds one, and those that settings name for one. The file
    /// of keys is not among them: the vault looks at it itself, and stricter.
    pub(super) fn secret_files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let text = |table: &toml::Table, key: &str| table.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        if let Some((path, table)) = &self.file {
            let tables = table.get(OIDC).and_then(toml::Value::as_array).into_iter().flatten();
            let tables: Vec<&toml::Table> = tables.filter_map(toml::Value::as_table).collect();
            let holds = ALL.iter().any(|setting| setting.secret && table.contains_key(setting.key));
            if holds || tables.iter().any(|table| table.contains_key("clientSecret")) {
                files.push(path.clone());
            }
            let folder = path.parent().unwrap_or(Path::new(""));
            files.extend(tables.iter().filter_map(|table| Some(folder.join(text(table, "clientSecretFile")?))));
        }
        for setting in [SMTP_PASSWORD_FILE, S3_SECRET_ACCESS_KEY_FILE] {
            if let Some(Found { value: Value::Text(path), .. }) = self.find(setting) {
                files.push(PathBuf::from(path));
            }
        }
        files
    }

    /// The data folder as far as flags and environment say it; the file cannot say where it is itself.
    fn data_dir(&self) -> Option<PathBuf> {
        match self.find(DATA_DIR) {
            Some(Found { value: Value::Text(text), .. }) => Some(PathBuf::from(text)),
            Some(_) => None,
            None => self.default_data_dir(),
        }
    }

    /// The tables of providers, and where they stand.
    pub(super) fn providers(&self) -> Option<(String, toml::Value)> {
        let (path, table) = self.file.as_ref()?;
        Some((path.display().to_string(), table.get(OIDC)?.clone()))
    }

    /// The value of a variable; an empty one counts as absent.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.layers.env)(name)?.into_string().ok().filter(|value| !value.is_empty())
    }

    /// What stands in a file; a relative path counts from the folder of the configuration file.
    pub(super) fn read_beside(&self, path: &str) -> io::Result<String> {
        let folder = self.file.as_ref().and_then(|(file, _)| file.parent()).unwrap_or(Path::new(""));
        (self.layers.file)(&folder.join(path))
    }

    /// `~/.local/share/guildhall`, or where the environment puts such folders.
    pub(super) fn default_data_dir(&self) -> Option<PathBuf> {
        let folder = |name: &str| (self.layers.env)(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let share = folder("XDG_DATA_HOME").or_else(|| Some(folder("HOME")?.join(".local/share")))?;
        Some(share.join("guildhall"))
    }

    /// Whether a file is one of the credentials that systemd gave to this service.
    pub(super) fn is_credential(&self, path: &Path) -> bool {
        (self.layers.env)("CREDENTIALS_DIRECTORY").is_some_and(|folder| path.parent() == Some(Path::new(&folder)))
    }

    /// What stands for a setting: the flag, else the environment, else the file. An empty variable counts as absent.
    pub(super) fn find(&self, setting: Setting) -> Option<Found> {
        let Setting { key, env, flag, secret } = setting;
        if let Some(flag) = flag
            && let Some(value) = self.layers.flags.get(flag)
        {
            return Some(Found { value, at: format!("--{flag}"), secret });
        }
        if let Some(value) = (self.layers.env)(env).filter(|value| !value.is_empty()) {
            let value = value
                .into_string()
                .map_or_else(|bytes| Value::Other(bytes.to_string_lossy().into_owned()), Value::Text);
            return Some(Found { value, at: format!("{env}{ENVIRONMENT}"), secret });
        }
        let (path, table) = self.file.as_ref()?;
        let value = match table.get(key)? {
            toml::Value::String(text) => Value::Text(text.clone()),
            toml::Value::Integer(number) => Value::Text(number.to_string()),
            toml::Value::Array(list) if list.iter().all(toml::Value::is_str) => {
                Value::List(list.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect())
            }
            other => Value::Other(other.to_string()),
        };
        Some(Found { value, at: format!("{key} in {}", path.display()), secret })
    }
}

/// The file and the line that an error is in.
fn place(path: &Path, text: &str, error: &toml::de::Error) -> String {
    match error.span() {
        Some(span) => {
            let line = text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1);
            format!("{}, line {line}", path.display())
        }
        None => path.display().to_string(),
    }
}

impl Config {
    /// Reads the configuration from these places.
    ///
    /// # Errors
    /// [`Faults`]: every bad value.
    pub fn read(layers: &Layers<'_>) -> Result<Self, Faults> {
        super::parse::config(Settings::open(layers))
    }

    /// The files in which secrets of the operator's stand.
    pub fn secret_files_in(layers: &Layers<'_>) -> Vec<PathBuf> {
        Settings::open(layers).secret_files()
    }

    /// Every setting's name in the environment, that of the file of settings included.
    pub fn variables() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|setting| setting.env).chain(["GUILDHALL_CONFIG"])
    }
}
