//! A conversation with a model, in the provider-neutral form in which it is stored, replayed and shown.
//!
//! The form follows the Anthropic Messages API closely, because it is the richest of those in use: what a provider
//! sends and will want back (signatures, encrypted reasoning) is kept to the letter. Each dialect writes what it can say,
//! and leaves out the reasoning of others, so that a conversation may go on with another provider.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::AttachmentId;
use crate::feature::Attachment;
use crate::text_enum::text_enum;

text_enum! {
    /// Who speaks.
    pub enum Role {
        /// The member, or the results of tools.
        User = "user",
        /// The model.
        Assistant = "assistant",
    }
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub content: Vec<Block>,
}

impl Message {
    /// A user's message of one text.
    pub fn user(text: impl Into<String>) -> Self {
        Self { role: Role::User, content: vec![Block::text(text)] }
    }

    /// A model's message.
    pub fn assistant(content: Vec<Block>) -> Self {
        Self { role: Role::Assistant, content }
    }

    /// The tool calls in this message, in order.
    pub fn tool_uses(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        self.content.iter().filter_map(|block| match block {
            Block::ToolUse { id, name, input } => Some((id.as_str(), name.as_str(), input)),
            _ => None,
        })
    }

    /// All text blocks, joined by blank lines.
    pub fn plain_text(&self) -> String {
        let texts: Vec<&str> = self
            .content
            .iter()
            .filter_map(|block| match block {
                Block::Text { text } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        texts.join("\n\n")
    }
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    /// Prose.
    Text {
        /// The words.
        text: String,
    },
    /// An image.
    Image {
        /// Such as `image/png`.
        media_type: String,
        /// Base64 without line breaks.
        data: String,
    },
    /// An image that is kept beside the conversation.
    Picture(Picture),
    /// The model's reasoning. Goes back to the provider exactly as it came.
    Thinking {
        /// May be empty where the provider shows no reasoning.
        thinking: String,
        /// The provider's seal on it.
        signature: String,
    },
    /// Reasoning that the provider encrypted. Goes back exactly as it came.
    RedactedThinking {
        /// The provider's bytes.
        data: String,
    },
    /// The model asks for a tool.
    ToolUse {
        /// The provider's id of this call.
        id: String,
        /// The tool's name.
        name: String,
        /// The arguments: an object, or, when the model sent text that is not JSON, that text as a string.
        input: Value,
    },
    /// What a tool answered.
    ToolResult {
        /// The id of the call that this answers.
        tool_use_id: String,
        /// What the model reads.
        content: String,
        /// The tool failed, and `content` says why.
        #[serde(default)]
        is_error: bool,
        /// The images that it returned.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        images: Vec<Picture>,
    },
    /// What one dialect wants back as it came and no other understands, such as reasoning that OpenAI encrypted. Goes back
    /// in that dialect alone.
    Sealed {
        /// Which dialect.
        dialect: String,
        /// What goes back.
        item: Value,
    },
    /// A block of a kind that this version does not know; kept and sent back as it is.
    #[serde(untagged)]
    Unknown(Value),
}

impl Block {
    /// The kept images in it, in order.
    pub fn pictures_mut(&mut self) -> std::slice::IterMut<'_, Picture> {
        match self {
            Self::Picture(picture) => std::slice::from_mut(picture).iter_mut(),
            Self::ToolResult { images, .. } => images.iter_mut(),
            _ => std::slice::IterMut::default(),
        }
    }

    /// A text block.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }
}

/// Said to a model in the place of an image that it is not shown, or not any more.
pub const UNSHOWN: &str = "[An image was here. It is not shown any more.]";

/// An image that is kept as an attachment: the conversation names it, and its bytes are read when a model is to see it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Picture {
    /// The attachment.
    pub id: AttachmentId,
    /// Such as `image/png`.
    pub media_type: String,
    /// In bytes.
    pub size: i64,
    /// Base64 without line breaks; empty while a model is not to see it. Never stored here.
    #[serde(skip)]
    pub data: String,
}

impl Picture {
    /// A kept image, as a model sees it.
    pub fn of(attachment: &Attachment, bytes: &[u8]) -> Self {
        let Attachment { id, media_type, size, .. } = attachment;
        let mut picture = Self { id: *id, media_type: media_type.clone(), size: *size, data: String::new() };
        picture.show(bytes);
        picture
    }

    /// Lets a model see it.
    pub fn show(&mut self, bytes: &[u8]) {
        self.data = STANDARD.encode(bytes);
    }

    /// The image as what a model sees, unless it is not to see it.
    pub fn data(&self) -> Option<&str> {
        (!self.data.is_empty()).then_some(self.data.as_str())
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picture").field("id", &self.id).field("media_type", &self.media_type).finish_non_exhaustive()
    }
}

// Whether its bytes are at hand does not make it another one.
impl PartialEq for Picture {
    fn eq(&self, other: &Self) -> bool {
        (self.id, self.size, &self.media_type) == (other.id, other.size, &other.media_type)
    }
}

text_enum! {
    /// Why the model stopped.
    pub enum StopReason {
        /// It had said what it wanted to say.
        EndTurn = "end_turn",
        /// The answer reached the limit on its length.
        MaxTokens = "max_tokens",
        /// It wrote one of the stop sequences.
        StopSequence = "stop_sequence",
        /// It waits for the results of tools.
        ToolUse = "tool_use",
        /// The provider paused a long turn; sending the content back goes on with it.
        PauseTurn = "pause_turn",
        /// It declined to answer.
        Refusal = "refusal",
        /// The conversation filled the context window.
        ContextWindowExceeded = "model_context_window_exceeded",
        /// The provider compacted the conversation.
        Compaction = "compaction",
        /// A reason that this version does not know.
        Other = "other",
    }
}

/// Tokens of one call or of many added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Usage {
    /// Input tokens billed in full (neither read from nor written to the cache).
    pub input_tokens: i64,
    /// Output tokens, reasoning included.
    pub output_tokens: i64,
    /// Input tokens read from the provider's cache.
    pub cache_read_tokens: i64,
    /// Input tokens written to the provider's cache.
    pub cache_write_tokens: i64,
}

impl Usage {
    /// All the tokens that the model read: what fills the context window.
    pub fn context_tokens(&self) -> i64 {
        self.input_tokens + self.cache_read_tokens + self.cache_write_tokens
    }

    /// Share of the input that came from the cache, between 0 and 1; 0 when there was none.
    pub fn cache_share(&self) -> f64 {
        match self.context_tokens() {
            0 => 0.0,
            all => self.cache_read_tokens as f64 / all as f64,
        }
    }
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cache_read_tokens += other.cache_read_tokens;
        self.cache_write_tokens += other.cache_write_tokens;
    }
}

/// A tool as it is told to the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// The name that the model calls.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// JSON Schema of the arguments.
    pub input_schema: Value,
}
