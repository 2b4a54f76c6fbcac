//! The store behind TLS, with a certificate that an authority of one's own made: that of the distribution's Caddy.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::*;
use crate::caddy::free_port;

/// Caddy in front of a store.
struct Front {
    _caddy: Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl Front {
    async fn of(store: u16) -> Self {
        let (held, port) = free_port();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("Caddyfile");
        let options =
            "admin off\nlocal_certs\nskip_install_trust\ndefault_bind 127.0.0.1\nauto_https disable_redirects";
        let text = format!("{{\n{options}\n}}\nhttps://localhost:{port} {{\nreverse_proxy 127.0.0.1:{store}\n}}\n");
        std::fs::write(&file, text).unwrap();
        drop(held);
        let spawned = Command::new("caddy")
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(&file)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", dir.path())
            .env("XDG_DATA_HOME", dir.path())
            .env("XDG_CONFIG_HOME", dir.path())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let caddy = spawned.unwrap_or_else(|error| panic!("no Caddy ({error}): run scripts/setup.sh test"));
        let front = Self { _caddy: caddy, port, dir };
        guildhall_llm::ready_tls();
        let served = async {
            while !front.answers().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, served).await.unwrap();
        front
    }

    async fn answers(&self) -> bool {
        let Ok(pem) = std::fs::read(self.authority()) else { return false };
        let Ok(root) = reqwest::Certificate::from_pem(&pem) else { return false };
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]);
        let client = client.resolve("localhost", SocketAddr::from(([127, 0, 0, 1], self.port))).build().unwrap();
        client.get(self.endpoint()).send().await.is_ok()
    }

    fn endpoint(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// The file with the certificate of its authority.
    fn authority(&self) -> PathBuf {
        self.dir.path().join("caddy/pki/authorities/local/root.crt")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_whose_authority_is_ones_own_is_trusted_by_its_file_and_by_nothing_else() {
    let mut store = Store::start().await;
    let (front, other) = tokio::join!(Front::of(store.port), Front::of(store.port));
    let mut app = TestApp::start().await;
    let mut owner = app.owner().await;
    owner.project("shop", json!({ "kind": "sample" })).await;
    let project = owner.project("large", json!({ "kind": "empty" })).await["id"].as_str().unwrap().to_owned();
    app.stop().await;
    // Large enough for an upload in parts.
    large_commit(&app.dir.path().join(format!("repositories/{project}.git")), 20 << 20).await;
    let (endpoint, authority, env) = (front.endpoint(), front.authority(), store.env());
    let program = |data: &Path, args: &[&str], bundle: Option<&Path>| {
        let mut command = guildhall(data);
        command.args(args).envs(env.clone()).env("AWS_ENDPOINT_URL", &endpoint).env("GUILDHALL_BACKUP_TO", PLACE);
        if let Some(bundle) = bundle {
            command.env("AWS_CA_BUNDLE", bundle);
        }
        command
    };
    let data = app.dir.path();
    let trusting = |args: &[&str]| program(data, args, Some(&authority));
    let (code, out, err) = run(&mut trusting(&["backup"])).await;
    assert!(code == Some(0) && out.contains("Restored it into a scratch place"), "{out}{err}");
    let (code, out, err) = run(&mut trusting(&["backup", "verify"])).await;
    assert_eq!(code, Some(0), "{out}{err}");
    let (code, out, err) = run(&mut trusting(&["backup", "list"])).await;
    assert!(code == Some(0) && out.lines().count() == 1 && out.contains("full"), "{out}{err}");
    let (_, out, err) = run(&mut trusting(&["doctor"])).await;
    assert!(out.contains("one small object was written, read and deleted"), "{out}{err}");
    // By the file of settings as well, into an empty server.
    let restored = app.dir.path().join("restored");
    std::fs::create_dir_all(&restored).unwrap();
    std::fs::write(restored.join("guildhall.toml"), format!("s3_ca_file = {:?}\n", authority.to_str().unwrap()))
        .unwrap();
    let (code, out, err) = run(&mut program(&restored, &["restore", "--from", PLACE], None)).await;
    assert!(code == Some(0) && out.contains("2 repositories are whole"), "{out}{err}");
    fsck(&restored.join(format!("repositories/{project}.git"))).await;

    // Without the file, and with that of another authority, nothing goes there, and the setting is named.
    let before = store.objects().await;
    for (bundle, expected) in [
        (None, "name the file with the certificate of its authority (PEM) in AWS_CA_BUNDLE"),
        (Some(other.authority()), "none of those in the file that AWS_CA_BUNDLE names vouches for it"),
    ] {
        let (code, out, err) = run(&mut program(data, &["backup"], bundle.as_deref())).await;
        let told = format!("{endpoint} shows a certificate that is not trusted here");
        assert!(code == Some(1) && err.contains(&told) && err.contains(expected), "{out}{err}");
        let (_, out, _) = run(&mut program(data, &["doctor"], bundle.as_deref())).await;
        assert!(out.contains("FAIL  place for backups: ") && out.contains(expected), "{out}");
    }
    assert_eq!(store.objects().await, before);
}
