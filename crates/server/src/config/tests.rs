//! The table of what is read from where, and of what is refused.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::*;

mod outside;

#[derive(Default, Clone, Copy)]
struct Case<'a> {
    env: &'a [(&'a str, &'a str)],
    file: Option<&'a str>,
}

fn read(case: Case<'_>, flags: &Flags) -> Result<Config, Faults> {
    let mut env: HashMap<&str, OsString> =
        case.env.iter().map(|(name, value)| (*name, OsString::from(value))).collect();
    env.entry("HOME").or_insert_with(|| "/home/anna".into());
    let file = |path: &Path| {
        let known = [Path::new("/home/anna/.local/share/guildhall/guildhall.toml"), Path::new("/etc/guildhall.toml")];
        let text = case.file.filter(|_| known.contains(&path));
        text.map(str::to_owned).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    };
    Config::read(&Layers { flags, env: &|name| env.get(name).cloned(), file: &file })
}

fn faults(case: Case<'_>) -> Vec<String> {
    read(case, &Flags::default()).unwrap_err().0.iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_said_means_the_defaults() {
    let config = read(Case::default(), &Flags::default()).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:4300");
    assert_eq!(config.data_dir, Path::new("/home/anna/.local/share/guildhall"));
    assert_eq!(config.database_url.expose(), "sqlite:///home/anna/.local/share/guildhall/guildhall.db");
    assert_eq!(config.sandbox, Isolation::Bubblewrap);
    assert_eq!(config.log_format, LogFormat::Text);
    assert!(config.public_url.is_none() && config.anthropic.is_none() && config.simulated.is_none());
    assert!(config.allowed_repo_paths.is_empty() && config.toolchains.is_empty() && config.notes.is_empty());
}

#[test]
fn flags_go_before_the_environment_and_that_before_the_file() {
    let file = Some("listen = '127.0.0.1:1'\nsandbox = 'none'\nlog_format = 'json'\nallowed_repo_paths = ['/a', '/b']");
    let env = [("GUILDHALL_LISTEN", "127.0.0.1:2"), ("GUILDHALL_SANDBOX", "bubblewrap"), ("GUILDHALL_LOG", "")];
    let flags = Flags { listen: Some("127.0.0.1:3".to_owned()), ..Flags::default() };
    let config = read(Case { env: &env, file }, &flags).unwrap();
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.sandbox, Isolation::Bubblewrap);
    assert_eq!(config.log_format, LogFormat::Json);
    assert_eq!(config.allowed_repo_paths, [Path::new("/a"), Path::new("/b")]);
    let config = read(Case { env: &env, file }, &Flags::default()).unwrap();
    assert_eq!(config.listen.port(), 2);
    let config = read(Case { file, ..Case::default() }, &Flags::default()).unwrap();
    assert_eq!((config.listen.port(), config.sandbox), (1, Isolation::None));
}

#[test]
fn everything_can_be_said_by_the_environment() {
    let config = read(
        Case {
            env: &[
                ("GUILDHALL_DATA_DIR", "/srv/guildhall"),
                ("GUILDHALL_LISTEN", "0.0.0.0:80"),
                ("GUILDHALL_PUBLIC_URL", "https://guild.example.com"),
                ("GUILDHALL_ALLOWED_REPO_PATHS", "/srv/git:/home/git:"),
                ("DATABASE_URL", "postgres://me:pass-word-1@db/guild"),
                ("ANTHROPIC_API_KEY", "sk-ant-secret-key"),
                ("ANTHROPIC_BASE_URL", "http://127.0.0.1:9/x"),
                ("GUILDHALL_SIMULATED_PROVIDER_URL", "http://127.0.0.1:4301"),
                ("REDIS_URL", "redis://:pass-word-2@r"),
            ],
            ..Case::default()
        },
        &Flags::default(),
    )
    .unwrap();
    assert_eq!(config.allowed_repo_paths, [Path::new("/srv/git"), Path::new("/home/git")]);
    assert_eq!(config.key_files().first, Path::new("/srv/guildhall/keys/vault.key"));
    assert_eq!(config.url(config.listen), "https://guild.example.com");
    assert_eq!(config.anthropic.as_ref().unwrap().base_url.as_str(), "http://127.0.0.1:9/x");
    assert_eq!(config.simulated.as_ref().unwrap().base_url.as_str(), "http://127.0.0.1:4301/");
    assert_eq!(config.redis_url.as_ref().unwrap().shown(), "r:6379");
    assert!(config.notes.is_empty(), "{:?}", config.notes);
    let shown = format!("{config:?}");
    for secret in ["pass-word", "sk-ant"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn redis_is_left_alone_beside_sqlite() {
    let config = read(Case { env: &[("REDIS_URL", "redis://:pass-word@r")], ..Case::default() }, &Flags::default());
    let config = config.unwrap();
    assert!(config.redis_url.is_none());
    assert!(config.notes[0].contains("with SQLite there is one server"), "{:?}", config.notes);
    assert!(!config.notes[0].contains("pass-word"));
}

#[test]
fn a_bad_value_is_told_with_its_place_and_what_is_expected() {
    for (name, value, expected) in [
        (
            "GUILDHALL_LISTEN",
            "4300",
            "GUILDHALL_LISTEN in the environment: found \"4300\"; expected an address and a port",
        ),
        ("GUILDHALL_LISTEN", "0.0.0.0:4300", "signing in there needs https"),
        ("GUILDHALL_PUBLIC_URL", "http://guild.example.com", "expected https:// and the name"),
        ("GUILDHALL_PUBLIC_URL", "https://guild.example.com/path", "without a path"),
        ("GUILDHALL_PUBLIC_URL", "guild.example.com", "expected https://"),
        ("GUILDHALL_ALLOWED_REPO_PATHS", "/srv:git", "found \"git\"; expected the absolute path"),
        ("GUILDHALL_ALLOWED_REPO_PATHS", "/", "found \"/\"; expected the absolute path"),
        ("GUILDHALL_SANDBOX", "docker", "found \"docker\"; expected \"bubblewrap\" or \"none\""),
        ("GUILDHALL_LOG_FORMAT", "xml", "expected \"text\" or \"json\""),
        ("GUILDHALL_LOG", "guildhall=loud", "expected a level or a filter"),
        ("DATABASE_URL", "mysql://me:secret@db", "DATABASE_URL in the environment: expected sqlite://"),
        ("DATABASE_URL", "sqlite://relative.db", "an absolute path"),
        ("REDIS_URL", "redis.example.com:6379", "REDIS_URL in the environment: expected redis:// or rediss://"),
        ("REDIS_URL", "redis://:secret@h/first", "the number of a database"),
        ("REDIS_URL", "rediss://:secret@h#insecure", "without anything behind it"),
        ("ANTHROPIC_API_KEY", "two words", "ANTHROPIC_API_KEY in the environment: expected a key"),
        (
            "ANTHROPIC_BASE_URL",
            "ftp://secret",
            "ANTHROPIC_BASE_URL in the environment: expected an http or https address",
        ),
        ("GUILDHALL_SIMULATED_PROVIDER_URL", "x", "expected an http or https address"),
        ("GUILDHALL_CONFIG", "/nowhere.toml", "found \"/nowhere.toml\"; expected a file that can be read"),
    ] {
        let found = faults(Case { env: &[(name, value)], ..Case::default() });
        assert_eq!(found.len(), 1, "{name}={value}: {found:?}");
        assert!(found[0].contains(expected), "{name}={value}: {found:?}");
        assert!(!found[0].contains("secret") && !found[0].contains("two words"), "{found:?}");
    }
}

#[test]
fn what_is_refused_and_may_hold_a_key_is_not_shown() {
    for (name, value, expected) in [
        ("GUILDHALL_PUBLIC_URL", "https://me:hidden@guild.example.com", "expected https:// and the name"),
        ("GUILDHALL_PUBLIC_URL", "https://guild.example.com/?token=hidden", "expected https:// and the name"),
        ("GUILDHALL_PREVIEW_URL", "https://*.me:hidden@preview.example.com", "expected https://*. and a name"),
        ("GUILDHALL_LISTEN", "http://me:hidden@127.0.0.1:4300", "expected an address and a port"),
        ("GUILDHALL_TRUSTED_PROXIES", "http://me:hidden@10.0.0.1", "expected the address of a proxy"),
        ("GUILDHALL_OWN_ADDRESSES", "http://me:hidden@10.0.0.1", "expected an address of this machine"),
        ("GUILDHALL_ALLOWED_REPO_PATHS", "git:hidden:me@git.example.com", "expected the absolute path"),
        ("GUILDHALL_TOOLCHAINS", "tools?token=hidden", "expected the absolute path"),
        // The secret itself instead of the file of it.
        ("GUILDHALL_KEY_FILE", "hidden+key/in+base64=", "expected the absolute path of a file"),
        ("GUILDHALL_BACKUP_KEY_FILE", "hidden+key/in+base64=", "expected the absolute path of a file"),
        ("GUILDHALL_SMTP_PASSWORD_FILE", "hidden", "expected the path of a file that holds the password"),
        ("GUILDHALL_S3_SECRET_ACCESS_KEY_FILE", "hidden/key", "expected the path of a file that holds the secret"),
    ] {
        let to = ("GUILDHALL_BACKUP_TO", "s3://backups");
        let key = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "a-key-that-is-there")];
        let found = faults(Case { env: &[&[(name, value), to][..], &key].concat(), ..Case::default() });
        assert!(
            !found.is_empty() && found.iter().all(|one| one.starts_with(name) && one.contains(expected)),
            "{found:?}"
        );
        assert!(!found.concat().contains("hidden"), "{found:?}");
    }
    for (key, value) in [("issuer", "https://me:hidden@id.example.com"), ("clientSecretFile", "hidden-word")] {
        let table = KEYCLOAK.replace("issuer = 'https://id.example.com/realms/work'", "");
        let issuer = if key == "issuer" { "" } else { "issuer = 'https://id.example.com'\n" };
        let secret = if key == "issuer" { "clientSecret = 'a-word'\n" } else { "" };
        let file = format!("{table}{issuer}{secret}{key} = '{value}'");
        let found = faults(Case { file: Some(&file), ..Case::default() });
        assert!(found.len() == 1 && found[0].starts_with(key) && !found[0].contains("hidden"), "{found:?}");
    }
    // What cannot hold one is shown: that helps.
    for (name, value) in
        [("GUILDHALL_PUBLIC_URL", "http://guild.example.com"), ("GUILDHALL_SMTP_PASSWORD_FILE", "/nowhere")]
    {
        let found = faults(Case { env: &[(name, value)], ..Case::default() });
        assert!(found[0].contains(&format!("found {value:?}")), "{found:?}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let found = faults(Case {
        env: &[("GUILDHALL_CONFIG", "/etc/guildhall.toml"), ("GUILDHALL_SANDBOX", "x")],
        file: Some("listen = 4300\nlisten_on = 'x'\nallowed_repo_paths = [1]\nanthropic_api_key = 12\n[team]\na = 1"),
    });
    assert_eq!(found.len(), 6, "{found:#?}");
    assert!(found.iter().any(|fault| fault.starts_with("listen in /etc/guildhall.toml: found \"4300\"")), "{found:#?}");
    assert!(found.iter().any(|fault| fault.starts_with("listen_on in /etc/guildhall.toml: expected one of the known")));
    assert!(found.iter().any(|fault| fault.starts_with("team in /etc/guildhall.toml")));
    assert!(found.iter().any(|fault| fault.starts_with("anthropic_api_key in /etc/guildhall.toml: expected a key")));
}

#[test]
fn a_broken_file_is_told_by_its_line_and_not_by_its_text() {
    let found = faults(Case { file: Some("listen = '127.0.0.1:1'\nanthropic_api_key = sk-secret"), ..Case::default() });
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("/home/anna/.local/share/guildhall/guildhall.toml, line 2: expected TOML"),
        "{found:?}"
    );
    assert!(!found[0].contains("sk-secret"), "{found:?}");
}

#[test]
fn without_a_home_the_data_folder_must_be_named() {
    let found = faults(Case { env: &[("HOME", "")], ..Case::default() });
    assert!(found[0].starts_with("GUILDHALL_DATA_DIR: expected the path of a folder"), "{found:?}");
}

#[test]
fn the_teams_providers_and_how_far_members_reach_are_read() {
    let env = [("OPENAI_API_KEY", "sk-openai-secret"), ("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")];
    let config = read(Case { env: &env, file: Some("allow_private_providers = true") }, &Flags::default()).unwrap();
    assert_eq!(config.openai.unwrap().base_url.as_str(), "http://127.0.0.1:9/v1");
    assert!(config.allow_private_providers && config.notes.is_empty());
    let plain = read(Case::default(), &Flags::default()).unwrap();
    assert!(plain.openai.is_none() && !plain.allow_private_providers, "no, unless it is said");
    let env = [("GUILDHALL_ALLOW_PRIVATE_PROVIDERS", "true"), ("OPENAI_BASE_URL", "http://127.0.0.1:9")];
    let config = read(Case { env: &env, ..Case::default() }, &Flags::default()).unwrap();
    assert!(config.allow_private_providers && config.notes[0].contains("OPENAI_API_KEY"));
    let env = [("GUILDHALL_ALLOW_PRIVATE_PROVIDERS", "perhaps"), ("OPENAI_API_KEY", "two words")];
    let told = faults(Case { env: &env, ..Case::default() });
    assert!(told.iter().any(|fault| fault.contains("expected true or false")), "{told:?}");
    assert!(told.iter().any(|fault| fault.contains("OPENAI_API_KEY")) && !told.concat().contains("two words"));
}

const KEYCLOAK: &str =
    "[[oidc]]\nname = 'work'\nlabel = 'Work'\nissuer = 'https://id.example.com/realms/work'\nclientId = 'guildhall'\n";

#[test]
fn providers_are_read_and_their_secrets_are_kept() {
    let env = [
        ("GOOGLE_CLIENT_ID", "1-a.apps.googleusercontent.com"),
        ("GOOGLE_CLIENT_SECRET", "hidden-google"),
        ("WORK_SECRET", "hidden-work"),
    ];
    let file = format!(
        "{KEYCLOAK}clientSecretEnv = 'WORK_SECRET'\nscopes = ['openid', 'email']\n[[oidc]]\nname = 'local'\nissuer = 'http://127.0.0.1:9000/'\nclientId = 'g'\nclientSecret = 'hidden-local'\n"
    );
    let config = read(Case { env: &env, file: Some(&file) }, &Flags::default()).unwrap();
    let told: Vec<_> = config.sign_in.iter().map(|one| (one.name.as_str(), one.label.as_str(), one.path())).collect();
    assert_eq!(
        told,
        [
            ("google", "Google", "/api/auth/google".to_owned()),
            ("work", "Work", "/api/auth/oidc/work".to_owned()),
            ("local", "local", "/api/auth/oidc/local".to_owned()),
        ]
    );
    assert_eq!(config.sign_in[1].issuer, "https://id.example.com/realms/work");
    assert_eq!(
        (config.sign_in[1].scopes.as_slice(), config.sign_in[2].scopes.len()),
        (["email".to_owned()].as_slice(), 2)
    );
    let secrets: Vec<_> = config.sign_in.iter().map(|one| one.client_secret.expose()).collect();
    assert_eq!(secrets, ["hidden-google", "hidden-work", "hidden-local"]);
    assert!(!format!("{config:?}").contains("hidden"));
}

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    let file = |path: &Path| match path.to_str() {
        Some("/etc/guildhall.toml") => Ok(format!("{KEYCLOAK}clientSecretFile = 'work.secret'")),
        Some("/etc/work.secret") => Ok("hidden-work\n".to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    let flags = Flags { config: Some("/etc/guildhall.toml".to_owned()), ..Flags::default() };
    let env = |name: &str| (name == "HOME").then(|| OsString::from("/home/anna"));
    let config = Config::read(&Layers { flags: &flags, env: &env, file: &file }).unwrap();
    assert_eq!(config.sign_in[0].client_secret.expose(), "hidden-work");
}

#[test]
fn a_bad_provider_is_told_with_its_place() {
    for (file, expected) in [
        ("oidc = 'x'".to_owned(), "oidc in"),
        (KEYCLOAK.to_owned(), "clientSecret of [[oidc]] number 1 in"),
        (format!("{KEYCLOAK}clientSecret = 'a b hidden'"), "clientSecret of [[oidc]] number 1 in"),
        (format!("{KEYCLOAK}clientSecret = 'hidden'\nclientSecretEnv = 'X'"), "one of clientSecretFile"),
        (format!("{KEYCLOAK}clientSecretEnv = 'NOWHERE'"), "the name of a variable"),
        (format!("{KEYCLOAK}clientSecretFile = '/nowhere'"), "a file that can be read"),
        (format!("{KEYCLOAK}clientSecret = 'hidden'\nclient_id = 'x'"), "client_id of [[oidc]] number 1 in"),
        (format!("{KEYCLOAK}clientSecret = 'hidden'\nscopes = 'email'"), "a list of words"),
        (format!("{KEYCLOAK}clientSecret = 'hidden'\nlabel = ''").replace("label = 'Work'\n", ""), "label of [[oidc]]"),
        (
            format!("{KEYCLOAK}clientSecret = 'hidden'").replace("'work'", "'google'"),
            "found \"google\"; expected 1 to 32",
        ),
        (format!("{KEYCLOAK}clientSecret = 'hidden'").replace("'work'", "'My Work'"), "found \"My Work\""),
        (format!("{KEYCLOAK}clientSecret = 'hidden'").replace("https://id", "http://id"), "http:// on a loopback name"),
        (format!("{KEYCLOAK}clientSecret = 'hidden'").replace("/realms/work", "/?a=b"), "issuer of [[oidc]]"),
        (format!("{KEYCLOAK}clientSecret = 'hidden'\n{KEYCLOAK}clientSecret = 'hidden'"), "a name that no other"),
        (
            format!("{KEYCLOAK}clientSecret = 'hidden'\n{KEYCLOAK}clientSecret = 'hidden'")
                .replacen("'work'", "'x'", 1),
            "an issuer that no other",
        ),
    ] {
        let found = faults(Case { file: Some(&file), ..Case::default() });
        assert_eq!(found.len(), 1, "{file}: {found:?}");
        assert!(found[0].contains(expected) && found[0].contains("guildhall.toml"), "{file}: {found:?}");
        assert!(!found[0].contains("hidden"), "{found:?}");
    }
    for (name, other) in [("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"), ("GOOGLE_CLIENT_SECRET", "GOOGLE_CLIENT_ID")] {
        let found = faults(Case { env: &[(name, "hidden")], ..Case::default() });
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(&format!("expected {other} beside it")), "{found:?}");
    }
}

#[test]
fn a_mail_server_is_read_and_its_password_shown_nowhere() {
    let env = [
        ("GUILDHALL_SMTP_URL", "smtps://guild:s3cret-word@mail.example.com"),
        ("GUILDHALL_MAIL_FROM", "Guildhall <guild@example.com>"),
    ];
    let config = read(Case { env: &env, ..Case::default() }, &Flags::default()).unwrap();
    assert_eq!(config.mail.as_ref().unwrap().server(), "mail.example.com:465 (TLS)");
    assert!(!format!("{config:?}").contains("s3cret-word"));
    // The password by a file of its own.
    let env = [
        ("GUILDHALL_SMTP_URL", "smtp://guild@mail.example.com?tls=required"),
        ("GUILDHALL_MAIL_FROM", "guild@example.com"),
        ("GUILDHALL_SMTP_PASSWORD_FILE", "/etc/guildhall.toml"),
    ];
    let config = read(Case { env: &env, file: Some("# of-the-file\n") }, &Flags::default()).unwrap();
    assert!(config.mail.is_some() && !format!("{config:?}").contains("of-the-file"));

    let env = [("GUILDHALL_SMTP_URL", "smtp://guild:s3cret-word@mail.example.com"), ("GUILDHALL_MAIL_FROM", "guild")];
    let told = faults(Case { env: &env, ..Case::default() });
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.iter().any(|fault| fault.contains("without TLS")) && !told.concat().contains("s3cret-word"),
        "{told:?}"
    );
    let env = [("GUILDHALL_SMTP_URL", "smtps://mail.example.com"), ("GUILDHALL_SMTP_CA_FILE", "/nowhere")];
    let told = faults(Case { env: &env, ..Case::default() });
    assert!(told.len() == 2 && told[0].contains("/nowhere") && told[1].contains("GUILDHALL_MAIL_FROM"), "{told:?}");
    let env = [("GUILDHALL_MAIL_FROM", "guild@example.com")];
    let config = read(Case { env: &env, ..Case::default() }, &Flags::default()).unwrap();
    assert!(config.mail.is_none() && config.notes[0].contains("no mail is sent"), "{:?}", config.notes);
}

#[test]
fn addresses_of_the_machine_are_read_or_refused() {
    let env = [("GUILDHALL_OWN_ADDRESSES", "203.0.113.7, 2001:db8:7::/48")];
    let own = read(Case { env: &env, ..Case::default() }, &Flags::default()).unwrap().own_addresses;
    assert_eq!(own.iter().map(ToString::to_string).collect::<Vec<_>>(), ["203.0.113.7/32", "2001:db8:7::/48"]);
    let env = [("GUILDHALL_OWN_ADDRESSES", "0.0.0.0/0,guild.example.com")];
    assert_eq!(faults(Case { env: &env, ..Case::default() }).len(), 2);
}

#[test]
fn proxies_and_measures_are_read_or_refused() {
    let env = [("GUILDHALL_TRUSTED_PROXIES", "10.1.2.3/8, ::1,127.0.0.1"), ("GUILDHALL_REQUESTS_PER_MEMBER", "off")];
    let file = Some("requests_per_address = 50\nmax_connections = 64");
    let guard = read(Case { env: &env, file }, &Flags::default()).unwrap().guard;
    let networks: Vec<String> = guard.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "::1/128", "127.0.0.1/32"]);
    assert_eq!((guard.requests_per_member, guard.requests_per_address, guard.max_connections), (None, Some(50), 64));
    let env = [
        ("GUILDHALL_TRUSTED_PROXIES", "0.0.0.0/0,proxy"),
        ("GUILDHALL_REQUESTS_PER_MEMBER", "0"),
        ("GUILDHALL_MAX_CONNECTIONS", "1"),
    ];
    assert_eq!(faults(Case { env: &env, ..Case::default() }).len(), 4);
}

#[test]
fn pages_of_services_are_never_shown_under_the_houses_own_name() {
    let config = |preview, public| {
        let env = [("GUILDHALL_PREVIEW_URL", preview), ("GUILDHALL_PUBLIC_URL", public)];
        read(Case { env: &env, file: None }, &Flags::default())
    };
    let good = config("https://*.preview.example.com", "https://guild.example.com").unwrap();
    assert_eq!(good.preview_url.unwrap().to_string(), "https://*.preview.example.com");
    for (preview, public) in [
        ("https://*.example.com", "https://guild.example.com"),
        ("https://guild.example.com", "https://guild.example.com"),
        ("http://*.preview.example.com", "https://guild.example.com"),
    ] {
        let faults = config(preview, public).unwrap_err();
        assert_eq!(faults.0.len(), 1, "{faults}");
        assert!(faults.0[0].at.starts_with("GUILDHALL_PREVIEW_URL"), "{faults}");
    }
}

#[test]
fn a_metrics_token_is_long_and_never_shown() {
    let long = "0123456789abcdefghij";
    let config = read(Case { env: &[("GUILDHALL_METRICS_TOKEN", long)], file: None }, &Flags::default()).unwrap();
    assert_eq!(config.metrics_token.as_ref().map(Secret::expose), Some(long));
    assert!(!format!("{config:?}").contains(long));
    for bad in ["short", "with spaces, though it is long enough", "mit-Umlauten-äöü-und-lang-genug"] {
        let faults = faults(Case { env: &[("GUILDHALL_METRICS_TOKEN", bad)], file: None });
        assert!(faults.len() == 1 && faults[0].contains("at least 20") && !faults[0].contains(bad), "{faults:?}");
    }
}

#[test]
fn the_files_in_which_secrets_stand_are_known() {
    let files = |file: &'static str| {
        let env = |name: &str| match name {
            "HOME" => Some("/home/anna".into()),
            "GUILDHALL_SMTP_PASSWORD_FILE" => Some("/etc/smtp".into()),
            "GUILDHALL_S3_SECRET_ACCESS_KEY_FILE" => Some("/etc/s3".into()),
            _ => None,
        };
        let flags = Flags { config: Some("/etc/guildhall.toml".to_owned()), ..Flags::default() };
        Config::secret_files_in(&Layers { flags: &flags, env: &env, file: &|_| Ok(file.to_owned()) })
    };
    let [settings, smtp, s3] = ["/etc/guildhall.toml", "/etc/smtp", "/etc/s3"].map(Path::new);
    assert_eq!(files("listen = '127.0.0.1:1'"), [smtp, s3]);
    assert_eq!(files("anthropic_api_key = 'x'"), [settings, smtp, s3]);
    assert_eq!(files("s3_secret_access_key = 'x'"), [settings, smtp, s3]);
    let oidc = "[[oidc]]\nname = 'a'\nclientSecret = 'x'\n[[oidc]]\nclientSecretFile = 'google.secret'";
    let expected = [settings, Path::new("/etc/google.secret"), smtp, s3];
    assert_eq!(files(oidc), expected);
}

#[test]
fn backups_are_planned_as_it_is_said() {
    use chrono::{Duration, NaiveTime};
    use guildhall_types::backup::Rhythm;
    let place = ("GUILDHALL_BACKUP_TO", "/mnt/backups");
    let plan = |env: &[(&str, &str)]| {
        let config = read(Case { env, ..Case::default() }, &Flags::default()).unwrap();
        (config.backup.map(|shelf| shelf.to_string()), config.backup_rules)
    };
    let (to, usual) = plan(&[place]);
    assert_eq!(to.as_deref(), Some("/mnt/backups"));
    assert_eq!(usual.rhythm, Some(Rhythm::Daily(NaiveTime::from_hms_opt(3, 0, 0).unwrap())));
    assert!(usual.verify && usual.key_file.is_none() && usual.full_every == 7);
    let wishes = [
        ("GUILDHALL_BACKUP_EVERY", "6h"),
        ("GUILDHALL_BACKUP_KEEP", "last 2"),
        ("GUILDHALL_BACKUP_FULL_EVERY", "1"),
        ("GUILDHALL_BACKUP_VERIFY", "false"),
        ("GUILDHALL_BACKUP_KEY_FILE", "/etc/backup.key"),
    ];
    let (_, said) = plan(&[&[place][..], &wishes].concat());
    assert_eq!((said.rhythm, said.keep.last, said.keep.days), (Some(Rhythm::Every(Duration::hours(6))), 2, 0));
    assert_eq!(
        (said.full_every, said.verify, said.key_file.as_deref()),
        (1, false, Some(Path::new("/etc/backup.key")))
    );
    assert_eq!(plan(&wishes), (None, said), "a command may name a place of its own, and they hold there, too");
    assert_eq!(plan(&[place, ("GUILDHALL_BACKUP_EVERY", "off")]).1.rhythm, None);
    let bad = [
        ("GUILDHALL_BACKUP_TO", "backups"),
        ("GUILDHALL_BACKUP_EVERY", "25:00"),
        ("GUILDHALL_BACKUP_KEEP", "days 3"),
        ("GUILDHALL_BACKUP_FULL_EVERY", "0"),
        ("GUILDHALL_BACKUP_VERIFY", "perhaps"),
        ("GUILDHALL_BACKUP_KEY_FILE", "key"),
    ];
    let told = faults(Case { env: &bad, ..Case::default() });
    for (name, _) in bad {
        assert!(told.iter().any(|line| line.starts_with(name)), "no {name} in {told:?}");
    }
}
