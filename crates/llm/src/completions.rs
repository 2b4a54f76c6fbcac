//! The Chat Completions API, as OpenAI made it and many servers speak it: vLLM, Ollama, LiteLLM, OpenRouter, and Google
//! for Gemini. Each of them leaves something out or adds something; what is here takes all of them.

mod assemble;
mod request;

pub(crate) use assemble::Assembler;
pub(crate) use request::body;

/// The name under which this dialect keeps what only it understands.
const NAME: &str = "completions";
