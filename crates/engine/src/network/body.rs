//! Where a request's body ends: what comes behind it is no part of the request, and is not passed on.

use httparse::Header;

use super::head::{Answer, values};

/// Characters of the line before a chunk, and of the lines behind the last one, at most.
const LINES: usize = 8 * 1024;

/// How a body ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// There is none.
    None,
    /// After so many bytes.
    Length(u64),
    /// As its chunks say.
    Chunked(Chunks),
}

impl Body {
    /// What the headers say of it.
    pub(super) fn of(headers: &[Header<'_>], minor: u8) -> Result<Self, Answer> {
        let unclear = || Answer::new(400, "The request does not say clearly where its body ends.");
        let mut lengths = values(headers, "content-length");
        let mut encodings = values(headers, "transfer-encoding");
        let body = match (lengths.next(), encodings.next()) {
            (None, None) => Self::None,
            (Some(length), None) => Self::Length(number(length).ok_or_else(unclear)?),
            (None, Some(encoding)) if minor == 1 && encoding.trim_ascii().eq_ignore_ascii_case(b"chunked") => {
                Self::Chunked(Chunks::default())
            }
            _ => return Err(unclear()),
        };
        match lengths.next().or_else(|| encodings.next()) {
            None => Ok(body),
            Some(_) => Err(unclear()),
        }
    }

    /// The header that says so.
    pub(super) fn header(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Length(length) => format!("Content-Length: {length}\r\n"),
            Self::Chunked(_) => "Transfer-Encoding: chunked\r\n".to_owned(),
        }
    }

    /// How many of these bytes, which come next, belong to it. Nothing when they cannot be its own.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::None => Some(0),
            Self::Length(left) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= count as u64;
                Some(count)
            }
            Self::Chunked(chunks) => chunks.take(bytes),
        }
    }

    /// Whether all of it has come.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::None => true,
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.at == At::End,
        }
    }
}

/// Digits alone.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let text = str::from_utf8(text).ok()?.trim();
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// How far a chunked body is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chunks {
    at: At,
    /// The line that is being read.
    line: Vec<u8>,
    /// Bytes of lines behind the last chunk.
    trailing: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum At {
    /// In the line that says how long a chunk is.
    #[default]
    Size,
    /// In a chunk, with so many bytes to come.
    Data(u64),
    /// In the line end behind a chunk.
    Behind,
    /// In the lines behind the last chunk.
    Trailer,
    End,
}

impl Chunks {
    fn take(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut taken = 0;
        while taken < bytes.len() && self.at != At::End {
            if let At::Data(left) = self.at {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - taken);
                taken += count;
                let left = left - count as u64;
                self.at = if left == 0 { At::Behind } else { At::Data(left) };
                continue;
            }
            let byte = bytes[taken];
            taken += 1;
            self.line.push(byte);
            if self.line.len() > LINES {
                return None;
            }
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.at = self.after(line.strip_suffix(b"\r\n")?)?;
            }
        }
        Some(taken)
    }

    /// Where a line leads to.
    fn after(&mut self, line: &[u8]) -> Option<At> {
        match self.at {
            At::Size => {
                let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
                let digits = str::from_utf8(digits).ok().filter(|text| (1..=15).contains(&text.len()))?;
                let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                match u64::from_str_radix(digits, 16).ok().filter(|_| plain)? {
                    0 => Some(At::Trailer),
                    size => Some(At::Data(size)),
                }
            }
            At::Behind => line.is_empty().then_some(At::Size),
            At::Trailer if line.is_empty() => Some(At::End),
            At::Trailer => {
                self.trailing += line.len();
                (self.trailing <= LINES).then_some(At::Trailer)
            }
            At::Data(_) | At::End => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of `bytes` belongs to a chunked body, when they come in pieces of this size.
    fn taken(bytes: &[u8], piece: usize) -> Option<(usize, bool)> {
        let mut body = Body::Chunked(Chunks::default());
        let mut all = 0;
        for piece in bytes.chunks(piece) {
            let count = body.take(piece)?;
            all += count;
            if count < piece.len() {
                break;
            }
        }
        Some((all, body.is_over()))
    }

    #[test]
    fn a_chunked_body_ends_where_it_says_however_it_comes() {
        let body = b"5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
        let with_more = [body.as_slice(), b"GET http://other.example/ HTTP/1.1\r\n\r\n"].concat();
        for piece in [1, 2, 3, 7, 1000] {
            assert_eq!(taken(&with_more, piece), Some((body.len(), true)), "{piece}");
            assert_eq!(taken(&body[..body.len() - 1], piece), Some((body.len() - 1, false)), "{piece}");
        }
        let ends: [&[u8]; 9] = [
            b"5\nhello\r\n0\r\n\r\n",
            b"5\r\nhello0\r\n\r\n",
            b"5\r\nhello!\r\n0\r\n\r\n",
            b"x\r\n",
            b"\r\n",
            b"-1\r\n",
            b"+5\r\nhello\r\n",
            b"1 1\r\n",
            b"fffffffffffffffff\r\n",
        ];
        for bad in ends {
            assert_eq!(taken(bad, 1), None, "{bad:?}");
        }
        assert_eq!(taken(&[b"5;".as_slice(), &[b'x'; LINES]].concat(), 100), None);
        assert_eq!(taken(&[b"0\r\n".as_slice(), &b"a: b\r\n".repeat(LINES)].concat(), 100), None);
    }

    #[test]
    fn a_counted_body_ends_after_its_bytes() {
        let mut body = Body::Length(5);
        assert_eq!((body.take(b"abc"), body.is_over()), (Some(3), false));
        assert_eq!((body.take(b"defg"), body.is_over()), (Some(2), true));
        assert_eq!(body.take(b"more"), Some(0));
        assert!(Body::None.is_over());
    }
}
