//! `kage audit verify` and `kage audit checkpoint`.

use std::fmt::Write as _;

use jiff::Timestamp;
use kage_core::audit::{self, Checkpoint, Checkpointed, Finding, Note, Position, Report};
use kage_core::store::Checkpoints;
use serde::Serialize;

use crate::context::Context;
use crate::exit;
use crate::failure::{Failure, Kind};
use crate::ui::{self, amount};

/// How many findings are shown to a person.
const SHOWN: usize = 20;

/// Find what was edited, added, removed or moved in the record
///
/// Each line names the hash of the one before it. That shows changes inside. An end that was cut
/// off, and a log that was written anew, is shown only by a checkpoint: `kage audit checkpoint`.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// Do not ask the keychain for the checkpoint
    #[arg(long)]
    without_checkpoint: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Keep the number and the hash of the newest line in the keychain
///
/// What it held is verified first. Do it from time to time, and after you looked at the record.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckpointArgs {
    /// Keep it although the log was changed, or is not the one that the last checkpoint has seen
    #[arg(long)]
    accept: bool,
}

pub(crate) fn verify(cx: &Context, args: &VerifyArgs) -> Result<u8, Failure> {
    let log = cx.audit_file();
    let kept = if args.without_checkpoint { None } else { Some(checkpoints(cx)?.load()) };
    let (checkpoint, failed) = match kept {
        Some(Err(error)) => (None, Some(unreached(error.into()))),
        Some(Ok(checkpoint)) => (checkpoint, None),
        None => (None, None),
    };
    let report = audit::verify(&log, checkpoint)?;
    let asked = !args.without_checkpoint && failed.is_none();
    match failed {
        // One document on stdout: the failure's.
        Some(failure) if args.json && report.holds() => return Err(failure),
        _ if args.json => ui::print_json(&Json::of(&report, asked))?,
        _ => ui::print(text(cx, &report, asked))?,
    }
    match failed {
        None if report.holds() => Ok(exit::DONE),
        None => Ok(exit::FAILED),
        Some(failure) if report.holds() => Err(failure),
        // That the log was changed is the answer, whatever a checkpoint would have added.
        Some(failure) => {
            failure.report(cx.ui, false);
            Ok(exit::FAILED)
        }
    }
}

fn checkpoints(cx: &Context) -> Result<Checkpoints, Failure> {
    let policy = cx.policy()?;
    Ok(Checkpoints::of(&cx.audit_file(), &policy, &cx.machine(), &cx.attendant()))
}

fn unreached(failure: Failure) -> Failure {
    failure
        .hint("or verify the record without its checkpoint: kage audit verify --without-checkpoint")
}

pub(crate) fn checkpoint(cx: &Context, args: &CheckpointArgs) -> Result<(), Failure> {
    let log = cx.audit_file();
    let mut checkpoints = checkpoints(cx)?;
    let report = audit::verify(&log, checkpoints.load()?)?;
    if !report.holds() && !args.accept {
        return Err(Failure::new(Kind::Failed, "the audit log is not what was written")
            .hint("see where: kage audit verify")
            .hint("to go on from what it is now: kage audit checkpoint --accept"));
    }
    let Some((seq, hash)) = report.last else {
        return Err(Failure::new(Kind::Failed, "the audit log has no line to keep yet"));
    };
    // The log must not be behind its checkpoint after the power went off.
    audit::sync(&log)?;
    checkpoints.keep(&Checkpoint { seq, hash, time: Timestamp::now() })?;
    ui::say(format_args!("Line {seq} of the audit log is kept in the keychain."));
    Ok(())
}

fn text(cx: &Context, report: &Report, asked: bool) -> String {
    let mut text = headline(report);
    for Finding { at, fault } in report.findings.iter().take(SHOWN) {
        write!(text, "\n- {}: {fault}", place(cx, at)).unwrap_or_default();
    }
    if let Some(more @ 1..) = report.findings.len().checked_sub(SHOWN) {
        write!(text, "\n- and {more} more").unwrap_or_default();
    }
    for note in &report.notes {
        write!(text, "\n- {}", note_text(note, |at| place(cx, at))).unwrap_or_default();
    }
    text.push('\n');
    text.push_str(&reach(report, asked));
    text
}

fn headline(report: &Report) -> String {
    if report.holds() && report.lines == 0 {
        return "The audit log is empty.".to_owned();
    }
    let lines = amount(report.lines, "line", "lines");
    let files = amount(report.files.len(), "file", "files");
    let numbered = match (report.first, report.last) {
        (Some(first), Some((last, _))) => format!(", numbered {first} to {last}"),
        _ => String::new(),
    };
    if report.holds() {
        format!("The audit log holds: {lines} in {files}{numbered}.")
    } else {
        format!("The audit log is not what was written: {lines} in {files}{numbered}.")
    }
}

fn place(cx: &Context, at: &Position) -> String {
    match at.line {
        0 => cx.short(&at.file),
        line => format!("{} line {line}", cx.short(&at.file)),
    }
}

fn note_text(note: &Note, place: impl Fn(&Position) -> String) -> String {
    match note {
        Note::Torn(at) => format!("{}: its writing was cut short", place(at)),
        Note::TornEnd(at) => {
            format!("{}: it is cut short, by an interrupted write or by somebody", place(at))
        }
        Note::EarlierFormat(lines) => {
            let lines = amount(*lines, "line", "lines");
            format!(
                "{lines} before the first number: written by an earlier kage, and not protected"
            )
        }
        Note::EarlierGone => {
            "what an earlier kage wrote before the first number is not there any more".to_owned()
        }
        Note::NoNewestFile => "the newest file is missing: a change of files was interrupted, or \
                               somebody removed it"
            .to_owned(),
    }
}

/// Says what was not looked at, and what nothing can show.
fn reach(report: &Report, asked: bool) -> String {
    const UNSEEN: &str = "an end that was cut off, or a log that a program of yours wrote anew from \
                          any line on, is not seen";
    const MAKE: &str = "kage audit checkpoint";
    match report.checkpoint {
        Checkpointed::Absent if !asked => format!("Without its checkpoint: {UNSEEN}."),
        Checkpointed::Absent => format!("There is no checkpoint: {UNSEEN}. Make one: {MAKE}"),
        Checkpointed::TooOld(Checkpoint { seq, time, .. }) => format!(
            "The checkpoint of {time:.0} has seen line {seq}, which is older than the log's first: \
             {UNSEEN}. Make a new one: {MAKE}"
        ),
        Checkpointed::Holds(Checkpoint { seq, time, .. }) => format!(
            "Line {seq} is the one that the checkpoint of {time:.0} has seen. Behind it, {UNSEEN}; \
             nor is a program of yours that also replaced the checkpoint."
        ),
        Checkpointed::Broken(Checkpoint { seq, time, .. }) => format!(
            "The checkpoint of {time:.0} has seen another line {seq}. If you moved the log away \
             yourself, begin anew: {MAKE} --accept"
        ),
    }
}

#[derive(Serialize)]
struct Json {
    holds: bool,
    lines: usize,
    first: Option<u64>,
    last: Option<u64>,
    findings: Vec<JsonFinding>,
    notes: Vec<String>,
    checkpoint: &'static str,
    checkpoint_line: Option<u64>,
    checkpoint_time: Option<Timestamp>,
}

#[derive(Serialize)]
struct JsonFinding {
    file: String,
    line: usize,
    fault: String,
}

impl Json {
    fn of(report: &Report, asked: bool) -> Self {
        let (checkpoint, kept) = match report.checkpoint {
            Checkpointed::Absent if !asked => ("not_asked", None),
            Checkpointed::Absent => ("absent", None),
            Checkpointed::Holds(kept) => ("holds", Some(kept)),
            Checkpointed::Broken(kept) => ("broken", Some(kept)),
            Checkpointed::TooOld(kept) => ("too_old", Some(kept)),
        };
        let place = |at: &Position| format!("{} line {}", at.file.display(), at.line);
        let finding = |it: &Finding| JsonFinding {
            file: it.at.file.display().to_string(),
            line: it.at.line,
            fault: it.fault.to_string(),
        };
        Self {
            holds: report.holds(),
            lines: report.lines,
            first: report.first,
            last: report.last.map(|(last, _)| last),
            findings: report.findings.iter().map(finding).collect(),
            notes: report.notes.iter().map(|note| note_text(note, place)).collect(),
            checkpoint,
            checkpoint_line: kept.map(|kept| kept.seq),
            checkpoint_time: kept.map(|kept| kept.time),
        }
    }
}
