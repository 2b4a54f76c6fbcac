//! The Anthropic Messages API.

mod assemble;
mod request;

pub(crate) use assemble::Assembler;
pub(crate) use request::Body;
