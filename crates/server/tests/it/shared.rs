//! Two servers over one PostgreSQL, each with a data folder of its own: every page, run and merge works at either.

use std::path::Path;

use guildhall_git::{Oid, Repo};
use guildhall_llm::Secret;
use guildhall_team::{How, TeamError, Wish as Share};
use guildhall_types::ProjectId;
use guildhall_types::rights::Scope;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::git::{Own, noise};
use crate::harness::{Persona, TestApp, Wish, fresh_postgres};

struct Nodes {
    url: String,
    one: TestApp,
    owner: Persona,
    other: TestApp,
    /// The owner's browser at the other one.
    there: Persona,
}

async fn node(url: &str, keys: Option<&Path>) -> TestApp {
    node_in(url, keys, None).await
}

/// One whose data folder is there already, if one is named.
async fn node_in(url: &str, keys: Option<&Path>, data: Option<&Path>) -> TestApp {
    let (url, keys, data) = (url.to_owned(), keys.map(Path::to_owned), data.map(Path::to_owned));
    let change = move |config: &mut guildhall_server::config::Config| {
        config.database_url = Secret::new(url);
        if let Some(data) = data {
            config.data_dir = data;
        }
        if let Some(keys) = keys {
            let own = config.data_dir.join("keys");
            std::fs::create_dir_all(&own).unwrap();
            for file in std::fs::read_dir(keys).unwrap().flatten() {
                std::fs::copy(file.path(), own.join(file.file_name())).unwrap();
            }
        }
    };
    let app = TestApp::with(Wish { change: Box::new(change), ..Wish::default() }).await;
    app.app.team.shared.begin();
    app
}

impl Nodes {
    async fn start() -> Self {
        let url = fresh_postgres().await;
        let one = node(&url, None).await;
        let owner = one.owner().await;
        let other = node(&url, Some(&one.dir.path().join("keys"))).await;
        let mut there = other.anonymous();
        there.cookie.clone_from(&owner.cookie);
        Self { url, one, owner, other, there }
    }

    async fn project(&mut self) -> ProjectId {
        let project = self.owner.project("To do", json!({ "kind": "sample" })).await;
        assert_eq!(project["status"], "ready", "{project}");
        project["id"].as_str().unwrap().parse().unwrap()
    }

    /// A card whose agent writes a file, at rest.
    async fn card(&mut self, project: ProjectId, file: &str) -> String {
        let lines = [json!({ "tools": [["write", { "path": file, "content": "x\n" }]] }), json!({ "say": "Done." })];
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let card = json!({
            "title": file, "description": format!("Do it.\n\n```sim\n{}\n```", lines.join("\n")), "model": "simulated"
        });
        let card = self.owner.post(&format!("/api/projects/{project}/features"), card).await.is(StatusCode::CREATED);
        let path = format!("/api/features/{}", card["id"].as_str().unwrap());
        self.owner.call(&format!("{path}/start")).await.is(StatusCode::ACCEPTED);
        path
    }

    async fn rests(&mut self, path: &str) {
        self.owner.until(path, |card| card["status"] == "waiting_approval").await;
    }

    async fn repositories(&self, project: ProjectId) -> (Repo, Repo) {
        let one = self.one.app.team.ready_project(project).await.unwrap().1;
        (one, self.other.app.team.ready_project(project).await.unwrap().1)
    }

    async fn rows(&self) -> i64 {
        let mut db = PgConnection::connect(&self.url).await.unwrap();
        rows(&mut db).await
    }
}

async fn rows(db: &mut PgConnection) -> i64 {
    let (rows,): (i64,) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM shared_repositories) + (SELECT count(*) FROM repository_logs)
           + (SELECT count(*) FROM repository_packs) + (SELECT count(*) FROM repository_refs)",
    )
    .fetch_one(db)
    .await
    .unwrap();
    rows
}

async fn tip(repo: &Repo) -> Oid {
    repo.branch("main").await.unwrap().unwrap()
}

async fn same(nodes: &Nodes, project: ProjectId) {
    let (one, other) = nodes.repositories(project).await;
    assert_eq!(one.shared_refs().await.unwrap(), other.shared_refs().await.unwrap());
    for repo in [one, other] {
        assert_eq!(repo.complaints().await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_made_at_one_is_looked_at_and_merged_at_the_other() {
    let mut nodes = Nodes::start().await;
    let project = nodes.project().await;
    let path = nodes.card(project, "done.txt").await;
    nodes.rests(&path).await;
    let here = nodes.owner.get(&format!("{path}/diff")).await.is(StatusCode::OK);
    let there = nodes.there.get(&format!("{path}/diff")).await.is(StatusCode::OK);
    assert_eq!((&here, &here["files"][0]["newPath"]), (&there, &json!("done.txt")));
    let commits = format!("/api/projects/{project}/commits");
    let before = nodes.there.get(&commits).await.is(StatusCode::OK);
    let merged = nodes.there.call(&format!("{path}/merge")).await.is(StatusCode::OK);
    let after = nodes.owner.get(&commits).await.is(StatusCode::OK);
    assert_eq!(after["items"][0]["id"], merged["commit"]);
    assert_eq!(after["items"][1]["id"], before["items"][0]["id"]);
    nodes.owner.call(&format!("{path}/merge")).await.is_problem(StatusCode::CONFLICT, "illegal-move");
    same(&nodes, project).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_both_merge_at_once_is_all_there() {
    let mut nodes = Nodes::start().await;
    let project = nodes.project().await;
    let mut cards = Vec::new();
    for n in 0..6 {
        let path = nodes.card(project, &format!("file-{n}.txt")).await;
        cards.push(path);
    }
    for path in &cards {
        nodes.rests(path).await;
    }
    let merges = cards.iter().enumerate().map(|(n, path)| {
        let app = if n % 2 == 0 { &nodes.one } else { &nodes.other };
        let mut browser = app.anonymous();
        browser.cookie.clone_from(&nodes.owner.cookie);
        let path = format!("{path}/merge");
        async move { browser.call(&path).await.is(StatusCode::OK) }
    });
    let merged: Vec<Value> = futures::future::join_all(merges).await;
    let listed = nodes.there.get(&format!("/api/projects/{project}/commits")).await.is(StatusCode::OK);
    let log: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|commit| &commit["id"]).collect();
    assert_eq!(log.len(), 7, "{listed}");
    assert!(merged.iter().all(|one| log.contains(&&one["commit"])));
    let (one, _) = nodes.repositories(project).await;
    for n in 0..6 {
        let found = one.file_at(&tip(&one).await, &format!("file-{n}.txt"), 100).await.unwrap();
        assert!(found.is_some(), "file-{n}.txt");
    }
    same(&nodes, project).await;
    let beside = one.shared_refs().await.unwrap().into_keys().filter(|name| name.contains("/beside/")).count();
    assert_eq!(beside, 0, "what was merged anew is kept nowhere");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worktree_is_brought_to_where_another_node_went_on_with_its_work() {
    let mut nodes = Nodes::start().await;
    nodes.other.stop().await;
    let project = nodes.project().await;
    let path = nodes.card(project, "a.txt").await;
    nodes.rests(&path).await;
    nodes.one.stop().await;
    let follow = |command: &str| {
        let lines = [json!({ "tools": [["bash", { "command": command }]] }), json!({ "say": "Done." })];
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        json!({ "message": format!("Go on.\n\n```sim\n{}\n```", lines.join("\n")) })
    };
    let places = [nodes.other.dir.path().to_owned(), nodes.one.dir.path().to_owned()];
    for (place, command) in places.iter().zip(["echo y > a.txt; echo z > b.txt", "cat a.txt b.txt > c.txt"]) {
        let mut app = node_in(&nodes.url, None, Some(place)).await;
        let mut browser = app.anonymous();
        browser.cookie.clone_from(&nodes.owner.cookie);
        browser.post(&format!("{path}/follow-up"), follow(command)).await.is(StatusCode::ACCEPTED);
        browser.until(&path, |card| card["status"] == "waiting_approval").await;
        let repo = app.app.team.ready_project(project).await.unwrap().1;
        assert_eq!(repo.complaints().await.unwrap(), None);
        if command.contains("c.txt") {
            let file = browser.get(&format!("{path}/files?path=c.txt")).await;
            assert_eq!(file.text(), "y\nz\n");
            browser.call(&format!("{path}/merge")).await.is(StatusCode::OK);
        }
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_at_one_is_what_work_at_the_other_begins_from() {
    let mut nodes = Nodes::start().await;
    let project = nodes.project().await;
    let (token, _) = nodes.owner.token(&[Scope::Git]).await;
    let dir = tempfile::tempdir().unwrap();
    let own = Own { at: dir.path().to_owned() };
    let address = |app: &TestApp| format!("{}/git/{project}", app.url.replace("://", &format!("://anna:{token}@")));
    own.does(&["clone", "--quiet", &address(&nodes.one), "one"]).await;
    let mine = own.within("one");
    mine.does(&["remote", "add", "other", &address(&nodes.other)]).await;
    mine.commit("pushed.txt", "by hand\n").await;
    // Of several parts.
    let large = mine.commit("large.bin", noise(9_000_000)).await;
    mine.does(&["tag", "-a", "v1", "-m", "First"]).await;
    mine.does(&["push", "--quiet", "other", "main", "v1"]).await;
    let (here, _) = nodes.repositories(project).await;
    assert_eq!(tip(&here).await.to_string(), large);
    assert!(here.ref_at("refs/tags/v1").await.unwrap().is_some());
    let path = nodes.card(project, "next.txt").await;
    nodes.rests(&path).await;
    nodes.owner.call(&format!("{path}/merge")).await.is(StatusCode::OK);
    mine.does(&["pull", "--quiet", "other", "main"]).await;
    assert!(mine.at.join("next.txt").exists());
    // What goes at one is gone at the other.
    mine.does(&["push", "--quiet", "origin", ":v1"]).await;
    assert!(!mine.does(&["ls-remote", "other"]).await.contains("v1"));
    same(&nodes, project).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_behind_is_told_and_what_only_one_had_is_kept_beside() {
    let mut nodes = Nodes::start().await;
    let project = nodes.project().await;
    let (one, other) = nodes.repositories(project).await;
    let author = guildhall_git::Identity { name: "A".to_owned(), email: "a@example.com".to_owned() };
    let base = tip(&one).await;
    // Two histories of one branch, each in one clone.
    let mut commits = Vec::new();
    for (repo, name) in [(&one, "one"), (&other, "other")] {
        let dir = tempfile::tempdir().unwrap();
        let worktree = repo.add_worktree(name, dir.path(), "both", &base).await.unwrap();
        std::fs::write(worktree.tree().join("file.txt"), name).unwrap();
        let taken = repo.snapshot(&worktree, &base, name, &author).await.unwrap().commit.unwrap();
        repo.settle_branch("both", &taken).await.unwrap();
        commits.push(taken);
    }
    let (first, second) = (&nodes.one.app.team.shared, &nodes.other.app.team.shared);
    first.give(project, &one, &[Share::branch("both", Some(&commits[0]))], How::default()).await.unwrap();
    let late = second.give(project, &other, &[Share::branch("both", Some(&commits[1]))], How::default()).await;
    assert!(matches!(late, Err(TeamError::Git(guildhall_git::GitError::Moved { .. }))), "{late:?}");
    assert_eq!(other.branch("both").await.unwrap().as_ref(), Some(&commits[0]), "what holds is here as well");
    let kept = format!("refs/guildhall/beside/heads/both/{}", commits[1]);
    assert_eq!(other.ref_at(&kept).await.unwrap().as_ref(), Some(&commits[1]));
    // The next look gives it to all.
    nodes.repositories(project).await;
    let (one, _) = nodes.repositories(project).await;
    assert_eq!(one.ref_at(&kept).await.unwrap().as_ref(), Some(&commits[1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_made_short_is_followed_by_who_is_ahead_behind_and_new() {
    let mut nodes = Nodes::start().await;
    let project = nodes.project().await;
    nodes.repositories(project).await;
    let (one, _) = nodes.repositories(project).await;
    let base = tip(&one).await;
    let first = nodes.one.app.team.shared.clone();
    let third = node(&nodes.url, Some(&nodes.one.dir.path().join("keys"))).await;
    for n in 0..6 {
        let name = format!("refs/heads/b-{n}");
        let step = guildhall_git::Step { name: name.clone(), old: None, new: Some(base.clone()) };
        one.move_refs(&[step]).await.unwrap();
        first.give_as_here(project, &one, &[name]).await.unwrap();
        if n == 3 {
            // One knows all of it, one nothing since, and one was never here.
            assert!(!first.shorten(project).await.unwrap(), "it is light");
            let path = nodes.card(project, "work.txt").await;
            nodes.rests(&path).await;
        }
    }
    let followers = async {
        for _ in 0..20 {
            nodes.other.app.team.ready_project(project).await.unwrap();
            third.app.team.ready_project(project).await.unwrap();
        }
    };
    let (shortened, ()) = tokio::join!(first.shorten_beyond(project, 0), followers);
    let again = first.shorten_beyond(project, 0).await.unwrap();
    assert!(shortened.unwrap() || again);
    let store = &nodes.one.app.team.store;
    let entries = store.log_after(project, 0).await.unwrap();
    assert!(entries[0].is_whole() && entries[0].seq > 5, "{}", entries[0].seq);
    same(&nodes, project).await;
    let repo = third.app.team.ready_project(project).await.unwrap().1;
    assert_eq!(repo.shared_refs().await.unwrap(), one.shared_refs().await.unwrap());
    let fourth = node(&nodes.url, Some(&nodes.one.dir.path().join("keys"))).await;
    let repo = fourth.app.team.ready_project(project).await.unwrap().1;
    assert_eq!(repo.shared_refs().await.unwrap(), one.shared_refs().await.unwrap());
    assert_eq!(repo.complaints().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_alone_writes_nothing_of_it_and_shares_what_it_has_when_it_is_not_any_more() {
    let url = fresh_postgres().await;
    let change = {
        let url = url.clone();
        move |config: &mut guildhall_server::config::Config| config.database_url = Secret::new(url)
    };
    let one = TestApp::with(Wish { change: Box::new(change), ..Wish::default() }).await;
    let owner = one.owner().await;
    let other = node(&url, Some(&one.dir.path().join("keys"))).await;
    let mut there = other.anonymous();
    there.cookie.clone_from(&owner.cookie);
    let mut nodes = Nodes { url: url.clone(), one, owner, other, there };
    assert!(!nodes.one.app.team.shared.is_on());
    // Made where nothing is shared: so the other one must not be the one that makes it.
    nodes.other.stop().await;
    let project = nodes.project().await;
    let path = nodes.card(project, "alone.txt").await;
    nodes.rests(&path).await;
    assert_eq!(nodes.rows().await, 0);
    nodes.owner.call(&format!("{path}/merge")).await.is(StatusCode::OK);
    assert_eq!(nodes.rows().await, 0);

    nodes.other = node(&url, Some(&nodes.one.dir.path().join("keys"))).await;
    let elsewhere = nodes.other.app.team.ready_project(project).await.unwrap_err();
    assert!(matches!(elsewhere, TeamError::Conflict { code: "repository-not-shared", .. }), "{elsewhere}");
    nodes.one.app.team.shared.begin();
    assert!(nodes.one.app.team.shared.share(project).await.unwrap());
    assert!(!nodes.one.app.team.shared.share(project).await.unwrap(), "once is enough");
    same(&nodes, project).await;
    // What was written down holds, whatever a server is told of it.
    let third = node(&url, Some(&nodes.one.dir.path().join("keys"))).await;
    assert!(third.app.team.shared.is_on());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_is_shared_with_nobody() {
    let app = TestApp::start().await;
    app.app.team.shared.begin();
    assert!(!app.app.team.shared.is_on());
    let mut owner = app.owner().await;
    let project = owner.project("To do", json!({ "kind": "sample" })).await;
    let project: ProjectId = project["id"].as_str().unwrap().parse().unwrap();
    assert!(app.app.team.ready_project(project).await.is_ok());
    assert!(!app.app.team.store.shares_repositories().await.unwrap());
}

/// What it costs to let other nodes have a turn: run with `--run-ignored only`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn what_sharing_a_turn_costs() {
    let mut nodes = Nodes::start().await;
    let project = nodes.project().await;
    let (one, _) = nodes.repositories(project).await;
    let author = guildhall_git::Identity { name: "A".to_owned(), email: "a@example.com".to_owned() };
    let dir = tempfile::tempdir().unwrap();
    let mut head = tip(&one).await;
    let worktree = one.add_worktree("measured", dir.path(), "measured", &head).await.unwrap();
    let shared = &nodes.one.app.team.shared;
    let name = "refs/guildhall/runs/measured";
    let (mut snapshots, mut gifts, mut nothing, mut takes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for n in 0..100 {
        std::fs::write(worktree.tree().join("file.txt"), noise(2_000 + n)).unwrap();
        let begun = std::time::Instant::now();
        head = one.snapshot(&worktree, &head, "Turn\n", &author).await.unwrap().commit.unwrap();
        snapshots.push(begun.elapsed());
        let begun = std::time::Instant::now();
        shared.give(project, &one, &[Share::of(name, Some(head.clone()))], How::default()).await.unwrap();
        gifts.push(begun.elapsed());
        let begun = std::time::Instant::now();
        shared.caught_up(project).await.unwrap();
        nothing.push(begun.elapsed());
        let begun = std::time::Instant::now();
        nodes.other.app.team.shared.caught_up(project).await.unwrap();
        takes.push(begun.elapsed());
    }
    for (what, mut times) in
        [("snapshot", snapshots), ("give", gifts), ("caught up, nothing new", nothing), ("caught up, one turn", takes)]
    {
        times.sort();
        eprintln!("{what}: median {:.2} ms, slowest {:.2} ms", ms(times[50]), ms(times[99]));
    }
}

fn ms(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
