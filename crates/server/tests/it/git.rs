//! Projects' repositories for members' own git: the real program against the real server.

use std::path::{Path, PathBuf};
use std::process::Output;

use guildhall_types::member::MemberRole;
use guildhall_types::rights::Scope;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::{Persona, SILENT, TestApp, Wish};

/// Git as a member has it, in a folder.
pub struct Own {
    pub at: PathBuf,
}

impl Own {
    async fn run(&self, args: &[&str]) -> Output {
        let mut git = Command::new("git");
        git.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", &self.at).env("LC_ALL", "C");
        git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
        for role in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{role}_NAME"), "Anna").env(format!("GIT_{role}_EMAIL"), "anna@example.com");
        }
        git.current_dir(&self.at).args(args).kill_on_drop(true).output().await.unwrap()
    }

    /// Runs what has to succeed. Returns what it printed.
    pub async fn does(&self, args: &[&str]) -> String {
        let done = self.run(args).await;
        assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// Runs what has to fail. Returns what it complained of.
    async fn fails(&self, args: &[&str]) -> String {
        let done = self.run(args).await;
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success(), "git {args:?}: {said}");
        said
    }

    pub fn within(&self, name: &str) -> Self {
        Self { at: self.at.join(name) }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.at.join(name), bytes).unwrap();
    }

    pub async fn commit(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        self.write(name, bytes);
        self.does(&["add", "--all"]).await;
        self.does(&["commit", "--quiet", "-m", name]).await;
        self.does(&["rev-parse", "HEAD"]).await
    }
}

/// A server with a project, and a folder for a member's own clones.
struct House {
    app: TestApp,
    owner: Persona,
    project: String,
    dir: tempfile::TempDir,
}

impl House {
    async fn new(postgres: bool) -> Self {
        let app = TestApp::with(Wish { postgres, ..Wish::default() }).await;
        let mut owner = app.owner().await;
        let project = owner.project("To do", json!({ "kind": "sample" })).await;
        let project = project["id"].as_str().unwrap().to_owned();
        Self { app, owner, project, dir: tempfile::tempdir().unwrap() }
    }

    fn own(&self) -> Own {
        Own { at: self.dir.path().to_owned() }
    }

    fn address(&self, token: &str, name: &str) -> String {
        format!("{}/git/{name}", self.app.url.replace("://", &format!("://anna:{token}@")))
    }

    fn repository(&self) -> PathBuf {
        self.app.app.team.places.repository(self.project.parse().unwrap())
    }

    async fn tip(&self) -> String {
        let bare = format!("--git-dir={}", self.repository().display());
        self.own().does(&[&bare, "rev-parse", "refs/heads/main"]).await
    }

    /// What the audit says of pushes, the latest first.
    async fn pushes(&mut self) -> Vec<Value> {
        let found = self.owner.get("/api/audit?action=project.push").await.is(StatusCode::OK);
        found["items"].as_array().unwrap().clone()
    }
}

/// Bytes that get no smaller.
pub fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    next.flatten().take(bytes).collect()
}

async fn work_goes_out_and_comes_in(postgres: bool) {
    let mut house = House::new(postgres).await;
    let (token, _) = house.owner.token(&[Scope::Git]).await;
    let own = house.own();
    let (by_name, by_id) = (house.address(&token, "to%20do.git"), house.address(&token, &house.project));
    own.does(&["clone", "--quiet", &by_name, "one"]).await;
    for (n, version) in ["0", "1", "2"].into_iter().enumerate() {
        let of = format!("protocol.version={version}");
        let place = format!("by-{n}");
        own.does(&["-c", &of, "clone", "--quiet", "--depth=1", &by_id, &place]).await;
        assert_eq!(own.within(&place).does(&["rev-parse", "HEAD"]).await, house.tip().await);
    }
    own.does(&["clone", "--quiet", "--filter=blob:none", "--no-checkout", &by_name, "part"]).await;

    // A commit, a tag and a branch of one's own.
    let one = own.within("one");
    let mut socket = house.owner.listen("").await.unwrap();
    let commit = one.commit("hello.txt", "hello\n").await;
    one.does(&["tag", "-a", "v1", "-m", "First"]).await;
    one.does(&["branch", "idea"]).await;
    one.does(&["push", "--quiet", "origin", "main", "v1", "idea"]).await;
    assert_eq!(house.tip().await, commit);
    socket.wait(|frame| frame["type"] == "project.updated").await;
    let path = format!("/api/projects/{}/commits", house.project);
    let listed = house.owner.get(&path).await.is(StatusCode::OK);
    assert_eq!(listed["items"][0]["id"], commit.as_str());
    let pushes = house.pushes().await;
    assert_eq!((pushes.len(), &pushes[0]["outcome"]), (1, &json!("ok")), "{pushes:?}");
    let told = pushes[0]["detail"]["refs/heads/main"].as_str().unwrap();
    assert!(told.ends_with(&commit) && pushes[0]["detail"]["refs/tags/v1"].is_string(), "{pushes:?}");
    assert!(pushes[0]["tokenId"].is_string() && pushes[0]["objectId"] == house.project.as_str(), "{pushes:?}");

    // One that comes in pieces, to somebody who has what came before.
    let large = one.commit("large.bin", noise(3_000_000)).await;
    one.does(&["push", "--quiet"]).await;
    let part = own.within("part");
    part.does(&["pull", "--quiet"]).await;
    assert_eq!(part.does(&["rev-parse", "HEAD"]).await, large);
    assert_eq!(std::fs::read(part.at.join("large.bin")).unwrap(), noise(3_000_000));

    // What others build on only grows, whoever is late pulls first.
    part.does(&["reset", "--quiet", "--hard", "HEAD~1"]).await;
    part.commit("late.txt", "late\n").await;
    assert!(part.fails(&["push"]).await.contains("[rejected]"));
    let said = part.fails(&["push", "--force"]).await;
    assert!(said.contains("non-fast-forward"), "{said}");
    assert_eq!(house.tip().await, large);
    part.does(&["push", "--quiet", "origin", "HEAD:late"]).await;
    part.does(&["commit", "--quiet", "--amend", "-m", "Anew"]).await;
    part.does(&["push", "--quiet", "--force", "origin", "HEAD:late"]).await;
    part.does(&["push", "--quiet", "origin", ":late"]).await;
    assert!(!part.does(&["ls-remote", "origin"]).await.contains("late"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_goes_out_and_comes_in_by_git() {
    work_goes_out_and_comes_in(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_goes_out_and_comes_in_by_git_over_postgres() {
    work_goes_out_and_comes_in(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_builds_on_what_was_pushed_and_its_branch_is_fetched_and_left_alone() {
    let mut house = House::new(false).await;
    let (token, _) = house.owner.token(&[Scope::Git]).await;
    let own = house.own();
    own.does(&["clone", "--quiet", &house.address(&token, "To%20do"), "one"]).await;
    let one = own.within("one");
    one.commit("pushed.txt", "by hand\n").await;
    one.does(&["push", "--quiet"]).await;
    let lines = [json!({ "tools": [["bash", { "command": "cp pushed.txt taken.txt" }]] }), json!({ "say": "Done." })];
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let card = json!({
        "title": "Take it", "description": format!("Do it.\n\n```sim\n{}\n```", lines.join("\n")), "model": "simulated"
    });
    let path = format!("/api/projects/{}/features", house.project);
    let card = house.owner.post(&path, card).await.is(StatusCode::CREATED);
    let path = format!("/api/features/{}", card["id"].as_str().unwrap());
    let started = house.owner.call(&format!("{path}/start")).await.is(StatusCode::ACCEPTED);
    let branch = started["run"]["branch"].as_str().unwrap().to_owned();
    house.owner.until(&path, |card| card["status"] == "waiting_approval").await;

    one.does(&["fetch", "--quiet"]).await;
    one.does(&["checkout", "--quiet", &branch]).await;
    assert_eq!(std::fs::read_to_string(one.at.join("taken.txt")).unwrap(), "by hand\n");
    let before = one.does(&["rev-parse", "HEAD"]).await;
    one.commit("more.txt", "more\n").await;
    let said = one.fails(&["push", "--porcelain", "origin", &branch, "HEAD:other"]).await;
    let listed = one.does(&["ls-remote", "origin"]).await;
    assert!(listed.contains(&format!("{before}\trefs/heads/{branch}")) && !listed.contains("other"), "{listed}");
    assert!(!listed.contains("refs/guildhall"), "{listed}");
    assert!(said.contains("failed to push"), "{said}");
    let said = one.fails(&["push", "origin", &branch, "HEAD:other"]).await;
    assert!(said.contains("the work on \u{201c}Take it\u{201d} is on it: push to another branch"), "{said}");
    assert!(said.contains("not pushed, as others were refused"), "{said}");
    let deleted = one.fails(&["push", "origin", &format!(":{branch}")]).await;
    assert!(deleted.contains("the work on"), "{deleted}");
    for (wanted, why) in [
        (":main", "the project's default branch cannot be deleted"),
        ("HEAD:refs/guildhall/runs/x", "only branches and tags can be pushed"),
        ("HEAD:refs/notes/x", "only branches and tags can be pushed"),
        ("HEAD:refs/replace/x", "only branches and tags can be pushed"),
        ("HEAD:guildhall", "no card could have its branch beside one of this name"),
        ("HEAD:guildhall/1-take-it/more", "no card could have its branch beside one of this name"),
    ] {
        let said = one.fails(&["push", "origin", wanted]).await;
        assert!(said.contains(why), "{wanted}: {said}");
    }
    let pushes = house.pushes().await;
    assert!(pushes.len() == 10 && pushes[..9].iter().all(|push| push["outcome"] == "refused"), "{pushes:?}");

    // Merged, it is nobody's work any more.
    house.owner.call(&format!("{path}/merge")).await.is(StatusCode::OK);
    one.does(&["push", "--quiet", "origin", &branch]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_come_in_with_git() {
    let mut house = House::new(false).await;
    let own = house.own();
    let path = format!("/git/{}.git/info/refs?service=git-upload-pack", house.project);
    // Nobody, and a session: a page could use it without its member.
    for persona in [&mut house.app.anonymous(), &mut house.owner] {
        let answer = persona.get(&path).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.header("www-authenticate").starts_with("Basic realm="), "{}", answer.text());
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    }
    let said = own.fails(&["clone", &house.address("guild_wrong", &house.project), "x"]).await;
    assert!(said.contains("Authentication failed"), "{said}");
    // Each scope but the one.
    for scope in Scope::ALL {
        let (token, _) = house.owner.token(&[*scope]).await;
        let answer = house.app.program(&token).get(&path).await;
        match scope {
            Scope::Git => assert_eq!(answer.status, StatusCode::OK),
            _ => assert!(answer.status == StatusCode::FORBIDDEN && answer.text().contains("the scope git"), "{scope}"),
        }
        if *scope != Scope::Git {
            let said = own.fails(&["clone", &house.address(&token, &house.project), "x"]).await;
            assert!(said.contains("does not have the scope git"), "{said}");
        }
    }
    // Each role, for as long as it lasts.
    for (role, change, why) in [
        (MemberRole::Member, json!({ "role": "viewer" }), "As a viewer you may not do this"),
        (MemberRole::Admin, json!({ "disabled": true }), "Authentication failed"),
    ] {
        let mut member = house.app.member(role).await;
        let (token, _) = member.token(&[Scope::Git]).await;
        let (at, id) = (house.address(&token, &house.project), member.id().await);
        own.does(&["ls-remote", &at]).await;
        house.owner.patch(&format!("/api/members/{id}"), change).await.is(StatusCode::OK);
        let said = own.fails(&["ls-remote", &at]).await;
        assert!(said.contains(why), "{said}");
    }
    let (token, id) = house.owner.token(&[Scope::Git]).await;
    let at = house.address(&token, &house.project);
    own.does(&["ls-remote", &at]).await;
    house.owner.delete(&format!("/api/auth/tokens/{id}")).await;
    assert!(own.fails(&["ls-remote", &at]).await.contains("Authentication failed"));
    let refused = house.owner.get("/api/audit?action=access.refuse").await.is(StatusCode::OK);
    let routes = refused["items"].to_string();
    assert!(routes.contains("GET /git/{repository}/info/refs"), "{routes}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_wrongly_is_told_in_words() {
    let mut house = House::new(false).await;
    let (token, _) = house.owner.token(&[Scope::Git, Scope::Write]).await;
    let own = house.own();
    for name in ["nothing", "%2e%2e%2f%2e%2e%2fetc", "0190b5a1-0000-7000-8000-000000000000"] {
        let said = own.fails(&["ls-remote", &house.address(&token, name)]).await;
        assert!(said.contains("There is no such project") || said.contains("not found"), "{name}: {said}");
    }
    let mut program = house.app.program(&token);
    let git = format!("/git/{}.git", house.project);
    for path in ["info/refs", "info/refs?service=git-upload-archive"] {
        let answer = program.get(&format!("{git}/{path}")).await;
        assert!(answer.status == StatusCode::FORBIDDEN && answer.text().contains("smart HTTP"), "{}", answer.text());
    }
    for (service, kind, body, status, words) in [
        ("git-upload-pack", "application/json", "{}", StatusCode::UNSUPPORTED_MEDIA_TYPE, "Only a git program"),
        ("git-receive-pack", "text/plain", "", StatusCode::UNSUPPORTED_MEDIA_TYPE, "Only a git program"),
        ("git-receive-pack", "", "", StatusCode::BAD_REQUEST, "ended early"),
        ("git-receive-pack", "", "00", StatusCode::BAD_REQUEST, "ended early"),
        ("git-receive-pack", "", "what is this", StatusCode::BAD_REQUEST, "cannot be read"),
    ] {
        let own_kind = format!("application/x-{service}-request");
        let kind = if kind.is_empty() { own_kind.as_str() } else { kind };
        let request =
            program.request(Method::POST, &format!("{git}/{service}")).header("content-type", kind).body(body);
        let answer = program.send(request).await;
        assert_eq!(answer.status, status, "{service} {body}: {}", answer.text());
        assert!(answer.text().contains(words), "{}", answer.text());
    }
    // Garbage to git itself does nothing.
    let before = house.tip().await;
    let line = format!("{} {} refs/heads/main\0 report-status", before, "1".repeat(40));
    let body = format!("{:04x}{line}0000PACKgarbage", line.len() + 4);
    let request = program.request(Method::POST, &format!("{git}/git-receive-pack"));
    let answer =
        program.send(request.header("content-type", "application/x-git-receive-pack-request").body(body)).await;
    assert!(answer.text().contains("unpack ") && !answer.text().contains("unpack ok"), "{}", answer.text());
    assert_eq!(house.tip().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_hostile_is_taken_and_nothing_of_a_repository_is_run() {
    let mut house = House::new(false).await;
    let (token, _) = house.owner.token(&[Scope::Git]).await;
    let own = house.own();
    own.does(&["clone", "--quiet", &house.address(&token, &house.project), "one"]).await;
    let one = own.within("one");
    let before = house.tip().await;
    // What would be written into a repository's own folder.
    let blob = one.does(&["rev-parse", "HEAD:README.md"]).await;
    one.write("listing", format!("100644 blob {blob}\t.git\n"));
    let listing = std::fs::File::open(one.at.join("listing")).unwrap();
    let tree = Command::new("git").current_dir(&one.at).arg("mktree").stdin(listing).output().await.unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    let commit = one.does(&["commit-tree", tree.trim(), "-p", "HEAD", "-m", "hostile"]).await;
    let said = one.fails(&["push", "origin", &format!("{commit}:refs/heads/main")]).await;
    assert!(said.contains("hasDotgit"), "{said}");
    assert_eq!(house.tip().await, before);
    let told: Vec<Value> = house.pushes().await.iter().map(|push| push["outcome"].clone()).collect();
    assert_eq!(told, ["refused", "ok"], "what git refuses is told after what was asked");

    // A hook that lies there, as a backup or an operator's hand may have left it, is not run.
    let ran = house.dir.path().join("ran");
    let hooks = house.repository().join("hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    for name in ["pre-receive", "update", "post-receive", "post-update", "reference-transaction", "proc-receive"] {
        let hook = hooks.join(name);
        std::fs::write(&hook, format!("#!/bin/sh\ntouch {}\n", ran.display())).unwrap();
        std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    one.commit("fine.txt", "fine\n").await;
    one.does(&["push", "--quiet"]).await;
    assert!(!ran.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_is_cut_off_changes_nothing_and_holds_nobody_up() {
    let mut house = House::new(false).await;
    let (token, _) = house.owner.token(&[Scope::Git]).await;
    let own = house.own();
    own.does(&["clone", "--quiet", &house.address(&token, &house.project), "one"]).await;
    let one = own.within("one");
    let before = house.tip().await;
    let line = format!("{before} {} refs/heads/main\0 report-status", "1".repeat(40));
    let head = format!("{:04x}{line}0000PACK", line.len() + 4);
    let git = format!("/git/{}.git/git-receive-pack", house.project);
    for _ in 0..8 {
        let (more, body) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
        let body = futures::stream::unfold(body, |mut body| async move { body.recv().await.map(|it| (it, body)) });
        let program = house.app.program(&token);
        let request = program.request(Method::POST, &git).body(reqwest::Body::wrap_stream(body));
        let request = request.header("content-type", "application/x-git-receive-pack-request");
        let sent = tokio::spawn(request.send());
        more.send(Ok(head.clone().into_bytes())).await.unwrap();
        more.send(Ok(vec![0; 1000])).await.unwrap();
        sent.abort();
    }
    one.commit("after.txt", "after\n").await;
    one.does(&["push", "--quiet"]).await;
    let packs = |at: &Path| std::fs::read_dir(at.join("objects")).unwrap().flatten().count();
    assert!(packs(&house.repository()) < 600);
    let left: Vec<_> = std::fs::read_dir(house.repository().join("objects"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("tmp_objdir"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_pushes_while_agents_work_disturbs_none() {
    let mut house = House::new(false).await;
    let (token, _) = house.owner.token(&[Scope::Git]).await;
    let own = house.own();
    own.does(&["clone", "--quiet", &house.address(&token, &house.project), "one"]).await;
    let one = own.within("one");
    let path = format!("/api/projects/{}/features", house.project);
    let card =
        house.owner.post(&path, json!({ "description": SILENT, "model": "simulated" })).await.is(StatusCode::CREATED);
    let path = format!("/api/features/{}", card["id"].as_str().unwrap());
    let started = house.owner.call(&format!("{path}/start")).await.is(StatusCode::ACCEPTED);
    house.owner.until(&path, |card| card["status"] == "in_progress").await;
    one.commit("beside.txt", "beside\n").await;
    one.does(&["push", "--quiet"]).await;
    let branch = started["run"]["branch"].as_str().unwrap();
    // Also where git does not know of it yet.
    let said = one.fails(&["push", "origin", &format!("HEAD:{branch}")]).await;
    assert!(said.contains("the work on"), "{said}");
    house.owner.call(&format!("{path}/stop")).await.is(StatusCode::ACCEPTED);
}
