//! The simulated model's own work, done for real on a copy of the sample project.

use std::fs;
use std::path::{Path, PathBuf};

use guildhall_sim::{Config, Sim};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::{ask, user};

/// An agent of the simplest kind: a folder and a conversation.
struct Agent {
    dir: tempfile::TempDir,
    sim: Sim,
    messages: Vec<Value>,
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => fs::copy(entry.path(), target).map(|_| ()).unwrap(),
        }
    }
}

impl Agent {
    async fn on_sample() -> Self {
        let agent = Self::on_nothing().await;
        let sample = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../team/sample");
        copy(&sample, agent.dir.path());
        fs::remove_file(agent.dir.path().join("features.toml")).unwrap();
        agent.bash("git init -q && chmod +x todo test.sh && ./test.sh").await.unwrap();
        agent
    }

    async fn on_nothing() -> Self {
        let sim = Sim::start(Config::default()).await.unwrap();
        Self { dir: tempfile::tempdir().unwrap(), sim, messages: Vec::new() }
    }

    async fn bash(&self, command: &str) -> Result<String, String> {
        let mut bash = Command::new("bash");
        bash.args(["-c", command]).current_dir(self.dir.path()).env("HOME", self.dir.path());
        let output = bash.output().await.unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if output.status.success() { Ok(text) } else { Err(text) }
    }

    fn file(&self, path: &str) -> String {
        fs::read_to_string(self.dir.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn tool(&self, name: &str, input: &Value) -> Result<String, String> {
        let field = |key: &str| input[key].as_str().unwrap_or_else(|| panic!("{name} wants {key}: {input}"));
        let path = || self.dir.path().join(field("path"));
        match name {
            "read" => Ok(self.file(field("path"))),
            "write" => {
                fs::create_dir_all(path().parent().unwrap()).unwrap();
                fs::write(path(), field("content")).unwrap();
                Ok("written".to_owned())
            }
            "edit" => {
                let (text, old) = (self.file(field("path")), field("oldText"));
                match text.matches(old).count() {
                    1 => fs::write(path(), text.replace(old, field("newText"))).unwrap(),
                    times => return Err(format!("oldText occurs {times} times")),
                }
                Ok("edited".to_owned())
            }
            "glob" | "grep" => Ok(field("pattern").to_owned()),
            "bash" => self.bash(field("command")).await,
            "plan" => {
                assert!(input["tasks"].as_array().is_some_and(|tasks| !tasks.is_empty()), "{input}");
                Ok("noted".to_owned())
            }
            other => panic!("there is no tool {other}"),
        }
    }

    /// Says something and works until the model is done; its closing words. No tool may fail.
    async fn work(&mut self, prompt: &str) -> String {
        self.messages.push(user(prompt));
        for _ in 0..20 {
            let body = json!({ "model": "simulated", "max_tokens": 8_000, "messages": self.messages });
            let answer = ask(&self.sim, &body).await.json();
            let content = answer["content"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
            self.messages.push(json!({ "role": "assistant", "content": content }));
            if answer["stop_reason"] == "end_turn" {
                return content.last().unwrap()["text"].as_str().unwrap().to_owned();
            }
            let mut results = Vec::new();
            for call in content.iter().filter(|block| block["type"] == "tool_use") {
                let name = call["name"].as_str().unwrap();
                let result = self.tool(name, &call["input"]).await.unwrap_or_else(|error| panic!("{name}: {error}"));
                results.push(json!({ "type": "tool_result", "tool_use_id": call["id"], "content": result }));
            }
            self.messages.push(json!({ "role": "user", "content": results }));
        }
        panic!("it never ends");
    }

    async fn passes(&self) {
        let tests = self.bash("./test.sh").await.unwrap_or_else(|text| panic!("{text}"));
        assert!(!tests.contains("FAILED"), "{tests}");
    }
}

/// The cards of the sample project, as an agent is told of them, and the command each asks for.
fn cards() -> Vec<(String, String)> {
    let list = include_str!("../../../team/sample/features.toml");
    let cards: Vec<(String, String)> = list
        .split("[[feature]]")
        .skip(1)
        .map(|card| {
            let title = card.split("title = \"").nth(1).unwrap().split('"').next().unwrap();
            let description = card.split("\"\"\"").nth(1).unwrap();
            let command = description.split("`todo ").nth(1).unwrap();
            let command = command.split(|c: char| !c.is_alphabetic()).next().unwrap().to_owned();
            (format!("# {title}\n\n{}", description.trim()), command)
        })
        .collect();
    assert_eq!(cards.len(), 3);
    cards
}

#[tokio::test]
async fn each_suggested_feature_is_built_and_tested() {
    for (card, command) in cards() {
        let mut agent = Agent::on_sample().await;
        let summary = agent.work(&card).await;
        assert!(summary.contains(&format!("`todo {command}")), "{summary}");
        agent.passes().await;
        let tests = agent.bash("./test.sh").await.unwrap();
        assert!(tests.contains(&format!("ok      tests/{command}.test.sh")), "{tests}");
        assert!(agent.bash("./todo help").await.unwrap().contains(command.as_str()));
        assert!(agent.file("README.md").contains(&format!("todo {command}")));
        // Its test does test it.
        fs::write(agent.dir.path().join(format!("commands/{command}.sh")), "# help: none\nexit 0\n").unwrap();
        assert!(agent.bash("./test.sh").await.is_err(), "the test of {command} passes without the command");
    }
}

#[tokio::test]
async fn features_are_built_one_after_another_in_any_order() {
    let cards = cards();
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let mut agent = Agent::on_sample().await;
        for card in order {
            agent.messages.clear();
            agent.work(&cards[card].0).await;
            agent.passes().await;
        }
        let help = agent.bash("./todo help").await.unwrap();
        assert!(["done", "count", "json"].iter().all(|command| help.contains(command)), "{help}");
    }
}

#[tokio::test]
async fn features_that_are_built_side_by_side_can_be_merged() {
    let mut agent = Agent::on_sample().await;
    let git = "git -c user.name=x -c user.email=x@example.com";
    agent.bash(&format!("git add -A && {git} commit -qm first && git branch start")).await.unwrap();
    for (card, command) in cards() {
        agent.bash(&format!("git checkout -q -b {command} start")).await.unwrap();
        agent.messages.clear();
        agent.work(&card).await;
        agent.bash(&format!("git add -A && {git} commit -qm {command}")).await.unwrap();
    }
    for (_, command) in cards() {
        agent.bash(&format!("{git} merge -q --no-edit {command}")).await.unwrap_or_else(|text| panic!("{text}"));
    }
    agent.passes().await;
}

#[tokio::test]
async fn a_follow_up_is_taken_up_in_the_same_conversation() {
    let mut agent = Agent::on_sample().await;
    agent.work(&cards()[0].0).await;
    for said in
        ["Say in the README that Anna's list isn't \"shared\"; it costs 5 % of $HOME & `nothing`.", "And\nthank you."]
    {
        let closing = agent.work(said).await;
        let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(closing.contains(&line), "{closing}");
        assert!(agent.file("README.md").contains(&format!("## Note\n\n{line}\n")), "{}", agent.file("README.md"));
        agent.passes().await;
    }
}

#[tokio::test]
async fn of_anything_else_it_makes_a_note_and_says_so() {
    let request = "# Größere Schrift für Überschriften!\n\nPlease.";
    let mut agent = Agent::on_nothing().await;
    let closing = agent.work(request).await;
    let path = "docs/notes/gr-ere-schrift-f-r-berschriften.md";
    assert!(closing.contains(path) && closing.contains("simulated model"), "{closing}");
    assert!(agent.file(path).starts_with("# Größere Schrift für Überschriften!\n"));

    let mut agent = Agent::on_sample().await;
    agent.work("???").await;
    agent.passes().await;
    assert!(agent.file("docs/notes/request.md").contains("???"));
}

#[tokio::test]
async fn what_is_mentioned_first_is_built() {
    let mut agent = Agent::on_sample().await;
    let closing =
        agent.work("# Count\n\n`todo count` prints what is open; what `todo done` marked is not counted.").await;
    assert!(closing.starts_with("`todo count`"), "{closing}");
}

#[tokio::test]
async fn asked_what_is_worth_keeping_it_tells_of_its_own_work_and_of_none_that_was_scripted() {
    let agent = Agent::on_nothing().await;
    let tools = json!([
        { "name": "learning_record", "description": "", "input_schema": { "type": "object" } },
        { "name": "nothing_to_keep", "description": "", "input_schema": { "type": "object" } },
    ]);
    let answer = async |work: &str| {
        let asked = format!("What is worth keeping?\n\n<transcript>\n{work}\n</transcript>");
        let body = json!({ "model": "simulated", "max_tokens": 1_000, "tools": tools, "tool_choice": { "type": "any" },
            "messages": [user(&asked)] });
        let answer = ask(&agent.sim, &body).await.json();
        let call = answer["content"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&answer["stop_reason"], &call["type"]), (&json!("tool_use"), &json!("tool_use")), "{answer}");
        (call["name"].as_str().unwrap().to_owned(), call["input"].clone())
    };
    let (name, input) = answer("[Said to the agent]\n# Count\n\nAdd a `todo count` command.").await;
    assert_eq!(name, "learning_record");
    assert!(input["title"].as_str().unwrap().contains("add 0") && input["type"] == "pattern", "{input}");
    assert_eq!(answer("Something else.").await.0, "nothing_to_keep");
    let scripted = "Add `todo count`.\n```sim\n{\"say\": \"Done.\"}\n```";
    assert_eq!(answer(scripted).await.0, "nothing_to_keep");
    let kept = format!("{scripted}\n```keep\n{{\"tools\": [[\"learning_record\", {{\"title\": \"Mine\"}}]]}}\n```");
    assert_eq!(answer(&kept).await, ("learning_record".to_owned(), json!({ "title": "Mine" })));
}

#[tokio::test]
async fn asked_for_json_it_closes_with_json_of_the_form_that_is_shown() {
    let agent = Agent::on_nothing().await;
    let tools = json!([{ "name": "read", "description": "", "input_schema": { "type": "object" } }]);
    let closing = async |asked: &str| {
        let mut body = json!({ "model": "simulated", "max_tokens": 1_000, "tools": tools, "messages": [user(asked)] });
        loop {
            let answer = ask(&agent.sim, &body).await.json();
            let calls = answer["content"].as_array().unwrap().iter().filter(|block| block["type"] == "tool_use");
            let results: Vec<Value> = calls
                .map(|call| json!({ "type": "tool_result", "tool_use_id": call["id"], "content": "ok" }))
                .collect();
            let messages = body["messages"].as_array_mut().unwrap();
            messages.push(json!({ "role": "assistant", "content": answer["content"] }));
            match results.is_empty() {
                true => {
                    return answer["content"].as_array().unwrap().last().unwrap()["text"].as_str().unwrap().to_owned();
                }
                false => messages.push(json!({ "role": "user", "content": results })),
            }
        }
    };
    let asked = |task: &str, schema: Value| {
        format!(
            "{task}\n\nClose with JSON alone, of the form that this JSON Schema describes:\n```json\n{schema}\n```\n\nThat is all."
        )
    };
    let cards = json!({ "type": "object", "required": ["cards"], "properties": { "cards": { "type": "array", "minItems": 1, "items": {
        "type": "object", "required": ["title", "priority"],
        "properties": { "title": { "type": "string" }, "priority": { "type": "integer", "minimum": 2 }, "more": {} } } } } });
    let said = closing(&asked("The goal:\n\n<data from=\"goal\">\nSort by date\n</data>\n\nPlan.", cards)).await;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["cards"][0]["title"], &said["cards"][0]["priority"]), (&json!("Sort by date"), &json!(2)));
    let all = json!({ "type": "object", "required": ["verdict", "cause", "done", "list", "one"], "properties": {
        "verdict": { "enum": ["proved", "open"] }, "cause": { "type": "string", "minLength": 300, "description": "Why." },
        "done": { "type": "boolean" }, "list": { "type": ["array", "null"] }, "one": { "anyOf": [{ "const": 7 }, true] } } });
    let said: Value = serde_json::from_str(&closing(&asked("Look at it.", all)).await).unwrap();
    let cause = said["cause"].as_str().unwrap();
    assert!(cause.contains("simulated model") && cause.contains("Why.") && cause.len() == 300, "{cause}");
    let rest = json!({ "verdict": "proved", "cause": cause, "done": false, "list": [], "one": 7 });
    assert_eq!(said, rest);
    assert!(closing("Look at it, and say what you see.").await.contains("simulated model"));
    // One that was sent back is answered by a script of its own.
    let both = "```sim\n{\"say\": \"First.\"}\n```\n```again\n{\"say\": \"Better.\"}\n```";
    assert_eq!(closing(both).await, "First.");
    let back = format!(
        "An answer to the task at the end is not of the form that is asked for: no.\n\nThe task was:\n\n{both}"
    );
    assert_eq!(closing(&back).await, "Better.");
}
