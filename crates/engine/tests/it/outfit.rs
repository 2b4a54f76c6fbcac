//! What builds need: set-up, secrets, and what tools keep between runs.

use guildhall_store::{AuditQuery, ProjectPatch};
use guildhall_team::{By, TeamError};
use guildhall_types::audit::AuditAction;
use guildhall_types::event::Happening;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::project::{Project, ProjectSettings, ProjectSource};
use guildhall_types::run::{Check, CheckKind, CheckStatus, RunEvent};
use guildhall_types::service::ServiceStatus;
use serde_json::{Value, json};

use crate::harness::{Hall, script};

const TOKEN: &str = "tok/0123+secret=value";

impl Hall {
    async fn set(&self, project: &Project, change: impl FnOnce(&mut ProjectSettings)) {
        let mut settings = self.team.store.project(project.id).await.unwrap().unwrap().settings;
        change(&mut settings);
        let patch = ProjectPatch { settings: Some(settings), ..ProjectPatch::default() };
        self.team.update_project(project.id, patch).await.unwrap();
    }

    async fn ran(&self, id: guildhall_types::FeatureId, kind: CheckKind) -> Vec<Check> {
        let run = self.feature(id).await.card.run_id.unwrap();
        let mut checks = self.team.store.checks(run).await.unwrap();
        checks.retain(|check| check.kind == kind);
        checks.reverse();
        checks
    }
}

fn bash(command: &str) -> Value {
    json!({ "tools": [["bash", { "command": command }]] })
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worktree_is_set_up_once_before_its_agent_and_again_when_the_set_up_changes() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let ignored = "echo deps > .gitignore; mkdir -p deps; date +%N >> deps/count";
    hall.set(&project, |settings| {
        settings.set_up = lines(&["echo \"token ${#TOKEN}: $TOKEN\"; echo deps > .gitignore", "false"]);
        settings.verify_commands = lines(&["test -d deps && echo \"check ${#TOKEN}\""]);
    })
    .await;
    hall.team.put_project_secret(By::in_person(&hall.anna), project.id, "TOKEN", TOKEN, None).await.unwrap();

    // It fails: the run stops before its agent begins, with what was printed, and nothing of the secret.
    let id = hall.scripted(&project, &[bash("cat deps/count | wc -l"), json!({ "say": "Done." })]).await;
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::Failed);
    let problem = feature.card.error.unwrap();
    assert_eq!(
        (problem.code.as_str(), problem.message.contains("`false` ended with exit code 1")),
        ("set-up-failed", true)
    );
    let ran = hall.ran(id, CheckKind::SetUp).await;
    let shown: Vec<_> = ran.iter().map(|check| (check.status, check.output.trim())).collect();
    let token = format!("token {}: [secret TOKEN]", TOKEN.len());
    assert_eq!(shown, [(CheckStatus::Passed, token.as_str()), (CheckStatus::Failed, "")]);
    assert!(hall.sim.requests().is_empty(), "the model was not asked");

    // Mended, the same run goes on; what follows does not set it up again.
    hall.set(&project, |settings| settings.set_up = lines(&[ignored])).await;
    hall.team.retry(hall.anna.id, id).await.unwrap();
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
    assert_eq!(hall.ran(id, CheckKind::SetUp).await.len(), 3);
    let check = &hall.ran(id, CheckKind::Check).await[0];
    assert_eq!((check.status, check.output.trim()), (CheckStatus::Passed, format!("check {}", TOKEN.len()).as_str()));
    hall.team
        .follow_up(hall.anna.id, id, &script(&[bash("wc -l < deps/count"), json!({ "say": "Done." })]))
        .await
        .unwrap();
    let feature = hall.rests(id).await;
    let run = feature.card.run_id.unwrap();
    let turns = hall.team.store.turns(run).await.unwrap();
    let told = serde_json::to_string(&turns).unwrap();
    assert!(told.contains("1\\n(exit code 0)"), "{told}");
    assert_eq!(hall.ran(id, CheckKind::SetUp).await.len(), 3, "once in a worktree");
    let prompt = hall.sim.requests().last().unwrap()["system"].to_string();
    assert!(prompt.contains("The worktree was set up by these commands") && prompt.contains("/run/cache"), "{prompt}");

    hall.set(&project, |settings| settings.set_up.push("echo more >> deps/count".to_owned())).await;
    hall.team.follow_up(hall.anna.id, id, &script(&[json!({ "say": "Done." })])).await.unwrap();
    hall.rests(id).await;
    assert_eq!(hall.ran(id, CheckKind::SetUp).await.len(), 5, "all of it again");
    let diff = hall.team.diff(id).await.unwrap();
    assert!(
        diff.files.iter().all(|file| !file.new_path.starts_with("deps")),
        "what git ignores is no part of the work"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_holds_a_secret_is_told_shown_without_it_and_not_merged() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    hall.team.put_project_secret(By::in_person(&hall.anna), project.id, "TOKEN", TOKEN, None).await.unwrap();
    let write =
        json!({ "tools": [["bash", { "command": "echo \"key = $TOKEN\" > config.txt", "secrets": ["TOKEN"] }]] });
    let id = hall.scripted(&project, &[write, json!({ "say": "Done." }), json!({ "say": "I leave it there." })]).await;
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval);
    let problem = feature.card.error.clone().unwrap();
    assert_eq!(problem.code, "secret-in-work", "{}", problem.message);
    assert!(problem.message.contains("the secret TOKEN"));
    let run = feature.card.run_id.unwrap();
    let events = hall.team.store.run_events(run, 0, 1_000).await.unwrap();
    let told = events.iter().any(|event| match &event.what {
        Happening::Run { event: RunEvent::Note { text }, .. } => text.contains("the secret TOKEN stands in the work"),
        _ => false,
    });
    assert!(told && !serde_json::to_string(&events).unwrap().contains(TOKEN));

    let diff = hall.team.diff(id).await.unwrap();
    assert_eq!(diff.files[0].hunks[0].lines[0].text, "key = [secret TOKEN]");
    let file = hall.team.work_file(id, "config.txt", guildhall_team::Side::Head).await.unwrap();
    assert_eq!(file, Some(guildhall_team::WorkFile::Bytes(b"key = [secret TOKEN]\n".to_vec())));
    let merged = hall.team.merge(&hall.anna, id, None).await.unwrap_err();
    assert!(matches!(&merged, TeamError::Conflict { code: "secret-in-work", .. }), "{merged}");
    assert_eq!(hall.text_at_main(&project, "config.txt").await, None);

    // Taken out, it is merged.
    let out = script(&[bash("echo 'key = $TOKEN' > config.txt"), json!({ "say": "Done." })]);
    hall.team.follow_up(hall.anna.id, id, &out).await.unwrap();
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
    hall.team.merge(&hall.anna, id, None).await.unwrap();
    assert_eq!(hall.text_at_main(&project, "config.txt").await.unwrap(), "key = $TOKEN\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_tools_keep_is_a_members_own_until_the_project_shares_it_and_goes_with_it() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let places = hall.team.places.clone();
    let keep = [
        bash("mkdir -p $CARGO_HOME; head -c 100000 /dev/zero > $CARGO_HOME/registry/crate; ls /run/cache"),
        json!({ "say": "Done." }),
    ];
    let id = hall.scripted(&project, &keep).await;
    hall.rests(id).await;
    let own = places.cache(project.id, Some(hall.anna.id));
    assert!(own.join("cargo/registry/crate").exists());
    let settings = async || hall.team.store.project(project.id).await.unwrap().unwrap().settings;
    let unused = async || {
        let size = hall.engine.cache_size(project.id, &settings().await).await.unwrap();
        (!size.in_use).then_some(size)
    };
    let size = hall.until("the run to be over", unused).await;
    assert!(size.bytes >= 100_000 && size.most == 10 << 30, "{size:?}");
    // What nobody works with is not walked through again; here something comes to it all the same.
    std::fs::write(own.join("cargo/more"), vec![1; 200_000]).unwrap();
    assert_eq!(unused().await.unwrap(), size);

    // Not while a run works with it.
    let id =
        hall.scripted(&project, &[bash("while [ ! -e go ]; do sleep 0.05; done"), json!({ "say": "Done." })]).await;
    hall.until("a run", async || {
        hall.engine.cache_size(project.id, &settings().await).await.unwrap().in_use.then_some(())
    })
    .await;
    let cleared = async || {
        let query = AuditQuery { action: Some(AuditAction::ClearCaches), limit: 9, ..AuditQuery::default() };
        hall.team.store.audit_entries(&query).await.unwrap().len()
    };
    let busy = hall.engine.clear_caches(&hall.team, project.id).await.unwrap_err();
    assert_eq!(cleared().await, 0, "nothing is told of what was refused");
    assert!(matches!(&busy, TeamError::Conflict { code: "caches-in-use", .. }), "{busy}");
    let run = hall.until("its worktree", async || hall.feature(id).await.card.run_id).await;
    hall.until("its files", async || places.run(run).join("tree/README.md").exists().then_some(())).await;
    std::fs::write(places.run(run).join("tree/go"), "").unwrap();
    hall.rests(id).await;
    let size = hall.until("the run to be over", unused).await;
    assert!(size.bytes >= 300_000, "since somebody worked with it, it was measured again: {size:?}");
    hall.engine.clear_caches(&hall.team, project.id).await.unwrap();
    assert_eq!((own.exists(), cleared().await), (false, 1));
    assert_eq!(unused().await.unwrap().bytes, 0);

    hall.set(&project, |settings| settings.shared_caches = true).await;
    let id = hall.scripted(&project, &keep).await;
    hall.rests(id).await;
    assert!(places.cache(project.id, None).join("cargo/registry/crate").exists() && !own.exists());
    hall.set(&project, |settings| settings.cache_gib = 0).await;
    let none = [bash("echo ${CARGO_HOME-none}; ls /run"), json!({ "say": "Done." })];
    let id = hall.scripted(&project, &none).await;
    let run = hall.rests(id).await.card.run_id.unwrap();
    let told = serde_json::to_string(&hall.team.store.turns(run).await.unwrap()).unwrap();
    assert!(told.contains("none\\ngit\\nobjects"), "{told}");

    hall.team.store.archive_project(project.id).await.unwrap();
    hall.until("the caches to go", async || (!places.caches.join(project.id.to_string()).exists()).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_only_looks_is_given_no_secret_and_nothing_is_set_up() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    hall.set(&project, |settings| settings.set_up = lines(&["false"])).await;
    hall.team.put_project_secret(By::in_person(&hall.anna), project.id, "TOKEN", TOKEN, None).await.unwrap();
    let look = json!({ "tools": [["bash", { "command": "echo ${#TOKEN}", "secrets": ["TOKEN"] }]] });
    let new = guildhall_team::NewChat {
        message: script(&[look, bash("echo ${#TOKEN} ${CARGO_HOME-none}"), json!({ "say": "Done." })]),
        files: Vec::new(),
        title: None,
        agent: None,
        model: Some("simulated".to_owned()),
        mode: guildhall_types::feature::WorkMode::Read,
    };
    let chat = hall.team.start_chat(hall.anna.id, project.id, new).await.unwrap().0.card.id;
    let feature = hall.rests(chat).await;
    let run = feature.card.run_id.unwrap();
    let told = serde_json::to_string(&hall.team.store.turns(run).await.unwrap()).unwrap();
    assert!(told.contains("so no secret is given to a command") && told.contains("0 none\\n(exit code 0)"), "{told}");
    assert_eq!(hall.team.store.checks(run).await.unwrap(), []);
    // A card that changes nothing is set up all the same, and so fails here.
    let id = hall.scripted(&project, &[json!({ "say": "Done." })]).await;
    assert_eq!(hall.rests(id).await.card.error.unwrap().code, "set-up-failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worktree_that_came_back_is_set_up_before_a_members_service_and_once() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let write = json!({ "tools": [["write", { "path": ".gitignore", "content": "deps\n" }]] });
    hall.set(&project, |settings| settings.set_up = lines(&["mkdir -p deps; echo \"$TOKEN\"; date +%N >> deps/count"]))
        .await;
    hall.team.put_project_secret(By::in_person(&hall.anna), project.id, "TOKEN", TOKEN, None).await.unwrap();
    let id = hall.scripted(&project, &[write, json!({ "say": "Done." })]).await;
    let run = hall.rests(id).await.card.run_id.unwrap();
    std::fs::remove_dir_all(hall.team.places.run(run).join("tree")).unwrap();
    for (name, set_up) in [("first", true), ("second", false)] {
        let wish = (name, "wc -l < deps/count", None);
        hall.engine.start_service(&hall.team, &hall.anna, run, wish).await.unwrap();
        let service = hall
            .until("the end of the service", async || {
                let service = hall.team.store.service(run, name).await.unwrap().unwrap();
                (service.status != ServiceStatus::Running).then_some(service)
            })
            .await;
        let (_, log) = hall.engine.service_log(run, name, 99).await.unwrap();
        assert_eq!((service.exit_code, log.ends_with("1\n")), (Some(0), true), "{log}");
        assert_eq!(log.starts_with("[Set-up: mkdir -p deps; ") && log.contains("[secret TOKEN]"), set_up, "{log}");
    }
    // What does not work is told, and keeps nobody from looking.
    hall.set(&project, |settings| settings.set_up = lines(&["exit 3"])).await;
    hall.engine.start_service(&hall.team, &hall.anna, run, ("third", "echo here", None)).await.unwrap();
    hall.until("the end of the service", async || {
        let service = hall.team.store.service(run, "third").await.unwrap().unwrap();
        (service.status != ServiceStatus::Running).then_some(())
    })
    .await;
    let (_, log) = hall.engine.service_log(run, "third", 99).await.unwrap();
    assert_eq!(log, "[Set-up: exit 3]\n[It ended with exit code 3. The worktree is not set up.]\nhere\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_waits_for_anothers_set_up_stops_when_it_is_told() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let id = hall.scripted(&project, &[json!({ "say": "Done." })]).await;
    let run = hall.rests(id).await.card.run_id.unwrap();
    hall.set(&project, |settings| settings.set_up = lines(&["sleep 86390"])).await;
    for name in ["first", "second"] {
        hall.engine.start_service(&hall.team, &hall.anna, run, (name, "true", None)).await.unwrap();
        let sets_up = async || {
            let (_, log) = hall.engine.service_log(run, "first", 9).await.unwrap();
            log.contains("[Set-up: ").then_some(())
        };
        hall.until("the set-up", sets_up).await;
    }
    for name in ["second", "first"] {
        let stopped = hall.engine.stop_service(&hall.team, &hall.anna, run, name).await.unwrap();
        assert_eq!((stopped.status, stopped.problem.as_deref()), (ServiceStatus::Stopped, Some("Anna stopped it.")));
    }
}
