//! What members say while an agent works, and after it.

use std::sync::Arc;

use guildhall_agent::{ToolAnswer, Toolbox};

use crate::house::{Handy, House, done, script};

#[tokio::test]
async fn what_is_said_during_work_is_read_at_the_next_turn() {
    let house = House::new().await;
    let book = Arc::clone(&house.book);
    let prompt = script(&[r#"{"tools": [["work", {}]]}"#, r#"{"tools": [["work", {}]]}"#, r#"{"say": "Done."}"#]);
    let mut job = house.job(&prompt);
    job.tools = Toolbox::new(vec![Handy::tool("work", false, move |_, call| {
        if call == 1 {
            book.say("In blue, please.");
            book.say("And quickly.");
        }
        ToolAnswer::ok(call.to_string())
    })]);
    done(house.run(job).await);
    let requests = house.sim.requests();
    let second = requests[1]["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(second["content"][0]["type"], "tool_result");
    assert_eq!(
        (&second["content"][1]["text"], &second["content"][2]["text"]),
        (&"In blue, please.".into(), &"And quickly.".into())
    );
    let pages = house.book.pages();
    assert_eq!(pages.turns[1].input.len(), 2);
    assert!(pages.inbox.is_empty() && pages.turns[2].input.is_empty());
}

#[tokio::test]
async fn what_is_said_in_the_last_moment_keeps_the_agent_at_work() {
    let house = House::new().await;
    let prompt = script(&[r#"{"tools": [["work", {}]]}"#, r#"{"say": "Done."}"#]);
    let book = Arc::clone(&house.book);
    let mut job = house.job(&prompt);
    job.tools = Toolbox::new(vec![Handy::tool("work", false, |_, _| ToolAnswer::ok("x"))]);
    // Said while the closing words are being written.
    let (summary, ()) = tokio::join!(house.run(job), async {
        while house.sim.requests().len() < 2 {
            tokio::task::yield_now().await;
        }
        book.say("```sim\n{\"say\": \"This too.\"}\n```");
    });
    assert_eq!(done(summary), "This too.");
    assert_eq!(house.sim.requests().len(), 3);
}

#[tokio::test]
async fn a_follow_up_goes_on_with_the_conversation() {
    let house = House::new().await;
    let prompt = script(&[r#"{"say": "Done."}"#]);
    done(house.run(house.job(&prompt)).await);
    house.book.say("Change the colour.\n```sim\n{\"say\": \"Changed.\"}\n```");
    assert_eq!(done(house.run(house.job(&prompt)).await), "Changed.");
    let requests = house.sim.requests();
    assert_eq!(requests[1]["messages"].as_array().unwrap().len(), 3);
    assert_eq!(requests[1]["messages"][0], requests[0]["messages"][0]);
}
