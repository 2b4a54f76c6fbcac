//! How far the agent's tasks are, in words for the model: it may have lost sight of them.

use guildhall_types::chat::Block;
use guildhall_types::run::{Task, TaskStatus};

use crate::conversation;

/// The tasks as a list, with how many are done; nothing when there are none.
pub(crate) fn words(tasks: &[Task]) -> Option<String> {
    if tasks.is_empty() {
        return None;
    }
    let done = tasks.iter().filter(|task| task.status == TaskStatus::Completed).count();
    let mut text = format!("{done} of {} tasks done:\n", tasks.len());
    let mut phase = None;
    for (number, task) in (1..).zip(tasks) {
        if task.phase.is_some() && phase != task.phase.as_ref() {
            phase = task.phase.as_ref();
            text.push_str(&format!("\n{}:\n", phase.map_or("", String::as_str)));
        }
        let mark = match task.status {
            TaskStatus::Pending => ' ',
            TaskStatus::InProgress => '>',
            TaskStatus::Completed => 'x',
        };
        text.push_str(&format!("{number}. [{mark}] {}\n", task.title));
    }
    Some(text.trim_end().to_owned())
}

/// What the model is told when it goes on after an interruption.
pub(super) fn note(tasks: &[Task]) -> Option<Block> {
    let words = words(tasks)?;
    Some(conversation::note(&format!(
        "The work goes on. Your tasks, as they are shown to the members: {words}\nKeep them up to date with `update_tasks`."
    )))
}
