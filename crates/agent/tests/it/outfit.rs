//! Secrets of a project: given to the commands that ask for them, and read by nobody.

use guildhall_agent::{Job, tools};
use guildhall_sandbox::{Isolation, Room, RoomSecret, Sandbox, Secrets, Workspace};
use guildhall_types::chat::Block;
use guildhall_types::run::RunEvent;
use guildhall_types::secret::SecretUse;

use crate::house::{House, done, script};

const TOKEN: &str = "tok/0123+secret=value";

#[tokio::test]
async fn a_secret_is_given_to_the_command_that_asks_and_reaches_no_words() {
    let (house, dir) = (House::new().await, tempfile::tempdir().unwrap());
    std::fs::write(dir.path().join("AGENTS.md"), format!("The token is {TOKEN}.")).unwrap();
    let secrets = Secrets::new(vec![
        RoomSecret { name: "TOKEN".to_owned(), value: TOKEN.to_owned().into(), uses: vec![SecretUse::Agents] },
        RoomSecret {
            name: "ELSE".to_owned(),
            value: "for checks only".to_owned().into(),
            uses: vec![SecretUse::Checks],
        },
    ]);
    let room = Room { secrets: secrets.clone(), ..Room::new(dir.path().canonicalize().unwrap()) };
    let workspace = Workspace::open(dir.path()).unwrap();
    let tools = tools::standard(workspace, Sandbox::new(Isolation::Bubblewrap), room);
    let spec = tools.specs().into_iter().find(|spec| spec.name == "bash").unwrap();
    assert!(spec.description.contains("TOKEN.") && !spec.description.contains("ELSE"), "{}", spec.description);
    assert_eq!(spec.input_schema["properties"]["secrets"]["items"]["enum"], serde_json::json!(["TOKEN"]));

    let lines = [
        r#"{"tools": [["bash", {"command": "echo ${#TOKEN}; printf %s \"$TOKEN\" > left.txt", "secrets": ["TOKEN"]}]]}"#,
        r#"{"tools": [["bash", {"command": "echo ${#TOKEN}; cat left.txt; exit 1"}]]}"#,
        r#"{"tools": [["bash", {"command": "true", "secrets": ["ELSE"]}]]}"#,
        r#"{"tools": [["read", {"path": "left.txt"}], ["grep", {"pattern": "secret="}], ["read", {"path": "AGENTS.md"}]]}"#,
        r#"{"say": "Done."}"#,
    ];
    let job = house.job(&script(&lines));
    let mut opening = job.opening.clone();
    opening.push(Block::text(format!("By the way, it is {TOKEN}.")));
    done(house.run(Job { tools, blot: secrets.blot().clone(), opening, ..job }).await);

    assert_eq!(house.book.results(1)[0], (format!("{}\n(exit code 0)", TOKEN.len()), false));
    assert_eq!(house.book.results(2)[0], ("0\n[secret TOKEN]\n(exit code 1)".to_owned(), true));
    assert!(house.book.results(3)[0].0.contains("There is: TOKEN."), "{:?}", house.book.results(3));
    let looked = house.book.results(4);
    assert!(looked.iter().all(|(text, failed)| !failed && text.contains("[secret TOKEN]")), "{looked:?}");
    let sent = house.sim.requests().iter().map(ToString::to_string).collect::<String>();
    assert!(!sent.contains(TOKEN) && sent.contains("By the way, it is [secret TOKEN]."), "{sent}");
    let pages = house.book.pages();
    let told = serde_json::to_string(&pages.events).unwrap() + &format!("{:?}", pages.live);
    assert!(!told.contains(TOKEN));
    // That it was used is told by its name.
    let asked = pages.events.iter().any(|event| match event {
        RunEvent::ToolStarted { input, .. } => input["secrets"] == serde_json::json!(["TOKEN"]),
        _ => false,
    });
    assert!(asked);
}
