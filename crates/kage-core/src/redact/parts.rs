//! The parts of a value that are secret on their own, and those that are public.

use super::weak::weakness;
use crate::secret::SecretBuffer;

/// The shortest line of a value, or text in a JSON document, that is looked for on its own.
pub(super) const LONG: usize = 16;

/// How tokens of well-known services begin. These bytes say whose token it is, and nothing else.
const PUBLIC: &[&[u8]] = &[
    b"sk-ant-api03-",
    b"sk-ant-admin01-",
    b"sk-ant-oat01-",
    b"sk-proj-",
    b"sk-svcacct-",
    b"sk-",
    b"ghp_",
    b"gho_",
    b"ghu_",
    b"ghs_",
    b"ghr_",
    b"github_pat_",
    b"glpat-",
    b"gldt-",
    b"xoxb-",
    b"xoxp-",
    b"xapp-",
    b"sk_live_",
    b"sk_test_",
    b"pk_live_",
    b"pk_test_",
    b"rk_live_",
    b"whsec_",
    b"AKIA",
    b"ASIA",
    b"AIza",
    b"ya29.",
    b"npm_",
    b"pypi-",
    b"hf_",
    b"dop_v1_",
    b"SG.",
    b"eyJhbGciOiJ",
    b"-----BEGIN ",
];

/// Returns how many bytes of `value` are the public start of a token, or the header of a JSON Web
/// Token.
pub(super) fn public_start(value: &[u8]) -> usize {
    if value.starts_with(b"eyJ")
        && let Some(dot) = value.iter().position(|byte| *byte == b'.')
    {
        return dot + 1;
    }
    let starts = PUBLIC.iter().filter(|start| value.starts_with(start));
    starts.map(|start| start.len()).max().unwrap_or(0)
}

/// Returns whether `bytes` are the public start of a token, or begin one.
pub(super) fn is_public(bytes: &[u8]) -> bool {
    PUBLIC.iter().any(|start| start.starts_with(bytes))
}

/// Returns `value` without blanks, line ends and one pair of quotes around it.
pub(super) fn trim(value: &[u8]) -> &[u8] {
    match value.trim_ascii() {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner.trim_ascii(),
        plain => plain,
    }
}

/// Returns whether `text` looks like something that nobody would write twice by chance: digits,
/// small and capital letters in turn, without blanks.
pub(super) fn looks_random(text: &[u8]) -> bool {
    let turns = text.windows(2).filter(|pair| kind(pair[0]) != kind(pair[1]));
    let plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"\\{}<>,;".contains(byte);
    text.iter().all(plain) && 4 * turns.count() > text.len()
}

/// Tells digits, small and capital letters apart. The rest is no turn.
fn kind(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => 1,
        b'A'..=b'Z' => 2,
        _ => 0,
    }
}

/// How a part is met in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alone {
    /// In any spelling.
    Encoded,
    /// As it is.
    AsItIs,
}

/// Calls `found` with each part of `value` that is secret on its own: the random lines of a text,
/// the random strings of a JSON document, the password of a URL.
pub(super) fn each_part(value: &[u8], mut found: impl FnMut(&[u8], Alone)) {
    random_lines(value, |line| found(line, Alone::AsItIs));
    if matches!(value.first(), Some(b'{' | b'[')) {
        each_json_string(value, |text| {
            if is_random(text) {
                found(text, Alone::Encoded);
            }
            random_lines(text, |line| found(line, Alone::AsItIs));
        });
    }
    if let Some(password) = url_password(value).filter(|password| weakness(password).is_none()) {
        found(password, Alone::Encoded);
        percent_decoded(password).expose(|decoded| found(decoded, Alone::Encoded));
    }
}

fn is_random(text: &[u8]) -> bool {
    text.len() >= LONG && looks_random(text)
}

/// Never the first and last line of a PEM file, or a brace: they are in every such value.
fn random_lines(text: &[u8], found: impl FnMut(&[u8])) {
    if text.contains(&b'\n') {
        let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        lines.filter(|line| is_random(line)).for_each(found);
    }
}

/// Calls `found` with each string of a JSON document, without its escapes. What is no JSON gives
/// something or nothing, and no error.
fn each_json_string(document: &[u8], mut found: impl FnMut(&[u8])) {
    let mut bytes = document.iter().copied();
    while bytes.any(|byte| byte == b'"') {
        let mut text = SecretBuffer::new();
        while let Some(byte) = bytes.next().filter(|byte| *byte != b'"') {
            match byte {
                b'\\' => unescape(&mut bytes, &mut text),
                plain => text.extend(&[plain]),
            }
        }
        text.expose(&mut found);
    }
}

fn unescape(bytes: &mut impl Iterator<Item = u8>, text: &mut SecretBuffer) {
    match bytes.next() {
        Some(b'n') => text.extend(b"\n"),
        Some(b'r') => text.extend(b"\r"),
        Some(b't') => text.extend(b"\t"),
        Some(b'u') => {
            let digits = bytes.take(4).map(|digit| char::from(digit).to_digit(16).unwrap_or(0));
            let unit = digits.fold(0, |unit, digit| unit * 16 + digit);
            // Halves of a pair are not worth the trouble: such a string is no key.
            let character = char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
            text.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Some(other) => text.extend(&[other]),
        None => {}
    }
}

/// Returns the password in `scheme://user:password@host`.
fn url_password(value: &[u8]) -> Option<&[u8]> {
    let scheme = value.windows(3).position(|three| three == b"://")?;
    if !value
        .get(..scheme)?
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
    {
        return None;
    }
    let rest = value.get(scheme + 3..)?;
    let authority = rest.split(|byte| b"/?#".contains(byte)).next()?;
    let user = authority.get(..authority.iter().rposition(|byte| *byte == b'@')?)?;
    user.get(user.iter().position(|byte| *byte == b':')? + 1..)
}

fn percent_decoded(text: &[u8]) -> SecretBuffer {
    let mut decoded = SecretBuffer::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        let digit = |at: usize| char::from(*behind.get(at)?).to_digit(16);
        if let (b'%', Some(high), Some(low)) = (first, digit(0), digit(1)) {
            decoded.extend(&[u8::try_from(high * 16 + low).unwrap_or_default()]);
            rest = behind.get(2..).unwrap_or_default();
        } else {
            decoded.extend(&[*first]);
            rest = behind;
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(value: &str) -> Vec<String> {
        let mut parts = Vec::new();
        each_part(value.as_bytes(), |part, _| {
            parts.push(String::from_utf8(part.to_vec()).unwrap());
        });
        parts
    }

    #[test]
    fn lines_of_a_key_are_secret_and_what_is_around_them_is_not() {
        let pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nshort1A\n\
                   -----END PRIVATE KEY-----\n";
        assert_eq!(parts(pem), ["MIIEvQIBADANBgkqhkiG9w0BAQ"]);
    }

    #[test]
    fn random_strings_of_a_document_are_secret_and_its_words_are_not() {
        let json = r#"{"type": "service_account", "uri": "https://accounts.example.com/o/auth",
            "id": "0f1e2d3c4b5a69788796", "key": "-----BEGIN\nMIIEvQIBADANBgkqhkiG9w0BAQ\n-",
            "k\u0065y": "a\/Zq8Wm3Tn6Rb1Kx9L\"#;
        assert_eq!(
            parts(json),
            ["0f1e2d3c4b5a69788796", "MIIEvQIBADANBgkqhkiG9w0BAQ", "a/Zq8Wm3Tn6Rb1Kx9L"]
        );
    }

    #[test]
    fn the_password_of_a_url_is_a_part_as_it_is_and_decoded() {
        assert_eq!(
            parts("postgres://app:Zk4%21vQ9xLm2@db:5432/prod"),
            ["Zk4%21vQ9xLm2", "Zk4!vQ9xLm2"]
        );
        for none in ["postgres://app@db/prod", "postgres://app:short@db", "a b://u:Zk4vQ9xLm2@h"] {
            assert_eq!(parts(none), Vec::<String>::new(), "{none}");
        }
    }

    #[test]
    fn quotes_and_blanks_around_a_value_do_not_belong_to_it() {
        for (value, inner) in
            [("  v\r\n", "v"), ("\"v\"\n", "v"), ("' v '", "v"), ("\"v'", "\"v'"), ("\"", "\"")]
        {
            assert_eq!(trim(value.as_bytes()), inner.as_bytes(), "{value:?}");
        }
    }

    #[test]
    fn the_start_of_a_token_is_public() {
        assert_eq!(public_start(b"sk-ant-api03-Zq8"), 13);
        assert_eq!(public_start(b"sk-Zq8"), 3);
        assert_eq!(public_start(b"eyJhbGciOiJIUzI1NiJ9.eyJ"), 21);
        assert_eq!(public_start(b"Zq8"), 0);
        assert!(is_public(b"ghp_") && is_public(b"gh") && !is_public(b"ghp_R"));
    }
}
