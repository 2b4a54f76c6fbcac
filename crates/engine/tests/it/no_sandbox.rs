//! A host that cannot keep commands apart, for a while.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use guildhall_sandbox::Sandbox;
use guildhall_sim::Config;
use guildhall_types::alert::{AlertKind, Strain};
use guildhall_types::feature::FeatureStatus;
use guildhall_types::project::ProjectSource;
use guildhall_types::run::RunStatus;
use serde_json::json;

use crate::harness::Hall;

/// A hall with a bubblewrap that works while the file `works` is there, and fails as often as `hiccups` says.
async fn hall(isolates: bool) -> Hall {
    let mut hall = Hall::at_pace(Config::default(), |pace| pace.rest = Duration::from_secs(1)).await;
    let at = |name: &str| hall.dir.path().join(name).display().to_string();
    let (program, works, hiccups) = (hall.dir.path().join("bwrap"), at("works"), at("hiccups"));
    let script = format!(
        "#!/bin/bash\nn=$(cat {hiccups} 2>/dev/null || echo 0)\n\
         ((n > 0)) && {{ echo $((n - 1)) > {hiccups}; echo no memory, for a moment >&2; exit 1; }}\n\
         [[ -e {works} ]] && exec /usr/bin/bwrap \"$@\"\n[[ $1 == --version ]] && {{ echo bubblewrap 0.8.0; exit; }}\n\
         echo broken by an upgrade >&2; exit 1\n",
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    if isolates {
        std::fs::write(&works, "").unwrap();
    }
    hall.start_again_with(Sandbox::with_bubblewrap(program)).await;
    hall
}

fn lines() -> [serde_json::Value; 2] {
    [json!({ "tools": [["bash", { "command": "echo x > a.txt" }]] }), json!({ "say": "Done." })]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moment_without_a_sandbox_fails_no_card_and_stops_no_node() {
    let hall = hall(true).await;
    let project = hall.project("p", ProjectSource::Empty).await;
    assert!(hall.engine.sandbox_report().await.usable);
    // One command that could not be run, and the self-test after it.
    let hiccups = hall.dir.path().join("hiccups");
    std::fs::write(&hiccups, "2").unwrap();
    let id = hall.scripted(&project, &lines()).await;
    let ended = async {
        let feature = hall.rests(id).await;
        assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
    };
    let looks = async {
        loop {
            assert_eq!(hall.engine.strain(), None, "the node goes on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! { () = ended => {}, () = looks => {} }
    assert_eq!(std::fs::read_to_string(&hiccups).unwrap().trim(), "0");
    assert!(hall.latest_run(id).await.attempt > 1, "it was put off once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_waits_for_a_sandbox_and_no_card_fails_for_want_of_it() {
    let hall = hall(false).await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let (works, lines) = (hall.dir.path().join("works"), lines());

    // Nothing begins there.
    let id = hall.scripted(&project, &lines).await;
    let run = hall.latest_run(id).await.id;
    hall.until("the strain", async || hall.engine.strain()).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(hall.engine.strain(), Some(Strain::Sandbox));
    assert_eq!(AlertKind::SandboxUnusable.strain(), Some(Strain::Sandbox), "by the alert, members are told");
    let now = async || hall.team.store.run(run).await.unwrap().unwrap();
    assert_eq!((now().await.status, now().await.attempt), (RunStatus::Queued, 0));
    std::fs::write(&works, "").unwrap();
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
    assert_eq!(hall.engine.strain(), None);

    // What breaks later is noticed by what could not be run, long before it would be looked at again; the run waits.
    assert!(hall.engine.sandbox_report().await.usable);
    std::fs::remove_file(&works).unwrap();
    let id = hall.scripted(&project, &lines).await;
    let run = hall.latest_run(id).await.id;
    let put_off = async || {
        let run = hall.team.store.run(run).await.unwrap().unwrap();
        (run.status == RunStatus::Queued && run.attempt > 0).then_some(run)
    };
    hall.until("the run to be put off", put_off).await;
    assert!(!hall.engine.sandbox_report().await.usable);
    hall.until("the strain", async || hall.engine.strain()).await;
    assert_eq!(hall.feature(id).await.card.error, None);
    std::fs::write(&works, "").unwrap();
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
}
