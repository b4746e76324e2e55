//! `kage check`.

use jiff::Timestamp;
use kage_core::config::{Answer, MANIFEST_PATH, Manifest};
use kage_core::resolve::{self, Need, Place, Plan, State, Wishes};
use kage_core::store::Wanted;
use serde::Serialize;

use super::lookup;
use crate::context::Context;
use crate::exit;
use crate::failure::{Failure, Kind};
use crate::ui::{self, amount, brief, table};

/// Show what the repository here requires, and what is missing
///
/// The exit code is 0 when all is there, 3 when something is missing, and 4 when you do not trust the repository's
/// manifest. Never shows a value.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(cx: &Context, args: &Args) -> Result<u8, Failure> {
    let policy = cx.policy()?;
    let place = cx.place(&policy, None, None)?;
    let manifest = match &place.manifest {
        None => None,
        Some(Ok(manifest)) => Some(manifest),
        Some(Err(error)) => return Err(unusable(cx, &place, &lookup::unusable(error))),
    };
    let required = manifest.map_or(&[][..], |manifest| &manifest.required);
    let stores = cx.stores(&policy, Some(&place), None)?;
    // A keychain is not asked about nothing.
    let found = match required {
        [] => Vec::new(),
        _ => stores.list(Wanted::Scopes(&place.scopes))?,
    };
    let wishes = Wishes { valid_at: Some(Timestamp::now()), ..Wishes::default() };
    let plan = Plan::new(&place.scopes, found, &policy, &wishes);
    let needs = resolve::needs(required, &plan, &cx.filled_names());
    let mut notes: Vec<_> = needs.iter().filter_map(lookup::remedy).collect();
    notes.extend(lookup::notes(cx, &place));
    if args.json {
        ui::print_json(&report(&place, manifest, &needs, notes))?;
    } else {
        text(cx, &place, &needs, &notes)?;
    }
    Ok(code(&place, manifest, &needs))
}

fn unusable(cx: &Context, place: &Place, why: &str) -> Failure {
    let message = format!("the repository's `{MANIFEST_PATH}` cannot be used: {why}");
    let changed = (place.answer == Answer::Changed).then(|| lookup::not_trusted(cx, place));
    Failure::new(Kind::Failed, message).hints(changed.flatten())
}

fn code(place: &Place, manifest: Option<&Manifest>, needs: &[Need<'_>]) -> u8 {
    let to_answer = match place.answer {
        Answer::None => manifest.is_some_and(|manifest| !manifest.asks_for_nothing()),
        Answer::Changed => true,
        Answer::Trusted => false,
    };
    if to_answer {
        return exit::PERSON_NEEDED;
    }
    if needs.iter().any(Need::is_unmet) { exit::NOT_FOUND } else { exit::DONE }
}

fn text(cx: &Context, place: &Place, needs: &[Need<'_>], notes: &[String]) -> Result<(), Failure> {
    let folder = place.repository.as_ref().map_or(&place.dir, |repository| &repository.found);
    let unmet = needs.iter().filter(|need| need.is_unmet()).count();
    let required = match needs.len() {
        0 => "requires no secret".to_owned(),
        count => format!("requires {}, {unmet} missing", amount(count, "secret", "secrets")),
    };
    ui::print(format_args!("{} {required}", cx.short(folder)))?;
    if !needs.is_empty() {
        let mut table = table::new(&["Name", "From", "For"]);
        for need in needs {
            let description = need.required.description.as_deref().map(brief);
            table.add_row(vec![
                need.required.name.to_string(),
                from(cx, need),
                description.unwrap_or_default(),
            ]);
        }
        ui::print(&table)?;
    }
    for note in notes {
        ui::print(format_args!("- {}", ui::printable(note)))?;
    }
    Ok(())
}

fn from(cx: &Context, need: &Need<'_>) -> String {
    match need.state {
        State::Stored(choice) => cx.scope_shown(&choice.winner.entry.key.scope),
        State::Ambient => "the environment".to_owned(),
        State::Withheld(_) => "not given".to_owned(),
        State::Missing => "missing".to_owned(),
    }
}

#[derive(Serialize)]
struct Report<'a> {
    directory: String,
    repository: Option<String>,
    manifest: &'static str,
    namespace: Option<&'a str>,
    required: Vec<Line<'a>>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    description: Option<&'a str>,
    state: &'static str,
    scope: Option<String>,
}

fn report<'a>(
    place: &Place,
    manifest: Option<&'a Manifest>,
    needs: &[Need<'a>],
    notes: Vec<String>,
) -> Report<'a> {
    Report {
        directory: place.dir.display().to_string(),
        repository: place.repository.as_ref().map(|found| found.root.display().to_string()),
        manifest: match (manifest, place.answer) {
            (_, Answer::Changed) => "changed",
            (Some(_), Answer::Trusted) => "trusted",
            (Some(_), Answer::None) => "not_trusted",
            (None, _) => "none",
        },
        namespace: manifest.and_then(|manifest| Some(manifest.namespace.as_ref()?.as_str())),
        required: needs.iter().map(line).collect(),
        notes,
    }
}

fn line<'a>(need: &Need<'a>) -> Line<'a> {
    let (state, choice) = match need.state {
        State::Stored(choice) => ("stored", Some(choice)),
        State::Ambient => ("environment", None),
        State::Withheld(choice) => ("withheld", Some(choice)),
        State::Missing => ("missing", None),
    };
    Line {
        name: need.required.name.as_str(),
        description: need.required.description.as_deref(),
        state,
        scope: choice.map(|choice| choice.winner.entry.key.scope.to_string()),
    }
}
