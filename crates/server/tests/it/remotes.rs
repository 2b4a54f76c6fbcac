//! Projects' other repositories. The other one is a project of the same server, reached as any forge is: by git's own protocol.

use std::sync::Arc;
use std::time::Duration;

use guildhall_engine::Pace;
use guildhall_types::rights::Scope;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use crate::git::Own;
use crate::harness::{Persona, TestApp, Wish};

mod by_themselves;

/// A team with a project, and another one that is its other repository.
struct House {
    app: TestApp,
    owner: Persona,
    /// Where the other one is, with what lets in there.
    there: String,
    here: String,
    own: Own,
    dir: tempfile::TempDir,
}

impl House {
    async fn new(postgres: bool, pace: Pace) -> Self {
        let app = TestApp::with(Wish { postgres, pace, ..Wish::default() }).await;
        let mut owner = app.owner().await;
        let (token, _) = owner.token(&[Scope::Git]).await;
        owner.project("There", json!({ "kind": "sample" })).await;
        let there = format!("{}/git/There.git", app.url.replace("://", &format!("://olga:{token}@")));
        let here = owner.project("Here", json!({ "kind": "clone", "url": there })).await;
        assert_eq!(here["status"], "ready", "{here}");
        let here = format!("/api/projects/{}", here["id"].as_str().unwrap());
        let dir = tempfile::tempdir().unwrap();
        let own = Own { at: dir.path().to_owned() };
        own.does(&["clone", "--quiet", &there, "there"]).await;
        own.does(&["clone", "--quiet", &there.replace("There", "Here"), "here"]).await;
        Self { app, owner, there, here, own, dir }
    }

    async fn put(&mut self, follows: bool, pushes: bool) -> Value {
        let put = json!({ "url": self.there, "follows": follows, "pushes": pushes });
        self.owner.put(&format!("{}/remote", self.here), put).await.is(StatusCode::OK)
    }

    async fn sync(&mut self) -> crate::harness::Answer {
        self.owner.call(&format!("{}/remote/sync", self.here)).await
    }

    /// A card whose agent writes a file; it waits.
    async fn card(&mut self, file: &str) -> String {
        self.card_after(file, &[]).await
    }

    /// One that depends on others.
    async fn card_after(&mut self, file: &str, others: &[&str]) -> String {
        let text = format!("Do it.\n\n```sim\n{}\n```", writes(file));
        let others: Vec<&str> = others.iter().map(|path| path.rsplit('/').next().unwrap()).collect();
        let title = format!("Write {file}");
        let card = json!({ "title": title, "description": text, "model": "simulated", "dependencies": others });
        let card = self.owner.post(&format!("{}/features", self.here), card).await.is(StatusCode::CREATED);
        let path = format!("/api/features/{}", card["id"].as_str().unwrap());
        self.owner.call(&format!("{path}/start")).await.is(StatusCode::ACCEPTED);
        self.waits(&path).await;
        path
    }

    async fn waits(&mut self, path: &str) {
        self.owner.until(path, |card| card["status"] == "waiting_approval").await;
    }

    async fn publish(&mut self, card: &str) -> Value {
        self.owner.call(&format!("{card}/publish")).await.is(StatusCode::OK)
    }

    /// The status of a card.
    async fn status(&mut self, card: &str) -> Value {
        self.owner.get(card).await.is(StatusCode::OK)["status"].clone()
    }

    /// Merges a branch in the other repository as a forge does.
    async fn merge_there(&self, branch: &str, how: &[&str]) {
        let there = self.own.within("there");
        there.does(&["fetch", "--quiet"]).await;
        there.does(&["pull", "--quiet"]).await;
        let of = format!("origin/{branch}");
        there.does(&[&["merge", "--quiet"], how, &[of.as_str()]].concat()).await;
        if how.contains(&"--squash") {
            there.does(&["commit", "--quiet", "-m", "Squashed, in other words"]).await;
        }
        there.does(&["push", "--quiet"]).await;
    }
}

fn writes(file: &str) -> String {
    let lines = [json!({ "tools": [["write", { "path": file, "content": "x\n" }]] }), json!({ "say": "Done." })];
    lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn quiet() -> Pace {
    Pace { alerts: false, remotes: Duration::from_secs(3600), ..Pace::default() }
}

async fn work_is_looked_at_and_merged_elsewhere(postgres: bool) {
    let mut house = House::new(postgres, quiet()).await;
    let card = house.card("a.txt").await;
    house.owner.call(&format!("{card}/publish")).await.is_problem(StatusCode::CONFLICT, "no-other-repository");
    let put = house.put(false, false).await;
    let plain = format!("{}/git/There.git", house.app.url);
    assert_eq!((&put["url"], &put["hasLogin"]), (&json!(plain), &json!(true)));

    // One commit for all of it; what comes later is one more.
    let published = house.publish(&card).await;
    let branch = published["branch"].as_str().unwrap().to_owned();
    let link = published["pullRequest"].as_str().unwrap();
    assert!(link.contains(&format!("/git/There/compare/main...{branch}?expand=1&title=Write%20a.txt")), "{link}");
    assert_eq!(house.publish(&card).await["commit"], published["commit"], "nothing came to it");
    let there = house.own.within("there");
    there.does(&["fetch", "--quiet"]).await;
    let log = async || there.does(&["log", "--format=%an %s", &format!("main..origin/{branch}")]).await;
    assert_eq!(log().await, "Olga Write a.txt");
    let more = json!({ "message": format!("More.\n\n```sim\n{}\n```", writes("b.txt")) });
    house.owner.post(&format!("{card}/follow-up"), more).await.is(StatusCode::ACCEPTED);
    house.owner.until(&card, |card| card["status"] != "waiting_approval").await;
    house.waits(&card).await;

    // Merged there before the rest was put there, it is not all of the work.
    house.merge_there(&branch, &["--no-ff"]).await;
    let looked = house.sync().await.is(StatusCode::OK);
    assert_eq!((&looked["ahead"], &looked["behind"], &looked["error"]), (&json!(0), &json!(0), &Value::Null));
    assert_eq!(house.status(&card).await, "waiting_approval");
    let again = house.publish(&card).await;
    assert_ne!(again["commit"], published["commit"]);
    there.does(&["fetch", "--quiet"]).await;
    assert_eq!(log().await, "Olga Write a.txt: once more");
    house.merge_there(&branch, &["--squash"]).await;
    let mut socket = house.owner.listen("").await.unwrap();
    house.sync().await.is(StatusCode::OK);
    socket.wait(|frame| frame["feature"]["status"] == "completed").await;
    assert_eq!(house.status(&card).await, "completed");

    // Of the audit's entries none holds what lets in there.
    let audit = house.owner.get("/api/audit?limit=500").await.is(StatusCode::OK).to_string();
    for action in ["project-remote.put", "project-remote.sync", "feature.publish", "feature.merge"] {
        assert!(audit.contains(action), "{action}");
    }
    assert!(!audit.contains("guild_"), "{audit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_is_looked_at_and_merged_elsewhere_and_its_card_is_completed() {
    work_is_looked_at_and_merged_elsewhere(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_is_looked_at_and_merged_elsewhere_and_its_card_is_completed_over_postgres() {
    work_is_looked_at_and_merged_elsewhere(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_only_there_comes_here_and_what_is_only_here_goes_there_and_neither_is_overwritten() {
    let mut house = House::new(false, quiet()).await;
    let (there, here) = (house.own.within("there"), house.own.within("here"));
    house.put(false, false).await;
    let from_there = there.commit("there.txt", "1").await;
    there.does(&["tag", "v1"]).await;
    there.does(&["push", "--quiet", "origin", "main", "v1"]).await;
    house.sync().await.is(StatusCode::OK);
    here.does(&["pull", "--quiet", "--tags"]).await;
    assert_eq!(here.does(&["rev-parse", "HEAD"]).await, from_there);
    assert_eq!(here.does(&["rev-parse", "v1"]).await, from_there);

    // It does not push unless it is told to.
    let from_here = here.commit("here.txt", "1").await;
    here.does(&["push", "--quiet"]).await;
    let looked = house.sync().await.is(StatusCode::OK);
    assert_eq!((&looked["ahead"], &looked["behind"]), (&json!(1), &json!(0)));
    let tip = async || there.does(&["ls-remote", "origin", "refs/heads/main"]).await;
    assert!(tip().await.starts_with(&from_there));
    house.put(false, true).await;
    let looked = house.sync().await.is(StatusCode::OK);
    assert_eq!((&looked["ahead"], &looked["error"]), (&json!(0), &Value::Null));
    assert!(tip().await.starts_with(&from_here));

    // Both have gone on.
    there.commit("again.txt", "2").await;
    there.does(&["pull", "--quiet", "--rebase"]).await;
    there.does(&["push", "--quiet"]).await;
    let before = tip().await;
    let from_here = here.commit("own.txt", "2").await;
    here.does(&["push", "--quiet"]).await;
    let problem = house.sync().await.is_problem(StatusCode::CONFLICT, "both-went-on");
    assert!(problem["detail"].as_str().unwrap().contains("in a clone of your own"), "{problem}");
    assert_eq!(tip().await, before);
    assert!(here.does(&["ls-remote", "origin", "refs/heads/main"]).await.starts_with(&from_here));
    let shown = house.owner.get(&format!("{}/remote", house.here)).await.is(StatusCode::OK);
    let remote = &shown["remote"];
    assert!(remote["ahead"] == 1 && remote["behind"] == 1 && remote["error"].is_string(), "{shown}");
    // As its words say.
    here.does(&["pull", "--quiet", "--no-rebase", &house.there, "main"]).await;
    here.does(&["push", "--quiet"]).await;
    house.sync().await.is(StatusCode::OK);
    assert_eq!(tip().await, here.does(&["ls-remote", "origin", "refs/heads/main"]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_are_brought_together_by_themselves() {
    let pace = Pace { remotes: Duration::from_millis(100), ..quiet() };
    let mut house = House::new(false, pace).await;
    let (there, here) = (house.own.within("there"), house.own.within("here"));
    let commit = there.commit("there.txt", "1").await;
    there.does(&["push", "--quiet"]).await;
    let mut socket = house.owner.listen("").await.unwrap();
    house.put(true, true).await;
    let tip = async |of: &Own| of.does(&["ls-remote", "origin", "refs/heads/main"]).await;
    while !tip(&here).await.starts_with(&commit) {
        socket.wait(|frame| frame["type"] == "project.updated").await;
    }
    // What is merged here is there at once, however lately it was looked at.
    let card = house.card("merged.txt").await;
    house.owner.call(&format!("{card}/merge")).await.is(StatusCode::OK);
    while tip(&there).await != tip(&here).await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    there.does(&["pull", "--quiet"]).await;
    assert!(there.at.join("merged.txt").exists() && house.dir.path().exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_merged_there_is_not_taken_unless_it_is_wanted() {
    let pace = Pace { remotes: Duration::from_millis(100), ..quiet() };
    let mut house = House::new(false, pace).await;
    let (there, here) = (house.own.within("there"), house.own.within("here"));
    let before = here.does(&["rev-parse", "HEAD"]).await;
    there.commit("there.txt", "1").await;
    there.does(&["push", "--quiet"]).await;
    house.put(false, true).await;
    let path = format!("{}/remote", house.here);
    house.owner.until(&path, |shown| shown["remote"]["behind"] == 1).await;
    assert!(here.does(&["ls-remote", "origin", "refs/heads/main"]).await.starts_with(&before));
}

/// Carries bytes to a server and back while it is `open`, and keeps them until then.
async fn gate(server: String, open: watch::Receiver<bool>, came: Arc<Notify>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (server, mut open, came) = (server.clone(), open.clone(), Arc::clone(&came));
            tokio::spawn(async move {
                came.notify_one();
                open.wait_for(|open| *open).await.unwrap();
                let mut server = TcpStream::connect(&server).await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_to_be_put_there_gets_there_though_nobody_waits_for_it() {
    let mut house = House::new(false, quiet()).await;
    let card = house.card("a.txt").await;
    let (opens, open) = watch::channel(false);
    let came = Arc::new(Notify::new());
    let server = house.app.url.replace("http://", "");
    let url = house.there.replace(&server, &gate(server.clone(), open, Arc::clone(&came)).await);
    let put = json!({ "url": url, "follows": false, "pushes": false });
    house.owner.put(&format!("{}/remote", house.here), put).await.is(StatusCode::OK);
    let asking = house.owner.request(Method::POST, &format!("{card}/publish")).send();
    tokio::select! {
        _ = asking => panic!("the other side has not answered"),
        () = came.notified() => {}
    }
    // Nothing else waits for that: what was to go there is settled.
    house.owner.call(&format!("{card}/verify")).await.is(StatusCode::ACCEPTED);
    tokio::time::sleep(Duration::from_millis(300)).await;
    opens.send(true).unwrap();
    let there = house.own.within("there");
    while there.does(&["ls-remote", "--heads", "origin"]).await.lines().count() < 2 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_work_that_is_built_on_others_nothing_else_goes_there() {
    let mut house = House::new(false, quiet()).await;
    house.put(false, true).await;
    let below = house.card("below.txt").await;
    house.owner.call(&format!("{below}/verify")).await.is(StatusCode::ACCEPTED);
    house.owner.until(&below, |card| card["status"] == "verified").await;
    let above = house.card_after("above.txt", &[&below]).await;
    let problem =
        house.owner.call(&format!("{above}/publish")).await.is_problem(StatusCode::CONFLICT, "holds-unmerged");
    assert!(problem["detail"].as_str().unwrap().contains("has to be merged first"), "{problem}");
    house.owner.call(&format!("{below}/merge")).await.is(StatusCode::OK);
    house.sync().await.is(StatusCode::OK);
    let published = house.publish(&above).await;
    let there = house.own.within("there");
    there.does(&["pull", "--quiet"]).await;
    let range = format!("main..origin/{}", published["branch"].as_str().unwrap());
    assert_eq!(there.does(&["log", "--format=%s", &range]).await, "Write above.txt");
    assert_eq!(there.does(&["diff", "--name-only", &range]).await, "above.txt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_whose_completion_was_cut_off_is_completed_by_the_next_look() {
    let mut house = House::new(false, quiet()).await;
    house.put(false, false).await;
    house.sync().await.is(StatusCode::OK);
    let card = house.card("a.txt").await;
    let published = house.publish(&card).await;
    house.merge_there(published["branch"].as_str().unwrap(), &["--no-ff"]).await;
    // The branch went forward, and the server died before anything else.
    let project = house.here.rsplit('/').next().unwrap().parse().unwrap();
    let bare = house.app.app.team.places.repository(project);
    let bare = format!("--git-dir={}", bare.display());
    house.own.does(&[&bare, "fetch", "--quiet", &house.there, "main:main"]).await;
    let looked = house.sync().await.is(StatusCode::OK);
    assert_eq!((&looked["ahead"], &looked["behind"]), (&json!(0), &json!(0)));
    assert_eq!(house.status(&card).await, "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lets_in_there_is_kept_for_its_address_alone_and_shown_to_nobody() {
    let mut house = House::new(false, quiet()).await;
    let path = format!("{}/remote", house.here);
    assert_eq!(house.owner.get(&path).await.is(StatusCode::OK), json!({ "remote": null }));
    house.owner.delete(&path).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    for url in ["", "/srv/repo", "file:///srv/repo", "ext::sh -c id", "--upload-pack=x", "https://", "nothing"] {
        house.owner.put(&path, json!({ "url": url })).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
    let with_login = house.put(false, false).await;
    assert!(with_login["hasLogin"] == true && !with_login.to_string().contains("guild_"), "{with_login}");
    let plain = format!("{}/git/There.git", house.app.url);
    let kept = house.owner.put(&path, json!({ "url": plain, "follows": true })).await.is(StatusCode::OK);
    assert!(kept["hasLogin"] == true && kept["follows"] == true, "{kept}");
    house.sync().await.is(StatusCode::OK);
    // Somebody else's address gets nothing of it.
    let other = plain.replace("There", "Here");
    let other = house.owner.put(&path, json!({ "url": other })).await.is(StatusCode::OK);
    assert_eq!(other["hasLogin"], false);
    let problem = house.sync().await.is_problem(StatusCode::CONFLICT, "other-repository");
    assert!(problem["detail"].as_str().unwrap().contains("put a name and a token before the host"), "{problem}");
    let gone = plain.replace("There", "nowhere");
    house.owner.put(&path, json!({ "url": gone })).await.is(StatusCode::OK);
    house.sync().await.is_problem(StatusCode::CONFLICT, "other-repository");
    let secrets = async |house: &House| house.app.app.team.store.secrets("project-remote/", 1).await.unwrap();
    house.put(false, false).await;
    assert!(secrets(&house).await[0].identity.starts_with("project-remote/"));
    house.owner.delete(&path).await;
    assert!(!secrets(&house).await.iter().any(|secret| secret.identity.starts_with("project-remote/")));
}

/// A member's address is a wish for the server to call it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_repository_leads_into_the_house_without_the_operators_leave_or_to_where_clouds_tell_of_a_machine() {
    for private in [false, true] {
        let change = Box::new(move |config: &mut guildhall_server::config::Config| {
            config.allow_private_providers = private;
        });
        let app = TestApp::with(Wish { change, pace: quiet(), ..Wish::default() }).await;
        let mut owner = app.owner().await;
        let (token, _) = owner.token(&[Scope::Git]).await;
        owner.project("There", json!({ "kind": "sample" })).await;
        let there = format!("{}/git/There.git", app.url.replace("://", &format!("://olga:{token}@")));
        let mut clone = async |name: &str, url: &str| owner.project(name, json!({ "kind": "clone", "url": url })).await;
        for (n, url) in [there.clone(), there.replace("127.0.0.1", "localhost")].iter().enumerate() {
            let project = clone(&format!("in-{n}"), url).await;
            match private {
                true => assert_eq!(project["status"], "ready", "{project}"),
                false => {
                    let why = project["error"].as_str().unwrap();
                    assert!(
                        project["status"] == "failed" && why.contains("GUILDHALL_ALLOW_PRIVATE_PROVIDERS"),
                        "{why}"
                    );
                }
            }
        }
        for (n, url) in [
            "http://169.254.169.254/r",
            "http://[::ffff:a9fe:a9fe]/r",
            "ssh://git@169.254.169.254:22/r",
            "http://2852039166/r",
            "http://0xa9fea9fe/r",
            "ssh://git@169.254.169.254/r",
            "git@169.254.169.254:r",
            "git://169.254.169.254/r",
        ]
        .iter()
        .enumerate()
        {
            let project = clone(&format!("cloud-{n}"), url).await;
            let why = project["error"].as_str().unwrap();
            assert!(why.contains("never called for a member") || why.contains("not found"), "{url}: {why}");
        }
        let odd = json!({ "name": "odd", "source": { "kind": "clone", "url": "http://169.254.169.254?x=/r" } });
        owner.post("/api/projects", odd).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
}
