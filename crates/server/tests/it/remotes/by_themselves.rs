//! What the server does at other repositories by itself, how it is told of them, and what of them it keeps.

use guildhall_store::DueRemote;
use guildhall_types::{Clock, ProjectId, SystemClock};

use super::*;
use crate::harness::PATIENCE;

/// A look every moment.
fn busy() -> Pace {
    Pace { remotes: Duration::from_millis(100), ..quiet() }
}

fn id(project: &str) -> ProjectId {
    project.rsplit('/').next().unwrap().parse().unwrap()
}

impl House {
    /// Where the default branch of a clone's origin stands.
    async fn tip(&self, of: &str) -> String {
        self.own.within(of).does(&["ls-remote", "origin", "refs/heads/main"]).await
    }

    async fn until_alike(&self, within: Duration) {
        let alike = async {
            while self.tip("there").await != self.tip("here").await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        assert!(tokio::time::timeout(within, alike).await.is_ok(), "it is not there yet");
    }

    async fn due(&self, project: &str) -> DueRemote {
        let all = self.app.app.team.store.remotes_by_themselves().await.unwrap();
        all.into_iter().find(|due| due.project_id == id(project)).unwrap()
    }

    /// What is kept of another repository.
    async fn kept(&self) -> String {
        let bare = self.app.app.team.places.repository(id(&self.here));
        let bare = format!("--git-dir={}", bare.display());
        self.own.does(&[&bare, "for-each-ref", "--format=%(refname)", "refs/guildhall/remote", "refs/tags"]).await
    }
}

async fn one_that_says_nothing_holds_up_no_other(postgres: bool) {
    let mut house = House::new(postgres, busy()).await;
    let slow = house.owner.project("Slow", json!({ "kind": "sample" })).await;
    let slow = format!("/api/projects/{}", slow["id"].as_str().unwrap());
    let (_opens, open) = watch::channel(false);
    let came = Arc::new(Notify::new());
    let server = house.app.url.replace("http://", "");
    let url = house.there.replace(&server, &gate(server.clone(), open, Arc::clone(&came)).await);
    house.owner.put(&format!("{slow}/remote"), json!({ "url": url, "follows": true })).await.is(StatusCode::OK);
    came.notified().await;

    let there = house.own.within("there");
    there.commit("there.txt", "1").await;
    there.does(&["push", "--quiet"]).await;
    house.put(true, false).await;
    house.until_alike(PATIENCE).await;

    // It is in hand for a short while, as if this server could die. One that stops gives it back.
    let due = house.due(&slow).await;
    let (now, until) = (SystemClock.now(), due.taken_until.unwrap());
    assert!(now < until && until <= now + chrono::Duration::minutes(2), "{due:?}");
    assert!(house.app.app.engine.shutdown(PATIENCE).await);
    let due = house.due(&slow).await;
    assert!(due.taken_until.is_none() && due.next_at <= SystemClock.now(), "{due:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_says_nothing_holds_up_no_other_and_is_given_back_by_a_server_that_stops() {
    one_that_says_nothing_holds_up_no_other(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_says_nothing_holds_up_no_other_and_is_given_back_by_a_server_that_stops_over_postgres() {
    one_that_says_nothing_holds_up_no_other(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_merged_after_a_failure_goes_there_at_once_and_no_tags_come_back_for_it() {
    let mut house = House::new(false, busy()).await;
    let there = house.own.within("there");
    there.does(&["tag", "v1"]).await;
    there.does(&["push", "--quiet", "origin", "v1"]).await;
    let projects = house.owner.get("/api/projects").await.is(StatusCode::OK);
    let other = projects["items"].as_array().unwrap().iter().find(|project| project["name"] == "There").unwrap();
    let other = format!("/api/projects/{}", other["id"].as_str().unwrap());
    house.owner.patch(&other, json!({ "name": "Away" })).await.is(StatusCode::OK);
    house.put(false, true).await;
    let remote = format!("{}/remote", house.here);
    house.owner.until(&remote, |shown| shown["remote"]["error"].is_string()).await;
    house.owner.patch(&other, json!({ "name": "There" })).await.is(StatusCode::OK);
    // It is not tried again by itself for a while, but when there is something new.
    let card = house.card("merged.txt").await;
    assert!(house.due(&house.here).await.fails > 0);
    house.owner.call(&format!("{card}/merge")).await.is(StatusCode::OK);
    house.until_alike(Duration::from_secs(30)).await;
    house.owner.until(&remote, |shown| shown["remote"]["error"].is_null()).await;
    assert_eq!(house.kept().await, "refs/guildhall/remote/main");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_another_history_no_tags_come_and_of_a_former_repository_nothing_is_kept() {
    let mut house = House::new(false, quiet()).await;
    house.owner.project("Apart", json!({ "kind": "empty" })).await;
    let remote = format!("{}/remote", house.here);
    let url = house.there.replace("There", "Apart");
    house.own.does(&["clone", "--quiet", &url, "apart"]).await;
    for (name, tag) in [("apart", "v9"), ("there", "v1")] {
        let own = house.own.within(name);
        own.does(&["tag", tag]).await;
        own.does(&["push", "--quiet", "origin", tag]).await;
    }
    house.owner.put(&remote, json!({ "url": url })).await.is(StatusCode::OK);
    house.sync().await.is_problem(StatusCode::CONFLICT, "both-went-on");
    assert_eq!(house.kept().await, "refs/guildhall/remote/main");
    house.put(false, false).await;
    assert_eq!(house.kept().await, "");
    house.sync().await.is(StatusCode::OK);
    let all = "refs/guildhall/remote/main\nrefs/tags/v1";
    assert_eq!(house.kept().await, all);
    house.put(true, false).await;
    assert_eq!(house.kept().await, all, "it is the same");
    house.owner.delete(&remote).await;
    assert_eq!(house.kept().await, "refs/tags/v1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_whose_address_lacks_its_beginning_is_refused_and_told_to_nobody() {
    const TOKEN: &str = "ghp_x7Kq9LmZ2vTr4WbN8cYd1Fh5Js3Pg6Ra0Ue";
    let mut house = House::new(false, quiet()).await;
    let path = format!("{}/remote", house.here);
    for url in [
        format!("anna:{TOKEN}@a.example/team/r.git"),
        format!("anna@mail.example:{TOKEN}@a.example/team/r.git"),
        format!("https:/anna:{TOKEN}@a.example/team/r.git"),
        format!("https:{TOKEN}@a.example/team/r.git"),
        format!("{TOKEN}@a.example:team/r.git"),
        format!("ssh://{TOKEN}@a.example/team/r.git"),
    ] {
        let answer = house.owner.put(&path, json!({ "url": url })).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{url}");
        assert!(!String::from_utf8_lossy(&answer.bytes).contains("ghp_"), "{url}");
        let project = json!({ "name": "r", "source": { "kind": "clone", "url": url } });
        let answer = house.owner.post("/api/projects", project).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{url}");
        assert!(!String::from_utf8_lossy(&answer.bytes).contains("ghp_"), "{url}");
    }
    for path in [path.as_str(), "/api/projects", "/api/audit?limit=500"] {
        let shown = house.owner.get(path).await.is(StatusCode::OK).to_string();
        assert!(!shown.contains("ghp_"), "{shown}");
    }
}
