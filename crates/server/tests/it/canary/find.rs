//! Looks for secrets in bytes, however they are spelled there.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

/// Bytes by which a spelling is looked up; none is shorter.
const START: usize = 8;

/// A secret, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    pub what: &'static str,
    pub text: String,
}

impl Planted {
    pub fn new(what: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        assert!(text.len() > 2 * START, "{what} is too short to be told from other text");
        Self { what, text }
    }
}

fn base64(bytes: &[u8], last: [u8; 2]) -> String {
    let letters = [b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".as_slice(), &last].concat();
    let letter = |bits: u32| char::from(letters[(bits & 63) as usize]);
    let groups = bytes.chunks_exact(3).map(|group| u32::from_be_bytes([0, group[0], group[1], group[2]]));
    groups.flat_map(|bits| [bits >> 18, bits >> 12, bits >> 6, bits]).map(letter).collect()
}

/// The ways in which a text may stand somewhere.
fn spellings(text: &str) -> BTreeSet<String> {
    let bytes = text.as_bytes();
    let hex = bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    });
    let percent = |upper: bool| {
        bytes.iter().fold(String::new(), |mut out, byte| {
            let plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
            let _ = match (plain, upper) {
                (true, _) => write!(out, "{}", char::from(*byte)),
                (false, true) => write!(out, "%{byte:02X}"),
                (false, false) => write!(out, "%{byte:02x}"),
            };
            out
        })
    };
    let json = serde_json::to_string(text).unwrap();
    let mut all = BTreeSet::from([text.to_owned(), hex.to_uppercase(), hex, percent(true), percent(false)]);
    all.insert(json[1..json.len() - 1].to_owned());
    all.insert(text.replace('/', "\\/"));
    all.insert(text.replace('/', "%2F"));
    // In base64, three beginnings: what stands before decides where the groups begin. Of the last group, nothing is known.
    for skipped in 0..3 {
        for last in [*b"+/", *b"-_"] {
            all.insert(base64(&bytes[skipped..], last));
        }
    }
    all
}

fn two(bytes: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// Everything that is looked for.
pub struct Finder {
    /// Which two bytes a spelling begins with; asked first, because it is quickly answered.
    starts: Vec<bool>,
    by_start: HashMap<[u8; START], Vec<(&'static str, String)>>,
}

impl Finder {
    pub fn new(secrets: &[Planted]) -> Self {
        let mut finder = Self { starts: vec![false; 1 << 16], by_start: HashMap::new() };
        for Planted { what, text } in secrets {
            for spelling in spellings(text) {
                let start: [u8; START] = spelling.as_bytes()[..START].try_into().unwrap();
                finder.starts[two(&start)] = true;
                finder.by_start.entry(start).or_default().push((what, spelling));
            }
        }
        finder
    }

    /// Which secrets stand in these bytes.
    pub fn find(&self, bytes: &[u8]) -> BTreeSet<&'static str> {
        let mut found = BTreeSet::new();
        for (at, window) in bytes.windows(START).enumerate() {
            if self.starts[two(window)]
                && let Some(candidates) = self.by_start.get(window)
            {
                let here = candidates.iter().filter(|(_, spelling)| bytes[at..].starts_with(spelling.as_bytes()));
                found.extend(here.map(|(what, _)| *what));
            }
        }
        found
    }
}

#[test]
fn a_secret_is_found_however_it_is_spelled() {
    let text = "sk-ant/canary+in=the \"mine\"";
    let finder = Finder::new(&[Planted::new("it", text), Planted::new("another", "something else altogether")]);
    for spelled in [
        "sk-ant/canary+in=the \"mine\"",
        "sk-ant/canary+in=the \\\"mine\\\"",
        "sk-ant\\/canary+in=the \"mine\"",
        "sk-ant%2Fcanary%2Bin%3Dthe%20%22mine%22",
        "sk-ant%2fcanary%2bin%3dthe%20%22mine%22",
        "736b2d616e742f63616e6172792b696e3d74686520226d696e6522",
        "736B2D616E742F63616E6172792B696E3D74686520226D696E6522",
        // The same after nothing, after one and after two bytes.
        "c2stYW50L2NhbmFyeStpbj10aGUgIm1pbmUi",
        "eHNrLWFudC9jYW5hcnkraW49dGhlICJtaW5lIg==",
        "eHhzay1hbnQvY2FuYXJ5K2luPXRoZSAibWluZSI=",
    ] {
        let bytes = format!("before {spelled} after");
        assert_eq!(finder.find(bytes.as_bytes()), BTreeSet::from(["it"]), "{spelled}");
    }
    assert!(finder.find(b"sk-ant/canary+in=another mine, and c2stYW50L2NhbmFyeS").is_empty());
}
