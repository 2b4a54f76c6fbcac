//! What the bytes of an image say of it. A name or a type that comes with them is not believed.

/// Bytes that an image may have which a model is to see. Anthropic takes 5 MiB of base64, which is 3.75 MiB; others take more.
pub const LARGEST: usize = 3_932_160;
/// Pixels that a side of it may have: Anthropic, Google and others take no more.
pub const SIDE: u32 = 8_000;

/// The media type of an image of a kind that models see; nothing for anything else.
pub const fn image_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// The width and the height of an image in pixels, as its head says; nothing where it does not say them.
pub fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let sides = match image_type(bytes)? {
        "image/png" => (u32::from_be_bytes(at(bytes, 16)?), u32::from_be_bytes(at(bytes, 20)?)),
        "image/gif" => (u16::from_le_bytes(at(bytes, 6)?).into(), u16::from_le_bytes(at(bytes, 8)?).into()),
        "image/jpeg" => of_jpeg(bytes)?,
        _ => of_webp(bytes)?,
    };
    (sides.0 > 0 && sides.1 > 0).then_some(sides)
}

fn at<const N: usize>(bytes: &[u8], place: usize) -> Option<[u8; N]> {
    bytes.get(place..place.checked_add(N)?)?.try_into().ok()
}

/// Goes from one marker of a JPEG to the next, up to the one that begins the frame.
fn of_jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut place = 2;
    loop {
        let [mark, kind] = at(bytes, place)?;
        match (mark, kind) {
            (0xff, 0xff) => place += 1,
            // Frames of all kinds but for what lies among their numbers: tables, a reserved one, and arithmetic coding.
            (0xff, 0xc0..=0xcf) if !matches!(kind, 0xc4 | 0xc8 | 0xcc) => {
                let (height, width) =
                    (u16::from_be_bytes(at(bytes, place + 5)?), u16::from_be_bytes(at(bytes, place + 7)?));
                return Some((width.into(), height.into()));
            }
            (0xff, 0x01 | 0xd0..=0xd8) => place += 2,
            (0xff, 0xd9 | 0xda) => return None,
            (0xff, _) => place += 2 + usize::from(u16::from_be_bytes(at(bytes, place + 2)?)),
            _ => return None,
        }
    }
}

/// A WebP is lossy, lossless, or of several parts.
fn of_webp(bytes: &[u8]) -> Option<(u32, u32)> {
    match &at::<4>(bytes, 12)? {
        b"VP8 " => {
            let side = |place| Some(u32::from(u16::from_le_bytes(at(bytes, place)?) & 0x3fff));
            Some((side(26)?, side(28)?))
        }
        b"VP8L" => {
            let bits = u32::from_le_bytes(at(bytes, 21)?);
            Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
        }
        b"VP8X" => {
            let side = |place| at::<3>(bytes, place).map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]) + 1);
            Some((side(24)?, side(27)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(parts: &[(usize, &[u8])], length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        for (place, part) in parts {
            bytes[*place..place + part.len()].copy_from_slice(part);
        }
        bytes
    }

    #[test]
    fn heads_say_kind_and_sides() {
        let png = filled(&[(0, b"\x89PNG\r\n\x1a\n"), (16, &[0, 0, 1, 0, 0, 0, 0, 7])], 40);
        assert_eq!((image_type(&png), dimensions(&png)), (Some("image/png"), Some((256, 7))));
        let gif = filled(&[(0, b"GIF89a"), (6, &[3, 0, 0, 1])], 20);
        assert_eq!((image_type(&gif), dimensions(&gif)), (Some("image/gif"), Some((3, 256))));
        // A segment of six bytes, padding, and the frame.
        let jpeg = [0xff, 0xd8, 0xff, 0xe0, 0, 6, 1, 2, 3, 4, 0xff, 0xff, 0xc2, 0, 11, 8, 0, 9, 1, 2, 3, 0, 0];
        assert_eq!((image_type(&jpeg), dimensions(&jpeg)), (Some("image/jpeg"), Some((258, 9))));
        let webp =
            |kind: &[u8], place, sides: &[u8]| filled(&[(0, b"RIFF"), (8, b"WEBP"), (12, kind), (place, sides)], 40);
        assert_eq!(dimensions(&webp(b"VP8 ", 26, &[5, 0x40, 6, 0])), Some((5, 6)));
        assert_eq!(dimensions(&webp(b"VP8L", 21, &[4, 0x40, 1, 0])), Some((5, 6)));
        assert_eq!(dimensions(&webp(b"VP8X", 24, &[4, 0, 0, 5, 0, 0])), Some((5, 6)));
    }

    #[test]
    fn what_is_cut_off_or_made_up_has_no_sides() {
        for bytes in [
            &b"\x89PNG\r\n\x1a\n"[..],
            b"GIF89a",
            b"\xff\xd8\xff",
            b"\xff\xd8\xff\xe0\0",
            b"RIFF0000WEBPVP8 ",
            b"hello",
            b"",
        ] {
            assert_eq!(dimensions(bytes), None, "{bytes:?}");
        }
        assert_eq!(dimensions(&filled(&[(0, b"\x89PNG\r\n\x1a\n")], 40)), None, "no side at all");
    }
}
