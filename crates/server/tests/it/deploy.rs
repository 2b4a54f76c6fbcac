//! What `deploy/` says of settings is what the server reads. Whatever a program other than ours reads there, `scripts/deploy.sh`
//! has that program check.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use guildhall_server::config::{Config, Flags, Layers};

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
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
const OTHERS: [&str; 5] =
    ["POSTGRES_PASSWORD", "GUILDHALL_MEMORY", "GUILDHALL_PIDS", "GUILDHALL_CADDY_OPTIONS", "GUILDHALL_PREVIEW_TLS"];

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
        let compose = [file("compose.yaml"), file("compose.postgres.yaml")].concat();
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
