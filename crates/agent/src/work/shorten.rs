//! Makes a conversation shorter.

use guildhall_llm::{Request, SystemPart};
use guildhall_types::chat::{Message, StopReason};
use guildhall_types::feature::ThinkingLevel;
use guildhall_types::run::{Compaction, RunEvent};

use super::{Work, given_up, standing};
use crate::Ended;
use crate::caller::NoAnswer;
use crate::text::bounded;

/// Tokens of a summary at most.
const SUMMARY: i64 = 8_000;
impl Work<'_> {
    /// About how many tokens the next call has, without what is said in it.
    pub(super) fn size(&self) -> i64 {
        self.size.unwrap_or_else(|| {
            let system: usize = self.system.iter().map(|part| part.text.len()).sum();
            let tools: usize =
                self.specs.iter().map(|tool| tool.description.len() + tool.input_schema.to_string().len()).sum();
            self.talk.tokens() + (system + tools) as i64 / 3
        })
    }

    /// Puts a summary in the place of all but the latest turns. Returns whether there was anything to summarise; when it
    /// need not be, little is not worth it.
    pub(super) async fn shorten(&mut self, needed: bool) -> Result<bool, Ended> {
        // The provider counts, we only estimate: when there must be room, and all of it seems little, all of it goes.
        let some = self.talk.could_go(self.window / 5);
        let Some((upto, gone)) = some.or_else(|| self.talk.could_go(0).filter(|_| needed)) else { return Ok(false) };
        if !needed && gone < self.window / 10 {
            return Ok(false);
        }
        let before_tokens = self.size();
        // At a byte and a half for each token of the window, the transcript fits whatever language it is in.
        let most = usize::try_from(self.window).unwrap_or_default() * 3 / 2;
        let transcript = self.talk.transcript(upto, most);
        let ask = format!(
            "{}\n<transcript>\n{transcript}\n</transcript>",
            include_str!("../../prompts/summary.md").trim_end()
        );
        let size = ask.len() as i64 / 3;
        let request = Request {
            model: &self.model,
            system: &[SystemPart { text: include_str!("../../prompts/summary-system.md").to_owned() }],
            tools: &[],
            messages: &[Message::user(ask)],
            max_tokens: self.max_tokens.min(SUMMARY),
            thinking: ThinkingLevel::None,
            temperature: None,
            must_call: false,
        };
        let answer = match self.caller.call(&request, size, None).await {
            Ok(answer) => answer,
            Err(NoAnswer::Ended(ended)) => return Err(ended),
            Err(NoAnswer::GivenUp(error)) => return Err(given_up(&error)),
        };
        self.journal.billed(&self.caller.bill(None, &answer.model, answer.usage)).await?;
        let mut summary = answer.message.plain_text().trim().to_owned();
        if summary.is_empty() || answer.stop_reason == StopReason::Refusal {
            summary = format!(
                "(No summary could be had; this is what remains of the transcript.)\n\n{}",
                bounded(&transcript, 8_000)
            );
        }
        // Of all that is summarised this must be exact, and the model need not have said it.
        if let Some(tasks) = standing::words(&self.journal.tasks().await?) {
            summary.push_str(&format!("\n\nYour tasks, as they are shown to the members: {tasks}"));
        }
        self.journal.happened(vec![RunEvent::Compacted { before_tokens, summary: summary.clone() }]).await?;
        let compaction = Compaction { summary, upto };
        self.talk.compact(&compaction);
        self.compacted = Some(compaction);
        self.size = None;
        self.caller.cached = None;
        Ok(true)
    }
}
