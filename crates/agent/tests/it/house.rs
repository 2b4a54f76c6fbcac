//! What the tests share: a journal in memory that keeps to the rules, tools that can be watched, and jobs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use guildhall_agent::{
    Call, Ended, Job, Journal, JournalError, Leave, PriceTable, Tool, ToolAnswer, ToolContext, ToolImage, Toolbox, run,
};
use guildhall_llm::governor::{Governor, Settings};
use guildhall_llm::{Backoff, Client, Endpoint, Patience, Secret};
use guildhall_sim::{Config, Sim};
use guildhall_types::budget::Need;
use guildhall_types::chat::{Block, StopReason, ToolSpec};
use guildhall_types::event::OutputStream;
use guildhall_types::feature::Attachment;
use guildhall_types::member::ProviderKind;
use guildhall_types::plan::Proposal;
use guildhall_types::run::{RunEvent, Said, Task, Turn};
use guildhall_types::{AttachmentId, Clock, FeatureId, FixedClock, MemberId};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// Where an agent's work is cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cut {
    /// Before this entry into the journal is taken.
    Before(usize),
    /// After it is taken, and before the agent hears of it.
    After(usize),
}

#[derive(Default)]
pub struct Pages {
    pub turns: Vec<Turn>,
    pub calls: Vec<Call>,
    pub events: Vec<RunEvent>,
    pub inbox: Vec<Said>,
    pub plans: Vec<Vec<Task>>,
    pub proposals: Vec<Proposal>,
    pub live: Vec<(i64, OutputStream, String)>,
    /// For each settled turn, whether files may have changed.
    pub changed: Vec<bool>,
    /// What the entries so far were, and that of the cut.
    pub entries: Vec<&'static str>,
    pub cut_in: Option<&'static str>,
    /// What the calls asked money for.
    pub needs: Vec<Need>,
    /// Whether money is set aside.
    pub reserved: bool,
    /// Turns of the run that another agent made.
    pub elsewhere: usize,
    /// The images that were kept: whose tool, and how large.
    pub kept: Vec<(String, usize)>,
    /// How many may be; none more when nobody says otherwise.
    pub keeps: usize,
    said: i64,
}

type Leaver = Box<dyn FnMut(&Pages, &Need) -> Leave + Send>;
type Hook = Box<dyn FnMut(&RunEvent) + Send>;

/// A journal in memory. What breaks its rules breaks the test.
#[derive(Default)]
pub struct Book {
    pages: Mutex<Pages>,
    cut: Mutex<Option<Cut>>,
    reached: Notify,
    /// Taken at each event.
    pub on_event: Mutex<Option<Hook>>,
    /// What calls are answered that ask for money; all of it when nobody says otherwise.
    pub leave: Mutex<Option<Leaver>>,
    /// What models cost.
    pub prices: Mutex<PriceTable>,
    /// Fails every entry from now on.
    pub broken: Mutex<bool>,
}

impl Book {
    pub fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap()
    }

    pub fn say(&self, text: &str) {
        let mut pages = self.pages();
        pages.said += 1;
        let said = Said { seq: pages.said, member_id: MemberId::new(), text: text.to_owned(), files: Vec::new() };
        pages.inbox.push(said);
    }

    /// The results of a turn's tools.
    pub fn results(&self, turn: usize) -> Vec<(String, bool)> {
        self.pages().turns[turn - 1]
            .results
            .iter()
            .flatten()
            .map(|block| match block {
                Block::ToolResult { content, is_error, .. } => (content.clone(), *is_error),
                other => panic!("no result: {other:?}"),
            })
            .collect()
    }

    pub fn waits(&self) -> Vec<String> {
        let pages = self.pages();
        let waits = pages.events.iter().filter_map(|event| match event {
            RunEvent::Waiting { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        waits.collect()
    }

    /// The calls that were billed beside the turns.
    pub fn side_calls(&self) -> usize {
        self.pages().calls.iter().filter(|call| call.turn.is_none()).count()
    }

    async fn entry(&self, what: &'static str, take: impl FnOnce(&mut Pages)) -> Result<(), JournalError> {
        if *self.broken.lock().unwrap() {
            return Err(JournalError::Lost);
        }
        let cut = *self.cut.lock().unwrap();
        let number = {
            let mut pages = self.pages();
            pages.entries.push(what);
            pages.entries.len()
        };
        if cut == Some(Cut::Before(number)) {
            self.hold(what).await;
        }
        take(&mut self.pages());
        if cut == Some(Cut::After(number)) {
            self.hold(what).await;
        }
        Ok(())
    }

    async fn hold(&self, what: &'static str) {
        self.pages().cut_in = Some(what);
        self.reached.notify_one();
        std::future::pending::<()>().await;
    }
}

#[async_trait]
impl Journal for Book {
    async fn inbox(&self) -> Result<Vec<Said>, JournalError> {
        Ok(self.pages().inbox.clone())
    }

    async fn answered(
        &self,
        turn: &Turn,
        read_upto: Option<i64>,
        call: &Call,
        events: Vec<RunEvent>,
    ) -> Result<(), JournalError> {
        let (turn, call) = (turn.clone(), call.clone());
        self.entry("answered", move |pages| {
            assert_eq!(
                turn.number as usize,
                pages.turns.len() + pages.elsewhere + 1,
                "turns are numbered without gaps"
            );
            assert!(pages.turns.last().is_none_or(|last| last.results.is_some()), "the turn before is settled");
            assert!(turn.results.is_none() && turn.snapshot.is_none());
            assert!(std::mem::take(&mut pages.reserved), "a call is paid of what was set aside");
            assert_eq!((call.turn, call.usage), (Some(turn.number), turn.usage));
            assert!(events.iter().all(|event| matches!(event, RunEvent::Text { .. } | RunEvent::Thinking { .. })));
            if let Some(upto) = read_upto {
                pages.inbox.retain(|said| said.seq > upto);
            }
            // As a database would: what is read back is what was written.
            let saved = serde_json::from_str(&serde_json::to_string(&turn).unwrap()).unwrap();
            assert_eq!(turn, saved);
            pages.turns.push(saved);
            pages.calls.push(call);
            pages.events.extend(events);
        })
        .await
    }

    async fn settled(&self, turn: &Turn, call: &Call, changed_files: bool) -> Result<(), JournalError> {
        let (turn, call) = (turn.clone(), call.clone());
        self.entry("settled", move |pages| {
            let saved = pages.turns.last_mut().unwrap();
            assert!(saved.results.is_none(), "a turn is settled once");
            assert_eq!((call.turn, call.usage), (Some(saved.number), saved.usage));
            let results = turn.results.clone().unwrap();
            let asked: Vec<&str> = saved.answer.tool_uses().map(|(id, _, _)| id).collect();
            let answered: Vec<&str> = results
                .iter()
                .map(|block| match block {
                    Block::ToolResult { tool_use_id, .. } => tool_use_id.as_str(),
                    other => panic!("no result: {other:?}"),
                })
                .collect();
            assert_eq!(asked, answered, "each call has its result");
            // As a database would, again.
            saved.results = Some(serde_json::from_str(&serde_json::to_string(&results).unwrap()).unwrap());
            assert_eq!(saved.results.as_ref(), Some(&results));
            pages.proposals.extend(guildhall_agent::tools::proposal(&turn));
            pages.changed.push(changed_files);
        })
        .await
    }

    async fn reserve(&self, need: &Need) -> Result<Leave, JournalError> {
        let mut pages = self.pages();
        let leave = match &mut *self.leave.lock().unwrap() {
            Some(leave) => leave(&pages, need),
            None => Leave::Go { output: need.output, prices: self.prices.lock().unwrap().clone() },
        };
        pages.needs.push(*need);
        pages.reserved = matches!(leave, Leave::Go { .. });
        Ok(leave)
    }

    async fn unused(&self) -> Result<(), JournalError> {
        let mut pages = self.pages();
        assert!(std::mem::take(&mut pages.reserved), "only what was set aside is let go");
        Ok(())
    }

    async fn billed(&self, call: &Call) -> Result<(), JournalError> {
        let call = call.clone();
        self.entry("billed", move |pages| {
            assert_eq!(call.turn, None);
            assert!(std::mem::take(&mut pages.reserved), "a call is paid of what was set aside");
            pages.calls.push(call);
        })
        .await
    }

    async fn happened(&self, events: Vec<RunEvent>) -> Result<(), JournalError> {
        assert!(!events.is_empty());
        if let Some(hook) = &mut *self.on_event.lock().unwrap() {
            events.iter().for_each(hook);
        }
        self.entry("happened", move |pages| {
            for event in &events {
                if let RunEvent::ToolStarted { turn, .. } | RunEvent::ToolFinished { turn, .. } = event {
                    let last = pages.turns.last().unwrap();
                    assert!(last.number == *turn && last.results.is_none(), "tools run in an answered turn");
                }
            }
            pages.events.extend(events);
        })
        .await
    }

    async fn keep(&self, tool: &str, image: &ToolImage) -> Result<Option<Attachment>, JournalError> {
        let mut pages = self.pages();
        if pages.kept.len() >= pages.keeps {
            return Ok(None);
        }
        pages.kept.push((tool.to_owned(), image.bytes.len()));
        Ok(Some(attachment(tool, image.media_type, image.bytes.len())))
    }

    async fn tasks(&self) -> Result<Vec<Task>, JournalError> {
        Ok(self.pages().plans.last().cloned().unwrap_or_default())
    }

    async fn planned(&self, tasks: &[Task]) -> Result<(), JournalError> {
        let tasks = tasks.to_vec();
        self.entry("planned", move |pages| pages.plans.push(tasks)).await
    }

    fn live(&self, turn: i64, stream: OutputStream, text: &str) {
        self.pages().live.push((turn, stream, text.to_owned()));
    }
}

/// A file that is kept somewhere.
pub fn attachment(name: &str, media_type: &str, size: usize) -> Attachment {
    Attachment {
        id: AttachmentId::new(),
        feature_id: FeatureId::new(),
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        size: size as i64,
        created_at: FixedClock::default().now(),
        created_by: None,
    }
}

type Does = Box<dyn Fn(&Value, usize) -> ToolAnswer + Send + Sync>;

/// A tool that is made of a function of its arguments and the number of the call, from 1.
pub struct Handy {
    name: &'static str,
    changes: bool,
    calls: AtomicUsize,
    does: Does,
}

impl Handy {
    pub fn tool(
        name: &'static str,
        changes: bool,
        does: impl Fn(&Value, usize) -> ToolAnswer + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { name, changes, calls: AtomicUsize::new(0), does: Box::new(does) })
    }
}

#[async_trait]
impl Tool for Handy {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: self.name.to_owned(),
            description: "A tool.".to_owned(),
            input_schema: json!({ "type": "object" }),
        }
    }

    fn changes_files(&self) -> bool {
        self.changes
    }

    async fn call(&self, input: Value, _context: ToolContext<'_>) -> ToolAnswer {
        (self.does)(&input, self.calls.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

/// A tool that never answers, and says when it begins and when it is dropped.
#[derive(Default)]
pub struct Stuck {
    pub begun: Notify,
    pub dropped: Arc<AtomicUsize>,
}

#[async_trait]
impl Tool for Stuck {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "stuck".to_owned(),
            description: "Hangs.".to_owned(),
            input_schema: json!({ "type": "object" }),
        }
    }

    async fn call(&self, _input: Value, _context: ToolContext<'_>) -> ToolAnswer {
        struct Dropped(Arc<AtomicUsize>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let _dropped = Dropped(Arc::clone(&self.dropped));
        self.begun.notify_one();
        std::future::pending().await
    }
}

/// `echo` answers with its arguments, `write` with "written"; nothing else happens.
pub fn simple_tools() -> Toolbox {
    Toolbox::new(vec![
        Handy::tool("echo", false, |input, _| ToolAnswer::ok(input["text"].as_str().unwrap_or("?"))),
        Handy::tool("write", true, |_, _| ToolAnswer::ok("written")),
    ])
}

/// A provider and a run on it.
pub struct House {
    pub sim: Arc<Sim>,
    pub book: Arc<Book>,
    pub clock: FixedClock,
    /// How long the provider may be silent. Long, so that a busy machine does not look like a dead provider.
    pub patience: Duration,
}

impl House {
    pub async fn new() -> Self {
        Self::with(Config::default()).await
    }

    pub async fn with(config: Config) -> Self {
        let sim = Arc::new(Sim::start(config).await.unwrap());
        Self { sim, book: Arc::default(), clock: FixedClock::default(), patience: Duration::from_secs(60) }
    }

    /// For a provider that falls silent.
    pub async fn impatient() -> Self {
        Self { patience: Duration::from_millis(400), ..Self::new().await }
    }

    /// A job that opens with `prompt` and goes on with what the journal has saved.
    pub fn job(&self, prompt: &str) -> Job {
        let patience = Patience { idle: self.patience, headers: self.patience, ..Patience::default() };
        let client = Client::with_patience(patience).unwrap();
        let endpoint =
            Endpoint::new(ProviderKind::Anthropic, Some(&self.sim.url()), Secret::new("sk-of-the-tests")).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let mut job = Job::new(client, endpoint, "simulated", clock);
        job.opening = vec![Block::text(prompt)];
        job.tools = simple_tools();
        job.backoff = Backoff::with_unit(Duration::from_millis(1));
        job.governor = Governor::new(Settings { pause: Duration::from_millis(1), ..Settings::default() });
        job.history = self.book.pages().turns.clone();
        job
    }

    pub async fn run(&self, job: Job) -> Ended {
        run(job, &*self.book).await
    }

    /// Runs until the cut, which drops the agent. Returns the ending if it came before.
    pub async fn run_cut(&self, job: Job, cut: Cut) -> Option<Ended> {
        *self.book.cut.lock().unwrap() = Some(cut);
        let ended = tokio::select! {
            ended = self.run(job) => Some(ended),
            () = self.book.reached.notified() => None,
        };
        *self.book.cut.lock().unwrap() = None;
        ended
    }

    /// The texts that a request said to the model, beside tools' results.
    pub fn texts(&self, request: usize) -> Vec<String> {
        texts(&self.sim.requests()[request])
    }
}

fn texts(request: &Value) -> Vec<String> {
    let messages = request["messages"].as_array().unwrap().iter().filter(|message| message["role"] == "user");
    let blocks = messages.flat_map(|message| message["content"].as_array().unwrap());
    blocks.filter_map(|block| block["text"].as_str()).map(str::to_owned).collect()
}

/// A prompt with a script.
pub fn script(lines: &[&str]) -> String {
    format!("# A task\n\n```sim\n{}\n```", lines.join("\n"))
}

#[track_caller]
pub fn done(ended: Ended) -> String {
    match ended {
        Ended::Done { summary } => summary,
        other => panic!("not done: {other:?}"),
    }
}

#[track_caller]
pub fn failed(ended: Ended) -> (String, String) {
    match ended {
        Ended::Failed(problem) => {
            assert!(!problem.hint.is_empty() && !problem.message.is_empty());
            (problem.code, problem.message)
        }
        other => panic!("not failed: {other:?}"),
    }
}

/// Why each turn ended.
pub fn stops(book: &Book) -> Vec<StopReason> {
    book.pages().turns.iter().map(|turn| turn.stop_reason).collect()
}
