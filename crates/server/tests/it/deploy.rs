//! What `deploy/` says of settings is what the server reads. Whatever a program other than ours reads there, `scripts/deploy.sh`
//! has that program check.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use guildhall_server::config::{Config, Flags, Layers};
use tokio::process::Command;

fn of_project(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn file(name: &str) -> String {
    of_project(&format!("deploy/{name}"))
}

/// Puts a program into a folder that does what these lines of shell say.
fn stand_in(folder: &Path, name: &str, lines: &str) {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs a script of `deploy/` that finds those programs before the machine's own. Whether it ended well, and what it said.
async fn script(name: &str, programs: &Path, env: &[(&str, &str)], args: &[&str]) -> (bool, String) {
    let mut command = Command::new("/bin/sh");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name)).args(args).env_clear();
    command.env("PATH", format!("{}:/usr/bin:/bin", programs.display())).envs(env.iter().copied());
    let done = command.output().await.unwrap();
    let said = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8(said).unwrap())
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// The settings of the example, those that are only shown included: name and value.
fn settings_of(example: &str) -> Vec<(&str, &str)> {
    let lines = example.lines().map(|line| line.strip_prefix('#').unwrap_or(line));
    lines.filter_map(|line| line.split_once('=')).filter(|(name, _)| is_name(name)).collect()
}

/// Every word of a text that is a name of a setting.
fn names_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| is_name(word) && (word.starts_with("GUILDHALL_") || word.ends_with("_URL"))).collect()
}

/// What Caddy, compose and PostgreSQL read beside Guildhall.
const OTHERS: [&str; 7] = [
    "COMPOSE_FILE",
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "GUILDHALL_MEMORY",
    "GUILDHALL_PIDS",
    "GUILDHALL_CADDY_OPTIONS",
    "GUILDHALL_PREVIEW_TLS",
];

#[test]
fn the_example_of_the_environment_names_every_setting_and_no_other() {
    let example = file(".env.example");
    let known: BTreeSet<&str> = Config::variables().collect();
    let shown = settings_of(&example);
    assert!(shown.len() > 20, "{shown:?}");
    for (name, _) in &shown {
        assert!(known.contains(name) || OTHERS.contains(name), "nobody reads {name}");
    }
    // What compose sets itself, and what no container wants, stands there in words.
    let told = names_in(&example);
    for name in &known {
        assert!(told.contains(name) || shown.iter().any(|(shown, _)| shown == name), "{name} is not in .env.example");
    }
    for name in OTHERS {
        let compose = [file("compose.yaml"), file("compose.postgres.yaml"), file("compose.nodes.yaml")].concat();
        assert!(compose.contains(name), "compose does not read {name}");
    }
}

#[test]
fn what_the_container_is_given_is_a_configuration_that_the_server_takes() {
    let example = file(".env.example");
    let plain: Vec<(&str, &str)> =
        example.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('=')).collect();
    let compose = file("compose.yaml");
    let of_compose: Vec<(&str, &str)> = compose
        .lines()
        .filter_map(|line| line.trim().split_once(": "))
        .filter(|(name, value)| is_name(name) && !value.contains('$'))
        .collect();
    assert!(of_compose.iter().any(|(name, _)| *name == "GUILDHALL_TRUSTED_PROXIES"), "{of_compose:?}");
    assert!(
        compose.contains("\n    hostname: guildhall\n"),
        "by another name after each `up` it would be another server"
    );
    let known: BTreeSet<&str> = Config::variables().collect();
    let env = |name: &str| -> Option<OsString> {
        let mut all = plain.iter().chain(of_compose.iter().filter(|(name, _)| known.contains(name)));
        all.find(|(known, _)| *known == name).map(|(_, value)| value.into())
    };
    let flags = Flags::default();
    let none = |_: &Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
    let config = Config::read(&Layers { flags: &flags, env: &env, file: &none }).unwrap();
    assert_eq!(config.data_dir, Path::new("/data"));
    assert_eq!(config.listen.port(), 4300);
    // The proxy that is believed is Caddy at its own address.
    let [proxy] = config.guard.trusted_proxies[..] else { panic!("{:?}", config.guard) };
    let after = compose.split_once("\n  caddy:\n").unwrap().1;
    assert!(proxy.prefix_len() == 32 && after.contains(&format!("ipv4_address: {}", proxy.addr())), "{proxy}");
}

/// The lines of a service in a file of compose, without what is a comment.
fn service<'a>(compose: &'a str, name: &str) -> Vec<&'a str> {
    let (_, after) = compose.split_once(&format!("\n  {name}:\n")).unwrap();
    let own = after.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    own.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[test]
fn the_second_container_is_as_the_first_and_each_says_where_it_is_reached() {
    let (base, postgres, nodes) = (file("compose.yaml"), file("compose.postgres.yaml"), file("compose.nodes.yaml"));
    let second = service(&nodes, "guildhall2");
    let of_build = ["build:", "context: ..", "dockerfile:", "args:", "GUILDHALL_COMMIT:", "GUILDHALL_BUILT:"];
    let own = ["hostname:", "- data:", "ipv4_address:"];
    for line in [service(&base, "guildhall"), service(&postgres, "guildhall")].concat() {
        let left_out = of_build.iter().chain(&own).any(|begin| line.starts_with(begin));
        assert!(left_out || second.contains(&line), "guildhall2 lacks {line:?}");
    }
    assert!(second.contains(&"hostname: guildhall2") && second.contains(&"- data2:/data"));
    // Both with the same database, Redis and key, and each with an address of its own.
    let filled = |text: &str| {
        text.replace("${POSTGRES_PASSWORD:?write it into .env}", "p")
            .replace("${REDIS_PASSWORD:?write it into .env}", "r")
    };
    let config = |lines: Vec<&str>| {
        let set: Vec<(String, String)> = lines
            .iter()
            .filter_map(|line| line.split_once(": "))
            .filter(|(name, _)| is_name(name))
            .map(|(name, value)| (name.to_owned(), filled(value)))
            .collect();
        let set = [set, vec![("GUILDHALL_PUBLIC_URL".to_owned(), "https://guild.example.com".to_owned())]].concat();
        let env = |name: &str| set.iter().find(|(known, _)| known == name).map(|(_, value)| OsString::from(value));
        let none = |_: &Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
        Config::read(&Layers { flags: &Flags::default(), env: &env, file: &none }).unwrap()
    };
    let first = [service(&nodes, "guildhall"), service(&base, "guildhall"), service(&postgres, "guildhall")].concat();
    let (first, second) = (config(first), config(second));
    for config in [&first, &second] {
        assert_eq!(config.database_url.expose(), "postgres://guildhall:p@postgres:5432/guildhall");
        assert!(config.redis_url.is_some() && config.notes.is_empty(), "{:?}", config.notes);
        assert_eq!(config.key_file.as_deref(), Some(Path::new("/run/secrets/vault-key")));
    }
    let urls = [&first, &second].map(|config| config.node_url.clone().unwrap());
    assert_eq!(urls, ["http://guildhall:4300", "http://guildhall2:4300"]);
    let caddy = service(&nodes, "caddy");
    let upstream = urls.map(|url| url.trim_start_matches("http://").to_owned()).join(" ");
    assert!(caddy.contains(&format!("GUILDHALL_UPSTREAM: {upstream}").as_str()), "{caddy:?}");
}

#[test]
fn the_settings_under_systemd_are_a_configuration_that_the_server_takes() {
    let given = file("guildhall.toml");
    let toml = |text: String| {
        let flags = Flags { config: Some("/etc/guildhall/guildhall.toml".to_owned()), ..Flags::default() };
        let read = move |_: &Path| Ok(text.clone());
        let env =
            |name: &str| -> Option<OsString> { (name == "CREDENTIALS_DIRECTORY").then(|| "/run/credentials".into()) };
        Config::read(&Layers { flags: &flags, env: &env, file: &read })
    };
    let config = toml(given.clone()).unwrap();
    assert_eq!(config.data_dir, Path::new("/var/lib/guildhall"));
    assert!(config.public_url.is_some() && config.guard.trusted_proxies.len() == 1 && config.notes.is_empty());
    // Those that are only shown are settings, too: with every one of them in force nothing is unknown.
    let shown = given.lines().map(|line| {
        line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase())).unwrap_or(line)
    });
    let shown: Vec<&str> = shown.collect();
    let told = toml(shown.join("\n")).map(|_| String::new()).unwrap_or_else(|faults| faults.to_string());
    assert!(!told.contains("one of the known settings"), "{told}");
    // The unit starts with these settings.
    let unit = file("systemd/guildhall.service");
    assert!(unit.contains("\nEnvironment=GUILDHALL_CONFIG=/etc/guildhall/guildhall.toml\n"));
    assert!(
        unit.contains(
            "\nEnvironment=GUILDHALL_DATA_DIR=/var/lib/guildhall\nExecStart=/usr/local/bin/guildhall serve\n"
        )
    );
}

#[test]
fn what_bubblewrap_needs_is_neither_forbidden_by_the_unit_nor_by_the_containers_filter() {
    let unit = file("systemd/guildhall.service");
    let set: Vec<&str> = unit
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/sandbox.md");
    let page = std::fs::read_to_string(page).unwrap();
    let never = page.split_once("Do **not** set").unwrap().1.split_once("each keeps bubblewrap").unwrap().0;
    let never: Vec<&str> = never.split('`').skip(1).step_by(2).filter_map(|word| word.strip_suffix('=')).collect();
    assert!(never.len() >= 9, "{never:?}");
    for name in never.into_iter().filter(|name| *name != "SystemCallFilter") {
        assert!(!set.contains(&name), "{name}= keeps bubblewrap from working");
        assert!(unit.contains(&format!("{name}=")), "the unit does not warn of {name}=");
    }
    let filter = unit.lines().find_map(|line| line.strip_prefix("SystemCallFilter=")).unwrap();
    assert!(filter.starts_with('~'), "a list of what is allowed would have to name every call of every build");
    assert!(
        !["@mount", "@privileged", "@process", "@system-service", "@resources"].iter().any(|set| filter.contains(set))
    );

    let profile: serde_json::Value = serde_json::from_str(&file("seccomp.json")).unwrap();
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ALLOW");
    let refused: BTreeSet<&str> = profile["syscalls"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|rule| {
            assert_eq!(rule["action"], "SCMP_ACT_ERRNO");
            rule["names"].as_array().unwrap().iter().filter_map(serde_json::Value::as_str)
        })
        .collect();
    for needed in [
        "clone",
        "clone3",
        "unshare",
        "setns",
        "mount",
        "umount2",
        "pivot_root",
        "chroot",
        "seccomp",
        "prctl",
        "sethostname",
        "landlock_create_ruleset",
        "landlock_restrict_self",
        "pidfd_open",
        "openat2",
    ] {
        assert!(!refused.contains(needed), "{needed} is refused");
    }
    for dangerous in
        ["bpf", "io_uring_setup", "kexec_load", "init_module", "userfaultfd", "open_by_handle_at", "ptrace"]
    {
        assert!(refused.contains(dangerous), "{dangerous} is allowed");
    }
}

#[tokio::test]
async fn no_command_of_compose_can_forget_a_file() {
    // Its files are named once, for every command, and each is there.
    let example = file(".env.example");
    let (_, named) = settings_of(&example).into_iter().find(|(name, _)| *name == "COMPOSE_FILE").unwrap();
    let named: Vec<&str> = named.split(':').collect();
    assert_eq!(named[0], "compose.yaml");
    let there = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")).unwrap();
    let there = there.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let there: BTreeSet<String> = there.filter(|name| name.starts_with("compose.")).collect();
    assert_eq!(named.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), there);
    for page in ["docs/deploy.md", "docs/operators.md", "docs/sandbox.md", "README.md"].map(of_project).iter().chain(
        &[
            "compose.yaml",
            "compose.postgres.yaml",
            "compose.nodes.yaml",
            "compose.limits.yaml",
            "Dockerfile",
            ".env.example",
        ]
        .map(file),
    ) {
        assert!(!page.contains("-f compose."), "a command that names files is followed by one that does not: {page}");
    }
    // Where the file of PostgreSQL is left out all the same, nothing begins anew.
    let dir = tempfile::tempdir().unwrap();
    stand_in(dir.path(), "id", "echo 1000");
    stand_in(dir.path(), "tini", "echo \"runs $*\"");
    let password = ("POSTGRES_PASSWORD", "secret-word");
    let (well, said) = script("entrypoint.sh", dir.path(), &[password], &["serve"]).await;
    assert!(!well && said.contains("COMPOSE_FILE=") && !said.contains("secret-word"), "{said}");
    let (well, said) = script("entrypoint.sh", dir.path(), &[password, ("DATABASE_URL", "")], &["serve"]).await;
    assert!(!well, "{said}");
    let (well, said) = script("entrypoint.sh", dir.path(), &[("REDIS_PASSWORD", "secret-word")], &["serve"]).await;
    assert!(!well && said.contains("compose.nodes.yaml") && !said.contains("secret-word"), "{said}");
    let whole = [password, ("DATABASE_URL", "postgres://guildhall:x@postgres:5432/guildhall")];
    for env in [&whole[..], &[]] {
        assert_eq!(
            script("entrypoint.sh", dir.path(), env, &["serve"]).await,
            (true, "runs -- guildhall serve\n".into())
        );
    }
}

#[tokio::test]
async fn a_certificate_that_was_renewed_reaches_caddy_once_and_whatever_went_wrong_before() {
    let dir = tempfile::tempdir().unwrap();
    let (programs, lego, caddy) = (dir.path().join("programs"), dir.path().join("lego"), dir.path().join("caddy"));
    for folder in [&programs, &lego, &caddy] {
        std::fs::create_dir(folder).unwrap();
    }
    // It makes what `made` says is there to be had, and says how it was called.
    let made = dir.path().join("made");
    let take = r#"echo "lego $*"
mkdir -p "$LEGO_PATH/certificates"
for kind in crt key; do echo "$kind $(cat MADE)" >"$LEGO_PATH/certificates/_.preview.example.com.$kind"; done"#;
    stand_in(&programs, "lego", &take.replace("MADE", &made.display().to_string()));
    stand_in(&programs, "install", r#"[ "$1 $2 $3 $4" = "-m 0640 -g caddy" ] && cp "$5" "$6""#);
    let told = |well: bool| stand_in(&programs, "systemctl", &format!("echo \"systemctl $*\"; {well}"));
    let env = [
        ("LEGO_PATH", lego.to_str().unwrap()),
        ("CADDY_PATH", caddy.to_str().unwrap()),
        ("LEGO_EMAIL", "you@example.com"),
        ("LEGO_DNS", "hetzner"),
        ("LEGO_DOMAIN", "*.preview.example.com"),
    ];
    let renew = async |number: &str| {
        std::fs::write(&made, number).unwrap();
        script("lego-renew.sh", &programs, &env, &[]).await
    };
    let served = || ["pem", "key"].map(|kind| std::fs::read_to_string(caddy.join(format!("preview.{kind}"))).unwrap());
    let of = |number: &str| [format!("crt {number}\n"), format!("key {number}\n")];
    let called = format!(
        "lego --accept-tos --path {} --email you@example.com --dns hetzner --domains *.preview.example.com",
        lego.display()
    );
    const RELOAD: &str = "systemctl try-reload-or-restart caddy\n";

    told(true);
    assert_eq!(renew("one").await, (true, format!("{called} run\n{RELOAD}")));
    assert_eq!(served(), of("one"));
    // Nothing new: nobody's WebSocket ends.
    assert_eq!(renew("one").await, (true, format!("{called} renew --days 30\n")));
    // A reload that failed is made good by the next day's look, which renews nothing.
    told(false);
    assert_eq!(renew("two").await, (false, format!("{called} renew --days 30\n{RELOAD}")));
    told(true);
    assert_eq!(renew("two").await, (true, format!("{called} renew --days 30\n{RELOAD}")));
    assert_eq!(served(), of("two"));

    // What the script is told stands in the unit's file, which the walk writes, and nothing else is needed.
    let walk = of_project("docs/deploy.md");
    let unit = file("systemd/lego-renew.service");
    assert!(unit.contains("\nEnvironmentFile=/etc/lego/renew.env\nExecStart=/usr/local/sbin/lego-renew\n"), "{unit}");
    assert!(walk.contains("install -m 0755 deploy/lego-renew.sh /usr/local/sbin/lego-renew\n"));
    for (name, _) in &env[2..] {
        assert!(walk.contains(&format!("\n{name}=")), "the walk does not write {name}");
    }
}

#[test]
fn whoever_opens_secrets_is_given_the_key_that_is_apart() {
    let settings = |name: &str| -> Vec<String> {
        file(name).lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect()
    };
    let server = settings("systemd/guildhall.service.d/key.conf");
    assert_eq!(server[1], "LoadCredential=vault.key:/etc/guildhall/vault.key");
    assert_eq!(server[2], "Environment=GUILDHALL_KEY_FILE=%d/vault.key");
    assert_eq!(settings("systemd/guildhall-backup.service.d/key.conf"), server);
    // By hand as well: a credential of a unit that is made for one command is below that unit's name.
    let walk = of_project("docs/deploy.md");
    let (_, by_hand) = walk.split_once("  systemd-run ").unwrap();
    let (by_hand, _) = by_hand.split_once("\n}").unwrap();
    let unit = by_hand.split_once("--unit=").unwrap().1.split(' ').next().unwrap();
    assert!(by_hand.contains(&format!("-p {}", server[1])), "{by_hand}");
    let file = format!("--setenv=GUILDHALL_KEY_FILE=/run/credentials/{unit}.service/vault.key");
    assert!(by_hand.contains(&file), "{by_hand}");
}

#[test]
fn the_walk_names_what_a_build_needs() {
    let walk = of_project("docs/deploy.md");
    let workspace: toml::Table = of_project("Cargo.toml").parse().unwrap();
    let rust = workspace["workspace"]["package"]["rust-version"].as_str().unwrap();
    let page: serde_json::Value = serde_json::from_str(&of_project("ui/package.json")).unwrap();
    let node = page["engines"]["node"].as_str().unwrap().trim_start_matches(">=");
    let (_, step) = walk.split_once("**3. The program.**").unwrap();
    let (step, _) = step.split_once("**4. ").unwrap();
    assert!(step.contains(&format!("Rust {rust}")) && step.contains(&format!("Node {node}")), "{rust} {node}: {step}");
    // Whatever the walk calls is there by then.
    let packages = walk.lines().find_map(|line| line.strip_prefix("apt install -y bubblewrap ")).unwrap();
    for package in ["git", "caddy", "sudo", "build-essential"] {
        assert!(packages.split(' ').any(|one| one == package), "{package} is not installed in {packages:?}");
    }
}
