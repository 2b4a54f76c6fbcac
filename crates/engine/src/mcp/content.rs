//! What a tool of an MCP server returned: words for the model, and images that it sees.
//!
//! Of sounds no model here hears any, and of other files none reads the bytes: they are named.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use guildhall_agent::ToolImage;
use guildhall_types::image::{LARGEST, SIDE, dimensions, image_type};
use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};

/// Images of one result that are shown.
const IMAGES: usize = 4;
/// Characters of what a server calls a kind or an address.
const NAME: usize = 200;

/// A result as a model gets it.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) text: String,
    pub(crate) images: Vec<ToolImage>,
}

/// Reads a result. Of a failure nothing is shown: its images are named.
pub(crate) fn read(result: &CallToolResult) -> Content {
    let shows = result.is_error != Some(true);
    let mut parts: Vec<String> = Vec::new();
    let mut images: Vec<ToolImage> = Vec::new();
    let mut image = |what: &str, kind: &str, data: &str| match shown(data, shows && images.len() < IMAGES) {
        Ok(image) => {
            let (name, size) = (image.media_type, image.bytes.len().div_ceil(1024));
            images.push(image);
            format!("[{what}, {name}, {size} KiB: image {} of this answer, shown with it]", images.len())
        }
        Err(why) => unshown(what, kind, data.len(), why),
    };
    for block in &result.content {
        parts.push(match block {
            ContentBlock::Text(text) => text.text.clone(),
            ContentBlock::Image(block) => image("an image", &block.mime_type, &block.data),
            ContentBlock::Audio(audio) => {
                unshown("a sound", &audio.mime_type, audio.data.len(), "it cannot be heard here")
            }
            ContentBlock::Resource(resource) => match &resource.resource {
                ResourceContents::TextResourceContents { uri, text, .. } => format!("{}:\n{text}", short(uri)),
                ResourceContents::BlobResourceContents { uri, mime_type, blob, .. } => {
                    let kind = mime_type.as_deref().unwrap_or("of no said type");
                    let what = format!("a file, {}", short(uri));
                    match text_of(blob) {
                        Some(text) => format!("{}:\n{text}", short(uri)),
                        None => image(&what, kind, blob),
                    }
                }
                _ => "[something that is not known here]".to_owned(),
            },
            ContentBlock::ResourceLink(link) => format!("[a link: {}, {}]", short(&link.name), short(&link.uri)),
            _ => "[something that is not known here]".to_owned(),
        });
    }
    if parts.iter().all(|part| part.trim().is_empty())
        && let Some(structured) = &result.structured_content
    {
        parts.push(structured.to_string());
    }
    Content { text: parts.join("\n\n"), images }
}

fn bytes(data: &str) -> Option<Vec<u8>> {
    let data = data.trim();
    STANDARD.decode(data).or_else(|_| STANDARD_NO_PAD.decode(data)).ok()
}

/// The image, or why it is not shown. What it is, its bytes say and not its server.
fn shown(data: &str, room: bool) -> Result<ToolImage, &'static str> {
    let bytes = bytes(data).ok_or("what came is not base64")?;
    let media_type = image_type(&bytes).ok_or("it cannot be shown here")?;
    let (width, height) = dimensions(&bytes).ok_or("what came is no whole image")?;
    if bytes.len() > LARGEST || width > SIDE || height > SIDE {
        return Err("it is larger than 3.75 MiB or 8,000 pixels a side, which not every model takes");
    }
    match room {
        true => Ok(ToolImage { media_type, bytes }),
        false => Err("an answer shows four images at most, and one that tells of a failure none"),
    }
}

/// A file that is a text, though it came as bytes.
fn text_of(blob: &str) -> Option<String> {
    let text = String::from_utf8(bytes(blob)?).ok()?;
    let is_text = !text.is_empty() && !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    is_text.then_some(text)
}

/// What of `length` characters of base64 is not shown.
fn unshown(what: &str, kind: &str, length: usize, why: &str) -> String {
    format!("[{what}, {}, about {} KiB: {why}]", short(kind), (length / 4 * 3).div_ceil(1024))
}

fn short(text: &str) -> String {
    text.chars().take(NAME).filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A picture of one pixel.
    const PNG: &str =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

    fn result(content: Value) -> Content {
        read(&serde_json::from_value(json!({ "content": content })).unwrap())
    }

    fn image(data: &str) -> Value {
        json!({ "type": "image", "data": data, "mimeType": "image/png" })
    }

    #[test]
    fn images_are_shown_by_what_their_bytes_say() {
        let file =
            json!({ "type": "resource", "resource": { "uri": "file:///a", "mimeType": "text/html", "blob": PNG } });
        let content = result(json!([{ "type": "text", "text": "Look:" }, image(PNG), file]));
        assert_eq!(content.images.len(), 2);
        assert!(content.images.iter().all(|image| image.media_type == "image/png" && image.bytes.len() == 70));
        assert!(
            content.text.starts_with("Look:\n\n[an image, image/png, 1 KiB: image 1 of this answer"),
            "{}",
            content.text
        );
        assert!(content.text.contains("[a file, file:///a, image/png, 1 KiB: image 2"), "{}", content.text);
    }

    #[test]
    fn what_cannot_be_shown_is_named_with_the_reason() {
        let wide = STANDARD.encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x1f\x41\0\0\0\x01");
        for (data, why) in [
            ("aGVsbG8=", "cannot be shown"),
            ("no base64!", "not base64"),
            ("iVBORw0KGgo=", "no whole image"),
            (wide.as_str(), "8,000 pixels"),
        ] {
            let content = result(json!([image(data)]));
            assert!(content.images.is_empty() && content.text.contains(why), "{data}: {}", content.text);
        }
        let many = result(Value::Array(vec![image(PNG); IMAGES + 1]));
        assert!(
            many.images.len() == IMAGES && many.text.ends_with("one that tells of a failure none]"),
            "{}",
            many.text
        );
        let failed = read(&serde_json::from_value(json!({ "content": [image(PNG)], "isError": true })).unwrap());
        assert!(failed.images.is_empty() && failed.text.contains("an image"), "{}", failed.text);
        let sound = result(json!([{ "type": "audio", "data": "AAAA", "mimeType": "audio/wav\u{7}" }]));
        assert_eq!(sound.text, "[a sound, audio/wav, about 1 KiB: it cannot be heard here]");
    }

    #[test]
    fn a_file_that_is_a_text_is_read() {
        let blob = |bytes: &[u8]| {
            let resource = json!({ "uri": "mem://notes", "blob": STANDARD.encode(bytes) });
            result(json!([{ "type": "resource", "resource": resource }])).text
        };
        assert_eq!(blob("Größe\n".as_bytes()), "mem://notes:\nGröße\n");
        assert!(blob(b"\x7fELF\0").contains("of no said type, about 1 KiB: it cannot be shown here"));
    }
}
