//! The OpenAI Responses API.

mod assemble;
mod request;

pub(crate) use assemble::Assembler;
pub(crate) use request::body;

/// The name under which this dialect keeps what only it understands.
const NAME: &str = "responses";
