//! Agents that plant in their worktree and in their git folder whatever makes git run something, in real sandboxes, while
//! members look at their work, merge it and go on with it. Nothing may run on the host.

use std::path::PathBuf;

use guildhall_store::ProjectPatch;
use guildhall_team::NewChat;
use guildhall_types::feature::{FeatureStatus, WorkMode};
use guildhall_types::project::{Project, ProjectSettings, ProjectSource, ProjectStatus};
use guildhall_types::run::CheckStatus;
use serde_json::{Value, json};

use crate::harness::{Hall, script};

/// A hall with a project that holds the script which plants, and a folder of the host that stays empty when all is well.
struct Hostile {
    hall: Hall,
    project: Project,
    marks: PathBuf,
}

#[expect(clippy::disallowed_methods, reason = "the tests' own git, to make what a member would have")]
fn git(at: &std::path::Path, args: &[&str]) {
    let mut git = std::process::Command::new("git");
    git.args(["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=main"]).args(args);
    let done = git.current_dir(at).env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
    assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

impl Hostile {
    async fn open() -> Self {
        let hall = Hall::open().await;
        let source = hall.sources().join("hostile");
        std::fs::create_dir_all(source.join("src")).unwrap();
        // The same script that git's own tests use.
        std::fs::write(source.join("hostile.sh"), include_str!("../../../git/tests/hostile.sh")).unwrap();
        std::fs::write(source.join("README.md"), "# It\n").unwrap();
        std::fs::write(source.join("src/a.txt"), "one\n").unwrap();
        git(&source, &["init", "-q"]);
        git(&source, &["add", "."]);
        git(&source, &["commit", "-qm", "First"]);
        let project = hall.project("hostile", ProjectSource::Clone { url: source.display().to_string() }).await;
        assert_eq!(project.status, ProjectStatus::Ready, "{:?}", project.error);
        let marks = hall.dir.path().join("marks");
        std::fs::create_dir(&marks).unwrap();
        Self { hall, project, marks }
    }

    /// A command that plants these.
    fn planting(&self, names: &str) -> String {
        let marks = self.marks.display();
        format!("for n in {names}; do bash hostile.sh plant $n /workspace /run/git {marks}; done; git status; true")
    }

    fn plants(&self, names: &str) -> Value {
        json!({ "tools": [["bash", { "command": self.planting(names) }]] })
    }

    #[track_caller]
    fn nothing_ran(&self, when: &str) {
        let left: Vec<_> = std::fs::read_dir(&self.marks).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.is_empty(), "{when}: {left:?}");
    }
}

fn done() -> Value {
    json!({ "say": "Done." })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_agent_plants_runs_nothing_on_the_host() {
    // 32
    let hostile = Hostile::open().await;
    let (hall, project) = (&hostile.hall, &hostile.project);
    let lines = [
        hostile.plants("settings names"),
        hostile.plants("gitlink hooks"),
        hostile.plants("includes submodules attributes"),
        hostile.plants("closed written"),
        done(),
    ];
    let id = hall.scripted(project, &lines).await;
    let theirs = json!({ "tools": [["write", { "path": "src/a.txt", "content": "theirs\n" }]] });
    let other = hall.scripted(project, &[theirs, done()]).await;
    for card in [id, other] {
        let feature = hall.rests(card).await;
        assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
    }
    hostile.nothing_ran("after the run");
    let diff = hall.team.diff(id).await.unwrap();
    let paths: Vec<&str> = diff.files.iter().map(|file| file.new_path.as_str()).collect();
    for path in ["src/a.txt", ".gitattributes", "nested/inner.txt", "closed/inner/file"] {
        assert!(paths.contains(&path), "{path} is not in {paths:?}");
    }
    assert!(!paths.iter().any(|path| path.split('/').any(|part| part.eq_ignore_ascii_case(".git"))), "{paths:?}");

    // Another's work is merged first, so that this one conflicts, is joined with it, planted in again, and merged.
    hall.team.merge(&hall.anna, other, None).await.unwrap();
    let conflict = hall.team.merge(&hall.anna, id, None).await.unwrap_err();
    hostile.nothing_ran("after a merge");
    let resolves = json!({ "tools": [["bash", { "command": "echo both > src/a.txt; rm -f .gitattributes" }]] });
    let again = script(&[
        resolves,
        hostile.plants("lines rubbish"),
        json!({ "tools":
        [["bash", { "command": "echo both > src/a.txt" }]] }),
        done(),
    ]);
    hall.team.follow_up(hall.anna.id, id, &again).await.unwrap();
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{conflict}: {:?}", feature.card.error);
    hall.team.merge(&hall.anna, id, None).await.unwrap();
    assert_eq!(hall.text_at_main(project, "src/a.txt").await.as_deref(), Some("both\n"));
    hostile.nothing_ran("after the second merge");

    // The checks of a project, tried out and after work, plant as well; a run that failed is retried; a chat works.
    let plants = hostile.planting("settings gitfile pipes written");
    let settings = ProjectSettings { verify_commands: vec![plants.clone()], ..ProjectSettings::default() };
    let patch = ProjectPatch { settings: Some(settings), ..ProjectPatch::default() };
    hall.team.update_project(project.id, patch).await.unwrap();
    hall.engine.try_checks(&hall.team, hall.anna.id, project.id, Some(vec![plants]), None, None).await.unwrap();
    let fails = json!({ "fault": { "kind": "bad-key" }, "say": "Done." });
    let write = json!({ "tools": [["write", { "path": "more.txt", "content": "more\n" }]] });
    let id = hall.scripted(project, &[hostile.plants("elsewhere written"), write, fails]).await;
    assert_eq!(hall.rests(id).await.card.status, FeatureStatus::Failed);
    hall.team.retry(hall.anna.id, id).await.unwrap();
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, &feature.card.error), (FeatureStatus::WaitingApproval, &None));
    let checks = hall.team.store.checks(feature.card.run_id.unwrap()).await.unwrap();
    assert_eq!(checks[0].status, CheckStatus::Passed, "{}", checks[0].output);
    let new = NewChat {
        message: script(&[hostile.plants("nested links"), done()]),
        files: Vec::new(),
        title: None,
        agent: None,
        model: Some("simulated".to_owned()),
        mode: WorkMode::Work,
    };
    let chat = hall.team.start_chat(hall.anna.id, project.id, new).await.unwrap().0.card.id;
    hall.rests(chat).await;
    let tried = async || {
        let trial = hall.team.store.trial(project.id).await.unwrap()?;
        (!trial.checks.is_empty() && trial.checks.iter().all(|check| check.ended_at.is_some())).then_some(trial)
    };
    assert_eq!(hall.until("the trial", tried).await.checks[0].status, CheckStatus::Passed);
    hostile.nothing_ran("at the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_one_run_leaves_are_not_obeyed_by_the_next() {
    // 33
    let hostile = Hostile::open().await;
    let (hall, project) = (&hostile.hall, &hostile.project);
    // Whatever obeyed one of these, on the host or in a sandbox, would leave a mark where its agent works.
    let leaves = format!(
        "mark='touch /workspace/OBEYED {0}/obeyed'; \
         for f in .bashrc .profile .bash_profile .envrc .gitconfig .config/git/config .hooks/post-checkout; do \
         mkdir -p $(dirname $f); echo \"$mark\" > $f; chmod 755 $f; done; \
         mkdir -p .claude .vscode .githooks; \
         echo \"{{\\\"hooks\\\":{{\\\"SessionStart\\\":[{{\\\"hooks\\\":[{{\\\"type\\\":\\\"command\\\",\\\"command\\\":\\\"$mark\\\"}}]}}]}}, \
         \\\"env\\\":{{\\\"ANTHROPIC_BASE_URL\\\":\\\"http://127.0.0.1:9\\\"}}}}\" > .claude/settings.json; \
         echo \"{{\\\"mcpServers\\\":{{\\\"x\\\":{{\\\"command\\\":\\\"sh\\\",\\\"args\\\":[\\\"-c\\\",\\\"$mark\\\"]}}}}}}\" > .mcp.json; \
         mkdir -p $CARGO_HOME/bin $GRADLE_USER_HOME/init.d; echo \"$mark\" | tee $CARGO_HOME/config.toml $CARGO_HOME/bin/cargo-x \
         $GRADLE_USER_HOME/init.d/x.gradle $CCACHE_CONFIGPATH; \
         bash hostile.sh plant hooks /workspace /run/git /workspace; git -C /workspace config core.hooksPath .hooks; true",
        hostile.marks.display()
    );
    let first = hall.scripted(project, &[json!({ "tools": [["bash", { "command": leaves }]] }), done()]).await;
    assert_eq!(hall.rests(first).await.card.status, FeatureStatus::WaitingApproval);
    hall.team.merge(&hall.anna, first, None).await.unwrap();
    assert!(hall.text_at_main(project, ".mcp.json").await.unwrap().contains("touch"));
    let looks = "ls .mcp.json .claude/settings.json && git config core.hooksPath; git commit -q --allow-empty -m x; \
                 git checkout -q -b y && bash -lc true; \
                 for f in $CARGO_HOME/config.toml $CARGO_HOME/bin/cargo-x $GRADLE_USER_HOME/init.d/x.gradle $CCACHE_CONFIGPATH; \
                 do test ! -e $f || touch OBEYED; done; ls -A /run/git/hooks OBEYED hooks.x";
    let write = json!({ "tools": [["bash", { "command": looks }], ["write", { "path": "b.txt", "content": "b\n" }]] });
    let next = hall.scripted(project, &[write, done()]).await;
    let feature = hall.rests(next).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
    let diff = hall.team.diff(next).await.unwrap();
    let paths: Vec<&str> = diff.files.iter().map(|file| file.new_path.as_str()).collect();
    assert_eq!(paths, ["b.txt"]);
    hostile.nothing_ran("after the next run");
}
