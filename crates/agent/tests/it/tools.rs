//! The tools, one by one, as the model calls them.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use guildhall_agent::services::{Begun, Printed, Services};
use guildhall_agent::tools::{of_hub, of_services};
use guildhall_agent::{Ended, ToolAnswer, ToolContext};
use guildhall_types::agent::KNOWN_TOOLS;
use guildhall_types::service::Service;
use serde_json::{Value, json};

use crate::house::{Book, House, script};
use crate::work::toolbox;

/// A run of which nothing runs on.
struct NoServices;

#[async_trait]
impl Services for NoServices {
    async fn start(&self, _: &str, _: &str, _: Option<u16>) -> Result<Begun, String> {
        Err("none can be started".to_owned())
    }

    async fn list(&self) -> Result<Vec<Service>, String> {
        Ok(Vec::new())
    }

    async fn logs(&self, name: &str, _: usize) -> Result<Printed, String> {
        Err(format!("there is no {name}"))
    }

    async fn stop(&self, name: &str) -> Result<Printed, String> {
        Err(format!("there is no {name}"))
    }
}

struct Bench {
    dir: tempfile::TempDir,
    book: Book,
}

impl Bench {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        Self { dir, book: Book::default() }
    }

    async fn call(&self, tool: &str, input: Value) -> ToolAnswer {
        let toolbox = toolbox(self.dir.path());
        let context = ToolContext { journal: &self.book, turn: 1, call: "c1" };
        toolbox.find(tool).unwrap().call(input, context).await
    }

    async fn ok(&self, tool: &str, input: Value) -> String {
        let answer = self.call(tool, input).await;
        assert!(!answer.is_error, "{answer:?}");
        answer.text
    }

    async fn error(&self, tool: &str, input: Value) -> String {
        let answer = self.call(tool, input).await;
        assert!(answer.is_error, "{answer:?}");
        answer.text
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(path)).unwrap()
    }
}

#[tokio::test]
async fn files_are_read_written_and_edited() {
    let bench = Bench::new(&[("src/a.rs", b"fn a() {\n    1\n}\n"), ("dos.txt", b"one\r\ntwo\r\n")]);
    assert_eq!(bench.ok("read", json!({ "path": "src/a.rs" })).await, "     1\tfn a() {\n     2\t    1\n     3\t}\n");
    assert_eq!(
        bench.ok("write", json!({ "path": "new/b.txt", "content": "x\ny\n" })).await,
        "new/b.txt is new: 2 lines."
    );
    assert_eq!(
        bench.ok("write", json!({ "path": "new/b.txt", "content": "z" })).await,
        "new/b.txt is replaced: 1 lines."
    );
    assert_eq!(bench.text("new/b.txt"), "z");

    let report = bench.ok("edit", json!({ "path": "src/a.rs", "oldText": "1", "newText": "2" })).await;
    assert!(report.contains("     2\t    2\n"), "{report}");
    let report = bench
        .ok("edit", json!({ "path": "src/a.rs", "oldText": "fn a() {\n  2\n}", "newText": "fn a() {\n  3\n}" }))
        .await;
    assert!(report.contains("without regard to indentation"), "{report}");
    assert_eq!(bench.text("src/a.rs"), "fn a() {\n    3\n}\n");
    bench.ok("edit", json!({ "path": "dos.txt", "oldText": "one\ntwo", "newText": "1\n2" })).await;
    assert_eq!(bench.text("dos.txt"), "1\r\n2\r\n");
}

#[tokio::test]
async fn what_goes_wrong_with_a_file_is_said_and_changes_nothing() {
    let bench = Bench::new(&[("a.txt", b"one\none\n"), ("b.bin", b"\0\x01"), ("latin.txt", b"caf\xe9\n")]);
    assert!(bench.error("read", json!({ "path": "none.txt" })).await.contains("no such file"));
    assert!(bench.error("read", json!({ "path": "b.bin" })).await.contains("binary"));
    assert!(
        bench.error("edit", json!({ "path": "latin.txt", "oldText": "caf", "newText": "x" })).await.contains("UTF-8")
    );
    assert!(
        bench
            .error("edit", json!({ "path": "a.txt", "oldText": "one", "newText": "1" }))
            .await
            .contains("2 times, at lines 1, 2")
    );
    assert!(
        bench.error("edit", json!({ "path": "a.txt", "oldText": "ones", "newText": "1" })).await.contains("not found")
    );
    assert!(
        bench
            .error("edit", json!({ "path": "none.txt", "oldText": "a", "newText": "b" }))
            .await
            .contains("no such file")
    );
    assert!(bench.error("write", json!({ "path": "../out.txt", "content": "x" })).await.contains("outside"));
    assert_eq!(bench.text("a.txt"), "one\none\n");
    bench.ok("edit", json!({ "path": "a.txt", "oldText": "one", "newText": "1", "replaceAll": true })).await;
    assert_eq!(bench.text("a.txt"), "1\n1\n");
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_answered_in_plain_words() {
    let bench = Bench::new(&[]);
    let missing = bench.error("write", json!({ "path": "a" })).await;
    assert_eq!(
        missing,
        "The arguments do not fit: missing field `content`. Call `write` again with what its schema asks for."
    );
    for (tool, input) in [
        ("read", json!({})),
        ("edit", json!({ "path": 1 })),
        ("glob", json!({ "pattern": null })),
        ("grep", json!({ "pattern": ["a"] })),
        ("bash", json!({ "command": "true", "timeoutMs": "long" })),
        ("plan", json!({ "tasks": "none" })),
        ("plan", json!({ "tasks": [{ "title": " ", "status": "pending" }] })),
        ("plan", json!({ "tasks": [{ "title": "x", "status": "begun" }] })),
    ] {
        assert!(!bench.error(tool, input).await.is_empty());
    }
}

#[tokio::test]
async fn files_are_found_by_name_and_by_what_is_in_them() {
    let bench = Bench::new(&[
        ("src/a.rs", b"// TODO\nfn a() {}\n"),
        ("src/deep/b.rs", b"fn b() {}\n"),
        ("c.md", b"TODO: all\n"),
    ]);
    let found = bench.ok("glob", json!({ "pattern": "**/*.rs" })).await;
    let mut found: Vec<&str> = found.lines().collect();
    found.sort_unstable();
    assert_eq!(found, ["src/a.rs", "src/deep/b.rs"]);
    assert_eq!(bench.ok("glob", json!({ "pattern": "*.py" })).await, "No file matches.");
    assert_eq!(bench.ok("grep", json!({ "pattern": "TODO" })).await, "c.md:1: TODO: all\nsrc/a.rs:1: // TODO");
    assert_eq!(
        bench.ok("grep", json!({ "pattern": "fn \\w", "path": "src", "glob": "*b.rs" })).await,
        "src/deep/b.rs:1: fn b() {}"
    );
    assert_eq!(bench.ok("grep", json!({ "pattern": "zebra" })).await, "No line matches.");
    assert!(bench.error("grep", json!({ "pattern": "(" })).await.contains("pattern"));
}

#[tokio::test]
async fn commands_answer_with_their_output_and_how_they_ended() {
    let bench = Bench::new(&[("a.txt", b"hello\n")]);
    assert_eq!(bench.ok("bash", json!({ "command": "cat a.txt" })).await, "hello\n(exit code 0)");
    assert_eq!(bench.ok("bash", json!({ "command": "true" })).await, "(no output, exit code 0)");
    assert_eq!(bench.error("bash", json!({ "command": "echo oh >&2; exit 3" })).await, "oh\n(exit code 3)");
    let late = bench.error("bash", json!({ "command": "echo begun; sleep 60", "timeoutMs": 300 })).await;
    assert!(late.starts_with("begun\n(timed out after 0.3 s"), "{late}");
    let long = bench.ok("bash", json!({ "command": "seq 1 100000" })).await;
    assert!(
        long.len() < 32_000 && long.starts_with("1\n2\n") && long.ends_with("100000\n(exit code 0)"),
        "{}",
        long.len()
    );
    let live: String = bench.book.pages().live.iter().map(|(_, _, text)| text.as_str()).collect();
    assert!(live.starts_with("hello\n"), "output is shown as it comes");
}

#[tokio::test]
async fn a_cancelled_agent_leaves_no_process_behind() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::new().await;
    let mut job = house.job(&script(&[r#"{"tools": [["bash", {"command": "echo $$; sleep 300"}]]}"#]));
    job.tools = toolbox(dir.path());
    let cancel = job.cancel.clone();
    let printed = || -> String { house.book.pages().live.iter().map(|(_, _, text)| text.as_str()).collect() };
    let (ended, ()) = tokio::join!(house.run(job), async {
        while !printed().ends_with('\n') {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    });
    assert!(matches!(ended, Ended::Cancelled));
    let process = format!("/proc/{}", printed().trim());
    // It dies with the future; the kernel takes a moment to clear up.
    while Path::new(&process).exists()
        && !std::fs::read_to_string(format!("{process}/stat")).unwrap_or_default().contains(") Z")
    {
        tokio::task::yield_now().await;
    }
}

#[test]
fn the_box_holds_the_tools_of_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let toolbox = toolbox(dir.path());
    assert_eq!(
        toolbox.names().collect::<Vec<_>>(),
        ["read", "write", "edit", "glob", "grep", "bash", "plan", "update_tasks"]
    );
    let changing: Vec<&str> = toolbox.names().filter(|name| toolbox.find(name).unwrap().changes_files()).collect();
    assert_eq!(changing, ["write", "edit", "bash"]);
}

#[test]
fn every_tool_that_is_offered_to_agents_is_there_and_says_rightly_whether_it_changes_files() {
    let dir = tempfile::tempdir().unwrap();
    let services: Arc<dyn Services> = Arc::new(NoServices);
    let tools = toolbox(dir.path()).with(of_hub(&crate::hub::empty())).with(of_services(&services));
    let mut known: Vec<&str> = KNOWN_TOOLS.iter().map(|tool| tool.name).collect();
    let mut there: Vec<&str> = tools.names().collect();
    known.sort_unstable();
    there.sort_unstable();
    assert_eq!(known, there);
    for tool in KNOWN_TOOLS {
        assert_eq!(tools.find(tool.name).unwrap().changes_files(), tool.changes_files, "{}", tool.name);
    }
}

#[test]
fn a_box_of_some_tools_has_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let some = toolbox(dir.path()).only(|name| name == "read" || name == "nothing");
    assert_eq!(some.names().collect::<Vec<_>>(), ["read"]);
    assert_eq!(some.specs().len(), 1);
    assert!(some.find("bash").is_none() && some.find("write").is_none());
}
