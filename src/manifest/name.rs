//! File names as Python holds them and as its `json.dumps` writes them. A byte that is not UTF-8
//! is the lone surrogate U+DC80…U+DCFF there; a `String` could not take it, and a whole manifest
//! would be lost for one odd name.

use std::borrow::Borrow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

/// A file name in bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(pub(super) Vec<u8>);

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a file name")
    }

    fn visit_str<E>(self, text: &str) -> Result<Name, E> {
        Ok(Name(text.as_bytes().to_vec()))
    }

    fn visit_bytes<E>(self, text: &[u8]) -> Result<Name, E> {
        Ok(Name(without_surrogates(text)))
    }
}

/// Turns U+DC80…U+DCFF, which serde_json hands over in the bytes ED B2 80…ED B3 BF, into the
/// bytes 80…FF that Python meant by them. In UTF-8 proper nothing begins with ED B2 or ED B3.
fn without_surrogates(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        if let [0xED, second @ (0xB2 | 0xB3), third @ 0x80..=0xBF, tail @ ..] = rest {
            bytes.push((second & 1) << 6 | (third & 0x3F) | 0x80);
            rest = tail;
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    bytes
}

/// The code points of Python's string for `name`, which it sorts by.
pub(super) fn code_points(name: &[u8]) -> impl Iterator<Item = u32> {
    name.utf8_chunks().flat_map(|chunk| {
        let invalid = chunk.invalid().iter();
        let surrogates = invalid.map(|byte| SURROGATE_OF_ZERO + u32::from(*byte));
        chunk.valid().chars().map(u32::from).chain(surrogates)
    })
}

/// Appends `name` as Python's `json.dumps` writes it: quoted, and nothing but printable ASCII.
pub(super) fn write_json(name: &[u8], text: &mut String) {
    text.push('"');
    for code_point in code_points(name) {
        match char::from_u32(code_point) {
            Some('"') => text.push_str("\\\""),
            Some('\\') => text.push_str("\\\\"),
            Some('\n') => text.push_str("\\n"),
            Some('\r') => text.push_str("\\r"),
            Some('\t') => text.push_str("\\t"),
            Some('\u{8}') => text.push_str("\\b"),
            Some('\u{c}') => text.push_str("\\f"),
            Some(character @ ' '..='~') => text.push(character),
            Some(character) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write_unit((*unit).into(), text);
                }
            }
            None => write_unit(code_point, text),
        }
    }
    text.push('"');
}

/// Appends a UTF-16 unit, half of a pair or not, as an escape.
fn write_unit(unit: u32, text: &mut String) {
    text.push_str("\\u");
    for shift in [12, 8, 4, 0] {
        let digit = char::from_digit(unit >> shift & 0xF, 16);
        text.push(digit.expect("invariant: four bits are below 16"));
    }
}

/// Python's `surrogateescape` adds the byte to this.
const SURROGATE_OF_ZERO: u32 = 0xDC00;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &[u8], expected: &str) {
        let mut text = String::new();
        write_json(name, &mut text);
        assert_eq!(text, expected);
        let read: Name = serde_json::from_str(&text).unwrap();
        assert_eq!(read.0, name, "{text}");
    }

    #[test]
    fn writes_names_as_python_does() {
        check(b"", r#""""#);
        check(b"a/b.css", r#""a/b.css""#);
        check(b" ~'/\"\\", r#"" ~'/\"\\""#);
        check(
            b"\n\r\t\x08\x0c\0\x1b\x1f\x7f",
            r#""\n\r\t\b\f\u0000\u001b\u001f\u007f""#,
        );
        check(
            "é\u{80}\u{2028}\u{ffff}".as_bytes(),
            r#""\u00e9\u0080\u2028\uffff""#,
        );
        check("😀\u{10ffff}".as_bytes(), r#""\ud83d\ude00\udbff\udfff""#);
        check(b"\x80a\xff", r#""\udc80a\udcff""#);
        // The beginnings of longer characters, overlong forms, surrogates, beyond the last plane.
        check(b"\xf0\x9f\x98!", r#""\udcf0\udc9f\udc98!""#);
        check(
            b"\xc0\x80\xe0\x80\x80",
            r#""\udcc0\udc80\udce0\udc80\udc80""#,
        );
        check(b"\xed\xb2\x80", r#""\udced\udcb2\udc80""#);
        check(b"\xf4\x90\x80\x80", r#""\udcf4\udc90\udc80\udc80""#);
    }

    #[test]
    fn orders_names_as_python_does() {
        let names: [&[u8]; 7] = [
            b"",
            b"a",
            "é".as_bytes(),
            "\u{d7ff}".as_bytes(),
            b"\x80",
            b"\xff",
            "\u{e000}".as_bytes(),
        ];
        assert!(names.is_sorted_by(|one, next| code_points(one).lt(code_points(next))));
    }
}
