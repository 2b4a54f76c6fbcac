//! What commands are given beside the system's own: secrets, what tools keep, toolchains.

use std::fs;
use std::path::PathBuf;

use guildhall_sandbox::{Command, Exit, RoomSecret, Secrets, Toolchains};
use guildhall_types::secret::SecretUse;

use crate::harness::{Place, command};

const TOKEN: &str = "tok/0123+secret=value";
const URL: &str = "postgres://guild:p4ssw0rd-of-it@db.example/test";

fn with_secrets() -> Place {
    let mut place = Place::new();
    let secret = |name: &str, value: &str, uses: &[SecretUse]| RoomSecret {
        name: name.to_owned(),
        value: value.to_owned().into(),
        uses: uses.to_vec(),
    };
    place.room.secrets = Secrets::new(vec![
        secret("TOKEN", TOKEN, &[SecretUse::Agents, SecretUse::SetUp]),
        secret("TEST_DATABASE_URL", URL, &[SecretUse::Checks, SecretUse::Agents]),
    ]);
    place
}

#[tokio::test]
async fn a_command_is_given_the_secrets_that_it_asks_for_and_no_other() {
    let mut place = with_secrets();
    let seen = "echo \"${#TOKEN} ${#TEST_DATABASE_URL}\"";
    assert_eq!(place.says(seen).await, "0 0\n");
    let room = place.room.clone();
    place.room = room.given(SecretUse::Checks);
    assert_eq!(place.says(seen).await, format!("0 {}\n", URL.len()));
    place.room = room.given(SecretUse::Services);
    assert_eq!(place.says(seen).await, "0 0\n");
    place.room = room.asking(&["TOKEN".to_owned()]).unwrap();
    assert_eq!(place.says(seen).await, format!("{} 0\n", TOKEN.len()));
    assert!(room.asking(&["PATH".to_owned()]).unwrap_err().contains("There is: TOKEN, TEST_DATABASE_URL."));

    // Nobody reads it among arguments, in the sandbox or on the host, while the command runs.
    let mut told = Vec::new();
    let line = "tr '\\0' ' ' < /proc/1/cmdline; tr '\\0' ' ' < /proc/1/environ; echo; ls /proc/self/fd; sleep 0.3";
    let once = command(line);
    let mut look = |_: &str| {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            told.extend(fs::read(entry.path().join("cmdline")).unwrap_or_default());
        }
    };
    let out = place.sandbox.run(&place.room, &once, &mut look).await.unwrap().output;
    assert!(!out.contains("secret TOKEN"), "{out}");
    assert!(told.len() > 100 && !told.windows(TOKEN.len()).any(|bytes| bytes == TOKEN.as_bytes()));

    // What only is looked at is given none.
    place.room = room;
    place.room.frozen = true;
    assert!(place.room.asking(&["TOKEN".to_owned()]).unwrap_err().contains("Nothing is to be changed"));
    place.room = place.room.given(SecretUse::Checks);
    assert_eq!(place.says(seen).await, "0 0\n");
    assert_eq!(format!("{:?}", place.room.secrets), r#"["TOKEN", "TEST_DATABASE_URL"]"#);
}

#[tokio::test]
async fn what_a_command_prints_of_a_secret_is_blotted_out_however_it_is_spelled() {
    let mut place = with_secrets();
    let room = place.room.clone();
    place.room = room.asking(&["TOKEN".to_owned(), "TEST_DATABASE_URL".to_owned()]).unwrap();
    let out = place
        .says(
            "env | grep TOKEN; printf %s \"$TOKEN\" | base64; printf %s \"$TOKEN\" | od -An -v -tx1 | tr -d ' \\n'; echo
             printf 'x%s' \"$TOKEN\" | base64; echo \"$TEST_DATABASE_URL\" >&2; echo p4ssw0rd-of-it
             python3 -c 'import os,json,urllib.parse as u; t=os.environ[\"TOKEN\"]; print(json.dumps(t), u.quote(t, safe=\"\"), u.quote_plus(t))'
             printf %s \"$TOKEN\" > left.txt; set -x; : \"$TOKEN\"",
        )
        .await;
    for (what, spelled) in [
        ("as it is", TOKEN),
        ("base64", "dG9rLzAxMjMrc2VjcmV0PXZhbHVl"),
        ("in base64", "ay8wMTIzK3NlY3Jl"),
        ("hex", "746f6b2f303132332b7365637265743d76616c7565"),
        ("escaped", "tok%2F0123%2Bsecret%3Dvalue"),
        ("address", "p4ssw0rd"),
    ] {
        assert!(!out.contains(spelled), "{what}: {out}");
    }
    assert!(out.matches("[secret TOKEN]").count() >= 7, "{out}");
    assert_eq!(out.matches("[secret TEST_DATABASE_URL]").count(), 2, "{out}");

    // One that was given nothing finds it in a file; and no piece in which it comes lets half of it through.
    place.room = room;
    let mut shown = String::new();
    let line = "cat left.txt; echo; for c in $(fold -w1 left.txt); do printf %s \"$c\"; sleep 0.01; done; echo; head -c 9 left.txt";
    let out = place.sandbox.run(&place.room, &command(line), &mut |text| shown.push_str(text)).await.unwrap();
    assert_eq!(out.output, "[secret TOKEN]\n[secret TOKEN]\ntok/0123+");
    assert_eq!(shown, out.output);

    // Where the middle is left out, no cut goes through a secret.
    let small = Command { max_output: 60, ..command("for i in $(seq 200); do cat left.txt; done") };
    let out = place.try_run(&small).await.unwrap().output;
    assert!(out.contains("bytes left out") && !out.contains("tok/"), "{out}");
}

#[tokio::test]
async fn what_tools_keep_stays_between_commands_and_is_at_one_place() {
    let mut place = Place::new();
    let cache = place.at("cache");
    fs::create_dir(&cache).unwrap();
    place.room.cache = Some(cache.clone());
    let out = place
        .says("mkdir -p \"$npm_config_cache\"; echo kept > \"$npm_config_cache/x\"; echo $npm_config_cache $GOMODCACHE $MAVEN_ARGS")
        .await;
    assert_eq!(out, "/run/cache/npm /run/cache/go-mod -Dmaven.repo.local=/run/cache/maven\n");
    assert_eq!(fs::read_to_string(cache.join("npm/x")).unwrap(), "kept\n");
    assert_eq!(place.says("cat /run/cache/npm/x; echo $PATH | grep -c cache").await, "kept\n0\n");
    let found = guildhall_sandbox::cached(&cache).unwrap();
    assert!(found.iter().any(|tool| tool.path.ends_with("npm")), "{found:?}");

    // What Cargo and Gradle fetch stays, and two of them at once wait for each other; settings and programs beside that go.
    let leaves = "cd $CARGO_HOME && mkdir -p registry/src bin $GRADLE_USER_HOME/caches/a $GRADLE_USER_HOME/init.d && \
                  touch registry/src/a .package-cache config.toml bin/cargo-x $GRADLE_USER_HOME/init.d/x.gradle";
    assert_eq!(place.says(leaves).await, "");
    let out = place.says("find -L $CARGO_HOME $GRADLE_USER_HOME | sort").await;
    for kept in [".cargo/registry/src/a", ".cargo/.package-cache", ".gradle/caches/a"] {
        assert!(out.lines().any(|line| line == format!("/home/agent/{kept}")), "{kept}: {out}");
    }
    assert!(!out.contains("config.toml") && !out.contains("cargo-x") && !out.contains("init.d"), "{out}");

    // A link that an agent leaves in it leads nothing out, and what only is looked at finds none.
    place.says("rm -r /run/cache/npm; ln -s /workspace /run/cache/npm; ln -s ../other /run/cache/out").await;
    place.room.frozen = true;
    assert_eq!(place.says("ls /run/cache; echo ${CARGO_HOME-none}").await.lines().last(), Some("none"));
    place.room.frozen = false;
    place.room.cache = Some(cache.join("npm"));
    let error = place.try_run(&command("true")).await.unwrap_err().to_string();
    assert!(error.contains("a symbolic link"), "{error}");
}

/// The toolchains of the machine that runs the tests: what builds this builds a crate in the sandbox.
#[tokio::test]
async fn cargo_builds_a_crate_with_the_toolchain_that_the_operator_lists() {
    let programs = PathBuf::from(env!("CARGO"));
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"))).unwrap();
    let rustup = std::env::var_os("RUSTUP_HOME").map(PathBuf::from);
    let rustup = rustup.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".rustup"))).unwrap();
    if !rustup.is_dir() {
        // A Rust that came with the system is below /usr, which every command sees.
        assert!(programs.starts_with("/usr"), "{}", programs.display());
    }
    let listed: Vec<PathBuf> = [home.join("bin"), rustup].into_iter().filter(|folder| folder.is_dir()).collect();
    let toolchains = Toolchains::look(&listed).unwrap();
    let mut place = Place::new();
    place.room.read_only = toolchains.read_only().collect();
    place.room.env = toolchains.env();
    place.room.path = toolchains.path();
    let cache = place.at("cache");
    fs::create_dir(&cache).unwrap();
    place.room.cache = Some(cache);
    let line = "cargo init --quiet --name tiny . && cargo build --offline --quiet && ./target/debug/tiny; \
                touch $(dirname $(command -v cargo))/x; python3 --version";
    let out = place.try_run(&Command { timeout: std::time::Duration::from_secs(120), ..command(line) }).await.unwrap();
    assert!(out.output.starts_with("Hello, world!\n"), "{}", out.output);
    assert!(out.output.contains("Read-only file system"), "{}", out.output);

    // Settings that one command leaves are not obeyed by the next: with these, no test would ever fail.
    let fails =
        "mkdir -p tests && echo '#[test] fn fails() { panic!() }' > tests/it.rs && cargo test --offline --quiet";
    let settings = "mkdir -p $CARGO_HOME && cat > $CARGO_HOME/config.toml << 'end'\n\
                    [target.'cfg(all())']\nrunner = \"/bin/true\"\nend\n";
    for line in [settings, fails] {
        let command = Command { timeout: std::time::Duration::from_secs(120), ..command(line) };
        let out = place.try_run(&command).await.unwrap();
        assert_eq!(out.exit, Exit::Code(if line == fails { 101 } else { 0 }), "{}", out.output);
    }
}
