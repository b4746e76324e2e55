//! JSON: one object whose values are all text.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::{Assignment, ImportError, ImportFault, Position, name, shown};
use crate::secret::SecretValue;

/// Reads the members of the object, in their order. A name may be there several times.
///
/// Text with escapes passes through a buffer of the parser that is not wiped.
///
/// # Errors
/// [`ImportError`] for the first member that is no text, or where it is not JSON.
pub fn parse(text: &[u8]) -> Result<Vec<Assignment>, ImportError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let Members(members) = serde_json::from_slice(text).map_err(|error| {
        // The message of the parser may quote what it found.
        let at = Position::Line(error.line().max(1));
        ImportError { at, key: None, fault: ImportFault::NotJson }
    })?;
    let numbered = (1..).map(Position::Member).zip(members);
    numbered
        .map(|(at, (key, value))| match value {
            Text::Is(value) => {
                let name = name(key.as_bytes(), at)?;
                Ok(Assignment { name, at, value, remark: None })
            }
            Text::IsNot => {
                let key = shown(key.as_bytes());
                Err(ImportError { at, key, fault: ImportFault::NotText })
            }
        })
        .collect()
}

struct Members(Vec<(String, Text)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        input.deserialize_map(Object)
    }
}

enum Text {
    Is(SecretValue),
    IsNot,
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text::Is(SecretValue::copy_of(text.as_bytes())))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Text, E> {
                Ok(Text::IsNot)
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Text, E> {
                Ok(Text::IsNot)
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Text, E> {
                Ok(Text::IsNot)
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Text, E> {
                Ok(Text::IsNot)
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Text, E> {
                Ok(Text::IsNot)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Text, A::Error> {
                while seq.next_element::<de::IgnoredAny>()?.is_some() {}
                Ok(Text::IsNot)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
                while map.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {}
                Ok(Text::IsNot)
            }
        }
        input.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_are_text_are_read() {
        let found = parse(br#"{"A": "plain", "B": "a\nb\u00e4", "A": ""}"#).unwrap();
        let values: Vec<_> =
            found.iter().map(|it| (it.name.as_str(), it.value.expose(<[u8]>::to_vec))).collect();
        let b = "a\nb\u{e4}".as_bytes().to_vec();
        assert_eq!(values, [("A", b"plain".to_vec()), ("B", b), ("A", Vec::new())]);
    }

    #[test]
    fn what_is_no_text_is_named_and_never_shown() {
        for value in ["1", "-1", "1.5", "true", "null", "[1]", r#"{"s3cr3t": "for-json"}"#] {
            let error = parse(format!(r#"{{"A": "b", "B": {value}}}"#).as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), "member 2 (`B`): the value is no text", "{value}");
        }
        let error = parse(b"{\n\"A\": s3cr3t-for-json}").unwrap_err();
        assert_eq!(error.to_string(), "line 2: it is not JSON");
        assert_eq!(parse(b"[]").unwrap_err().fault, ImportFault::NotJson);
        assert!(parse(br#"{"no name": "x"}"#).unwrap_err().key.is_none());
    }
}
