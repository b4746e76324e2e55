//! `kage secret copy` and `kage secret move`.

use kage_core::config::Policy;
use kage_core::name::{BackendName, Key, Scope};
use kage_core::store::{Existing, Original, Spot, Stores, TransferError};

use super::lookup;
use super::namespace::parse_backend;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::scope::{self, Folder, ScopeArgs};
use crate::ui;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the secret
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    scope: ScopeArgs,
    /// The scope to put it into [default: its own]
    #[arg(long, value_name = "SCOPE", required_unless_present_any = ["to_backend", "from_backend"])]
    to: Option<String>,
    /// The backend to put it into [default: the one that the configuration names for that scope]
    #[arg(long, value_name = "BACKEND")]
    to_backend: Option<String>,
    /// The backend to take it from; the scope is `global` then, unless it is named
    #[arg(long, value_name = "BACKEND")]
    from_backend: Option<String>,
    /// Replace a secret that is there already
    #[arg(long)]
    replace: bool,
    /// Say what would be done, and stop
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) fn run(cx: &Context, args: &Args, original: Original) -> Result<(), Failure> {
    let policy = cx.policy()?;
    let stores = cx.stores(&policy, None, None)?;
    let (command, did) = match original {
        Original::Keep => ("copy", "Copied"),
        Original::Remove => ("move", "Moved"),
    };
    let from = from(cx, args, &policy, &stores, command)?;
    let to = to(cx, args, &policy, &stores, &from)?;
    let path = format!("`{}` from {} to {}", from.key.name, shown(cx, &from), shown(cx, &to));
    if args.dry_run {
        ui::say(format_args!("Would {command} {path}."));
        return Ok(());
    }
    let existing = if args.replace { Existing::Replace } else { Existing::Refuse };
    stores.transfer(&from, &to, existing, original).map_err(|error| failed(cx, &stores, error))?;
    ui::say(format_args!("{did} {path}."));
    let read = stores.backend_of(&to.key.scope);
    if read != to.backend {
        cx.ui.warn(format_args!(
            "the configuration has `{}` in {read}: what is in {} is not used until that changes",
            cx.scope_shown(&to.key.scope),
            to.backend
        ));
    }
    Ok(())
}

fn from(
    cx: &Context,
    args: &Args,
    policy: &Policy,
    stores: &Stores,
    command: &str,
) -> Result<Spot, Failure> {
    let name = scope::name(&args.name)?;
    let named = args.scope.named(cx, policy, Folder::MayBeGone)?;
    if let Some(backend) = &args.from_backend {
        let key = Key::new(named.unwrap_or(Scope::Global), name);
        return Ok(Spot { key, backend: parse_backend(backend)? });
    }
    let key = lookup::the_one(cx, stores, named.as_ref(), &name, command)?;
    Ok(Spot { backend: stores.backend_of(&key.scope), key })
}

fn to(
    cx: &Context,
    args: &Args,
    policy: &Policy,
    stores: &Stores,
    from: &Spot,
) -> Result<Spot, Failure> {
    let scope = match &args.to {
        Some(typed) => scope::parse(cx, policy, typed, Folder::MustExist)?,
        None => from.key.scope.clone(),
    };
    let named: Option<BackendName> = args.to_backend.as_deref().map(parse_backend).transpose()?;
    let backend = named.unwrap_or_else(|| stores.backend_of(&scope));
    Ok(Spot { key: Key::new(scope, from.key.name.clone()), backend })
}

fn shown(cx: &Context, spot: &Spot) -> String {
    format!("`{}` ({})", cx.scope_shown(&spot.key.scope), spot.backend)
}

fn failed(cx: &Context, stores: &Stores, error: TransferError) -> Failure {
    match error {
        TransferError::Store(error) => error.into(),
        TransferError::Absent(spot) if spot.backend == stores.backend_of(&spot.key.scope) => {
            lookup::not_found(cx, stores, &[spot.key.scope], &spot.key.name)
        }
        TransferError::Absent(_) => Failure::of(Kind::NotFound, &error),
        TransferError::Same(_) => Failure::of(Kind::Usage, &error)
            .hint("name another scope with --to, or another backend with --to-backend"),
        TransferError::Occupied(_) => Failure::of(Kind::Failed, &error)
            .hint("nothing was changed; to replace that value, add --replace"),
        TransferError::Changed(_) => {
            Failure::of(Kind::Failed, &error).hint("look at both, and run it again")
        }
    }
}
