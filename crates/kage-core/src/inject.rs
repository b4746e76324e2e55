//! The environment of a child: the parent's, with the values of a plan over it. Pure.
//!
//! What an environment cannot hold is found here, by name, before anything is started.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use crate::name::SecretName;
use crate::resolve::Resolved;
use crate::secret::SecretValue;

/// What the system accepts when a program is started: `execve(2)`, "Limits on size of arguments
/// and environment". All in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest `NAME=value`, with its closing NUL.
    pub one_string: usize,
    /// Arguments and environment together, with the pointers to them.
    pub together: usize,
}

/// The environment of a child, complete.
pub type ChildEnv = BTreeMap<OsString, OsString>;

/// Why an environment cannot hold the values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InjectError {
    /// A value holds a NUL byte, which ends a string of the environment.
    #[error("the value of `{name}` holds a NUL byte, which an environment variable cannot")]
    Nul {
        /// Whose value.
        name: SecretName,
    },
    /// One value is too long.
    #[error(
        "the value of `{name}` is too long for an environment variable: {bytes} bytes of at most \
         {max_bytes}"
    )]
    TooLong {
        /// Whose value.
        name: SecretName,
        /// Its length.
        bytes: usize,
        /// The longest value under this name.
        max_bytes: usize,
    },
    /// Everything together is too long.
    #[error(
        "the environment and the arguments are too long together: {bytes} bytes of at most \
         {max_bytes}; the longest variable is `{}` with {longest_bytes} bytes",
        longest.display()
    )]
    TooLarge {
        /// Their length.
        bytes: usize,
        /// The limit.
        max_bytes: usize,
        /// The longest variable, stored or not.
        longest: OsString,
        /// Its length.
        longest_bytes: usize,
    },
}

/// Puts `resolved` over the environment `parent`. `arguments` count towards the limit.
///
/// The values leave their wiping type here: the system wants plain strings, and the process that
/// holds them is about to become the child.
///
/// # Errors
/// [`InjectError`] naming the variable that does not fit.
pub fn child_env(
    parent: ChildEnv,
    resolved: &Resolved,
    arguments: &[OsString],
    limits: Limits,
) -> Result<ChildEnv, InjectError> {
    let mut env = parent;
    for (name, value) in resolved {
        check_value(name, value, limits)?;
        let value = value.expose(|bytes| OsString::from_vec(bytes.to_vec()));
        env.insert(OsString::from(name.as_str()), value);
    }
    check_together(&env, arguments, limits)?;
    Ok(env)
}

/// Checks whether an environment can hold `value` under `name` at all.
///
/// # Errors
/// [`InjectError::Nul`] or [`InjectError::TooLong`].
pub fn check_value(
    name: &SecretName,
    value: &SecretValue,
    limits: Limits,
) -> Result<(), InjectError> {
    if value.expose(|bytes| bytes.contains(&0)) {
        return Err(InjectError::Nul { name: name.clone() });
    }
    let max_bytes = limits.one_string.saturating_sub(name.as_str().len() + "=\0".len());
    if value.len() > max_bytes {
        return Err(InjectError::TooLong { name: name.clone(), bytes: value.len(), max_bytes });
    }
    Ok(())
}

fn check_together(
    env: &ChildEnv,
    arguments: &[OsString],
    limits: Limits,
) -> Result<(), InjectError> {
    let variables = env.iter().map(|(name, value)| name.len() + value.len() + "=\0".len());
    let arguments = arguments.iter().map(|argument| argument.len() + "\0".len());
    let bytes: usize =
        variables.chain(arguments).map(|string| string + size_of::<*const u8>()).sum();
    if bytes <= limits.together {
        return Ok(());
    }
    let longest = env.iter().max_by_key(|(_, value)| value.len());
    let (longest, longest_bytes) =
        longest.map_or((OsStr::from_bytes(b""), 0), |(name, value)| (name, value.len()));
    Err(InjectError::TooLarge {
        bytes,
        max_bytes: limits.together,
        longest: longest.to_owned(),
        longest_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { one_string: 32, together: 200 };

    fn resolved(values: &[(&str, &[u8])]) -> Resolved {
        values
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), SecretValue::copy_of(value)))
            .collect()
    }

    fn parent(variables: &[(&str, &str)]) -> ChildEnv {
        variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn values_go_over_the_parents_environment_byte_for_byte() {
        let values = resolved(&[("A", b"new\n$(x)'\""), ("B", b"\xff\xfe"), ("EMPTY", b"")]);
        let env = child_env(parent(&[("A", "old"), ("C", "kept")]), &values, &[], LIMITS).unwrap();
        let shown: Vec<_> = env.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
        let expected: [(&[u8], &[u8]); 4] =
            [(b"A", b"new\n$(x)'\""), (b"B", b"\xff\xfe"), (b"C", b"kept"), (b"EMPTY", b"")];
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_no_environment_can_hold_is_refused_by_name() {
        let nul = child_env(parent(&[]), &resolved(&[("A", b"a\0b")]), &[], LIMITS);
        assert!(matches!(nul, Err(InjectError::Nul { name }) if name.as_str() == "A"));
        // `NAME=` and the closing NUL take 6 of the 32 bytes.
        let fits = resolved(&[("NAME", &[b'x'; 26])]);
        assert!(child_env(parent(&[]), &fits, &[], LIMITS).is_ok());
        let long = child_env(parent(&[]), &resolved(&[("NAME", &[b'x'; 27])]), &[], LIMITS);
        assert!(matches!(long, Err(InjectError::TooLong { bytes: 27, max_bytes: 26, .. })));
    }

    #[test]
    fn what_is_too_large_together_names_the_longest() {
        let long = "x".repeat(150);
        let env = parent(&[("AMBIENT", &long), ("B", "x")]);
        let arguments = [OsString::from("y".repeat(40))];
        let error = child_env(env, &resolved(&[]), &arguments, LIMITS).unwrap_err();
        let InjectError::TooLarge { longest, longest_bytes, .. } = error else { panic!("{error}") };
        assert_eq!((longest.as_os_str(), longest_bytes), (OsStr::new("AMBIENT"), 150));
    }

    #[test]
    fn an_error_never_shows_a_value() {
        let value = b"s3cr3t-for-inject\0";
        let error = child_env(parent(&[]), &resolved(&[("A", value)]), &[], LIMITS).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cr3t"));
    }
}
