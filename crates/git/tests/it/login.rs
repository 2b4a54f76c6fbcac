//! Cloning from where not everybody is let in.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use guildhall_git::*;

use crate::{git, me};

/// `anna:s@cret`, as a browser or git says it.
const LOGIN: &str = "Basic YW5uYTpzQGNyZXQ=";

/// What a host was shown, and what it saw of the programs that asked.
#[derive(Default)]
struct Seen {
    logins: Vec<Option<String>>,
    arguments: BTreeSet<String>,
}

/// Serves the files of a folder to whoever shows the login, and leads `/moved` elsewhere.
fn host(folder: PathBuf, elsewhere: String) -> (String, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Seen::default()));
    let told = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &folder, &elsewhere, &told);
        }
    });
    (address, seen)
}

fn answer(mut stream: TcpStream, folder: &Path, elsewhere: &str, seen: &Mutex<Seen>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let asked = lines.next().unwrap_or_default();
    let path = asked.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
    let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let login = head.iter().find_map(|line| line.strip_prefix("Authorization: ")).map(str::to_owned);
    let good = login.as_deref() == Some(LOGIN);
    {
        let mut seen = seen.lock().unwrap();
        seen.logins.push(login);
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
            seen.arguments.insert(String::from_utf8_lossy(&arguments).into_owned());
        }
    }
    let (status, header, body) = match path.strip_prefix("/moved") {
        _ if !good => ("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"".to_owned(), Vec::new()),
        Some(rest) => ("302 Found", format!("Location: {elsewhere}{rest}"), Vec::new()),
        None => match fs::read(folder.join(path.trim_start_matches('/'))) {
            Ok(bytes) => ("200 OK", "Content-Type: text/plain".to_owned(), bytes),
            Err(_) => ("404 Not Found", "X-Nothing: here".to_owned(), Vec::new()),
        },
    };
    let head = format!("HTTP/1.1 {status}\r\n{header}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(&[head.into_bytes(), body].concat());
}

#[tokio::test]
async fn git_alone_is_shown_who_is_let_in_and_shows_it_at_that_host_alone() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("r")).unwrap();
    git(&at("r"), &["init", "-q", "-b", "trunk"]);
    fs::write(at("r").join("f"), "it").unwrap();
    git(&at("r"), &["add", "."]);
    git(&at("r"), &["commit", "-qm", "c"]);
    git(dir.path(), &["clone", "-q", "--bare", "r", "r.git"]);
    git(&at("r.git"), &["update-server-info"]);

    let (other, seen_there) = host(dir.path().to_owned(), String::new());
    let (address, seen) = host(dir.path().to_owned(), other);
    let with_login = |path: &str| address.replace("://", "://anna:s%40cret@") + path;
    let (source, login) = Source::parse(&with_login("/r.git")).unwrap();
    let repo = Repo::clone_from(&at("copy.git"), &source, login.as_ref(), &me()).await.unwrap();
    let tip = repo.branch("trunk").await.unwrap().unwrap();
    assert_eq!(repo.file_at(&tip, "f", 10).await.unwrap(), Some(Blob::Bytes(b"it".to_vec())));
    for kept in ["config", "FETCH_HEAD", "packed-refs"] {
        let text = fs::read_to_string(repo.path().join(kept)).unwrap_or_default();
        assert!(!text.contains("cret") && !text.contains("anna"), "{kept}: {text}");
    }
    {
        let seen = seen.lock().unwrap();
        assert!(seen.logins.iter().flatten().all(|login| login == LOGIN) && seen.logins.len() > 2);
        let fetching = |arguments: &&String| arguments.contains("remote-http");
        assert!(seen.arguments.iter().any(|arguments| fetching(&arguments)), "git was looked at while it asked");
        let shown = |arguments: &&String| arguments.contains("s@cret") || arguments.contains("s%40cret");
        assert_eq!(seen.arguments.iter().find(shown), None);
    }

    // Where it is led from there, nobody is told.
    let (moved, login) = Source::parse(&with_login("/moved/r.git")).unwrap();
    let refused = Repo::clone_from(&at("moved.git"), &moved, login.as_ref(), &me()).await.unwrap_err();
    assert!(matches!(refused, GitError::Unreachable { .. }), "{refused}");
    {
        let logins = &seen_there.lock().unwrap().logins;
        assert!(!logins.is_empty() && logins.iter().all(Option::is_none), "{logins:?}");
    }

    // Who is not let in is told so, without what was shown.
    let (wrong, login) = Source::parse(&address.replace("://", "://anna:wr0ng@")).unwrap();
    let refused = Repo::clone_from(&at("wrong.git"), &wrong, login.as_ref(), &me()).await.unwrap_err();
    assert!(matches!(refused, GitError::Unreachable { .. }) && !refused.to_string().contains("wr0ng"), "{refused}");
}

#[tokio::test]
async fn a_branch_comes_alone_and_no_more_than_there_is_room_for_and_is_forgotten_again() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("r")).unwrap();
    git(&at("r"), &["init", "-q", "-b", "trunk"]);
    let noise: Vec<u8> = (0_u32..20_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(at("r").join("f"), noise).unwrap();
    git(&at("r"), &["add", "."]);
    git(&at("r"), &["commit", "-qm", "c"]);
    git(&at("r"), &["tag", "v1"]);
    git(&at("r"), &["tag", "v2"]);
    git(dir.path(), &["clone", "-q", "--bare", "r", "r.git"]);
    git(&at("r.git"), &["gc", "-q"]);
    git(&at("r.git"), &["update-server-info"]);
    let (address, _) = host(dir.path().to_owned(), String::new());
    let (source, login) = Source::parse(&(address.replace("://", "://anna:s%40cret@") + "/r.git")).unwrap();
    let login = login.as_ref();

    let repo = Repo::create(&at("here.git"), "main", &me(), "First", &[]).await.unwrap();
    let tip = repo.branch("main").await.unwrap().unwrap();
    git(repo.path(), &["tag", "v1", tip.as_str()]);
    let refs = || git(repo.path(), &["for-each-ref", "--format=%(refname)", "refs/guildhall", "refs/tags"]);
    let narrow = Bounds { bytes: 1_000, ..Bounds::default() };
    let refused = repo.fetch_branch_within(narrow, &source, login, "trunk").await;
    assert!(matches!(refused, Err(GitError::TooLarge { bytes: 1_000 })), "{refused:?}");
    assert_eq!(refs(), "refs/tags/v1");

    assert_eq!(repo.fetch_branch(&source, login, "nothing").await.unwrap(), None);
    let there = repo.fetch_branch(&source, login, "trunk").await.unwrap().unwrap();
    assert_eq!(there.as_str(), git(&at("r"), &["rev-parse", "HEAD"]));
    assert_eq!(refs(), "refs/guildhall/remote/trunk\nrefs/tags/v1");
    repo.fetch_tags(&source, login).await.unwrap();
    assert_eq!(refs(), "refs/guildhall/remote/trunk\nrefs/tags/v1\nrefs/tags/v2");
    assert_eq!(git(repo.path(), &["rev-parse", "v1"]), tip.as_str(), "what is here stays as it is");
    repo.forget_fetched().await.unwrap();
    assert_eq!(refs(), "refs/tags/v1\nrefs/tags/v2");
    repo.forget_fetched().await.unwrap();
}
