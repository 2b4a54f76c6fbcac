//! What the rows of a table come to, whatever their order and whichever database they are in.

use chrono::DateTime;
use sha2::{Digest, Sha256};

use super::catalog::Kind;
use super::{Row, TableSum, Value};
use crate::StoreError;

/// Adds rows up: the digests of all of them are added, so that their order says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sum {
    rows: i64,
    lanes: [u64; 4],
}

impl Sum {
    /// Adds a row whose values are looked at as these kinds.
    pub(super) fn add(&mut self, kinds: &[Kind], row: &Row) -> Result<(), StoreError> {
        let mut hasher = Sha256::new();
        for (at, value) in row.iter().enumerate() {
            hash(&mut hasher, kinds.get(at).copied().unwrap_or(Kind::Plain), value)?;
        }
        let digest = hasher.finalize();
        for (lane, bytes) in self.lanes.iter_mut().zip(digest.chunks_exact(8)) {
            let mut part = [0; 8];
            part.copy_from_slice(bytes);
            *lane = lane.wrapping_add(u64::from_be_bytes(part));
        }
        self.rows += 1;
        Ok(())
    }

    /// What came together, of this table.
    pub(super) fn of(&self, table: &str) -> TableSum {
        let digest = self.lanes.iter().map(|lane| format!("{lane:016x}")).collect();
        TableSum { table: table.to_owned(), rows: self.rows, digest }
    }
}

/// Each value with what it is and how long it is, so that no two rows look alike.
fn hash(hasher: &mut Sha256, kind: Kind, value: &Value) -> Result<(), StoreError> {
    let mut put = |mark: u8, bytes: &[u8]| {
        hasher.update([mark]);
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    match (kind, value) {
        (_, Value::Null) => put(0, &[]),
        // The databases write the same moment, and the same document, in different words.
        (Kind::Time, Value::Text(text)) => put(5, &micros(text)?.to_be_bytes()),
        (Kind::Document, Value::Text(text)) => {
            let document: serde_json::Value = serde_json::from_str(text)?;
            let mut plain = Vec::with_capacity(text.len());
            write_document(&document, &mut plain);
            put(6, &plain);
        }
        (Kind::Text, Value::Text(text)) if text.contains('\0') => put(3, crate::clean(text).as_bytes()),
        (_, Value::Int(number)) => put(1, &number.to_be_bytes()),
        (_, Value::Float(number)) => put(2, &number.to_bits().to_be_bytes()),
        (_, Value::Text(text)) => put(3, text.as_bytes()),
        (_, Value::Bytes(bytes)) => put(4, bytes),
    }
    Ok(())
}

/// Microseconds since 1970.
pub(super) fn micros(text: &str) -> Result<i64, StoreError> {
    let at = DateTime::parse_from_rfc3339(text);
    at.map(|at| at.timestamp_micros())
        .map_err(|_| StoreError::Unfit("a column of times holds text that is no time in RFC 3339".to_owned()))
}

/// A document so that two that say the same are the same bytes: members by name, and a number by its value, since PostgreSQL
/// writes 1e3 as 1000.
fn write_document(document: &serde_json::Value, out: &mut Vec<u8>) {
    match document {
        serde_json::Value::Number(number) => out.extend(number_text(number).into_bytes()),
        serde_json::Value::Array(items) => {
            out.push(b'[');
            for item in items {
                write_document(item, out);
                out.push(b',');
            }
            out.push(b']');
        }
        serde_json::Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|a, b| a.0.cmp(b.0));
            out.push(b'{');
            for (name, value) in sorted {
                write_document(&serde_json::Value::String(name.clone()), out);
                out.push(b':');
                write_document(value, out);
                out.push(b',');
            }
            out.push(b'}');
        }
        // PostgreSQL cannot hold NUL, and is given what stands for it.
        serde_json::Value::String(text) => {
            out.extend(serde_json::Value::from(crate::clean(text)).to_string().into_bytes())
        }
        plain => out.extend(plain.to_string().into_bytes()),
    }
}

fn number_text(number: &serde_json::Number) -> String {
    if number.is_i64() || number.is_u64() {
        return number.to_string();
    }
    let value = number.as_f64().unwrap_or_default();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole and within the bounds of the type, as was just looked at"
    )]
    match value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 {
        true => (value as i64).to_string(),
        false => format!("{value:e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(kind: Kind, values: &[Value]) -> TableSum {
        let mut sum = Sum::default();
        for value in values {
            sum.add(&[kind], &vec![value.clone()]).unwrap();
        }
        sum.of("t")
    }

    #[test]
    fn what_both_databases_write_of_the_same_comes_to_the_same() {
        let text = |text: &str| Value::Text(text.to_owned());
        let same = [
            (Kind::Time, "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00.000000Z"),
            (Kind::Document, r#"{"b":[1e3,0.5],"a":null}"#, r#"{"a": null, "b": [1000, 0.5]}"#),
            (Kind::Document, r#"{"a":12345678901234567890}"#, r#"{"a": 12345678901234567890}"#),
        ];
        for (kind, one, other) in same {
            assert_eq!(sum(kind, &[text(one)]), sum(kind, &[text(other)]), "{one} and {other}");
            assert_ne!(sum(Kind::Plain, &[text(one)]), sum(Kind::Plain, &[text("")]));
        }
        let (a, b) = (text("a"), text("b"));
        assert_eq!(sum(Kind::Plain, &[a.clone(), b.clone()]), sum(Kind::Plain, &[b.clone(), a.clone()]));
        assert_ne!(
            sum(Kind::Plain, &[a.clone(), a.clone()]),
            sum(Kind::Plain, &[b.clone(), b]),
            "a pair is not nothing"
        );
        assert_ne!(sum(Kind::Plain, &[a]), sum(Kind::Plain, &[Value::Bytes(b"a".to_vec())]));
        assert!(Sum::default().add(&[Kind::Time], &vec![text("yesterday")]).is_err());
    }
}
