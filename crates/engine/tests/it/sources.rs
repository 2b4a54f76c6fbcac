//! Repositories of every kind, brought by a member.

use std::path::Path;

use guildhall_types::feature::FeatureStatus;
use guildhall_types::project::{ProjectSource, ProjectStatus};
use serde_json::json;

use crate::harness::Hall;

#[expect(clippy::disallowed_methods, reason = "the tests' own git, to make what a member would have")]
fn git(at: &Path, args: &[&str]) {
    let done = std::process::Command::new("git")
        .args(["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=trunk"])
        .args(args)
        .current_dir(at)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_repository_can_be_worked_on_or_says_why_not() {
    let hall = Hall::open().await;
    let sources = hall.sources();
    let at = |name: &str| sources.join(name);
    for name in ["plain", "empty", "none"] {
        std::fs::create_dir(at(name)).unwrap();
    }
    git(&at("plain"), &["init", "-q"]);
    for n in 0..3 {
        std::fs::write(at("plain").join("file.txt"), format!("{n}\n")).unwrap();
        git(&at("plain"), &["add", "."]);
        git(&at("plain"), &["commit", "-qm", "x"]);
    }
    git(&sources, &["clone", "-q", "--bare", "plain", "bare"]);
    let plain = format!("file://{}", at("plain").display());
    git(&sources, &["clone", "-q", "--depth", "1", &plain, "shallow"]);
    git(&sources, &["clone", "-q", "plain", "dirty"]);
    std::fs::write(at("dirty").join("file.txt"), "changed, and not committed\n").unwrap();
    std::fs::write(at("dirty").join("new.txt"), "new\n").unwrap();
    git(&at("empty"), &["init", "-q"]);

    for name in ["plain", "bare", "shallow", "dirty", "empty"] {
        let url = at(name).display().to_string();
        let project = hall.project(name, ProjectSource::Clone { url }).await;
        assert_eq!(project.status, ProjectStatus::Ready, "{name}: {:?}", project.error);
        let lines =
            [json!({ "tools": [["write", { "path": "made.txt", "content": "made\n" }]] }), json!({ "say": "Done." })];
        let id = hall.scripted(&project, &lines).await;
        let feature = hall.rests(id).await;
        assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{name}: {:?}", feature.card.error);
        hall.team.merge(&hall.anna, id, None).await.unwrap();
        assert_eq!(hall.text_at_main(&project, "made.txt").await.as_deref(), Some("made\n"), "{name}");
        if name == "dirty" {
            assert_eq!(hall.text_at_main(&project, "file.txt").await.as_deref(), Some("2\n"), "what was committed");
        }
    }

    let url = at("none").display().to_string();
    let project = hall.project("none", ProjectSource::Clone { url }).await;
    assert_eq!(project.status, ProjectStatus::Failed);
    assert!(project.error.unwrap().contains("is not a git repository"));
    git(&at("none"), &["init", "-q"]);
    hall.team.retry_project(project.id).await.unwrap();
    let ready = async || {
        let again = hall.team.store.project(project.id).await.unwrap().unwrap();
        (again.status == ProjectStatus::Ready).then_some(())
    };
    hall.until("the second try", ready).await;

    for url in ["/etc", "/proc/self/root/etc", "file:///root", "ext::sh -c id", "--upload-pack=x", "relative/path"] {
        let refused = hall.team.create_project(&hall.anna, "bad", ProjectSource::Clone { url: url.to_owned() }).await;
        assert!(refused.is_err(), "{url}");
    }
    let own = hall.team.places.repositories.display().to_string();
    assert!(hall.team.create_project(&hall.anna, "own", ProjectSource::Clone { url: own }).await.is_err());
}
