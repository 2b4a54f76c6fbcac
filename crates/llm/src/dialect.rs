//! The protocols that providers speak.

use guildhall_types::member::ProviderKind;
use serde_json::Value;

use crate::{ErrorKind, LlmError, Request, completions, messages, responses};

/// A protocol of a model provider. What is particular to one lives in the module of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// The Anthropic Messages API.
    Messages,
    /// The OpenAI Responses API.
    Responses,
    /// The Chat Completions API, which many servers speak.
    Completions,
}

impl Dialect {
    /// What a provider speaks; nothing for one that is never called.
    pub const fn of(provider: ProviderKind) -> Option<Self> {
        match provider {
            ProviderKind::Anthropic => Some(Self::Messages),
            ProviderKind::Openai => Some(Self::Responses),
            ProviderKind::Google | ProviderKind::Compatible => Some(Self::Completions),
            ProviderKind::ClaudeSubscription => None,
        }
    }

    /// The route of a call.
    pub(crate) const fn route(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Responses => "responses",
            Self::Completions => "chat/completions",
        }
    }

    /// The body of a streamed call, without what the provider does not take.
    pub(crate) fn body(self, provider: ProviderKind, request: &Request<'_>, without: Without) -> Value {
        match self {
            Self::Messages => messages::Body(request).whole(true),
            Self::Responses => responses::body(request, without),
            Self::Completions => completions::body(request, provider, without),
        }
    }
}

/// What is left out of a call, because a provider said that it does not take it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Without {
    /// Sealed reasoning of earlier answers: it was sealed for another account or model.
    pub(crate) sealed: bool,
    /// The wish for summaries of the reasoning, which OpenAI gives to verified organisations alone.
    pub(crate) summary: bool,
    /// Any word on reasoning: the model does not reason.
    pub(crate) reasoning: bool,
    /// The wish for a count of tokens.
    pub(crate) usage: bool,
    /// How freely the answer is worded.
    pub(crate) temperature: bool,
    /// The older name of the limit on the answer's length.
    pub(crate) max_tokens: bool,
}

impl Without {
    /// Learns from a refusal what to leave out; false when there is nothing to learn, or it is known already.
    pub(crate) fn learn(&mut self, dialect: Dialect, error: &LlmError) -> bool {
        if error.kind != ErrorKind::BadRequest {
            return false;
        }
        let plain = error.message.to_lowercase();
        let says = |words: &[&str]| words.iter().all(|word| plain.contains(word));
        let before = *self;
        match dialect {
            Dialect::Messages => {}
            Dialect::Responses => {
                // Without reasoning there is nothing sealed to ask for either.
                self.reasoning |=
                    says(&["not supported", "reasoning.effort"]) || says(&["encrypted content", "not supported"]);
                self.temperature |= says(&["'temperature'"]);
                self.summary |= says(&["summar", "verified"]) || says(&["not supported", "reasoning.summary"]);
                self.sealed |= says(&["encrypted content", "verif"])
                    || says(&["encrypted content", "decrypt"])
                    || says(&["encrypted_content", "invalid"])
                    || says(&["item", "'reasoning'", "without its required following item"]);
            }
            Dialect::Completions => {
                self.temperature |= says(&["temperature"]);
                self.usage |= says(&["stream_options"]);
                self.reasoning |= says(&["reasoning_effort"]);
                self.max_tokens |= says(&["max_completion_tokens", "instead"]);
            }
        }
        *self != before
    }

    /// The same for later calls: what was sealed elsewhere is only in this conversation.
    pub(crate) fn lasting(self) -> Self {
        Self { sealed: false, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(dialect: Dialect, message: &str) -> Without {
        let mut without = Without::default();
        let error = LlmError::new(ErrorKind::BadRequest, message);
        if without.learn(dialect, &error) {
            assert!(!without.learn(dialect, &error), "once");
        }
        without
    }

    #[test]
    fn a_refusal_teaches_what_to_leave_out() {
        let none = Without::default();
        for (dialect, message, expected) in [
            (
                Dialect::Responses,
                "Your organization must be verified to generate reasoning summaries.",
                Without { summary: true, ..none },
            ),
            (
                Dialect::Responses,
                "The encrypted content for item rs_1 could not be verified. Reason: Encrypted content could not be decrypted or parsed.",
                Without { sealed: true, ..none },
            ),
            (
                Dialect::Responses,
                "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
                Without { reasoning: true, ..none },
            ),
            (
                Dialect::Completions,
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
                Without { max_tokens: true, ..none },
            ),
            (
                Dialect::Completions,
                "'temperature' does not support 0.2 with this model",
                Without { temperature: true, ..none },
            ),
            (Dialect::Completions, "Unknown field: stream_options", Without { usage: true, ..none }),
            (Dialect::Completions, "messages: must not be empty", none),
            (Dialect::Responses, "No tool output found for function call call_1.", none),
            (Dialect::Messages, "reasoning.effort not supported", none),
        ] {
            assert_eq!(learnt(dialect, message), expected, "{message}");
        }
        let mut without = none;
        let limited = LlmError::new(ErrorKind::RateLimited, "stream_options");
        assert!(!without.learn(Dialect::Completions, &limited));
    }
}
