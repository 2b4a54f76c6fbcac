//! Files on cards: images that the model sees, and texts that it reads.

use guildhall_types::FeatureId;
use guildhall_types::feature::Attachment;

use crate::{Team, TeamError};

/// Bytes that a file may have; also what the provider takes of an image.
pub const LARGEST: usize = 5 * 1024 * 1024;
/// Files that a card may have.
const MOST: usize = 20;
const NAME: usize = 200;

impl Team {
    /// Puts a file on a card. What it is, its bytes say, not its name.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] when it is too large, neither an image nor a text, or one too many.
    pub async fn add_attachment(&self, feature: FeatureId, name: &str, bytes: &[u8]) -> Result<Attachment, TeamError> {
        if bytes.len() > LARGEST {
            return Err(TeamError::invalid("file", "a file may have at most 5 MiB"));
        }
        let media_type = media_type(bytes).ok_or_else(|| {
            TeamError::invalid("file", "only PNG, JPEG, GIF and WebP images and UTF-8 text can be put on a card")
        })?;
        if self.store.attachments(feature).await?.len() >= MOST {
            return Err(TeamError::invalid("file", "a card may have at most 20 files"));
        }
        Ok(self.store.add_attachment(feature, &plain_name(name), media_type, bytes).await?)
    }
}

pub(crate) fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [] => None,
        _ if std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0')) => Some("text/plain"),
        _ => None,
    }
}

/// The last part of a name, without what could fool a header or a file system.
fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|c| !c.is_control() && *c != '"').take(NAME).collect();
    match plain.trim_matches(['.', ' ']) {
        "" => "file".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_say_what_a_file_is() {
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\n...."), Some("image/png"));
        assert_eq!(media_type("über".as_bytes()), Some("text/plain"));
        assert_eq!(media_type(b"\xff\xfe\x00"), None);
        assert_eq!(media_type(b"a\0b"), None);
        assert_eq!(media_type(b""), None);
    }

    #[test]
    fn names_are_made_harmless() {
        assert_eq!(plain_name("../../etc/passwd"), "passwd");
        assert_eq!(plain_name("C:\\x\\a \"b\".png\r\n"), "a b.png");
        assert_eq!(plain_name(".."), "file");
    }
}
