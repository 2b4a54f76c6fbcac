//! Rows as lines of text: a JSON object for the head of a table, an array for each row of it. Whoever has no Guildhall can
//! read them all the same.
//!
//! Numbers are integers. Bytes are `{"b": …}` in base64, fractions `{"f": …}` in decimals that read back exactly.

use std::io::{self, BufRead, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{AT_ONCE, Piece, Row, TableHead, Value};

/// Bytes of a line at most: no value that the server takes comes near.
const LONGEST: u64 = 512 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
enum Special {
    #[serde(rename = "b")]
    Bytes(String),
    #[serde(rename = "f")]
    Float(String),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_none(),
            Self::Int(number) => to.serialize_i64(*number),
            Self::Float(number) => Special::Float(format!("{number:?}")).serialize(to),
            Self::Text(text) => to.serialize_str(text),
            Self::Bytes(bytes) => Special::Bytes(BASE64.encode(bytes)).serialize(to),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Int(i64),
    Text(String),
    Special(Special),
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match Option::<Written>::deserialize(from)? {
            None => Self::Null,
            Some(Written::Int(number)) => Self::Int(number),
            Some(Written::Text(text)) => Self::Text(text),
            Some(Written::Special(Special::Bytes(text))) => Self::Bytes(BASE64.decode(text).map_err(D::Error::custom)?),
            Some(Written::Special(Special::Float(text))) => Self::Float(text.parse().map_err(D::Error::custom)?),
        })
    }
}

/// Writes a piece.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_piece(piece: &Piece, out: &mut dyn Write) -> io::Result<()> {
    let mut line = |value: &dyn Fn(&mut Vec<u8>) -> serde_json::Result<()>| {
        let mut bytes = Vec::new();
        value(&mut bytes)?;
        bytes.push(b'\n');
        out.write_all(&bytes)
    };
    match piece {
        Piece::Table(head) => line(&|bytes| serde_json::to_writer(bytes, head)),
        Piece::Rows(rows) => rows.iter().try_for_each(|row| line(&|bytes| serde_json::to_writer(bytes, row))),
    }
}

/// Reads pieces, and hands each to `take`.
///
/// # Errors
/// When `from` cannot be read, a line is none of these, or `take` fails.
pub fn read_pieces(from: &mut dyn BufRead, mut take: impl FnMut(Piece) -> io::Result<()>) -> io::Result<()> {
    let (mut rows, mut size) = (Vec::new(), 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = io::Read::take(&mut *from, LONGEST).read_until(b'\n', &mut line)?;
        let ended = read == 0;
        let head = line.first() == Some(&b'{');
        if (ended || head || size >= AT_ONCE) && !rows.is_empty() {
            take(Piece::Rows(std::mem::take(&mut rows)))?;
            size = 0;
        }
        if ended {
            return Ok(());
        }
        if line.last() != Some(&b'\n') {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a line of rows is cut off"));
        }
        match head {
            true => take(Piece::Table(serde_json::from_slice::<TableHead>(&line)?))?,
            false => rows.push(serde_json::from_slice::<Row>(&line)?),
        }
        size += read;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_reads_back_as_it_was_and_a_cut_shows() {
        let row = vec![
            Value::Null,
            Value::Int(i64::MIN),
            Value::Int(i64::MAX),
            Value::Float(0.1 + 0.2),
            Value::Float(3.0),
            Value::Text("a\n\"b\" \u{1f980} {\"b\": 1}".to_owned()),
            Value::Bytes(vec![0, 255, 10]),
        ];
        let head = TableHead { table: "t".to_owned(), columns: vec!["a".to_owned()] };
        let pieces = [Piece::Table(head.clone()), Piece::Rows(vec![row.clone(), row]), Piece::Table(head)];
        let mut bytes = Vec::new();
        for piece in &pieces {
            write_piece(piece, &mut bytes).unwrap();
        }
        let mut read = Vec::new();
        read_pieces(&mut bytes.as_slice(), |piece| {
            read.push(piece);
            Ok(())
        })
        .unwrap();
        assert_eq!(read, pieces);
        let cut = &bytes[..bytes.len() - 5];
        assert!(read_pieces(&mut &*cut, |_| Ok(())).is_err());
    }
}
