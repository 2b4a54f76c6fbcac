//! Model providers: one streamed call, told as typed deltas, an answer and typed errors.
//!
//! Today this speaks the Anthropic Messages API. A provider is a base URL and a key; nothing here knows who answers.

mod assemble;
mod backoff;
mod client;
mod endpoint;
mod error;
pub mod models;
mod rate;
mod reply;
mod request;

pub use assemble::{Answer, Delta};
pub use backoff::Backoff;
pub use client::{Client, Patience, ready_tls};
pub use endpoint::{Endpoint, Secret};
pub use error::{ErrorKind, LlmError, Partial};
pub use rate::{Bucket, RateLimits};
pub use request::{Request, SystemPart};
