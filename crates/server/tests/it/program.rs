//! The program as an operator uses it.

use std::path::Path;
use std::process::{Output, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::harness::PATIENCE;

pub fn guildhall(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guildhall"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GUILDHALL_DATA_DIR", data)
        .env("GUILDHALL_LISTEN", "127.0.0.1:0")
        .env("GUILDHALL_TEST_ALERTS", "off")
        .kill_on_drop(true);
    command
}

pub async fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[tokio::test]
async fn it_says_its_version_and_describes_its_api() {
    let dir = tempfile::tempdir().unwrap();
    let (code, out, _) = run(guildhall(dir.path()).arg("version")).await;
    let first = format!("guildhall {}", env!("CARGO_PKG_VERSION"));
    assert_eq!((code, out.lines().next()), (Some(0), Some(first.as_str())));
    assert!(out.ends_with(&format!("schema {}\n", guildhall_store::Store::known_schema())), "{out}");
    let (code, out, _) = run(guildhall(dir.path()).arg("openapi")).await;
    assert!(code == Some(0) && out == guildhall_server::openapi::text());
}

#[tokio::test]
async fn the_doctor_looks_at_everything_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (code, out, err) = run(guildhall(&data).arg("doctor")).await;
    for what in
        ["configuration", "data folder", "database", "mail", "git", "sandbox", "disk", "file handles", "address"]
    {
        assert!(out.contains(what), "no {what} in {out}{err}");
    }
    assert_eq!(code, Some(i32::from(out.contains("FAIL"))), "{out}{err}");
    assert!(!data.exists());
    let (code, out, err) = run(guildhall(&data).args(["doctor", "--json"])).await;
    let told: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"));
    assert_eq!(told["well"], code == Some(0), "{told}");
    assert!(told["checks"].as_array().unwrap().iter().any(|check| check["what"] == "git" && check["level"] == "ok"));
    assert!(!data.exists());
}

#[tokio::test]
async fn the_doctor_tells_what_others_can_read_and_whose_port_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let settings = dir.path().join("guildhall.toml");
    std::fs::write(&settings, "anthropic_api_key = 'sk-ant-hidden-away'\n").unwrap();
    std::fs::set_permissions(&settings, std::fs::Permissions::from_mode(0o644)).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = guildhall(dir.path());
    command.env("GUILDHALL_LISTEN", &address).env("ANTHROPIC_BASE_URL", "http://127.0.0.1:9");
    command.env("GUILDHALL_PUBLIC_URL", "https://guild.invalid");
    let (code, out, err) = run(command.arg("doctor")).await;
    assert_eq!(code, Some(1), "{out}{err}");
    for line in [
        format!("warn  configuration: {} holds secrets and is open to everybody", settings.display()),
        format!("FAIL  address: another program listens on {address}"),
        "FAIL  public address: the name guild.invalid is not found".to_owned(),
        "warn  proxy: members come by https, so a proxy stands in front, and none is trusted".to_owned(),
    ] {
        assert!(out.contains(&line), "no {line:?} in {out}{err}");
    }
    assert!(!out.contains("hidden-away"), "{out}");
}

#[tokio::test]
async fn the_doctor_looks_where_backups_go_and_at_their_key_before_one_is_made() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (backups, key) = (dir.path().join("backups"), dir.path().join("backup.key"));
    std::fs::write(&key, "A".repeat(43) + "=\n").unwrap();
    let told = async |mode: u32| {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        let mut command = guildhall(&dir.path().join("data"));
        command.env("GUILDHALL_BACKUP_TO", &backups).env("GUILDHALL_BACKUP_KEY_FILE", &key);
        run(command.arg("doctor")).await
    };
    let (code, out, err) = told(0o640).await;
    assert_eq!(code, Some(1), "{out}{err}");
    for line in [
        // On the disk of the data, and with it in memory in some places.
        format!("warn  place for backups: {} ", backups.display()),
        format!("FAIL  key that seals backups: the key file {} cannot be used", key.display()),
    ] {
        assert!(out.contains(&line), "no {line:?} in {out}{err}");
    }
    let (_, out, err) = told(0o600).await;
    assert!(out.contains("ok    key that seals backups: "), "{out}{err}");
    assert!(!backups.exists(), "nothing is made");
}

#[tokio::test]
async fn the_doctor_says_what_is_wrong_and_fails() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = guildhall(dir.path());
    command.env("GUILDHALL_SANDBOX", "docker").env("DATABASE_URL", "mysql://me:pass-word@db");
    let (code, out, err) = run(command.arg("doctor")).await;
    assert_eq!(code, Some(1));
    assert!(out.contains("FAIL  configuration: GUILDHALL_SANDBOX in the environment: found \"docker\""), "{out}");
    assert!(out.contains("DATABASE_URL in the environment") && !format!("{out}{err}").contains("pass-word"), "{out}");

    let mut command = guildhall(dir.path());
    command.env("DATABASE_URL", "postgres://me:pass-word@127.0.0.1:9/x").env("ANTHROPIC_API_KEY", "sk-ant-pass-word");
    command.env("ANTHROPIC_BASE_URL", "http://127.0.0.1:9");
    command.env("GOOGLE_CLIENT_ID", "").env("WORK_SECRET", "hidden-pass-word");
    let provider =
        "[[oidc]]\nname = 'work'\nissuer = 'http://127.0.0.1:9'\nclientId = 'g'\nclientSecretEnv = 'WORK_SECRET'";
    std::fs::write(dir.path().join("guildhall.toml"), provider).unwrap();
    let (code, out, err) = run(command.arg("doctor")).await;
    assert_eq!(code, Some(1));
    assert!(out.contains("FAIL  database") && out.contains("FAIL  the team's provider"), "{out}");
    assert!(out.contains("FAIL  sign-in by work: http://127.0.0.1:9/.well-known/openid-configuration"), "{out}");
    assert!(!format!("{out}{err}").contains("pass-word"), "{out}{err}");
}

#[tokio::test]
async fn the_doctor_tries_the_mail_server_and_names_the_schema() {
    let post = crate::post::Post::start().await;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (code, out, err) = run(guildhall(&data).arg("migrate")).await;
    assert_eq!(code, Some(0), "{out}{err}");
    let mut command = guildhall(&data);
    command.env("GUILDHALL_MAIL_FROM", "guild@example.com");
    command.env("GUILDHALL_SMTP_URL", format!("smtp://127.0.0.1:{}", post.port));
    let (_, out, err) = run(command.arg("doctor")).await;
    assert!(out.contains(&format!("ok    mail: 127.0.0.1:{} (without TLS) answers", post.port)), "{out}{err}");
    assert!(out.contains("ok    database: SQLite answers, is at schema "), "{out}{err}");
    let mut command = guildhall(&data);
    command.env("GUILDHALL_MAIL_FROM", "guild@example.com");
    command.env("GUILDHALL_SMTP_URL", format!("smtp://guild:pass-word@localhost:{}?tls=required", post.port));
    let (code, out, err) = run(command.arg("doctor")).await;
    assert!(out.contains("FAIL  mail: ") && out.contains("offers no STARTTLS"), "{out}{err}");
    assert!(code == Some(1) && !format!("{out}{err}").contains("pass-word"), "{out}{err}");
}

#[tokio::test]
async fn a_bad_configuration_is_told_whole_and_nothing_starts() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("guildhall.toml"), "listen = 'here'\ncolour = 'red'\n").unwrap();
    let mut command = guildhall(dir.path());
    command.env_remove("GUILDHALL_LISTEN").env("GUILDHALL_PUBLIC_URL", "http://guild.example.com");
    let (code, out, err) = run(command.args(["serve", "--log-format", "xml"])).await;
    assert_eq!((code, out.as_str()), (Some(1), ""));
    for part in ["listen in", "colour in", "GUILDHALL_PUBLIC_URL in the environment", "--log-format: found \"xml\""] {
        assert!(err.contains(part), "no {part} in {err}");
    }
    let mut command = guildhall(dir.path());
    let (code, _, err) = run(command.args(["serve", "--config", "/nowhere", "--listen", "0.0.0.0:0"])).await;
    assert!(code == Some(1) && err.contains("signing in there needs https"), "{err}");
}

#[tokio::test]
async fn it_serves_until_it_is_told_to_stop_and_lets_nobody_else_into_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let ear = std::os::unix::net::UnixDatagram::bind(dir.path().join("notify")).unwrap();
    ear.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut server = guildhall(&data);
    server.env("NOTIFY_SOCKET", dir.path().join("notify"));
    let mut server = server.arg("serve").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    let (_, url) = line.split_once(" is at ").unwrap_or_else(|| panic!("{line}"));
    // The server that the tests run in this process installs what TLS needs; this test has none.
    drop(guildhall_llm::Client::new());
    let health = reqwest::get(format!("{url}/api/health")).await.unwrap();
    assert_eq!(health.status(), 200);

    // What a container's health check asks, and systemd is told.
    let (_, address) = url.split_once("://").unwrap();
    let (code, out, err) = run(guildhall(&data).args(["health", "--listen", address])).await;
    assert!(code == Some(0) && out.ends_with(&format!("answers at {address}.\n")), "{out}{err}");
    let told = tokio::task::spawn_blocking(move || {
        let mut words = [0; 200];
        let length = ear.recv(&mut words).unwrap();
        (String::from_utf8(words[..length].to_vec()).unwrap(), ear)
    });
    let (told, ear) = told.await.unwrap();
    assert_eq!(told, format!("READY=1\nSTATUS=Serving {url}"));

    let (code, _, err) = run(guildhall(&data).arg("serve")).await;
    assert!(code == Some(1) && err.contains("another Guildhall works in"), "{err}");
    for (path, mode) in [("", 0o700), ("keys", 0o700), ("keys/vault.key", 0o600), ("guildhall.db", 0o600)] {
        let path = data.join(path);
        let found = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions()) & 0o777;
        assert_eq!(found, mode, "{}: {found:o}", path.display());
    }
    let pid = rustix::process::Pid::from_raw(server.id().unwrap() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = tokio::time::timeout(PATIENCE, server.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
    let mut words = [0; 200];
    let length = ear.recv(&mut words).unwrap();
    assert!(words[..length].starts_with(b"STOPPING=1\n"), "{}", String::from_utf8_lossy(&words));
    let (code, _, err) = run(guildhall(&data).args(["health", "--listen", address])).await;
    assert!(code == Some(1) && err.contains("no Guildhall answers at"), "{err}");
    let (code, out, _) = run(guildhall(&data).arg("migrate")).await;
    assert!(code == Some(0) && out.contains("this version's schema"), "{out}");

    // A database that a later version has worked on is left alone, and it is said what to do.
    let mut db = <sqlx::SqliteConnection as sqlx::Connection>::connect(&format!(
        "sqlite://{}",
        data.join("guildhall.db").display()
    ))
    .await
    .unwrap();
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9000, 'later', 1, x'00', 0)";
    sqlx::raw_sql(later).execute(&mut db).await.unwrap();
    for command in ["serve", "migrate"] {
        let (code, _, err) = run(guildhall(&data).arg(command)).await;
        assert!(code == Some(1) && err.contains("is at schema 9000") && err.contains("restore a backup"), "{err}");
    }
    let (code, out, _) = run(guildhall(&data).arg("doctor")).await;
    assert!(code == Some(1) && out.contains("FAIL  database: SQLite answers, is at schema 9000"), "{out}");
}

#[tokio::test]
async fn the_disk_is_tidied_by_whoever_is_alone_and_looked_at_by_anybody() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (code, _, err) = run(guildhall(&data).args(["tidy", "--dry-run"])).await;
    assert!(code == Some(1) && err.contains("there is no database"), "{err}");
    assert!(!data.exists());
    run(guildhall(&data).arg("migrate")).await;
    // Nobody's, and what is provably nobody's.
    let lost = format!("worktrees/{}", guildhall_types::RunId::new());
    for folder in [lost.as_str(), "repositories/.gone-half"] {
        std::fs::create_dir_all(data.join(folder)).unwrap();
    }
    let held = std::fs::File::create(data.join("guildhall.lock")).unwrap();
    held.lock().unwrap();
    let (code, out, err) = run(guildhall(&data).args(["tidy", "--dry-run"])).await;
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("database") && out.contains(&format!("stays:    {lost}")), "{out}");
    let (code, _, err) = run(guildhall(&data).arg("tidy")).await;
    assert!(code == Some(1) && err.contains("POST /api/operation/tidy"), "{err}");
    assert!(data.join("repositories/.gone-half").exists());
    drop(held);
    let (code, out, err) = run(guildhall(&data).arg("tidy")).await;
    assert!(code == Some(0) && out.contains("gone: repositories/.gone-half"), "{out}{err}");
    assert!(!data.join("repositories/.gone-half").exists() && data.join(&lost).exists());
}

#[tokio::test]
async fn the_audit_is_walked_and_written_out_without_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (code, _, err) = run(guildhall(&data).args(["audit", "verify"])).await;
    assert!(code == Some(1) && err.contains("there is no database"), "{err}");
    assert!(!data.exists());

    let url = format!("sqlite://{}", data.join("guildhall.db").display());
    let store = guildhall_store::Store::open(&url, std::sync::Arc::new(guildhall_types::SystemClock)).await.unwrap();
    store.migrate().await.unwrap();
    for n in 0..3 {
        store.put_setting("limits", &n).await.unwrap();
    }
    let (code, out, err) = run(guildhall(&data).args(["audit", "verify"])).await;
    assert!(code == Some(0) && out.contains("as it was written: 3 entries"), "{out}{err}");
    let head = out.trim().rsplit(' ').next().unwrap().to_owned();
    let (code, out, _) = run(guildhall(&data).args(["audit", "export"])).await;
    assert_eq!((code, out.lines().count()), (Some(0), 3), "{out}");
    for line in out.lines() {
        crate::schema::check("AuditEntry", &serde_json::from_str(line).unwrap());
    }
    store.put_setting("limits", &3).await.unwrap();
    let (code, out, _) = run(guildhall(&data).args(["audit", "verify", "--expect", &head])).await;
    assert_eq!(code, Some(0), "{out}");
    let (_, hash) = head.split_once(':').unwrap();
    let (code, out, _) = run(guildhall(&data).args(["audit", "verify", "--expect", &format!("2:{hash}")])).await;
    assert!(code == Some(1) && out.contains("BROKEN: entry 2"), "{out}");

    let mut db = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url).await.unwrap();
    let sql = "DROP TRIGGER audit_is_not_changed; UPDATE audit SET detail = '{}' WHERE seq = 2";
    sqlx::raw_sql(sql).execute(&mut db).await.unwrap();
    let (code, out, _) = run(guildhall(&data).args(["audit", "verify"])).await;
    assert!(code == Some(1) && out.contains("BROKEN: entry 2 was changed. The 1 entries before"), "{out}");
}

#[tokio::test]
async fn a_member_who_lost_everything_is_rescued_at_the_machine() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let rescue = |email: &str| {
        let mut command = guildhall(&data);
        command.args(["member", "rescue", email]);
        command
    };
    let (code, _, err) = run(&mut rescue("olga@example.com")).await;
    assert!(code == Some(1) && err.contains("there is no database"), "{err}");
    assert!(!data.exists());

    let url = format!("sqlite://{}", data.join("guildhall.db").display());
    let store = guildhall_store::Store::open(&url, std::sync::Arc::new(guildhall_types::SystemClock)).await.unwrap();
    store.migrate().await.unwrap();
    let new = guildhall_store::NewMember {
        email: "olga@example.com".to_owned(),
        name: "Olga".to_owned(),
        password_hash: None,
    };
    let owner = store.create_first_member(new).await.unwrap().unwrap();
    let passkey = guildhall_store::NewPasskey {
        member_id: owner.id,
        credential_id: vec![1; 16],
        name: "Laptop".to_owned(),
        public_key: "{}".to_owned(),
        counter: 0,
    };
    store.create_passkey(passkey, &[vec![1]], 1).await.unwrap().unwrap();
    let (code, _, err) = run(&mut rescue("nobody@example.com")).await;
    assert!(code == Some(1) && err.contains("no member has"), "{err}");
    let (code, out, err) = run(&mut rescue(" Olga@Example.com ")).await;
    assert_eq!(code, Some(0), "{out}{err}");
    let (_, link) = out.trim().rsplit_once("/reset/").unwrap_or_else(|| panic!("{out}"));
    assert_eq!(store.factors(owner.id).await.unwrap(), Default::default());
    let hash = guildhall_team::tokens::token_hash(link);
    assert_eq!(store.reset_member(&hash).await.unwrap().unwrap().id, owner.id);
    let (code, out, _) = run(guildhall(&data).args(["audit", "export"])).await;
    assert!(code == Some(0) && out.contains("\"member.rescue\"") && !out.contains(link), "{out}");
}

#[tokio::test]
async fn the_first_owner_is_made_at_the_machine_before_anybody_else_comes() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let first = |email: &str| {
        let mut command = guildhall(&data);
        command
            .args(["member", "first", email, "--name", "Olga"])
            .env("GUILDHALL_PUBLIC_URL", "https://guild.example.com");
        command
    };
    let (code, _, err) = run(&mut first("olga@example.com")).await;
    assert!(code == Some(1) && err.contains("there is no database"), "{err}");
    let (code, _, err) = run(guildhall(&data).arg("migrate")).await;
    assert_eq!(code, Some(0), "{err}");
    let (code, _, err) = run(&mut first("no address")).await;
    assert!(code == Some(1) && err.contains("e-mail address"), "{err}");
    let (code, out, err) = run(&mut first(" Olga@Example.com ")).await;
    assert_eq!(code, Some(0), "{out}{err}");
    let (before, code) = out.trim().rsplit_once("/reset/").unwrap_or_else(|| panic!("{out}"));
    assert!(
        before.starts_with("olga@example.com owns this team.") && before.ends_with("https://guild.example.com"),
        "{out}"
    );
    let url = format!("sqlite://{}", data.join("guildhall.db").display());
    let store = guildhall_store::Store::open(&url, std::sync::Arc::new(guildhall_types::SystemClock)).await.unwrap();
    let owner = store.reset_member(&guildhall_team::tokens::token_hash(code)).await.unwrap().unwrap();
    assert_eq!((owner.role, owner.name.as_str()), (guildhall_types::member::MemberRole::Owner, "Olga"));
    let (code, _, err) = run(&mut first("eve@example.com")).await;
    assert!(code == Some(1) && err.contains("has members already"), "{err}");
}

#[tokio::test]
async fn it_ends_at_once_and_well_when_it_is_told_to_stop_while_it_starts() {
    use rustix::process::{Pid, Signal, kill_process};
    use sqlx::{ConnectOptions, Connection};
    let dir = tempfile::tempdir().unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path().join("guildhall.db"));
    let mut held = options.create_if_missing(true).connect().await.unwrap();
    // The server waits for its turn, as it would in a long change of the schema.
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut held).await.unwrap();
    let mut server = guildhall(dir.path());
    let mut server = server.arg("serve").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = i32::try_from(server.id().unwrap()).unwrap();
    let heeds = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << (Signal::TERM.as_raw() - 1)) != 0
    };
    while !heeds() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    let ended = tokio::time::timeout(PATIENCE, server.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
    held.close().await.unwrap();
}
