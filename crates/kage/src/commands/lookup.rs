//! One name, looked up the way an agent here would get it; and what is said when it is not there.

use kage_core::config::Policy;
use kage_core::name::{Scope, SecretName};
use kage_core::resolve::{self, Place};
use kage_core::store::{Found, Stores, Wanted};

use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::ui::listed;

/// Lists everything in `scopes`, whoever wrote it, and everything that kage wrote elsewhere; each
/// key once.
pub(super) fn everything(stores: &Stores, scopes: &[Scope]) -> Result<Vec<Found>, Failure> {
    let mut found = stores.list(Wanted::Scopes(scopes))?;
    let mut elsewhere = stores.list(Wanted::Everything)?;
    elsewhere.retain(|it| !scopes.contains(&it.entry.key.scope));
    found.extend(elsewhere);
    sort(&mut found);
    Ok(found)
}

/// Sorts by name, then scope.
pub(super) fn sort(found: &mut [Found]) {
    found.sort_by(|a, b| {
        let (a, b) = (&a.entry.key, &b.entry.key);
        (&a.name, &a.scope).cmp(&(&b.name, &b.scope))
    });
}

/// Says that `name` is in none of `scopes`, where else it is, and what it may be a slip of.
pub(super) fn not_found(
    cx: &Context,
    stores: &Stores,
    scopes: &[Scope],
    name: &SecretName,
) -> Failure {
    let mut message = format!("secret not found: `{name}`\n  searched, in this order:");
    for scope in scopes {
        let line = format!("\n    {} ({})", cx.scope_shown(scope), stores.backend_of(scope));
        message.push_str(&line);
    }
    // The answer is the same without these hints, should the backend fail now.
    let found = everything(stores, scopes).unwrap_or_default();
    let elsewhere = resolve::elsewhere(scopes, &found, name);
    let nearest = resolve::nearest(&found, name);
    let failure = Failure::new(Kind::NotFound, message);
    let failure = failure.hints((!elsewhere.is_empty()).then(|| {
        let shown = listed(elsewhere.iter().map(|scope| cx.scope_shown(scope)));
        format!("`{name}` is set in other scopes, which do not apply here: {shown}")
    }));
    let failure = failure
        .hints((!nearest.is_empty()).then(|| format!("names like it: {}", listed(nearest.iter()))));
    failure
        .hint("see all that exist: kage secret list")
        .hint(format!("store it: kage secret set {name} --scope global"))
}

/// What a person can do about folders and namespaces that do not count here, one line each.
pub(super) fn notes(cx: &Context, policy: &Policy, place: &Place) -> Vec<String> {
    use kage_core::resolve::Membership::{Asked, Listed, None, Requested, Unconfirmed};
    let mut notes: Vec<String> = place.ignored.iter().map(ToString::to_string).collect();
    match &place.membership {
        Requested(label) => notes.push(format!(
            "the repository's `.kage/config.toml` asks for `namespace:{label}`, and a repository \
             cannot put itself into one; to do it: kage namespace add {label} {}",
            place.repository.as_ref().map_or_else(|| ".".to_owned(), |found| cx.short(&found.root)),
        )),
        Unconfirmed { label, by } => notes.push(format!(
            "`{by}` would put this repository into `namespace:{label}`, which nobody has confirmed yet"
        )),
        None if !policy.namespaces.is_empty() && place.repository.is_some() => {
            notes.push("no namespace of your configuration lists this repository".to_owned());
        }
        None | Asked(_) | Listed { .. } => {}
    }
    if let Some(Err(error)) = &place.manifest {
        notes.push(format!("the repository's `.kage/config.toml` is not used: {error}"));
    }
    notes
}
