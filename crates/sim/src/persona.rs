//! The simulated model's way of working when no script is given: it reads, plans, edits, tests and reports, with real
//! tool calls on real files. It knows the features that the sample project suggests; of anything else it makes a note.

use serde_json::{Value, json};

use crate::script::{Planning, Step};

struct Recipe {
    /// What the request must mention.
    mentions: &'static [&'static str],
    /// In a few words, for the plan.
    goal: &'static str,
    command: &'static str,
    code: &'static str,
    test: &'static str,
    /// A passage of the README and what it becomes.
    readme: (&'static str, &'static str),
    summary: &'static str,
    /// What it finds worth keeping: title, description, content.
    lesson: (&'static str, &'static str, &'static str),
}

const RECIPES: &[Recipe] = &[
    Recipe {
        mentions: &["todo done", "done command"],
        goal: "mark an item as done",
        command: "done",
        code: "# help: done <number> mark an item as done\n\
            number=${1:-}\n\
            if ! awk -v n=\"$number\" 'NR == n && /^- \\[ \\] / { found = 1 } END { exit !found }' \"$TODO_FILE\"; then\n\
            \x20 echo \"todo: there is no open item '$number'; try: todo list\" >&2\n\
            \x20 exit 2\n\
            fi\n\
            changed=$(awk -v n=\"$number\" 'NR == n { sub(/^- \\[ \\]/, \"- [x]\") } { print }' \"$TODO_FILE\")\n\
            printf '%s\\n' \"$changed\" >\"$TODO_FILE\"\n\
            echo \"done: $number\"\n",
        test: "./todo add one >/dev/null\n./todo add two >/dev/null\n./todo done 1 >/dev/null\n\
            [ \"$(./todo list)\" = \"  2  two\" ]\n! ./todo done 1 2>/dev/null\n! ./todo done 7 2>/dev/null\n! ./todo done 2>/dev/null\n",
        readme: ("    ./todo list\n", "    ./todo list\n    ./todo done 1\n"),
        summary: "`todo done <number>` marks an item as done by the number that `todo list` shows. Done items leave the \
            list and the other numbers stay. A number that is not open is refused with exit code 2. The test covers all \
            three cases, and the README shows the command.",
        lesson: (
            "A command of todo without `# help:` in its first line is missing from `todo help`",
            "How a command is added to the to-do list, and why one that works may not be listed.",
            "`todo NAME` sources `commands/NAME.sh`, and `todo help` shows nothing of it but its first line, if that begins \
                with `# help:`. A comment or an empty line before it, and the command works and is not listed. Its test is \
                `tests/NAME.test.sh`, which `./test.sh` finds by its name and runs with an empty list of its own.",
        ),
    },
    Recipe {
        mentions: &["todo count", "count the open"],
        goal: "count the open items",
        command: "count",
        code: "# help: count         print how many items are open\n\
            awk '/^- \\[ \\] / { open++ } END { print open + 0 }' \"$TODO_FILE\"\n",
        test: "[ \"$(./todo count)\" = 0 ]\n./todo add one >/dev/null\n./todo add two >/dev/null\n[ \"$(./todo count)\" = 2 ]\n",
        readme: (
            "A to-do list for the command line, in a few lines of shell.\n",
            "A to-do list for the command line, in a few lines of shell. `todo count` fits into a shell prompt.\n",
        ),
        summary: "`todo count` prints the number of open items and nothing else. The test covers the empty list and one \
            with two items; the README mentions the command.",
        lesson: (
            "In awk, add 0 to a count before it is printed",
            "A command that counts lines prints an empty line for an empty list otherwise.",
            "A variable of awk that was never set prints as nothing: `END { print open }` gives an empty line when no line \
                matched. `print open + 0` gives 0. The test with an empty list catches it.",
        ),
    },
    Recipe {
        mentions: &["todo json", "as json"],
        goal: "export the list as JSON",
        command: "json",
        code: "# help: json          print the list as JSON\n\
            awk 'BEGIN { printf \"[\" }\n\
            \x20 /^- \\[[ x]\\] / {\n\
            \x20   done = (substr($0, 4, 1) == \"x\") ? \"true\" : \"false\"\n\
            \x20   text = substr($0, 7)\n\
            \x20   gsub(/\\\\/, \"\\\\\\\\\", text)\n\
            \x20   gsub(/\"/, \"\\\\\\\"\", text)\n\
            \x20   printf \"%s\\n  {\\\"text\\\": \\\"%s\\\", \\\"done\\\": %s}\", (items++ ? \",\" : \"\"), text, done\n\
            \x20 }\n\
            \x20 END { print (items ? \"\\n]\" : \"]\") }' \"$TODO_FILE\"\n",
        test: "[ \"$(./todo json)\" = \"[]\" ]\n./todo add 'say \"hi\"' >/dev/null\n\
            ./todo json | grep -qF '{\"text\": \"say \\\"hi\\\"\", \"done\": false}'\n",
        readme: (
            "Run the tests with `./test.sh`.\n",
            "`todo json` prints the list for other programs.\n\nRun the tests with `./test.sh`.\n",
        ),
        summary: "`todo json` prints the list as a JSON array of objects with `text` and `done`; quotes and backslashes \
            are escaped. The test covers the empty list and an item with quotes, and the README mentions the command.",
        lesson: (
            "Escape backslashes before quotes when awk writes JSON",
            "The order of the two replacements decides whether an item with quotes becomes valid JSON.",
            "The `gsub` for backslashes comes before the one for quotes; the other way round, the backslashes that escape the \
                quotes are escaped again. The test with `say \"hi\"` catches it.",
        ),
    },
];

fn tool(name: &str, input: Value) -> (String, Value) {
    (name.to_owned(), input)
}

fn plan(tasks: &[String], done: usize) -> (String, Value) {
    let tasks: Vec<Value> = tasks
        .iter()
        .enumerate()
        .map(|(index, title)| {
            let status = match index {
                _ if index < done => "completed",
                _ if index == done => "in_progress",
                _ => "pending",
            };
            json!({ "title": title, "status": status })
        })
        .collect();
    tool("plan", json!({ "tasks": tasks }))
}

const TESTS: &str = "if [ -x ./test.sh ]; then ./test.sh; else echo 'no ./test.sh here'; fi";

/// The tasks that are worked on: the usual ones, those that were asked for later, or those that somebody wrote.
fn tasks(usual: &[&str], planning: Option<&Planning>) -> Vec<String> {
    let mut tasks: Vec<String> = usual.iter().map(|&task| task.to_owned()).collect();
    let Some(planning) = planning else { return tasks };
    tasks.extend(planning.feedback.iter().map(|words| format!("Take up: {}", short(words))));
    planning.tasks.clone().unwrap_or(tasks)
}

fn short(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(120).collect()
}

/// The proposals: one, and another after each word against it.
fn proposals(plan: &str, usual: &[&str], planning: Option<&Planning>) -> Vec<Step> {
    let Some(planning) = planning else { return Vec::new() };
    let versions = (0..=planning.feedback.len()).map(|heard| {
        let feedback = planning.feedback[..heard].to_vec();
        let asked: String = feedback.iter().map(|words| format!("- {}\n", short(words))).collect();
        let text = match asked.as_str() {
            "" => plan.to_owned(),
            asked => format!("{plan}\n## What was asked for\n\n{asked}"),
        };
        let tasks = tasks(usual, Some(&Planning { feedback, tasks: None }));
        let tasks: Vec<Value> = tasks.iter().map(|title| json!({ "title": title })).collect();
        Step {
            say: Some(match heard {
                0 => "I know enough for a plan. Please look at it.".to_owned(),
                _ => "I took that up in the plan.".to_owned(),
            }),
            tools: vec![tool("propose_plan", json!({ "text": text, "tasks": tasks }))],
            ..Step::default()
        }
    });
    versions.collect()
}

/// What was said to a plan, written where a reader will look for it.
fn asked(planning: Option<&Planning>) -> Vec<Step> {
    let feedback = planning.map(|planning| planning.feedback.as_slice()).unwrap_or_default();
    feedback.iter().map(|words| Step { tools: vec![append(words)], ..Step::default() }).collect()
}

/// The recipe that a text asks for. What is mentioned first is what is wanted; other commands may be spoken of beside it.
fn recipe(text: &str) -> Option<&'static Recipe> {
    let plain = text.to_lowercase();
    let first = |recipe: &&Recipe| recipe.mentions.iter().filter_map(|words| plain.find(words)).min();
    RECIPES.iter().filter(|recipe| first(recipe).is_some()).min_by_key(first)
}

/// What it finds worth keeping of the work that `asked` tells of; nothing of work that somebody scripted.
pub fn keep(asked: &str, scripted: bool) -> Vec<Step> {
    let work = asked.split_once("<transcript>").map_or(asked, |(_, work)| work);
    let call = match recipe(work).filter(|_| !scripted) {
        Some(recipe) => {
            let (title, description, content) = recipe.lesson;
            tool(
                "learning_record",
                json!({
                    "title": title, "description": description, "content": content, "type": "pattern",
                    "confidence": "high", "tags": ["commands"], "languages": ["shell"],
                    "filePatterns": ["commands/*.sh"],
                }),
            )
        }
        None => tool("nothing_to_keep", json!({})),
    };
    vec![Step { tools: vec![call], ..Step::default() }]
}

/// The answers to a first prompt. A plan is proposed first if there is a tool for it. Closing words that are to be JSON are.
pub fn work(prompt: &str, planning: Option<&Planning>) -> Vec<Step> {
    if let Some(words) = as_json(prompt) {
        return looked(&heading(prompt), words);
    }
    match recipe(prompt) {
        Some(recipe) => recipe.steps(planning),
        None => note(prompt, planning),
    }
}

impl Recipe {
    fn steps(&self, planning: Option<&Planning>) -> Vec<Step> {
        let usual = ["Look at how commands are made", "Write the command", "Write its test", "Run all tests"];
        let tasks = tasks(&usual, planning);
        let code = format!("commands/{}.sh", self.command);
        let test = format!("tests/{}.test.sh", self.command);
        let mut look =
            vec![tool("read", json!({ "path": "commands/list.sh" })), tool("grep", json!({ "pattern": "TODO_FILE" }))];
        // The list of tasks follows from the plan, where there is one.
        if planning.is_none() {
            look.insert(0, plan(&tasks, 0));
        }
        let mut steps = vec![
            Step {
                think: Some(format!(
                    "The request is to {}. I do not know this project yet. The README and AGENTS.md should say how a \
                     command is added and tested, so I read both and list the files before I plan anything.",
                    self.goal
                )),
                say: Some("I start with the project's own instructions and its layout.".to_owned()),
                tools: vec![
                    tool("read", json!({ "path": "AGENTS.md" })),
                    tool("read", json!({ "path": "README.md" })),
                    tool("glob", json!({ "pattern": "**/*.sh" })),
                ],
                ..Step::default()
            },
            Step {
                think: Some(
                    "A command is one file, and its first line is its help. I look at the closest one.".to_owned(),
                ),
                tools: look,
                ..Step::default()
            },
        ];
        let text = format!(
            "## Goal\n\nTo {}, by a command `todo {}`.\n\n## True when it is done\n\n- `todo help` names the command.\n\
             - Its test covers every case of the card, and `./test.sh` passes.\n- The README mentions it.\n\n\
             ## Changes\n\n- `{code}`: the command, in a file like the others.\n- `{test}`: its test.\n- `README.md`: a \
             line about it.\n\n## What could go wrong\n\nOther commands read the same list: its format stays as it is.\n",
            self.goal, self.command
        );
        steps.extend(proposals(&text, &usual, planning));
        steps.extend([
            Step {
                say: Some(format!(
                    "Commands are files that `todo` sources. I add `{code}` and mention it in the README."
                )),
                tools: vec![
                    tool("write", json!({ "path": code, "content": self.code })),
                    tool("edit", json!({ "path": "README.md", "oldText": self.readme.0, "newText": self.readme.1 })),
                    plan(&tasks, 2),
                ],
                ..Step::default()
            },
            Step {
                say: Some("Now a test for it, with the cases from the card.".to_owned()),
                tools: vec![tool("write", json!({ "path": test, "content": self.test })), plan(&tasks, 3)],
                ..Step::default()
            },
        ]);
        steps.extend(asked(planning));
        steps.extend([
            Step { tools: vec![tool("bash", json!({ "command": "./test.sh" }))], ..Step::default() },
            Step {
                think: Some("If every line says ok, the work is done; a last look at what changed.".to_owned()),
                tools: vec![
                    tool("bash", json!({ "command": "git status --short && ./todo help" })),
                    plan(&tasks, tasks.len()),
                ],
                ..Step::default()
            },
            Step { say: Some(self.summary.to_owned()), ..Step::default() },
        ]);
        steps
    }
}

/// For a request that the simulated model has no recipe for: an honest note in the repository.
fn note(prompt: &str, planning: Option<&Planning>) -> Vec<Step> {
    let title = heading(prompt);
    let path = format!("docs/notes/{}.md", slug(&title));
    let usual = ["Look around", "Write the request down", "Run the tests"];
    let tasks = tasks(&usual, planning);
    let mut look = vec![tool("glob", json!({ "pattern": "**/*" }))];
    if planning.is_none() {
        look.insert(0, plan(&tasks, 0));
    }
    let mut steps = vec![Step {
        think: Some("I look at what is here before I change anything.".to_owned()),
        say: Some("I look around first.".to_owned()),
        tools: look,
        ..Step::default()
    }];
    let text = format!(
        "## Goal\n\nTo write down what was requested: {title}.\n\n## Changes\n\n- `{path}`: a note. A simulated model has no \
         recipe for more.\n"
    );
    steps.extend(proposals(&text, &usual, planning));
    steps.extend([
        Step {
            tools: vec![
                tool(
                    "write",
                    json!({
                        "path": path,
                        "content": format!("# {title}\n\nRequested on the board. A simulated model wrote this note; it cannot build the feature.\n"),
                    }),
                ),
                plan(&tasks, 2),
            ],
            ..Step::default()
        },
    ]);
    steps.extend(asked(planning));
    steps.extend([
        Step { tools: vec![tool("bash", json!({ "command": TESTS })), plan(&tasks, tasks.len())], ..Step::default() },
        Step {
            say: Some(format!(
                "I am a simulated model and have no recipe for this request, so I only wrote it down in `{path}`. With a \
                 provider's key in Settings, a real model builds it."
            )),
            ..Step::default()
        },
    ]);
    steps
}

/// What it does as a step of the pipeline: it looks at the change and lets it pass; where the step is about documentation,
/// it writes a line.
pub fn pass(instructions: &str) -> Vec<Step> {
    let mut steps = vec![Step {
        think: Some("I look at the change first, and at nothing but the change.".to_owned()),
        say: Some("I look at the change.".to_owned()),
        tools: vec![tool("bash", json!({ "command": "git status --short && git diff HEAD --stat" }))],
        ..Step::default()
    }];
    let writes = instructions.to_lowercase().contains("document");
    if writes {
        steps.push(Step {
            say: Some("The README should speak of it.".to_owned()),
            tools: vec![append("What was built is described here by a simulated model.")],
            ..Step::default()
        });
    }
    let summary = match writes {
        true => "I read the change and wrote a line about it in the README.",
        false => "I read the change. Nothing in it needs mending.",
    };
    steps.push(Step { say: Some(summary.to_owned()), ..Step::default() });
    steps
}

/// The answers to a question where nothing can be changed. Closing words that are to be JSON are.
pub fn look(prompt: &str) -> Vec<Step> {
    let asked = heading(prompt);
    let words = as_json(prompt).unwrap_or_else(|| {
        format!(
            "I am the simulated model, so I can only say what I did: for “{asked}” I listed the files and the headings of the \
             documents, and changed nothing. A real model would answer from what it found there."
        )
    });
    looked(&asked, words)
}

/// A look at the project, and closing words.
fn looked(asked: &str, words: String) -> Vec<Step> {
    vec![
        Step {
            think: Some(format!(
                "I am asked: {asked}. I look, and change nothing. I begin with what the project says of itself."
            )),
            say: Some("I look at the project first.".to_owned()),
            tools: vec![
                tool("glob", json!({ "pattern": "**/*" })),
                tool("grep", json!({ "pattern": "^#", "glob": "*.md" })),
            ],
            ..Step::default()
        },
        Step { say: Some(words), ..Step::default() },
    ]
}

/// What is answered where closing words are to be JSON of the form that a JSON Schema at the end of the prompt describes: the
/// least that fits it, with the goal where it asks for cards.
fn as_json(prompt: &str) -> Option<String> {
    let (_, form) = prompt.rsplit_once("this JSON Schema describes:\n```json\n")?;
    let schema: Value = serde_json::from_str(form.split_once("\n```")?.0).ok()?;
    let mut least = fitting(&schema);
    if let Some(card) = least.pointer_mut("/cards/0") {
        let goal = prompt.split_once("The goal:").map_or(prompt, |(_, goal)| goal);
        let goal = goal.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('<'));
        let goal: String = goal.unwrap_or("What was asked for").trim_end_matches('.').chars().take(80).collect();
        card["description"] =
            format!("{goal}. Planned by the simulated model, which read no more than the goal.").into();
        card["title"] = goal.into();
    }
    Some(least.to_string())
}

/// A value that fits a schema: of each choice the first, and no more than what must be there.
fn fitting(schema: &Value) -> Value {
    let first = |word: &str| schema[word].as_array().and_then(|all| all.first());
    if let Some(only) = schema.get("const").or_else(|| first("enum")) {
        return only.clone();
    }
    if let Some(way) = first("anyOf") {
        return fitting(way);
    }
    let least = |word: &str| schema[word].as_u64().and_then(|least| usize::try_from(least).ok()).unwrap_or_default();
    match schema["type"].as_str().or_else(|| first("type").and_then(Value::as_str)) {
        Some("object") => {
            let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            names.map(|name| (name.to_owned(), fitting(&schema["properties"][name]))).collect()
        }
        Some("array") => (0..least("minItems")).map(|_| fitting(&schema["items"])).collect(),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(0)),
        Some("boolean") => json!(false),
        Some("null") => Value::Null,
        _ => {
            let about = schema["description"].as_str().unwrap_or("what is asked for");
            let words = format!("(The simulated model wrote this and found nothing out. Asked for: {about})");
            let most = schema["maxLength"].as_u64().and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
            let words: String = words.chars().take(most).collect();
            let missing = least("minLength").saturating_sub(words.chars().count());
            json!(words + &"-".repeat(missing))
        }
    }
}

/// The answers to what a member says later.
pub fn follow_up(prompt: &str) -> Vec<Step> {
    let words: String = prompt.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect();
    vec![
        Step {
            think: Some(format!("The reviewer asks: {words}. I make that change where a reader will look for it.")),
            say: Some("I take that up.".to_owned()),
            tools: vec![append(&words)],
            ..Step::default()
        },
        Step { tools: vec![tool("bash", json!({ "command": TESTS }))], ..Step::default() },
        Step { say: Some(format!("I added this to the README and ran the tests again: {words}")), ..Step::default() },
    ]
}

/// Writes words at the end of the README.
fn append(words: &str) -> (String, Value) {
    let words: String = words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect();
    let quoted = words.replace('\'', "'\\''");
    tool(
        "bash",
        json!({ "command": format!("printf '\\n## Note\\n\\n%s\\n' '{quoted}' >> README.md && tail -n 5 README.md") }),
    )
}

/// The first heading of a prompt, or its first line.
fn heading(prompt: &str) -> String {
    let lines = || prompt.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines().find(|line| line.starts_with('#')).or_else(|| lines().next()).unwrap_or("a request");
    line.trim_start_matches(['#', ' ']).chars().take(80).collect()
}

fn slug(title: &str) -> String {
    let words: Vec<String> = title
        .to_lowercase()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(8)
        .map(str::to_owned)
        .collect();
    if words.is_empty() { "request".to_owned() } else { words.join("-") }
}
