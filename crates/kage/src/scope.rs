//! Scopes and names as the user types them.

use std::path::{Path, PathBuf};

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use kage_core::config::Policy;
use kage_core::name::{Label, NameError, RepoPath, Scope, SecretName};

use crate::completion::live;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::ui::printable;

/// The option that names a scope.
#[derive(Clone, Debug, Args)]
pub(crate) struct ScopeArgs {
    /// Scope: `global`, `namespace:NAME`, `repo:PATH`, or `repo` for the repository here
    #[arg(short, long, value_name = "SCOPE", add = ArgValueCompleter::new(live::scopes))]
    scope: Option<String>,
    /// Short for `--scope global`
    #[arg(short, long, conflicts_with = "scope")]
    global: bool,
}

/// Whether a scope's folder must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Folder {
    /// It must: a value is about to be stored for it.
    MustExist,
    /// It may be gone: its secrets are still listed and removed.
    MayBeGone,
}

impl ScopeArgs {
    /// Returns the scope that was named; `None` when none was.
    pub(crate) fn named(
        &self,
        cx: &Context,
        policy: &Policy,
        folder: Folder,
    ) -> Result<Option<Scope>, Failure> {
        match &self.scope {
            _ if self.global => Ok(Some(Scope::Global)),
            Some(typed) => parse(cx, policy, typed, folder).map(Some),
            None => Ok(None),
        }
    }
}

/// Parses the name of a secret. What was typed is not repeated: it may hold a value.
pub(crate) fn name(typed: &str) -> Result<SecretName, Failure> {
    typed.parse().map_err(|error: NameError| {
        let failure = Failure::new(Kind::Usage, format!("this is no name of a secret: {error}"));
        if typed.contains('=') {
            failure.hint(
                "give the name alone: a value on the command line is seen by `ps` and kept in the \
                 shell's history",
            )
        } else {
            failure.hint("names are names of environment variables, such as GITHUB_TOKEN")
        }
    })
}

/// Parses the name of a namespace.
pub(crate) fn label(typed: &str) -> Result<Label, Failure> {
    typed.parse().map_err(|error: NameError| {
        Failure::new(Kind::Usage, format!("`{}`: {error}", printable(typed)))
    })
}

/// Parses a scope.
pub(crate) fn parse(
    cx: &Context,
    policy: &Policy,
    typed: &str,
    folder: Folder,
) -> Result<Scope, Failure> {
    let path = match typed.strip_prefix("repo") {
        Some("") => return repository_here(cx, policy),
        Some(rest) => rest.strip_prefix(':'),
        None => None,
    };
    match path {
        Some("") => Err(Failure::new(Kind::Usage, "`repo:` names no folder")
            .hint("write `repo:PATH`, or `repo` alone for the repository here")),
        Some(path) => repository_at(cx, policy, path, folder),
        None => match typed.parse() {
            Ok(Scope::Subscription(_)) => Err(Failure::new(
                Kind::Usage,
                "the secrets of a subscription are kept by kage itself",
            )),
            Ok(scope) => Ok(scope),
            Err(error) => {
                let namespace =
                    typed.parse::<Label>().map(|it| format!("did you mean `namespace:{it}`?"));
                Err(Failure::new(Kind::Usage, format!("`{}`: {error}", printable(typed)))
                    .hints(namespace))
            }
        },
    }
}

/// The scope of the repository that the current directory is in.
fn repository_here(cx: &Context, policy: &Policy) -> Result<Scope, Failure> {
    let place = cx.place_quietly(policy, cx.directory()?)?;
    let repository = place.repository.ok_or_else(|| {
        Failure::new(Kind::Usage, "there is no repository of yours here")
            .hints(place.ignored.iter().map(ToString::to_string))
            .hint("name a folder with --scope repo:PATH")
    })?;
    repo_scope(&repository.root)
}

/// The scope of a folder, by its real path. A worktree's own path is a scope of its own, which only
/// that worktree sees.
fn repository_at(
    cx: &Context,
    policy: &Policy,
    typed: &str,
    folder: Folder,
) -> Result<Scope, Failure> {
    let path = cx.absolute(typed)?;
    if path.is_dir() {
        let place = cx.place_quietly(policy, &path)?;
        let scope = place.scopes.iter().find(|scope| matches!(scope, Scope::Repo(_)));
        return scope.cloned().ok_or_else(|| {
            let reasons = place.ignored.iter().map(ToString::to_string);
            let shown = cx.short(&path);
            Failure::new(Kind::Failed, format!("`{shown}` has no repository scope")).hints(reasons)
        });
    }
    match folder {
        Folder::MustExist => {
            let shown = cx.short(&path);
            Err(Failure::new(Kind::Failed, format!("`{shown}` is no folder"))
                .hint("a repository's secrets apply in a folder that is there: check the path"))
        }
        Folder::MayBeGone => repo_scope(&without_links(&path)),
    }
}

fn repo_scope(path: &Path) -> Result<Scope, Failure> {
    match RepoPath::new(path) {
        Ok(path) => Ok(Scope::Repo(path)),
        Err(error) => Err(Failure::new(Kind::Usage, error.to_string())),
    }
}

/// Resolves the links of as much of a path as is still there: the scope of a folder that is gone
/// was made by its real path.
fn without_links(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|part| Some((part, part.canonicalize().ok()?)));
    let resolved = there.and_then(|(part, real)| Some(real.join(path.strip_prefix(part).ok()?)));
    resolved.unwrap_or_else(|| path.to_owned()).components().collect()
}
