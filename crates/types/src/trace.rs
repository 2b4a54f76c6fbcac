//! Traces: how long what took, told to a collector where the operator named one.
//!
//! A span is begun below the one in whose task that happens, and ends when it is dropped. What it may say of itself is one of
//! [`Key`], so that nothing can go out that was not thought of: no text of a command, no words of a model, no error's message.
//! It has nothing to do with the spans of the log, which say to whom a line belongs and live as long as anything does that was
//! begun there; a span of a trace says how long something took.
//!
//! Without a collector nothing of it happens but a look at one flag.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::Either;
use opentelemetry::trace::{
    FutureExt, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer,
};
use opentelemetry::{Context, KeyValue, global};

/// Characters of a text at most.
const TEXT: usize = 200;

/// Who measures, as collectors show it.
const SCOPE: &str = "guildhall";

/// Whether spans are told to anybody.
static ON: AtomicBool = AtomicBool::new(false);

/// From now on spans go to the tracer that is installed for the process.
pub fn switch_on() {
    ON.store(true, Ordering::Relaxed);
}

/// Whether spans are told to anybody.
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

macro_rules! keys {
    ($($(#[$doc:meta])+ $name:ident $text:literal;)+) => {
        /// What a span may say of itself. The names are OpenTelemetry's where it has one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Key {
            $($(#[$doc])+ $name),+
        }

        impl Key {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text),+
                }
            }
        }
    };
}

keys! {
    /// The method of a request.
    Method "http.request.method";
    /// The pattern of the route that took it.
    Route "http.route";
    /// The status of the answer.
    Status "http.response.status_code";
    /// The request's id, as the log has it.
    Request "guildhall.request.id";
    /// What went wrong: a word of ours or a status, never a message.
    Error "error.type";
    /// The run.
    Run "guildhall.run.id";
    /// Which attempt of the run.
    Attempt "guildhall.run.attempt";
    /// How this stretch of the run's work ended, in the words of the figure of runs that ended.
    Outcome "guildhall.run.outcome";
    /// The card, chat or task.
    Feature "guildhall.feature.id";
    /// The project.
    Project "guildhall.project.id";
    /// The number of the turn.
    Turn "guildhall.turn";
    /// What a model, or an agent's tool, is asked for.
    Operation "gen_ai.operation.name";
    /// The provider.
    Provider "gen_ai.provider.name";
    /// The model, as it was asked for.
    Model "gen_ai.request.model";
    /// Tokens that its answer may have.
    MaxTokens "gen_ai.request.max_tokens";
    /// Tokens that it read, from the cache or not.
    InputTokens "gen_ai.usage.input_tokens";
    /// Tokens that it wrote.
    OutputTokens "gen_ai.usage.output_tokens";
    /// Tokens that it read from the cache.
    CacheRead "gen_ai.usage.cache_read.input_tokens";
    /// Tokens that it wrote to the cache.
    CacheWrite "gen_ai.usage.cache_creation.input_tokens";
    /// The name of an agent's tool.
    Tool "gen_ai.tool.name";
    /// With which code a program ended.
    ExitCode "process.exit.code";
}

/// On which side of a conversation a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It answers somebody.
    Server,
    /// It waits for somebody else's answer.
    Client,
    /// Neither.
    Internal,
}

/// Something that takes time. It ends when it is dropped.
pub struct Span(Option<Context>);

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Span").field(&self.0.is_some()).finish()
    }
}

impl Span {
    /// Begins one below that of the task. Its name is `what`, and `of` behind it where that is not empty.
    pub fn begin(side: Side, what: &'static str, of: &str) -> Self {
        match is_on() {
            true => Self::below(&Context::current(), side, what, of),
            false => Self(None),
        }
    }

    /// Begins one below a span of another process, or of an earlier time, which told of itself by [`traceparent`]. Where
    /// that is absent, or is not of that form, it is the first of its trace.
    pub fn begin_after(parent: Option<&str>, side: Side, what: &'static str, of: &str) -> Self {
        if !is_on() {
            return Self(None);
        }
        let parent = parent.and_then(read);
        let context = parent.map_or_else(Context::new, |span| Context::new().with_remote_span_context(span));
        Self::below(&context, side, what, of)
    }

    fn below(context: &Context, side: Side, what: &'static str, of: &str) -> Self {
        let name: Cow<'static, str> = match of {
            "" => what.into(),
            of => format!("{what} {}", short(of)).into(),
        };
        let kind = match side {
            Side::Server => SpanKind::Server,
            Side::Client => SpanKind::Client,
            Side::Internal => SpanKind::Internal,
        };
        let span = global::tracer(SCOPE).build_with_context(SpanBuilder::from_name(name).with_kind(kind), context);
        Self(Some(context.with_span(span)))
    }

    /// Does something within it: what begins spans there begins them below this one.
    pub fn around<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        within(self.0.clone(), work)
    }

    /// Says something of it in a text.
    pub fn set(&self, key: Key, value: impl Display) {
        if let Some(context) = &self.0 {
            put(context, key, value);
        }
    }

    /// Says something of it in a number.
    pub fn count(&self, key: Key, value: i64) {
        if let Some(context) = &self.0 {
            context.span().set_attribute(KeyValue::new(key.as_str(), value));
        }
    }

    /// It went wrong. `why` is a word or a status, never a message.
    pub fn failed(&self, why: impl Display) {
        if let Some(context) = &self.0 {
            put(context, Key::Error, why);
            context.span().set_status(Status::error(""));
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        // Others may still hold it as what theirs are below of.
        if let Some(context) = &self.0 {
            context.span().end();
        }
    }
}

fn put(context: &Context, key: Key, value: impl Display) {
    let text = value.to_string();
    context.span().set_attribute(KeyValue::new(key.as_str(), short(&text).to_owned()));
}

/// Says something of the span in whose task this is.
pub fn note(key: Key, value: impl Display) {
    if is_on() {
        put(&Context::current(), key, value);
    }
}

/// Lets what is begun here and goes on by itself belong to the span that is here, which it does not keep open.
pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> + use<F> {
    within(is_on().then(Context::current), work)
}

/// No async function, which would keep room for the work twice: an agent's is large, and spans lie within each other.
fn within<F: Future>(context: Option<Context>, work: F) -> impl Future<Output = F::Output> + use<F> {
    match context {
        Some(context) => Either::Left(work.with_context(context)),
        None => Either::Right(work),
    }
}

/// How the span in whose task this is tells of itself to others: the header `traceparent` of W3C's Trace Context. Nothing
/// when there is none.
pub fn traceparent() -> Option<String> {
    if !is_on() {
        return None;
    }
    let context = Context::current();
    let span = context.span();
    let span = span.span_context();
    let flags = u8::from(span.is_sampled());
    span.is_valid().then(|| format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id()))
}

/// Reads a `traceparent`. Of a later version what this one knows of it is read, as the standard wants it.
fn read(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let mut hex = |digits: usize| {
        let part = parts.next()?;
        let small = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (part.len() == digits && part.bytes().all(small)).then_some(part)
    };
    let (version, trace, span, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
    if version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
    let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, flags, true, TraceState::NONE);
    context.is_valid().then_some(context)
}

fn short(text: &str) -> &str {
    text.char_indices().nth(TEXT).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_as_the_standard_says() {
        const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
        let good = |text: String| read(&text).map(|span| (span.trace_id().to_string(), span.is_sampled()));
        let found = |sampled| Some((TRACE.to_owned(), sampled));
        assert_eq!(good(format!("00-{TRACE}-b7ad6b7169203331-01")), found(true));
        assert_eq!(good(format!("00-{TRACE}-b7ad6b7169203331-00")), found(false));
        assert_eq!(good(format!("00-{TRACE}-b7ad6b7169203331-03")), found(true));
        assert_eq!(good(format!("cc-{TRACE}-b7ad6b7169203331-01-what-comes")), found(true));
        for bad in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}-b7ad6b7169203331"),
            format!("00-{TRACE}-b7ad6b7169203331-01-more"),
            format!("ff-{TRACE}-b7ad6b7169203331-01"),
            format!("00-{}-b7ad6b7169203331-01", TRACE.to_uppercase()),
            format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-+7ad6b7169203331-01"),
            format!("00-{TRACE}-b7ad6b7169203331-1"),
            format!("0-{TRACE}-b7ad6b7169203331-01"),
            "é".repeat(55),
        ] {
            assert!(read(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn without_a_collector_there_is_no_span() {
        let span = Span::begin(Side::Internal, "turn", "");
        span.set(Key::Run, "never asked for");
        span.count(Key::Turn, 1);
        assert!(span.0.is_none() && traceparent().is_none());
        assert!(Span::begin_after(Some("00"), Side::Server, "GET", "/").0.is_none());
    }

    #[test]
    fn a_text_is_no_longer_than_it_may_be() {
        assert_eq!(short("ä"), "ä");
        assert_eq!(short(&"ä".repeat(300)), "ä".repeat(200));
    }
}
