//! The ways in which programs write a value down.
//!
//! Ours, and not those of crates: these grow a [`SecretBuffer`] and leave no copy behind.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::secret::SecretBuffer;

/// The digits of hexadecimal numbers.
const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// What JavaScript's `encodeURIComponent` leaves alone besides letters and digits; others less.
const COMPONENT: &[u8] = b"-_.!~*'()";
/// What RFC 3986 says need never be escaped.
const UNRESERVED: &[u8] = b"-_.~";
/// Python's `quote`.
const PATH: &[u8] = b"-_.~/";
/// JavaScript's `encodeURI`.
const WHOLE_URI: &[u8] = b"-_.!~*'();/?:@&=+$,#";
/// A query or the user's part of a URL, where a plus sign would be read as a blank.
const QUERY: &[u8] = b"-_.!~*'();/?:&=$,";
/// HTML forms, and Java's `URLEncoder`.
const FORM: &[u8] = b"-_.*";

/// What bash's `printf %q` writes with a backslash.
const BASH: &[u8] = b" \t\n|&;()<>!{}*[]?^$`'\"\\,";
/// What zsh's `${(q)…}` does.
const ZSH: &[u8] = b" \t\n|&;()<>!{}*[]?^$`'\"\\#~=";
/// What both do, and `#`.
const ALL_SHELLS: &[u8] = b" \t\n|&;()<>!{}*[]?^$`'\"\\#";

/// How a value is written down.
#[derive(Clone, Copy, Debug)]
pub(super) enum Encoding {
    /// As it is.
    Raw,
    /// Base64, as part of something longer: the characters that depend on the value alone, where it
    /// begins `.1` bytes behind a multiple of three.
    Base64(Alphabet, usize),
    /// Two digits for each byte.
    Hex(Case),
    /// `%20`, but for letters, digits and these.
    Percent(&'static [u8], Case),
    /// The same with `+` for a blank.
    Form(&'static [u8], Case),
    /// Inside the quotes of a JSON string.
    Json(Json),
    /// A JSON string inside a JSON string.
    JsonTwice,
    /// Inside single quotes of a shell.
    ShellSingle,
    /// Inside double quotes of a shell.
    ShellDouble,
    /// With a backslash before each of these bytes.
    Backslash(&'static [u8]),
    /// Inside `$'…'`.
    AnsiC,
    /// XML or HTML, with these for `"` and `'`.
    Xml(&'static str, &'static str),
    /// Two bytes for each unit, the lower one first.
    Utf16,
    /// Base64 of that, at one of three alignments.
    Utf16Base64(usize),
}

/// The two sets of characters of Base64.
#[derive(Clone, Copy, Debug)]
pub(super) enum Alphabet {
    Standard,
    Url,
}

/// How hexadecimal letters are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Case {
    Lower,
    Upper,
}

/// What a writer of JSON escapes besides what it must.
#[derive(Clone, Copy, Debug)]
pub(super) enum Json {
    /// Nothing.
    Plain,
    /// `/`, as PHP does.
    Slash,
    /// `&`, `<` and `>`, as Go does.
    Html,
    /// All that is not ASCII, as Python does.
    Ascii,
}

/// All of them. Most write a value of letters and digits alike: what comes out twice is kept once.
pub(super) const ALL: &[Encoding] = &[
    Encoding::Raw,
    Encoding::Base64(Alphabet::Standard, 0),
    Encoding::Base64(Alphabet::Standard, 1),
    Encoding::Base64(Alphabet::Standard, 2),
    Encoding::Base64(Alphabet::Url, 0),
    Encoding::Base64(Alphabet::Url, 1),
    Encoding::Base64(Alphabet::Url, 2),
    Encoding::Hex(Case::Lower),
    Encoding::Hex(Case::Upper),
    Encoding::Percent(UNRESERVED, Case::Upper),
    Encoding::Percent(UNRESERVED, Case::Lower),
    Encoding::Percent(COMPONENT, Case::Upper),
    Encoding::Percent(PATH, Case::Upper),
    Encoding::Percent(WHOLE_URI, Case::Upper),
    Encoding::Percent(QUERY, Case::Upper),
    Encoding::Form(FORM, Case::Upper),
    Encoding::Form(UNRESERVED, Case::Upper),
    Encoding::Form(FORM, Case::Lower),
    Encoding::Json(Json::Plain),
    Encoding::Json(Json::Slash),
    Encoding::Json(Json::Html),
    Encoding::Json(Json::Ascii),
    Encoding::JsonTwice,
    Encoding::ShellSingle,
    Encoding::ShellDouble,
    Encoding::Backslash(BASH),
    Encoding::Backslash(ZSH),
    Encoding::Backslash(ALL_SHELLS),
    Encoding::AnsiC,
    Encoding::Xml("&quot;", "&#x27;"),
    Encoding::Xml("&quot;", "&#39;"),
    Encoding::Xml("&quot;", "&apos;"),
    Encoding::Xml("&#34;", "&#39;"),
    Encoding::Xml("\"", "'"),
    Encoding::Utf16,
    Encoding::Utf16Base64(0),
    Encoding::Utf16Base64(1),
    Encoding::Utf16Base64(2),
];

impl Encoding {
    /// Spells `value` like this.
    pub(super) fn spell(self, value: &[u8]) -> SecretBuffer {
        let mut spelling = SecretBuffer::new();
        self.write(value, &mut spelling);
        spelling
    }

    fn write(self, value: &[u8], out: &mut SecretBuffer) {
        match self {
            Self::Raw => out.extend(value),
            Self::Base64(alphabet, before) => base64(value, alphabet, before, out),
            Self::Hex(case) => value.iter().for_each(|byte| hex(*byte, case, out)),
            Self::Percent(safe, case) => percent(value, safe, case, b"%20", out),
            Self::Form(safe, case) => percent(value, safe, case, b"+", out),
            Self::Json(kind) => json(value, kind, out),
            Self::JsonTwice => {
                let mut once = SecretBuffer::new();
                json(value, Json::Plain, &mut once);
                once.expose(|once| json(once, Json::Plain, out));
            }
            Self::ShellSingle => {
                each(value, out, |byte| (byte == b'\'').then_some(r"'\''".as_bytes()));
            }
            Self::ShellDouble => backslash(value, b"\"$`\\", out),
            Self::Backslash(escaped) => backslash(value, escaped, out),
            Self::AnsiC => ansi_c(value, out),
            Self::Xml(quote, apostrophe) => xml(value, quote, apostrophe, out),
            Self::Utf16 => utf16(value, out),
            Self::Utf16Base64(before) => {
                let mut wide = SecretBuffer::new();
                utf16(value, &mut wide);
                wide.expose(|wide| base64(wide, Alphabet::Standard, before, out));
            }
        }
    }
}

/// Appends each byte, or what stands for it.
fn each<'a>(value: &[u8], out: &mut SecretBuffer, instead: impl Fn(u8) -> Option<&'a [u8]>) {
    for byte in value {
        out.extend(instead(*byte).unwrap_or(std::slice::from_ref(byte)));
    }
}

/// Base64 writes six bits a character: of what stands beside the value only whole characters of its
/// own are taken. The first of them is that behind `before` bytes.
fn base64(value: &[u8], alphabet: Alphabet, before: usize, out: &mut SecretBuffer) {
    let engine = match alphabet {
        Alphabet::Standard => &STANDARD_NO_PAD,
        Alphabet::Url => &URL_SAFE_NO_PAD,
    };
    let mut shifted = SecretBuffer::with_capacity(before + value.len());
    shifted.extend(&[0; 2][..before]);
    shifted.extend(value);
    let first = (before * 8).div_ceil(6);
    let end = shifted.len() * 8 / 6;
    let mut encoded = zeroize::Zeroizing::new(vec![0; shifted.len() * 8 / 6 + 2]);
    let written = shifted.expose(|bytes| engine.encode_slice(bytes, &mut encoded));
    written.expect("it is long enough");
    out.extend(encoded.get(first..end).unwrap_or_default());
}

fn hex(byte: u8, case: Case, out: &mut SecretBuffer) {
    let digits = match case {
        Case::Lower => LOWER,
        Case::Upper => UPPER,
    };
    out.extend(&[digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
}

fn percent(value: &[u8], safe: &[u8], case: Case, blank: &[u8], out: &mut SecretBuffer) {
    for byte in value {
        match *byte {
            b' ' => out.extend(blank),
            plain if plain.is_ascii_alphanumeric() || safe.contains(&plain) => out.extend(&[plain]),
            other => {
                out.extend(b"%");
                hex(other, case, out);
            }
        }
    }
}

fn backslash(value: &[u8], escaped: &[u8], out: &mut SecretBuffer) {
    for byte in value {
        if escaped.contains(byte) {
            out.extend(b"\\");
        }
        out.extend(&[*byte]);
    }
}

/// Writes a control byte as C and JSON do, `None` where they have no letter for it.
fn letter(byte: u8) -> Option<&'static [u8]> {
    match byte {
        b'\n' => Some(br"\n"),
        b'\r' => Some(br"\r"),
        b'\t' => Some(br"\t"),
        0x08 => Some(br"\b"),
        0x0c => Some(br"\f"),
        _ => None,
    }
}

fn json(value: &[u8], kind: Json, out: &mut SecretBuffer) {
    for chunk in value.utf8_chunks() {
        chunk.valid().chars().for_each(|character| json_character(character, kind, out));
        out.extend(chunk.invalid());
    }
}

fn json_character(character: char, kind: Json, out: &mut SecretBuffer) {
    let html = matches!(kind, Json::Html) && matches!(character, '&' | '<' | '>');
    let wide = matches!(kind, Json::Ascii) && !character.is_ascii();
    let short = u8::try_from(character).ok().and_then(letter);
    match character {
        '"' => out.extend(b"\\\""),
        '\\' => out.extend(br"\\"),
        '/' if matches!(kind, Json::Slash) => out.extend(br"\/"),
        control if let Some(short) = short => {
            debug_assert!(control.is_ascii_control());
            out.extend(short);
        }
        special if html || wide || special < ' ' => {
            for unit in special.encode_utf16(&mut [0; 2]) {
                out.extend(br"\u");
                unit.to_be_bytes().into_iter().for_each(|byte| hex(byte, Case::Lower, out));
            }
        }
        plain => out.extend(plain.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

fn ansi_c(value: &[u8], out: &mut SecretBuffer) {
    each(value, out, |byte| match byte {
        b'\'' => Some(br"\'"),
        b'\\' => Some(br"\\"),
        0x07 => Some(br"\a"),
        0x0b => Some(br"\v"),
        0x1b => Some(br"\E"),
        other => letter(other),
    });
}

fn xml(value: &[u8], quote: &'static str, apostrophe: &'static str, out: &mut SecretBuffer) {
    each(value, out, |byte| match byte {
        b'&' => Some(b"&amp;"),
        b'<' => Some(b"&lt;"),
        b'>' => Some(b"&gt;"),
        b'"' => Some(quote.as_bytes()),
        b'\'' => Some(apostrophe.as_bytes()),
        _ => None,
    });
}

/// Text only: what is not UTF-8 has no such form.
fn utf16(value: &[u8], out: &mut SecretBuffer) {
    let Ok(text) = std::str::from_utf8(value) else { return };
    text.encode_utf16().for_each(|unit| out.extend(&unit.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    /// What needs an escape somewhere.
    const VALUE: &str = "p@ss w0rd/+&=?#\"'\\$x`!%Tz9<>~*\n\t,ä日";

    fn spelled(encoding: Encoding, value: &str) -> String {
        let bytes = encoding.spell(value.as_bytes()).expose(<[u8]>::to_vec);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn each_spelling_is_what_programs_write() {
        // Written by: Python's urllib and json, JavaScript, Go, PHP, Java, bash, zsh.
        for (encoding, expected) in [
            (
                Encoding::Percent(COMPONENT, Case::Upper),
                "p%40ss%20w0rd%2F%2B%26%3D%3F%23%22'%5C%24x%60!%25Tz9%3C%3E~*%0A%09%2C%C3%A4%E6%97%A5",
            ),
            (
                Encoding::Percent(PATH, Case::Lower),
                "p%40ss%20w0rd/%2b%26%3d%3f%23%22%27%5c%24x%60%21%25Tz9%3c%3e~%2a%0a%09%2c%c3%a4%e6%97%a5",
            ),
            (
                Encoding::Form(FORM, Case::Upper),
                "p%40ss+w0rd%2F%2B%26%3D%3F%23%22%27%5C%24x%60%21%25Tz9%3C%3E%7E*%0A%09%2C%C3%A4%E6%97%A5",
            ),
            (Encoding::Json(Json::Plain), "p@ss w0rd/+&=?#\\\"'\\\\$x`!%Tz9<>~*\\n\\t,ä日"),
            (Encoding::Json(Json::Slash), "p@ss w0rd\\/+&=?#\\\"'\\\\$x`!%Tz9<>~*\\n\\t,ä日"),
            (
                Encoding::Json(Json::Html),
                "p@ss w0rd/+\\u0026=?#\\\"'\\\\$x`!%Tz9\\u003c\\u003e~*\\n\\t,ä日",
            ),
            (
                Encoding::Json(Json::Ascii),
                "p@ss w0rd/+&=?#\\\"'\\\\$x`!%Tz9<>~*\\n\\t,\\u00e4\\u65e5",
            ),
            (Encoding::JsonTwice, "p@ss w0rd/+&=?#\\\\\\\"'\\\\\\\\$x`!%Tz9<>~*\\\\n\\\\t,ä日"),
            (Encoding::ShellSingle, "p@ss w0rd/+&=?#\"'\\''\\$x`!%Tz9<>~*\n\t,ä日"),
            (Encoding::ShellDouble, "p@ss w0rd/+&=?#\\\"'\\\\\\$x\\`!%Tz9<>~*\n\t,ä日"),
            (Encoding::AnsiC, "p@ss w0rd/+&=?#\"\\'\\\\$x`!%Tz9<>~*\\n\\t,ä日"),
            (
                Encoding::Xml("&quot;", "&#39;"),
                "p@ss w0rd/+&amp;=?#&quot;&#39;\\$x`!%Tz9&lt;&gt;~*\n\t,ä日",
            ),
            (Encoding::Utf16, "p\0@\0s\0s\0 \0w\0"),
            (Encoding::Hex(Case::Upper), "7040737320773072642F"),
        ] {
            let found = spelled_start(encoding, expected.len());
            assert_eq!(found, expected, "{encoding:?}");
        }
        let quoted = spelled(Encoding::Backslash(BASH), "p@ss w0rd/+&=?#\"'\\$x`!%Tz9");
        assert_eq!(quoted, "p@ss\\ w0rd/+\\&=\\?#\\\"\\'\\\\\\$x\\`\\!%Tz9", "of bash");
        assert_eq!(spelled(Encoding::Json(Json::Ascii), "😀\u{1}"), "\\ud83d\\ude00\\u0001");
    }

    /// Spells the value; of the last two, which are no text or long, the start.
    fn spelled_start(encoding: Encoding, length: usize) -> String {
        let bytes = match encoding {
            Encoding::Utf16 | Encoding::Hex(_) => {
                encoding.spell(VALUE.as_bytes()).expose(|bytes| bytes[..length].to_vec())
            }
            _ => encoding.spell(VALUE.as_bytes()).expose(<[u8]>::to_vec),
        };
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn base64_is_found_wherever_the_value_stands() {
        let value = b"\xff\xfe>?s3cr3t-for-encode\xfb\xf0";
        for (before, after) in [("", ""), ("u", ":"), ("us", "\n"), ("use", "xy"), ("user", "z")] {
            let whole = [before.as_bytes(), value, after.as_bytes()].concat();
            for (alphabet, encoded) in [
                (Alphabet::Standard, STANDARD.encode(&whole)),
                (Alphabet::Url, URL_SAFE.encode(&whole)),
            ] {
                let spelling = Encoding::Base64(alphabet, before.len() % 3).spell(value);
                let spelling = String::from_utf8(spelling.expose(<[u8]>::to_vec)).unwrap();
                let start = encoded.find(&spelling).expect("it is in there");
                // At most one character on each side depends on the value, and on its neighbour.
                assert!(start <= (before.len() * 8).div_ceil(6));
                let end = (before.len() + value.len()) * 8 / 6;
                assert_eq!(start + spelling.len(), end, "{before:?} {after:?}");
            }
        }
    }

    #[test]
    fn no_spelling_fails_on_bytes_that_are_no_text() {
        for encoding in ALL {
            for value in [&b""[..], b"\xff", b"\xc3\x28\0\x1b", &[0x80; 40]] {
                encoding.spell(value);
            }
        }
    }
}
