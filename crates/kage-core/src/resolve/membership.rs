//! Which namespace a place is in: by request, by the user's config, else by a manifest that the user
//! trusts; never by the manifest alone.
//!
//! - A folder in `repos` lists the repository whose root it is, and no repository below it. Where
//!   there is no repository at all, it lists itself and what is below it.
//! - A glob lists repositories only, by their root, and counts once the user has confirmed the
//!   repository. A wildcard matches no name that begins with `.`.
//! - A worktree is in the namespace of its main repository.

use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::place::{PlaceError, Question};
use super::repo::{Repository, Surroundings, owned_up_to};
use crate::config::{Listing, Policy, expand_home};
use crate::name::Label;

const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// Which namespace a place is in, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Membership {
    /// None.
    None,
    /// The caller asked for it.
    Asked(Label),
    /// The user's config lists it.
    Listed {
        /// The namespace.
        label: Label,
        /// The folder or glob, as written.
        by: String,
    },
    /// Only a glob of the user's config lists it, and the user has not confirmed it yet. The
    /// namespace does not count.
    Unconfirmed {
        /// The namespace.
        label: Label,
        /// The glob, as written.
        by: String,
    },
    /// The manifest asks for it, the user trusts that manifest, and their config says nothing.
    Trusted(Label),
    /// Only the manifest asks for it. The namespace does not count.
    Requested(Label),
}

impl Membership {
    /// Returns the namespace whose secrets apply.
    pub fn granted(&self) -> Option<&Label> {
        match self {
            Self::Asked(label) | Self::Listed { label, .. } | Self::Trusted(label) => Some(label),
            Self::None | Self::Unconfirmed { .. } | Self::Requested(_) => None,
        }
    }
}

/// What a namespace's config says of a place.
struct Match<'a> {
    label: &'a Label,
    by: &'a str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Folder,
    Glob,
}

/// Returns the namespace that the caller asks for or the config lists. `dir` has its links resolved.
///
/// # Errors
/// [`PlaceError::Ambiguous`] when several list the place and the config does not order them all.
pub(super) fn of(
    question: &Question<'_>,
    dir: &Path,
    seen: &Surroundings,
) -> Result<Membership, PlaceError> {
    if let Some(label) = question.namespace {
        return Ok(Membership::Asked(label.clone()));
    }
    let matches = question.policy.namespaces.iter().filter_map(|(label, namespace)| {
        let entries = namespace.repos.iter();
        let kinds = entries.filter_map(|by| Some((listed_as(by, question.home, dir, seen)?, by)));
        let (kind, by) = kinds.min_by_key(|(kind, _)| *kind)?;
        Some(Match { label, by, kind })
    });
    let Some(first) = first_in_order(matches.collect(), question.policy, dir)? else {
        return Ok(Membership::None);
    };
    let (label, by) = (first.label.clone(), first.by.to_owned());
    let confirmed = |repository: &Repository| question.confirmed.covers(&label, &repository.root);
    if first.kind == Kind::Folder || seen.repository.as_ref().is_some_and(confirmed) {
        return Ok(Membership::Listed { label, by });
    }
    Ok(Membership::Unconfirmed { label, by })
}

/// Of several namespaces, picks the one that the config puts first. All of them must be ordered:
/// one that was forgotten in the order may be the one that was meant.
fn first_in_order<'a>(
    mut matches: Vec<Match<'a>>,
    policy: &Policy,
    dir: &Path,
) -> Result<Option<Match<'a>>, PlaceError> {
    if matches.len() < 2 {
        return Ok(matches.pop());
    }
    let order = &policy.secrets.namespace_order;
    let rank = |found: &Match<'_>| order.iter().position(|label| label == found.label);
    if matches.iter().all(|found| rank(found).is_some()) {
        return Ok(matches.into_iter().min_by_key(rank));
    }
    let labels = matches.into_iter().map(|found| found.label.clone()).collect();
    Err(PlaceError::Ambiguous { dir: dir.to_owned(), labels })
}

fn listed_as(entry: &str, home: &Path, dir: &Path, seen: &Surroundings) -> Option<Kind> {
    let repository = seen.repository.as_ref();
    // The policy is checked when it is read: what is no listing lists nothing.
    match Listing::parse(entry).ok()? {
        Listing::Folder(folder) => {
            let folder = real(folder, home)?;
            let listed = match repository {
                Some(repository) => repository.root == folder,
                None => !seen.enclosed && owned_up_to(dir, &folder),
            };
            listed.then_some(Kind::Folder)
        }
        Listing::Glob { folder, pattern } => {
            let inside = repository?.root.strip_prefix(real(folder, home)?).ok()?;
            let matched = Pattern::new(pattern).ok()?.matches_path_with(inside, MATCHING);
            // `*` matches the empty text, which is the folder itself.
            (matched && !inside.as_os_str().is_empty()).then_some(Kind::Glob)
        }
    }
}

/// Returns the folder with `~` expanded and its links resolved, as those of a place are.
fn real(folder: &str, home: &Path) -> Option<PathBuf> {
    let folder = if folder.is_empty() { PathBuf::from("/") } else { expand_home(folder, home) };
    // A relative one would be looked up in the current directory.
    folder.is_absolute().then(|| std::fs::canonicalize(folder).ok())?
}
