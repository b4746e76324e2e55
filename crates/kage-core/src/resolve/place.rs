//! A directory, and everything that decides which secrets apply there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::ignored::{Ignored, Reason};
use super::membership::{self, Membership};
use super::repo::{Repository, Surroundings};
use crate::config::{Answer, Confirmed, MANIFEST_PATH, Manifest, ManifestError, Policy, Trust};
use crate::disk::PathError;
use crate::name::{Label, RepoPath, Scope};

/// What [`place`] is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The directory, absolute; links in it are resolved.
    pub dir: &'a Path,
    /// The user's home directory. One that is not absolute counts as none.
    pub home: &'a Path,
    /// The user's configuration.
    pub policy: &'a Policy,
    /// The matches by a glob that the user has confirmed.
    pub confirmed: &'a Confirmed,
    /// The manifests that the user trusts.
    pub trust: &'a Trust,
    /// The namespace that the caller names, defined in the configuration or not.
    pub namespace: Option<&'a Label>,
}

/// A directory, and what applies there.
#[derive(Debug)]
pub struct Place {
    /// The directory, absolute, with its links resolved.
    pub dir: PathBuf,
    /// The repository around it, if it is the user's.
    pub repository: Option<Repository>,
    /// The namespace it is in.
    pub membership: Membership,
    /// The scopes that apply, nearest first: folders, namespace, global.
    pub scopes: Vec<Scope>,
    /// What the repository asks for. It grants nothing, and one that is broken stops nothing.
    pub manifest: Option<Result<Manifest, ManifestError>>,
    /// What the user has said of that.
    pub answer: Answer,
    /// What was seen and not honoured.
    pub ignored: Vec<Ignored>,
}

impl Place {
    /// Returns the manifest, trusted or not, if there is one that can be used.
    pub fn asked(&self) -> Option<&Manifest> {
        self.manifest.as_ref()?.as_ref().ok()
    }

    /// Returns the manifest if the user trusts it as it is.
    pub fn trusted(&self) -> Option<&Manifest> {
        self.asked().filter(|_| self.answer == Answer::Trusted)
    }
}

/// Looks at a directory. In a worktree, the folder's own path comes first, then the path it stands
/// for in the main repository.
///
/// # Errors
/// [`PlaceError`] when the directory cannot be looked at, or its namespace is not clear. Nothing
/// that lies in a repository is an error: it is in [`Place::ignored`].
pub fn place(question: &Question<'_>) -> Result<Place, PlaceError> {
    let dir = real_directory(question.dir)?;
    let home = Some(question.home).filter(|home| home.is_absolute());
    let home = home.and_then(|home| fs::canonicalize(home).ok());
    let mut seen = Surroundings::of(&dir, home.as_deref());
    let manifest = manifest(&mut seen);
    let answer = answer(question.trust, &seen, manifest.as_ref());
    let membership = match membership::of(question, &dir, &seen)? {
        Membership::None => requested(manifest.as_ref(), answer),
        other => other,
    };
    Ok(Place {
        scopes: scopes(&mut seen, &membership),
        dir,
        membership,
        manifest,
        answer,
        repository: seen.repository,
        ignored: seen.ignored,
    })
}

fn real_directory(dir: &Path) -> Result<PathBuf, PlaceError> {
    if !dir.is_absolute() {
        return Err(PlaceError::Relative(dir.to_owned()));
    }
    let looked = fs::canonicalize(dir).and_then(|real| Ok((fs::metadata(&real)?.is_dir(), real)));
    match looked {
        Ok((true, real)) => Ok(real),
        Ok((false, _)) => Err(PlaceError::NoDirectory(dir.to_owned())),
        Err(error) if is_absent(&error) => Err(PlaceError::NoDirectory(dir.to_owned())),
        Err(source) => Err(PathError { doing: "look at", path: dir.to_owned(), source }.into()),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Reads the manifest that lies in the worktree itself: another branch may ask for other things.
fn manifest(seen: &mut Surroundings) -> Option<Result<Manifest, ManifestError>> {
    let found = &seen.repository.as_ref()?.found;
    let folder = found.join(MANIFEST_PATH).parent()?.to_owned();
    if folder.is_symlink() {
        seen.ignored.push(Ignored { path: folder, why: Reason::LinkedManifest });
        return None;
    }
    Manifest::load(found).transpose()
}

fn answer(
    trust: &Trust,
    seen: &Surroundings,
    manifest: Option<&Result<Manifest, ManifestError>>,
) -> Answer {
    let linked = || seen.ignored.iter().any(|ignored| ignored.why == Reason::LinkedManifest);
    match (&seen.repository, manifest) {
        (Some(repository), Some(manifest)) => {
            trust.answer(&repository.root, manifest.as_ref().ok())
        }
        (Some(repository), None) if linked() => trust.answer(&repository.root, None),
        // Where there is no manifest, nothing is asked.
        _ => Answer::None,
    }
}

/// What a manifest asks for counts only where the user's config says nothing.
fn requested(manifest: Option<&Result<Manifest, ManifestError>>, answer: Answer) -> Membership {
    let manifest = manifest.and_then(|manifest| manifest.as_ref().ok());
    match manifest.and_then(|manifest| manifest.namespace.clone()) {
        Some(label) if answer == Answer::Trusted => Membership::Trusted(label),
        Some(label) => Membership::Requested(label),
        None => Membership::None,
    }
}

fn scopes(seen: &mut Surroundings, membership: &Membership) -> Vec<Scope> {
    let mut scopes = Vec::new();
    for folder in seen.own.iter().chain(&seen.mapped) {
        match RepoPath::new(folder) {
            Ok(path) => scopes.push(Scope::Repo(path)),
            Err(_) => seen.ignored.push(Ignored { path: folder.clone(), why: Reason::NotText }),
        }
    }
    scopes.extend(membership.granted().cloned().map(Scope::Namespace));
    scopes.push(Scope::Global);
    scopes
}

/// Why it is not known what applies in a directory.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// There is no such directory; it may have been removed while it was the current one.
    #[error("there is no directory `{}`", .0.display())]
    NoDirectory(PathBuf),
    /// It is not absolute.
    #[error("the directory `{}` is not an absolute path", .0.display())]
    Relative(PathBuf),
    /// It could not be looked at.
    #[error(transparent)]
    File(#[from] PathError),
    /// Several namespaces list it, and `namespace_order` does not order them all.
    #[error("`{}` is in several namespaces: {}", dir.display(), listed(labels))]
    Ambiguous {
        /// The directory.
        dir: PathBuf,
        /// The namespaces, by name.
        labels: Vec<Label>,
    },
}

fn listed(labels: &[Label]) -> String {
    labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ")
}
