//! What a careful colleague would say about a secret that is about to be stored. Nothing here
//! refuses anything.

use crate::name::SecretName;
use crate::secret::SecretValue;

/// Names that say nothing of what they open.
const VAGUE: &[&str] = &[
    "API",
    "APIKEY",
    "AUTH",
    "CREDENTIAL",
    "CREDENTIALS",
    "CREDS",
    "KEY",
    "PASS",
    "PASSWD",
    "PASSWORD",
    "PW",
    "PWD",
    "SECRET",
    "SECRETS",
    "TOKEN",
    "USER",
    "VALUE",
];

/// Values that stand where the real one is meant to go, in lower case.
const PLACEHOLDERS: &[&str] = &[
    "changeme",
    "change-me",
    "change_me",
    "dummy",
    "example",
    "fixme",
    "none",
    "null",
    "password",
    "placeholder",
    "replace-me",
    "replace_me",
    "replaceme",
    "secret",
    "tbd",
    "test",
    "todo",
    "undefined",
    "your-api-key",
    "your_api_key",
    "your-key-here",
    "your_key_here",
];

/// How such values begin, in lower case.
const PLACEHOLDER_STARTS: &[&str] =
    &["your-", "your_", "<your", "insert-", "insert_", "enter-your"];

/// Returns whether `name` says nothing of what it opens.
pub fn is_vague(name: &SecretName) -> bool {
    VAGUE.contains(&name.as_str().to_ascii_uppercase().as_str())
}

/// Returns whether `value` looks like a stand-in that somebody forgot to replace.
pub fn looks_like_a_placeholder(value: &SecretValue) -> bool {
    value.expose(|bytes| {
        let trimmed = bytes.trim_ascii();
        let one_of =
            |words: &[&str]| words.iter().any(|word| trimmed.eq_ignore_ascii_case(word.as_bytes()));
        let begins = |start: &&str| {
            trimmed.get(..start.len()).is_some_and(|b| b.eq_ignore_ascii_case(start.as_bytes()))
        };
        let bracketed = matches!(trimmed, [b'<', .., b'>'] | [b'$', b'{', .., b'}']);
        let repeated = trimmed.len() >= 3
            && matches!(trimmed, [first, rest @ ..] if b"xX*.-_".contains(first)
                && rest.iter().all(|byte| byte == first));
        one_of(PLACEHOLDERS) || PLACEHOLDER_STARTS.iter().any(begins) || bracketed || repeated
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_says_nothing_is_vague() {
        for vague in ["TOKEN", "token", "PW", "KEY", "PASSWORD"] {
            assert!(is_vague(&vague.parse().unwrap()), "{vague}");
        }
        for good in ["GITHUB_TOKEN", "DB_PASSWORD", "STRIPE_API_KEY"] {
            assert!(!is_vague(&good.parse().unwrap()), "{good}");
        }
    }

    #[test]
    fn a_stand_in_is_told_from_a_value() {
        for stand_in in [
            "changeme",
            "CHANGEME\n",
            "<token>",
            "${TOKEN}",
            "xxxxxx",
            "***",
            "your-api-key",
            "your_key",
        ] {
            let value = SecretValue::copy_of(stand_in.as_bytes());
            assert!(looks_like_a_placeholder(&value), "{stand_in}");
        }
        for real in ["", "x", "sk-ant-1234", "correct horse battery staple", "xxy", "a<b>"] {
            let value = SecretValue::copy_of(real.as_bytes());
            assert!(!looks_like_a_placeholder(&value), "{real}");
        }
    }
}
