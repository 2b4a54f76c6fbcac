//! The ways in which a secret may be spelled.

use std::collections::BTreeSet;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::secret::SHORTEST;

/// Characters after which programs break lines of base64: openssl, and the program of that name.
const LINES: [usize; 2] = [64, 76];

/// All spellings of a secret that are long enough to be told from ordinary text.
pub(super) fn spellings(value: &str) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    for part in parts(value) {
        all.extend(spelled(part));
    }
    if let Some(password) = password(value) {
        all.extend(spelled(password));
        all.extend(spelled(&unescaped(password)));
    }
    all.retain(|spelling| spelling.chars().count() >= SHORTEST);
    all.into_iter().map(String::into_bytes).collect()
}

/// Characters without a space or a sign between them from which on a line of several is taken for secret by itself. A file of
/// settings that holds a key has other lines, too, which stand in every such file.
const SOLID: usize = 16;

/// The secret without the space around it, and each of its lines that could be told from ordinary text, where it has several.
fn parts(value: &str) -> BTreeSet<&str> {
    let mut parts = BTreeSet::from([value.trim()]);
    parts.extend(value.lines().map(str::trim).filter(|line| !is_frame(line) && is_solid(line)));
    parts.retain(|part| part.chars().count() >= SHORTEST);
    parts
}

fn is_solid(line: &str) -> bool {
    let sign = |c: char| !(c.is_ascii_alphanumeric() || "+/=_-".contains(c));
    line.split(sign).any(|run| run.len() >= SOLID)
}

/// The line before or after a key, which is the same of all keys.
fn is_frame(line: &str) -> bool {
    line.starts_with("-----BEGIN ") || line.starts_with("-----END ")
}

/// The password in an address such as `postgres://user:password@host/name`. One that is a word, or the user's name again, as in
/// `postgres:postgres`, could not be told from ordinary text; the address as a whole can.
fn password(value: &str) -> Option<&str> {
    let (_, rest) = value.trim().split_once("://")?;
    let (before, _) = rest.split(['/', '?', '#']).next()?.rsplit_once('@')?;
    let (user, password) = before.split_once(':')?;
    (password != user && !is_word(password)).then_some(password)
}

/// A text without the escapes of addresses; as it is when it holds wrong ones.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let escaped = more.get(..2).filter(|_| *first == b'%');
        let byte = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &more[2..] } else { more };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// Whether a text is nothing but small letters, as a word is.
pub(crate) fn is_word(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_lowercase())
}

fn spelled(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let mut all = vec![text.to_owned(), hex(bytes, false), hex(bytes, true)];
    // What programs leave as it is in an address differs: nothing but RFC 3986's own, what browsers leave, paths, forms.
    for plain in ["-_.~", "-_.~!'()*", "-_.~/", "-_.~/:@!$&'()*+,;=", "-_.~/:@!$&'()*+,;=?"] {
        all.extend([percent(bytes, plain, false), percent(bytes, plain, true)]);
    }
    all.extend([percent(bytes, "-_.*", true).replace("%20", "+"), percent(bytes, "-_.*", false).replace("%20", "+")]);
    for json in [json(text), ascii_json(text)] {
        all.extend([json.replace('/', "\\/"), json.replace('\\', "\\\\"), json]);
    }
    all.push(text.replace('\'', "'\\''"));
    all.push(escaped(text, "\\\"$`"));
    all.push(escaped(text, "\\\"$`'!&|;()<>{}[]*?#~= \t"));
    for quote in ["&#39;", "&#x27;", "&apos;"] {
        let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        all.extend([html.replace('"', "&quot;").replace('\'', quote), html.replace('"', "&#34;").replace('\'', quote)]);
    }
    all.extend(base64s(bytes));
    all
}

fn hex(bytes: &[u8], upper: bool) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = if upper { write!(out, "{byte:02X}") } else { write!(out, "{byte:02x}") };
        out
    })
}

fn percent(bytes: &[u8], plain: &str, upper: bool) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = match (byte.is_ascii_alphanumeric() || plain.as_bytes().contains(byte), upper) {
            (true, _) => write!(out, "{}", char::from(*byte)),
            (false, true) => write!(out, "%{byte:02X}"),
            (false, false) => write!(out, "%{byte:02x}"),
        };
        out
    })
}

/// Within the quotes of JSON.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The same where only ASCII is written as it is.
fn ascii_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut units = [0; 2];
    for c in json(text).chars() {
        match c.is_ascii() {
            true => out.push(c),
            false => c.encode_utf16(&mut units).iter().for_each(|unit| {
                let _ = write!(out, "\\u{unit:04x}");
            }),
        }
    }
    out
}

fn escaped(text: &str, special: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if special.contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// As base64, by itself or in the middle of something: what stands before decides where its groups of three bytes begin. Of
/// its first two bytes, and of what its last group has in common with what follows, nothing can be known.
fn base64s(bytes: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    for skipped in 0..3.min(bytes.len()) {
        let inner = &bytes[skipped..];
        // Six bits a character: those that hang on these bytes alone.
        let known = inner.len() * 8 / 6;
        for code in [STANDARD_NO_PAD.encode(inner), URL_SAFE_NO_PAD.encode(inner)] {
            all.push(code.clone());
            let code = &code[..known.min(code.len())];
            all.push(code.to_owned());
            if skipped == 0 {
                for width in LINES.into_iter().filter(|width| code.len() > *width) {
                    all.extend(code.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line).into_owned()));
                }
            }
        }
    }
    all
}
