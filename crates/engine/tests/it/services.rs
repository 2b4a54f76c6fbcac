//! Services of runs: an agent's, and a member's who looks at the work.

use std::time::Duration;

use guildhall_bus::Hint;
use guildhall_store::{NewMember, ProjectPatch};
use guildhall_team::{NewChat, TeamError};
use guildhall_types::FeatureId;
use guildhall_types::chat::Block;
use guildhall_types::event::OutputStream;
use guildhall_types::feature::{FeatureStatus, WorkMode};
use guildhall_types::member::{MemberChange, MemberRole};
use guildhall_types::project::{ProjectSettings, ProjectSource};
use guildhall_types::run::{CheckStatus, Run, Turn};
use guildhall_types::service::{Service, ServiceStatus};
use guildhall_types::trial::TrialStatus;
use serde_json::json;

use crate::harness::{Hall, script};
use crate::pipeline::step;

/// Answers every connection with a line.
const SERVER: &str = "use IO::Socket::INET; $| = 1;
my $door = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 8123, Listen => 9) or die $!;
print \"listening\\n\";
while (my $guest = $door->accept) { print $guest \"served\\n\"; close $guest }
";

fn results(turns: &[Turn]) -> Vec<(bool, &str)> {
    let blocks = turns.iter().filter_map(|turn| turn.results.as_deref()).flatten();
    blocks
        .filter_map(|block| match block {
            Block::ToolResult { content, is_error, .. } => Some((*is_error, content.as_str())),
            _ => None,
        })
        .collect()
}

fn heard(turns: &[Turn]) -> String {
    let blocks = turns.iter().flat_map(|turn| &turn.input);
    blocks
        .filter_map(|block| match block {
            Block::Text { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

impl Hall {
    pub async fn latest_run(&self, id: FeatureId) -> Run {
        let run = self.feature(id).await.card.run_id.unwrap();
        self.team.store.run(run).await.unwrap().unwrap()
    }

    async fn service(&self, run: &Run, name: &str) -> Service {
        self.team.store.service(run.id, name).await.unwrap().unwrap()
    }
}

fn code(error: &TeamError) -> &'static str {
    match error {
        TeamError::Conflict { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

/// Whether a process of this machine has these words as its arguments.
fn alive(words: &str) -> bool {
    let line = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .map(line)
        .any(|line| String::from_utf8_lossy(&line).starts_with(words))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agents_services_run_beside_its_commands_and_end_with_its_work() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let connect = "exec 3<>/dev/tcp/127.0.0.1/8123; cat <&3";
    let lines = [
        json!({ "tools": [
            ["write", { "path": "serve.pl", "content": SERVER }],
            ["service_start", { "name": "web", "command": "perl serve.pl", "port": 8123 }],
            ["bash", { "command": connect }],
            ["service_start", { "name": "web", "command": "true" }],
            ["service_start", { "name": "No good", "command": "true" }],
            ["service_start", { "name": "once", "command": "echo out; exit 3" }],
            ["service_start", { "name": "watch", "command": "echo begun; sleep 86399" }],
            ["service_list", {}],
            ["service_logs", { "name": "watch", "lines": 1 }],
            ["service_logs", { "name": "none" }],
            ["service_stop", { "name": "web" }],
            ["bash", { "command": connect }],
        ] }),
        json!({ "say": "Done." }),
    ];
    let id = hall.scripted(&project, &lines).await;
    hall.rests(id).await;
    let run = hall.latest_run(id).await;
    let turns = hall.team.store.turns(run.id).await.unwrap();
    let told = results(&turns);
    let of = |at: usize| told[at].1;
    assert!(!told[1].0 && of(1).contains("web: running (`perl serve.pl`, port 8123)"), "{}", of(1));
    assert!(of(1).contains("Something listens at localhost:8123.") && of(1).contains("listening"), "{}", of(1));
    assert_eq!(of(2), "served\n(exit code 0)");
    assert!(told[3].0 && of(3).contains("runs already"), "{}", of(3));
    assert!(told[4].0 && of(4).contains("small letters"), "{}", of(4));
    assert!(told[5].0 && of(5).contains("once: ended with exit code 3") && of(5).ends_with("out"), "{}", of(5));
    assert!(!told[6].0 && of(6).ends_with("begun"), "{}", of(6));
    let list: Vec<&str> = of(7).lines().map(|line| line.split(" (").next().unwrap()).collect();
    assert_eq!(list, ["once: ended with exit code 3", "watch: running", "web: running"]);
    assert!(!told[8].0 && of(8).ends_with("\nbegun"), "{}", of(8));
    assert!(told[9].0 && of(9).contains("no service of this name"), "{}", of(9));
    assert!(!told[10].0 && of(10).contains("web: stopped"), "{}", of(10));
    assert!(told[11].0, "nothing listens any more: {}", of(11));

    // What still ran ended with the work, and nothing of it is left.
    let watch = hall.service(&run, "watch").await;
    assert_eq!(watch.status, ServiceStatus::Stopped);
    assert!(watch.problem.unwrap().contains("work ended"));
    assert_eq!(hall.engine.service_log(run.id, "watch", 9).await.unwrap().1, "begun\n");
    assert!(!alive("sleep\086399"));

    // Whoever goes on hears of it, and of nothing else; what it stopped itself it knows.
    hall.team.follow_up(hall.anna.id, id, &script(&[json!({ "say": "Well." })])).await.unwrap();
    hall.rests(id).await;
    let turns = hall.team.store.turns(run.id).await.unwrap();
    let heard = heard(&turns);
    assert!(
        heard
            .contains("These services ended when your work did, or was interrupted: watch (`echo begun; sleep 86399`)"),
        "{heard}"
    );
    assert!(!heard.contains("web (`"), "{heard}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_agent_left_running_is_not_there_for_checks_and_is_told_when_it_goes_on() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let check = "test -f mended.txt && ! (exec 3<>/dev/tcp/127.0.0.1/8123)";
    let settings =
        ProjectSettings { verify_commands: vec![check.to_owned()], repairs: 1, ..ProjectSettings::default() };
    let patch = ProjectPatch { settings: Some(settings), ..ProjectPatch::default() };
    hall.team.update_project(project.id, patch).await.unwrap();
    let lines = [
        json!({ "tools": [
            ["write", { "path": "serve.pl", "content": SERVER }],
            ["service_start", { "name": "web", "command": "perl serve.pl", "port": 8123 }],
        ] }),
        json!({ "say": "Done." }),
        json!({ "tools": [["write", { "path": "mended.txt", "content": "mended\n" }]] }),
        json!({ "say": "Done." }),
    ];
    let id = hall.scripted(&project, &lines).await;
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
    let run = hall.latest_run(id).await;
    let mut checks = hall.team.store.checks(run.id).await.unwrap();
    checks.reverse();
    let ended: Vec<CheckStatus> = checks.iter().map(|check| check.status).collect();
    assert_eq!(ended, [CheckStatus::Failed, CheckStatus::Passed]);
    let turns = hall.team.store.turns(run.id).await.unwrap();
    assert!(heard(&turns).contains("web (`perl serve.pl`)"), "{}", heard(&turns));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_in_a_chat_that_only_looks_only_looks() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let new = NewChat {
        message: script(&[json!({ "say": "Hello." })]),
        files: Vec::new(),
        title: None,
        agent: None,
        model: Some("simulated".to_owned()),
        mode: WorkMode::Read,
    };
    let chat = hall.team.start_chat(hall.anna.id, project.id, new).await.unwrap().0.card.id;
    hall.rests(chat).await;
    let run = hall.latest_run(chat).await;
    let wish = ("touch", "touch a.txt; echo over", None);
    hall.engine.start_service(&hall.team, &hall.anna, run.id, wish).await.unwrap();
    let ended = async || Some(hall.service(&run, "touch").await).filter(|one| one.status != ServiceStatus::Running);
    hall.until("the end of the service", ended).await;
    let (_, log) = hall.engine.service_log(run.id, "touch", 9).await.unwrap();
    assert!(log.contains("Read-only file system") && log.ends_with("over\n"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_looks_at_work_that_waits_and_leaves_before_it_goes_on() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let lines = [json!({ "tools": [["write", { "path": "serve.pl", "content": SERVER }]] }), json!({ "say": "Done." })];
    let id = hall.scripted(&project, &lines).await;
    hall.rests(id).await;
    let run = hall.latest_run(id).await;
    let start = async |name: &str, command: &str| {
        hall.engine.start_service(&hall.team, &hall.anna, run.id, (name, command, Some(8123))).await
    };
    let mut ear = hall.bus.listen();
    let web = start("web", "perl serve.pl; sleep 86398").await.unwrap();
    assert_eq!((web.member_id, web.status), (Some(hall.anna.id), ServiceStatus::Running));
    assert!(web.until.unwrap() > web.started_at);
    assert_eq!(code(&start("web", "true").await.unwrap_err()), "service-running");
    // Its command may work with the caches, and takes the place of commands of whoever started the work.
    assert_eq!(code(&hall.engine.clear_caches(&hall.team, project.id).await.unwrap_err()), "caches-in-use");
    let bert = NewMember { email: "bert@example.com".to_owned(), name: "Bert".to_owned(), password_hash: None };
    let bert = hall.team.store.create_member(bert, MemberRole::Member).await.unwrap();
    let refused = hall.engine.start_service(&hall.team, &bert, run.id, ("his", "true", None)).await;
    assert!(matches!(refused, Err(TeamError::NotYours { .. })), "{refused:?}");
    let live = async {
        loop {
            if let Some(Hint::Output(output)) = ear.next().await.unwrap()
                && output.stream == (OutputStream::Service { service: web.id })
            {
                return output.text.clone();
            }
        }
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(30), live).await.unwrap(), "listening\n");
    assert_eq!(hall.engine.service_log(run.id, "web", 9).await.unwrap().1, "listening\n");
    drop(hall.engine.connect_service(&web).await.unwrap());

    let stopped = hall.engine.stop_service(&hall.team, &hall.anna, run.id, "web").await.unwrap();
    assert_eq!((stopped.status, stopped.problem.as_deref()), (ServiceStatus::Stopped, Some("Anna stopped it.")));
    hall.engine.connect_service(&stopped).await.unwrap_err();

    // A second one is there when the agent is to go on: it ends first, and the agent is not told of what was not its own.
    start("again", "sleep 86397").await.unwrap();
    let silent = json!({ "silence_ms": 600_000, "say": "Never." });
    hall.team.follow_up(hall.anna.id, id, &script(&[silent])).await.unwrap();
    let ended = async || Some(hall.service(&run, "again").await).filter(|one| one.status != ServiceStatus::Running);
    let ended = hall.until("the end of the service", ended).await;
    assert_eq!(ended.problem.as_deref(), Some("Its worktree was needed for work."));
    assert_eq!(code(&start("third", "true").await.unwrap_err()), "agent-at-work");
    hall.team.stop(id).await.unwrap();
    hall.rests(id).await;
    assert!(!alive("sleep\086397") && !alive("sleep\086398"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_of_a_server_that_stops_are_told_to_whoever_goes_on() {
    let mut hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let lines = [
        json!({ "tools": [["service_start", { "name": "watch", "command": "sleep 86396" }]] }),
        json!({ "silence_ms": 3_000, "say": "Done." }),
    ];
    let id = hall.scripted(&project, &lines).await;
    let saved = async || {
        let run = hall.latest_run(id).await;
        let turns = hall.team.store.turns(run.id).await.unwrap();
        turns.first().is_some_and(|turn| turn.results.is_some()).then_some(run)
    };
    let run = hall.until("the first turn", saved).await;
    assert_eq!(hall.service(&run, "watch").await.status, ServiceStatus::Running);
    hall.die_and_start_again().await;
    let watch = hall.service(&run, "watch").await;
    assert_eq!(watch.status, ServiceStatus::Stopped, "{watch:?}");
    hall.rests(id).await;
    let turns = hall.team.store.turns(run.id).await.unwrap();
    assert!(heard(&turns).contains("watch (`sleep 86396`)"), "{}", heard(&turns));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_agent_of_a_step_left_running_is_gone_before_the_next_look_and_the_checks() {
    let hall = Hall::open().await;
    let serve = json!({ "tools": [["service_start", { "name": "web", "command": "perl serve.pl", "port": 8123 }]] });
    let asks = json!({ "tools": [["request_changes", { "changes": "Write mended.txt." }]] });
    let spoils = "while :; do echo spoilt > work.txt; sleep 0.01; done";
    let spoil = json!({ "tools": [["service_start", { "name": "back", "command": spoils }]] });
    let review = step("Review", &[&[serve.clone(), asks], &[serve, spoil, json!({ "say": "All is well." })]]);
    let project = hall.piped(vec![review]).await;
    let check = "a=$(stat -c %y work.txt); sleep 0.5; test \"$a\" = \"$(stat -c %y work.txt)\" && \
                 ! (exec 3<>/dev/tcp/127.0.0.1/8123)";
    let settings = ProjectSettings { verify_commands: vec![check.to_owned()], ..project.settings.clone() };
    let patch = ProjectPatch { settings: Some(settings), ..ProjectPatch::default() };
    hall.team.update_project(project.id, patch).await.unwrap();
    let write = |path: &str, content: &str| json!({ "tools": [["write", { "path": path, "content": content }]] });
    let done = json!({ "say": "Done." });
    let mend = write("mended.txt", "mended\n");
    let id =
        hall.scripted(&project, &[write("serve.pl", SERVER), write("work.txt", ""), done.clone(), mend, done]).await;
    let feature = hall.rests(id).await;
    let run = hall.latest_run(id).await;
    let looks = hall.team.store.steps(run.id).await.unwrap();
    assert_eq!(looks.len(), 2, "{looks:?}");
    for look in looks {
        let turns = hall.team.store.turns_of(run.id, Some(look.number)).await.unwrap();
        let told = results(&turns);
        assert!(!told[0].0 && told[0].1.contains("Something listens at localhost:8123."), "{told:?}");
    }
    for name in ["web", "back"] {
        let service = hall.service(&run, name).await;
        assert_eq!(service.status, ServiceStatus::Stopped, "{service:?}");
        assert!(service.problem.unwrap().contains("look of the pipeline"));
    }
    assert_eq!(feature.card.status, FeatureStatus::Verified, "{:?}", feature.card.error);
    let turns = hall.team.store.turns_of(run.id, None).await.unwrap();
    assert!(!heard(&turns).contains("These services ended"), "they were none of its own: {}", heard(&turns));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_members_service_is_not_begun_once_the_work_goes_on() {
    // A start that is under way, held up just before it is known, until the agent is at work again.
    let (begins, begun) = std::sync::mpsc::channel();
    let (go, goes) = std::sync::mpsc::channel();
    let (begins, goes) = (std::sync::Mutex::new(begins), std::sync::Mutex::new(goes));
    guildhall_types::boundary::watch(move |name| {
        if name == "service.begin" {
            begins.lock().unwrap().send(()).unwrap();
            goes.lock().unwrap().recv().unwrap();
        }
    });
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let id = hall.scripted(&project, &[json!({ "say": "Done." })]).await;
    hall.rests(id).await;
    let run = hall.latest_run(id).await;
    let (engine, team, anna) = (hall.engine.clone(), hall.team.clone(), hall.anna.clone());
    let start = tokio::spawn(async move {
        engine.start_service(&team, &anna, run.id, ("late", "touch planted.txt; sleep 86395", None)).await
    });
    tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
    let silent = json!({ "silence_ms": 600_000, "say": "Never." });
    hall.team.follow_up(hall.anna.id, id, &script(&[silent])).await.unwrap();
    let at_work = async || (hall.sim.requests().len() > 1).then_some(());
    hall.until("the agent at work", at_work).await;
    go.send(()).unwrap();
    assert_eq!(code(&start.await.unwrap().unwrap_err()), "agent-at-work");
    assert_eq!(hall.team.store.service(run.id, "late").await.unwrap(), None, "not even for a moment");
    hall.team.stop(id).await.unwrap();
    hall.rests(id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_admin_looks_at_with_keeps_nothing_among_the_admins_own_caches_and_ends_with_its_member() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let bert = NewMember { email: "bert@example.com".to_owned(), name: "Bert".to_owned(), password_hash: None };
    let bert = hall.team.store.create_member(bert, MemberRole::Admin).await.unwrap();
    let id = hall.scripted(&project, &[json!({ "say": "Done." })]).await;
    hall.rests(id).await;
    let run = hall.latest_run(id).await;
    let wish = ("keep", "touch /run/cache/kept; echo over; sleep 86394", None);
    hall.engine.start_service(&hall.team, &bert, run.id, wish).await.unwrap();
    let over = async || {
        let (_, log) = hall.engine.service_log(run.id, "keep", 9).await.unwrap();
        log.contains("over").then_some(())
    };
    hall.until("the command", over).await;
    let kept = |of| hall.team.places.cache(project.id, Some(of)).join("kept").exists();
    assert!(kept(hall.anna.id) && !kept(bert.id), "it is Anna's work, whoever looks at it");

    // And what runs for a member beside runs ends with the right to it.
    let trial = Some(vec!["sleep 86393".to_owned()]);
    hall.engine.try_checks(&hall.team, bert.id, project.id, trial, None, None).await.unwrap();
    let change = MemberChange { role: Some(MemberRole::Viewer), ..MemberChange::default() };
    hall.team.change_member(&hall.anna, bert.id, change).await.unwrap();
    let ended = async || Some(hall.service(&run, "keep").await).filter(|one| one.status != ServiceStatus::Running);
    let ended = hall.until("the end of the service", ended).await;
    assert_eq!(ended.problem.as_deref(), Some("Its member may run nothing any more."));
    let tried = async || {
        let trial = hall.team.store.trial(project.id).await.unwrap().unwrap();
        (trial.status != TrialStatus::Running).then_some(trial)
    };
    let trial = hall.until("the end of the trial", tried).await;
    assert_eq!(
        (trial.status, trial.problem.as_deref()),
        (TrialStatus::Stopped, Some("Its member may run nothing any more."))
    );
    assert!(!alive("sleep\086393") && !alive("sleep\086394"));
    // A server that does not run a trial leaves word for the one that does.
    let trial = Some(vec!["sleep 86392".to_owned()]);
    let begun = hall.engine.try_checks(&hall.team, hall.anna.id, project.id, trial, None, None).await.unwrap();
    assert!(hall.team.store.stop_trial(&begun, "Olga stopped it.").await.unwrap());
    let trial = hall.until("the end of the trial", tried).await;
    assert_eq!((trial.status, trial.problem.as_deref()), (TrialStatus::Stopped, Some("Olga stopped it.")));
    let refused = hall.engine.start_service(&hall.team, &bert, run.id, ("more", "true", None)).await;
    assert!(matches!(refused, Err(TeamError::NotYours { .. })), "{refused:?}");
}
