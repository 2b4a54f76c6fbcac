//! What an agent is told.

use guildhall_agent::prompt::{
    Aside, Facts, Instruction, Known, Outfit, Persona, Reached, Step, instructions, is_cut, opening, system,
};
use guildhall_sandbox::Workspace;
use guildhall_types::chat::Block;
use guildhall_types::feature::{Attachment, PlanningMode};
use guildhall_types::run::SaidFile;
use guildhall_types::{AttachmentId, FeatureId};

fn facts(planning: PlanningMode) -> Facts {
    Facts {
        project: "Sample".to_owned(),
        branch: "guildhall/7-todo-done".to_owned(),
        default_branch: "main".to_owned(),
        built_on: Vec::new(),
        planning,
        approval: false,
        verify_commands: vec!["./test.sh".to_owned(), "make lint".to_owned()],
        project_instructions: "Write in British English.\n".to_owned(),
        instructions: vec![Instruction { path: "AGENTS.md".to_owned(), text: "- Plain Bash <only>.".to_owned() }],
        network: Reached::Nothing,
        outfit: Outfit::default(),
        known: Known::default(),
        hub: true,
        step: None,
        aside: None,
        agent: None,
    }
}

fn text(facts: &Facts) -> String {
    let parts: Vec<String> = system(facts).unwrap().into_iter().map(|part| part.text).collect();
    parts.join("\n\n=====\n\n")
}

#[test]
fn the_system_prompt() {
    insta::assert_snapshot!(text(&facts(PlanningMode::Lite)));
}

#[test]
fn the_system_prompt_with_little_to_say() {
    let facts = Facts {
        verify_commands: Vec::new(),
        project_instructions: "  \n".to_owned(),
        instructions: Vec::new(),
        network: Reached::World,
        outfit: Outfit::default(),
        ..facts(PlanningMode::Skip)
    };
    let parts = system(&facts).unwrap();
    insta::assert_snapshot!(parts[1].text);
}

#[test]
fn an_agent_is_told_what_it_builds_on() {
    let told = |cards: usize| {
        let built_on = (1..=cards).map(|n| format!("#{n} “Card {n}”")).collect();
        system(&Facts { built_on, ..facts(PlanningMode::Skip) }).unwrap()[1].text.clone()
    };
    assert!(!told(0).contains("holds the work of"));
    let two = "from `main`.\nThe worktree holds the work of #1 “Card 1”, #2 “Card 2” already: build on it, and do not";
    assert!(told(2).contains(two), "{}", told(2));
    assert!(told(12).contains("#10 “Card 10” and others already"), "{}", told(12));
}

#[test]
fn an_agent_is_told_what_its_commands_reach() {
    let told = |network: Reached| {
        let text = system(&Facts { network, ..facts(PlanningMode::Skip) }).unwrap()[1].text.clone();
        text.split("\n\n").nth(1).unwrap().lines().skip(1).collect::<Vec<_>>().join("\n")
    };
    let listed = |registries, hosts: &[&str]| {
        told(Reached::Listed { registries, hosts: hosts.iter().map(|host| (*host).to_owned()).collect() })
    };
    let own = listed(false, &["a.example", "*.b.example:8443"]);
    assert!(own.starts_with("Of the network, commands reach a.example, *.b.example:8443,\nthrough the proxy"), "{own}");
    let both = listed(true, &["a.example"]);
    assert!(both.contains("package registries") && both.contains("others) and a.example,\nthrough"), "{both}");
    let usual = listed(true, &[]);
    assert!(usual.contains("and others),\nthrough") && usual.contains("a member can allow it"), "{usual}");
    assert!(listed(false, &[]).starts_with("Commands reach no host"));
    let many: Vec<String> = (0..40).map(|n| format!("h{n}.example")).collect();
    let many = told(Reached::Listed { registries: false, hosts: many });
    assert!(many.contains("h29.example and more,") && !many.contains("h30.example"), "{many}");
    assert_eq!(told(Reached::Everything), "Commands reach the network.");
    assert!(told(Reached::World).contains("nothing else leads out"));
}

#[test]
fn the_system_prompt_of_a_step() {
    let step = Step { name: "Review".to_owned(), instructions: "Look at {{ all }} of it.\n".to_owned() };
    let facts = Facts { step: Some(step), approval: true, ..facts(PlanningMode::Full) };
    let text = text(&facts);
    assert!(!text.contains("propose_plan") && !text.contains("update_tasks"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn the_system_prompt_of_a_chat_and_of_a_task() {
    let persona = Persona { name: "Scout".to_owned(), instructions: "Find {{ it }}.\n".to_owned() };
    let told = |chat, read_only| {
        let aside = Some(Aside { chat, read_only });
        text(&Facts { aside, agent: Some(persona.clone()), approval: true, ..facts(PlanningMode::Full) })
    };
    let [reads, works, task] = [told(true, true), told(true, false), told(false, true)];
    for text in [&reads, &works, &task] {
        assert!(!text.contains("propose_plan") && !text.contains("update_tasks"), "{text}");
        assert!(text.contains("# Who you are: Scout\n") && text.contains("Find {{ it }}."), "{text}");
    }
    assert!(reads.contains("no file can be changed here") && !works.contains("no file can be changed here"));
    assert!(task.contains("one task") && task.contains("complete in itself") && !reads.contains("one task"));
    insta::assert_snapshot!(reads);
}

#[test]
fn what_is_the_same_for_every_run_comes_first_and_the_modes_differ() {
    let [skip, lite, spec, full] = [PlanningMode::Skip, PlanningMode::Lite, PlanningMode::Spec, PlanningMode::Full]
        .map(|mode| system(&facts(mode)).unwrap());
    assert!([&lite, &spec, &full].iter().all(|other| other[0] == skip[0] && other[1] != skip[1]));
    assert!(spec[1].text.contains("specification") && full[1].text.contains("phases"));
    assert!(skip[0].text.contains("is data"));
}

#[test]
fn a_template_takes_values_as_they_are() {
    let facts = Facts {
        project: "{{ 7 * 7 }} & <b>".to_owned(),
        project_instructions: "{% if x %}".to_owned(),
        ..facts(PlanningMode::Skip)
    };
    let text = text(&facts);
    assert!(text.contains("“{{ 7 * 7 }} & <b>”") && text.contains("{% if x %}") && text.contains("<only>"), "{text}");
}

fn attached(name: &str, media_type: &str, bytes: &[u8]) -> SaidFile {
    let attachment = Attachment {
        id: AttachmentId::new(),
        feature_id: FeatureId::new(),
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        size: bytes.len() as i64,
        created_at: chrono::DateTime::UNIX_EPOCH,
        created_by: None,
    };
    SaidFile { attachment, bytes: bytes.to_vec() }
}

#[test]
fn a_card_opens_the_conversation_with_what_is_attached() {
    let files = [
        attached("sketch.png", "image/png", b"\x89PNG"),
        attached("log.txt", "text/plain", b"a\n```\nb\n"),
        attached("x.bin", "text/plain", b"\xff"),
    ];
    let blocks = opening(" Mark items ", "Add a command.\n", &files);
    assert_eq!(blocks[0], Block::text("# Mark items\n\nAdd a command."));
    assert_eq!(blocks[1], Block::text("The attached image `sketch.png`:"));
    assert_eq!(blocks[2], Block::Image { media_type: "image/png".to_owned(), data: "iVBORw==".to_owned() });
    assert_eq!(blocks[3], Block::text("The attached file `log.txt`:\n\n````\na\n```\nb\n````"));
    assert_eq!(blocks[4], Block::text("The attached file `x.bin` (text/plain, 1 bytes) holds no text."));
    assert_eq!(opening("Only a title", "", &[]), [Block::text("# Only a title")]);
}

#[test]
fn many_long_texts_share_what_is_shown_of_them_and_name_their_ids() {
    let long = format!("first\n{}last\n", "middle\n".repeat(20_000));
    let one = [attached("a.log", "text/plain", long.as_bytes()), attached("b.png", "image/png", &[0; 200_000])];
    let many: Vec<SaidFile> = (0..20).map(|n| attached(&format!("{n}.log"), "text/plain", long.as_bytes())).collect();
    for (files, most) in [(&one[..], 66_000), (&many, 270_000)] {
        let metas: Vec<Attachment> = files.iter().map(|file| file.attachment.clone()).collect();
        assert!(is_cut(&metas));
        let texts: Vec<String> = opening("t", "", files)
            .into_iter()
            .filter_map(|block| match block {
                Block::Text { text } if text.contains("first") => Some(text),
                _ => None,
            })
            .collect();
        let shown: usize = texts.iter().map(String::len).sum();
        assert!(shown < most && shown > most * 9 / 10, "{shown}");
        for (text, file) in texts.iter().zip(files) {
            let end = text.ends_with("last\n```") && text.contains("characters left out");
            assert!(
                end && text.contains(&file.attachment.id.to_string()) && text.contains("attachment_read"),
                "{text}"
            );
        }
    }
    let short = attached("c.txt", "text/plain", b"short");
    assert!(!is_cut(&[one[1].attachment.clone(), short.attachment]));
}

fn found(files: &[(&str, &[u8])]) -> Vec<(String, String)> {
    let dir = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        std::fs::write(dir.path().join(path), bytes).unwrap();
    }
    let found = instructions(&Workspace::open(dir.path()).unwrap());
    found.into_iter().map(|found| (found.path, found.text)).collect()
}

#[test]
fn the_repositorys_instructions_are_read_once_each() {
    let agents = ("AGENTS.md".to_owned(), "Test it.".to_owned());
    assert_eq!(found(&[]), []);
    for claude in ["", "Test it.", "@AGENTS.md\n", "See AGENTS.md, please."] {
        assert_eq!(found(&[("AGENTS.md", b"Test it.\n"), ("CLAUDE.md", claude.as_bytes())]), vec![agents.clone()]);
    }
    let claude = ("CLAUDE.md".to_owned(), "Use tabs.".to_owned());
    assert_eq!(found(&[("CLAUDE.md", b"Use tabs.\n"), ("AGENTS.md", b"Test it.\n")]), [agents, claude.clone()]);
    assert_eq!(found(&[("CLAUDE.md", b"Use tabs.\n"), ("AGENTS.md", b"\n")]), [claude]);
}

#[test]
fn instructions_that_are_too_long_or_no_text_are_said_to_be() {
    let long = found(&[("AGENTS.md", "ä".repeat(20_000).as_bytes())]);
    assert!(long[0].1.len() < 33_000 && long[0].1.contains("has 40000 bytes; this is its beginning"));
    let odd = found(&[("AGENTS.md", b"caf\xe9"), ("CLAUDE.md", b"Use tabs.")]);
    assert_eq!(odd[0].1, "(AGENTS.md is not UTF-8 and was left out.)");
    assert_eq!(odd[1].1, "Use tabs.");
}

#[test]
fn where_a_person_approves_the_plan_every_mode_says_how() {
    for mode in [PlanningMode::Lite, PlanningMode::Spec, PlanningMode::Full] {
        let parts = system(&Facts { approval: true, ..facts(mode) }).unwrap();
        let without = system(&facts(mode)).unwrap();
        assert_eq!(parts[0], without[0]);
        assert!(parts[1].text.contains("`propose_plan` ends your work until"), "{}", parts[1].text);
        assert!(!without[1].text.contains("ends your work until"));
        assert_eq!(without[1].text.contains("propose_plan"), mode != PlanningMode::Lite);
    }
    insta::assert_snapshot!(system(&Facts { approval: true, ..facts(PlanningMode::Spec) }).unwrap()[1].text);
}
