//! Model providers: one streamed call, told as typed deltas, an answer and typed errors.
//!
//! This speaks the Anthropic Messages API, the OpenAI Responses API and the Chat Completions API of many others. A provider
//! is a base URL and a key; nothing here knows who answers.

mod assemble;
mod backoff;
mod client;
mod completions;
mod dialect;
mod endpoint;
mod error;
pub mod governor;
mod messages;
pub mod models;
mod outside;
mod rate;
mod reach;
mod reply;
mod request;
mod responses;

pub use assemble::{Answer, Delta};
pub use backoff::Backoff;
pub use client::{Client, Patience, ready_tls};
pub use dialect::Dialect;
pub use endpoint::{Endpoint, Secret};
pub use error::{ErrorKind, LlmError, Partial};
pub use outside::{CallError, Called, Caller, Uncalled};
pub use rate::{Bucket, RateLimits};
pub use reach::{Blocked, Reach};
pub use request::{Request, SystemPart};
