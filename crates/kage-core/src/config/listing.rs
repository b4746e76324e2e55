//! One entry of a namespace's `repos`: a folder, or a glob.

/// The characters that make an entry a glob. A folder that has one in its name is written with
/// brackets around it, such as `[*]`.
const META: [char; 3] = ['*', '?', '['];

/// What an entry of `repos` lists. Pure text: nothing is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing<'a> {
    /// One folder, absolute or below `~`.
    Folder(&'a str),
    /// The folders below `folder` whose path from there matches `pattern`.
    Glob {
        /// The part before the first folder with a special character; empty for `/`.
        folder: &'a str,
        /// The rest. `*` stays within one folder's name, `**` does not.
        pattern: &'a str,
    },
}

/// Why a text lists nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// It is relative, or another user's home.
    #[error("`{0}` must be an absolute path, or begin with `~/`")]
    Relative(String),
    /// It is a glob that nothing can match.
    #[error("`{entry}` can match nothing: {reason}")]
    Glob {
        /// The entry.
        entry: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl<'a> Listing<'a> {
    /// Parses an entry as the user wrote it.
    ///
    /// # Errors
    /// [`ListingError`] when it can never list anything.
    pub fn parse(entry: &'a str) -> Result<Self, ListingError> {
        if !(entry == "~" || entry.starts_with("~/") || entry.starts_with('/')) {
            return Err(ListingError::Relative(entry.to_owned()));
        }
        let Some((plain, _)) = entry.split_once(META) else { return Ok(Self::Folder(entry)) };
        // An absolute path has a `/` before any other character.
        let (folder, pattern) = plain
            .rfind('/')
            .and_then(|cut| entry.split_at_checked(cut))
            .and_then(|(folder, rest)| Some((folder, rest.strip_prefix('/')?)))
            .ok_or_else(|| ListingError::Relative(entry.to_owned()))?;
        let pattern = pattern.trim_end_matches('/');
        match problem_of(pattern) {
            None => Ok(Self::Glob { folder, pattern }),
            Some(reason) => Err(ListingError::Glob { entry: entry.to_owned(), reason }),
        }
    }
}

/// Returns why no path can match `pattern`. The paths it is held against are plain.
fn problem_of(pattern: &str) -> Option<&'static str> {
    if pattern.split('/').any(|part| ["", ".", ".."].contains(&part)) {
        return Some("after a wildcard, no part may be empty, `.` or `..`");
    }
    glob::Pattern::new(pattern).err().map(|error| error.msg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_folder_or_a_glob_below_one() {
        let glob = |folder, pattern| Ok(Listing::Glob { folder, pattern });
        for (entry, listing) in [
            ("~/code/payments", Ok(Listing::Folder("~/code/payments"))),
            ("~", Ok(Listing::Folder("~"))),
            ("/", Ok(Listing::Folder("/"))),
            ("~/work/*", glob("~/work", "*")),
            ("~/w*/x", glob("~", "w*/x")),
            ("~/work/**/api-?", glob("~/work", "**/api-?")),
            ("/*", glob("", "*")),
            ("~/work/*/", glob("~/work", "*")),
            ("~/work/../*", glob("~/work/..", "*")),
            ("/srv/[[]old]", glob("/srv", "[[]old]")),
        ] {
            assert_eq!(Listing::parse(entry), listing, "{entry}");
        }
    }

    #[test]
    fn an_entry_that_can_list_nothing_is_an_error() {
        for entry in ["", "code", "./code", "*", "~you/code", "~*"] {
            assert!(matches!(Listing::parse(entry), Err(ListingError::Relative(_))), "{entry}");
        }
        for entry in ["~/a**", "~/[", "/***", "~/*/../x", "~/*//x", "~/*/."] {
            assert!(matches!(Listing::parse(entry), Err(ListingError::Glob { .. })), "{entry}");
        }
    }
}
