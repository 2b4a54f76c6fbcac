//! Services of runs: an agent's, and a member's who looks at the work.

use std::time::Duration;

use guildhall_bus::Hint;
use guildhall_store::{NewMember, ProjectPatch};
use guildhall_team::{NewChat, TeamError};
use guildhall_types::FeatureId;
use guildhall_types::chat::Block;
use guildhall_types::event::OutputStream;
use guildhall_types::feature::{FeatureStatus, WorkMode};
use guildhall_types::member::MemberRole;
use guildhall_types::project::{ProjectSettings, ProjectSource};
use guildhall_types::run::{CheckStatus, Run, Turn};
use guildhall_types::service::{Service, ServiceStatus};
use serde_json::json;

use crate::harness::{Hall, script};

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
