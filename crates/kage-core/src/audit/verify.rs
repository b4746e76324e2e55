//! Whether the log is still what was written.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::chain::{Hash, Place};
use super::files::{Files, Go, RawLine};
use crate::disk::PathError;

/// What a line was at some time, kept where the log's files are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Checkpoint {
    /// The number of the line.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
    /// When this was kept.
    pub time: Timestamp,
}

/// A place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub line: usize,
}

/// What shows that the log is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The line after it was written after another one.
    #[error("changed: it is not what the next line says it was")]
    Changed,
    /// Numbers are left out before it.
    #[error("lines are missing before it: {}", span(*.from, *.to))]
    Missing {
        /// The first that is missing.
        from: u64,
        /// The last that is missing.
        to: u64,
    },
    /// Its number is not higher than one before it.
    #[error("out of order: it has the number {seq}, behind {after}")]
    OutOfOrder {
        /// Its number.
        seq: u64,
        /// The highest before it.
        after: u64,
    },
    /// It has no number, behind lines that have one.
    #[error("not written by kage: it has no number")]
    Unnumbered,
    /// It is no entry of the log, and no line after it says that it was there.
    #[error("not written by kage: it is no entry")]
    NoEntry,
    /// The log does not go back as far as it says itself.
    #[error("the log begins here, with {first}; it should begin with {oldest}")]
    BeginsLate {
        /// The number of the first line.
        first: u64,
        /// The number that it should have.
        oldest: u64,
    },
    /// The line is not the one that the checkpoint has seen.
    #[error("another line than the checkpoint has seen: the log was written anew")]
    Rewritten,
    /// The line that the checkpoint has seen is not there.
    #[error("the log ends with {last}, and the checkpoint has seen {seen}: its end was cut off")]
    Cut {
        /// The number of the last line; 0 when there is none.
        last: u64,
        /// The number that the checkpoint has seen.
        seen: u64,
    },
}

fn span(from: u64, to: u64) -> String {
    if from == to { from.to_string() } else { format!("{from} to {to}") }
}

/// A fault, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The line; for what is cut off, the last one that is there.
    pub at: Position,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is no fault and should be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The writing of this line was cut short; the line after it says that it was there.
    Torn(Position),
    /// The last line is cut short: its writing was interrupted, or the file was cut.
    TornEnd(Position),
    /// As many lines are of the earlier format, which nothing holds together.
    EarlierFormat(usize),
    /// The first line follows lines of the earlier format, which are gone.
    EarlierGone,
    /// There are full files only: a change of files was interrupted, or the newest was removed.
    NoNewestFile,
}

/// What the checkpoint says of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkpointed {
    /// There is none.
    Absent,
    /// The line that it has seen is there, and is the same.
    Holds(Checkpoint),
    /// It says otherwise: see the faults.
    Broken(Checkpoint),
    /// The line that it has seen is older than the log's beginning.
    TooOld(Checkpoint),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many lines there are.
    pub lines: usize,
    /// The files, the oldest first.
    pub files: Vec<PathBuf>,
    /// The number of the first line that has one.
    pub first: Option<u64>,
    /// The last line that has a number, as a checkpoint would see it now.
    pub last: Option<(u64, Hash)>,
    /// What shows that it is not what was written. Empty: it holds.
    pub findings: Vec<Finding>,
    /// What is no fault.
    pub notes: Vec<Note>,
    /// What the checkpoint says.
    pub checkpoint: Checkpointed,
}

impl Report {
    /// Returns whether nothing shows that the log was changed.
    pub fn holds(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Reads the whole log at `path`, and compares each line with the one before it, and one of them
/// with `checkpoint`.
///
/// # Errors
/// [`PathError`] when a file of it cannot be read.
pub fn verify(path: &Path, checkpoint: Option<Checkpoint>) -> Result<Report, PathError> {
    let files = Files { active: path.to_owned() };
    let mut reading = Reading::new(checkpoint);
    let mut seen = Vec::new();
    for file in files.snapshot()? {
        seen.push(file.path().to_owned());
        file.each_line(|line| {
            reading.see(line);
            Go::On
        })?;
    }
    if seen.last().is_some_and(|newest| *newest != files.active) {
        reading.report.notes.push(Note::NoNewestFile);
    }
    reading.report.files = seen;
    Ok(reading.end(path))
}

/// What is known of the line before.
#[derive(Debug)]
struct Before {
    at: Position,
    hash: Hash,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A line with its number, as far as it is known.
    Numbered,
    /// A line of the earlier format, before the first one with a number.
    Earlier,
    /// No JSON; with or without a line end.
    Unreadable { ended: bool },
    /// A line that is a fault already.
    Known,
}

#[derive(Debug)]
struct Reading {
    checkpoint: Option<Checkpoint>,
    before: Option<Before>,
    beginning: Option<Position>,
    earlier: usize,
    oldest: u64,
    report: Report,
}

impl Reading {
    fn new(checkpoint: Option<Checkpoint>) -> Self {
        let report = Report {
            lines: 0,
            files: Vec::new(),
            first: None,
            last: None,
            findings: Vec::new(),
            notes: Vec::new(),
            checkpoint: Checkpointed::Absent,
        };
        Self { checkpoint, before: None, beginning: None, earlier: 0, oldest: 1, report }
    }

    fn see(&mut self, line: &RawLine<'_>) {
        self.report.lines += 1;
        let at = Position { file: line.file.to_owned(), line: line.number };
        let hash = Hash::of(line.bytes);
        let kind = match Place::of(line.bytes) {
            Some(Place { seq: Some(seq), previous: Some(previous), oldest }) => {
                self.oldest = oldest.unwrap_or(self.oldest);
                self.numbered(&at, seq, previous, hash)
            }
            Some(_) => self.unnumbered(&at),
            None => self.unreadable(line.ended),
        };
        self.before = Some(Before { at, hash, kind });
    }

    fn numbered(&mut self, at: &Position, seq: u64, previous: Hash, hash: Hash) -> Kind {
        let held = self.before.as_ref().is_none_or(|before| before.hash == previous);
        let follows = match self.report.last {
            Some((last, _)) => self.follows(at, seq, last),
            None => self.first(at, seq, previous),
        };
        match self.before.take() {
            Some(Before { at, kind: Kind::Unreadable { .. }, .. }) if held && follows => {
                self.report.notes.push(Note::Torn(at));
            }
            Some(Before { at, kind: Kind::Unreadable { .. }, .. }) => self.find(at, Fault::NoEntry),
            Some(Before { at, kind: Kind::Numbered | Kind::Earlier, .. }) if follows && !held => {
                self.find(at, Fault::Changed);
            }
            _ => {}
        }
        let known = self.report.last.is_some_and(|(last, _)| seq <= last);
        if known {
            return Kind::Known;
        }
        self.compare(at, seq, hash);
        self.report.last = Some((seq, hash));
        Kind::Numbered
    }

    /// The first line with a number: nothing, or what has no number, is before it.
    fn first(&mut self, at: &Position, seq: u64, previous: Hash) -> bool {
        self.report.first = Some(seq);
        self.beginning = Some(at.clone());
        if self.earlier > 0 && seq > 1 {
            self.find(at.clone(), Fault::Missing { from: 1, to: seq - 1 });
            return false;
        }
        if self.before.is_none() && seq == 1 && previous != Hash::NONE {
            self.report.notes.push(Note::EarlierGone);
        }
        true
    }

    fn follows(&mut self, at: &Position, seq: u64, last: u64) -> bool {
        if seq <= last {
            self.find(at.clone(), Fault::OutOfOrder { seq, after: last });
        } else if seq - last > 1 {
            self.find(at.clone(), Fault::Missing { from: last + 1, to: seq - 1 });
        }
        seq.checked_sub(last) == Some(1)
    }

    fn compare(&mut self, at: &Position, seq: u64, hash: Hash) {
        let Some(checkpoint) = self.checkpoint.filter(|checkpoint| checkpoint.seq == seq) else {
            return;
        };
        if checkpoint.hash == hash {
            self.report.checkpoint = Checkpointed::Holds(checkpoint);
        } else {
            self.report.checkpoint = Checkpointed::Broken(checkpoint);
            self.find(at.clone(), Fault::Rewritten);
        }
    }

    fn unnumbered(&mut self, at: &Position) -> Kind {
        self.settle();
        if self.report.last.is_none() {
            self.earlier += 1;
            return Kind::Earlier;
        }
        self.find(at.clone(), Fault::Unnumbered);
        Kind::Known
    }

    fn unreadable(&mut self, ended: bool) -> Kind {
        self.settle();
        Kind::Unreadable { ended }
    }

    /// Judges a line before that is no JSON and that no numbered line follows.
    fn settle(&mut self) {
        if let Some(Before { at, kind: Kind::Unreadable { .. }, .. }) = self.before.take() {
            match self.report.last {
                Some(_) => self.find(at, Fault::NoEntry),
                // Nothing held the lines of the earlier format together.
                None => self.report.notes.push(Note::Torn(at)),
            }
        }
    }

    fn find(&mut self, at: Position, fault: Fault) {
        self.report.findings.push(Finding { at, fault });
    }

    fn end(mut self, path: &Path) -> Report {
        let end = self.before.as_ref().map(|before| before.at.clone());
        match self.before.take() {
            Some(Before { at, kind: Kind::Unreadable { ended: false }, .. }) => {
                self.report.notes.push(Note::TornEnd(at));
            }
            Some(Before { at, kind: Kind::Unreadable { ended: true }, .. }) => {
                self.find(at, Fault::NoEntry);
            }
            _ => {}
        }
        if self.earlier > 0 {
            self.report.notes.push(Note::EarlierFormat(self.earlier));
        }
        if let (Some(first), Some(at)) = (self.report.first, self.beginning.take())
            && first > self.oldest
        {
            let fault = Fault::BeginsLate { first, oldest: self.oldest };
            self.report.findings.insert(0, Finding { at, fault });
        }
        let end = end.unwrap_or_else(|| Position { file: path.to_owned(), line: 0 });
        self.end_at_checkpoint(end);
        self.report
    }

    /// Says what it means that the checkpoint's line was not seen.
    fn end_at_checkpoint(&mut self, end: Position) {
        let (Some(checkpoint), Checkpointed::Absent) = (self.checkpoint, self.report.checkpoint)
        else {
            return;
        };
        let last = self.report.last.map_or(0, |(last, _)| last);
        self.report.checkpoint = Checkpointed::Broken(checkpoint);
        if last < checkpoint.seq {
            self.find(end, Fault::Cut { last, seen: checkpoint.seq });
        } else if self.report.first.is_some_and(|first| first > checkpoint.seq) {
            self.report.checkpoint = Checkpointed::TooOld(checkpoint);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::log::Limits;
    use crate::audit::{Action, Actor, AuditLog, Event};
    use crate::name::{BackendName, Key, Scope};
    use std::fs;

    struct World {
        folder: tempfile::TempDir,
    }

    /// Small files, so that a few lines fill several.
    const LIMITS: Limits = Limits { full_bytes: 1000, kept: 3 };

    impl World {
        /// Makes a log of `lines` lines.
        fn of(lines: usize) -> Self {
            let world = Self { folder: tempfile::tempdir().unwrap() };
            world.record(lines);
            world
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("audit.jsonl")
        }

        /// Records one line at a time, each as a process of its own would.
        fn record(&self, lines: usize) {
            for _ in 0..lines {
                record(&AuditLog::with_limits(&self.path(), LIMITS), 1);
            }
        }

        fn files(&self) -> Vec<PathBuf> {
            self.verified().files
        }

        fn verified(&self) -> Report {
            verify(&self.path(), None).unwrap()
        }

        fn checked(&self, checkpoint: Checkpoint) -> Report {
            verify(&self.path(), Some(checkpoint)).unwrap()
        }

        fn checkpoint(&self) -> Checkpoint {
            let (seq, hash) = self.verified().last.unwrap();
            Checkpoint { seq, hash, time: Timestamp::now() }
        }

        /// Changes the lines of a file.
        fn edit(file: &Path, change: impl FnOnce(&mut Vec<String>)) {
            let text = fs::read_to_string(file).unwrap();
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            change(&mut lines);
            fs::write(file, lines.join("\n") + "\n").unwrap();
        }

        /// Returns the findings: the file, the line and the fault.
        fn found(&self) -> Vec<(String, usize, Fault)> {
            found(&self.verified())
        }
    }

    fn record(log: &AuditLog, lines: usize) {
        let key = Key::new(Scope::Global, "API_KEY".parse().unwrap());
        let actor = Actor { program: None, agent: None, place: None };
        let event =
            || Event::new(Timestamp::now(), Action::Inject, &key, BackendName::Keyring, &actor);
        let events: Vec<_> = std::iter::repeat_with(event).take(lines).collect();
        log.record(&events).unwrap();
    }

    fn found(report: &Report) -> Vec<(String, usize, Fault)> {
        let name = |at: &Position| at.file.file_name().unwrap().to_str().unwrap().to_owned();
        let finding = |it: &Finding| (name(&it.at), it.at.line, it.fault.clone());
        report.findings.iter().map(finding).collect()
    }

    #[test]
    fn a_log_that_nobody_touched_holds_over_all_its_files() {
        let world = World::of(40);
        let report = world.verified();
        assert_eq!((report.findings, report.notes), (vec![], vec![]));
        let first = report.first.unwrap();
        assert_eq!(report.last.map(|(last, _)| last), Some(40));
        assert_eq!(report.lines as u64, 40 - first + 1);
        // Three that are full, and the one that is written.
        assert_eq!(report.files.len(), 4);
        assert!(first > 1, "nothing was removed");
        for file in &report.files[..3] {
            let bytes = fs::metadata(file).unwrap().len();
            assert!((1000..1400).contains(&bytes), "{bytes}");
        }
    }

    #[test]
    fn several_lines_at_once_are_a_chain_as_well() {
        let world = World::of(0);
        let log = AuditLog::with_limits(&world.path(), LIMITS);
        for lines in [1, 7, 0, 30, 2] {
            record(&log, lines);
        }
        let report = world.verified();
        assert!(report.holds() && report.notes.is_empty(), "{report:?}");
        assert_eq!((report.first, report.last.map(|(last, _)| last)), (Some(1), Some(40)));
    }

    #[test]
    fn an_edited_line_is_found_in_any_file() {
        for file in 0..4 {
            let world = World::of(40);
            while fs::read_to_string(world.path()).unwrap().lines().count() != 2 {
                world.record(1);
            }
            let path = world.files()[file].clone();
            World::edit(&path, |lines| lines[0] = lines[0].replace("API_KEY", "OTHER"));
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert_eq!(world.found(), [(name, 1, Fault::Changed)]);
        }
    }

    #[test]
    fn a_line_that_is_added_removed_or_moved_is_found() {
        let name = || "audit.jsonl".to_owned();
        let edited = |change: fn(&mut Vec<String>)| {
            let world = World::of(3);
            World::edit(&world.path(), change);
            world.record(1);
            world.found()
        };
        assert_eq!(edited(|_| {}), []);
        assert_eq!(
            edited(|lines| drop(lines.remove(1))),
            [(name(), 2, Fault::Missing { from: 2, to: 2 })]
        );
        assert_eq!(
            edited(|lines| drop(lines.remove(0))),
            [(name(), 1, Fault::BeginsLate { first: 2, oldest: 1 })]
        );
        assert_eq!(
            edited(|lines| lines.insert(1, lines[1].clone())),
            [(name(), 3, Fault::OutOfOrder { seq: 2, after: 2 })]
        );
        assert_eq!(
            edited(|lines| lines.swap(0, 1)),
            [
                (name(), 1, Fault::BeginsLate { first: 2, oldest: 1 }),
                (name(), 2, Fault::OutOfOrder { seq: 1, after: 2 })
            ]
        );
        assert_eq!(
            edited(|lines| lines.insert(1, "{\"name\":\"X\"}".to_owned())),
            [(name(), 2, Fault::Unnumbered)]
        );
        assert_eq!(edited(|lines| lines.insert(1, "…".to_owned())), [(name(), 2, Fault::NoEntry)]);
        assert_eq!(edited(|lines| lines[1] = "…".to_owned()).len(), 2);
        assert_eq!(
            edited(|lines| lines.insert(0, "{\"name\":\"X\"}".to_owned())),
            [(name(), 1, Fault::Changed)]
        );
    }

    #[test]
    fn a_forged_line_with_the_right_number_and_hash_breaks_the_one_behind_it() {
        let world = World::of(3);
        World::edit(&world.path(), |lines| lines[1] = lines[1].replace("inject", "read"));
        assert_eq!(world.found(), [("audit.jsonl".to_owned(), 2, Fault::Changed)]);
    }

    #[test]
    fn a_removed_file_is_found_whichever_it_is() {
        for file in 0..3 {
            let world = World::of(40);
            let removed = world.files()[file].clone();
            fs::remove_file(removed).unwrap();
            let found = world.found();
            assert_eq!(found.len(), 1, "{found:?}");
            let fault = &found[0].2;
            assert_eq!(matches!(fault, Fault::BeginsLate { .. }), file == 0, "{fault:?}");
            assert_eq!(matches!(fault, Fault::Missing { .. }), file != 0, "{fault:?}");
        }
    }

    #[test]
    fn an_end_that_is_cut_off_is_seen_by_a_checkpoint_alone() {
        let world = World::of(3);
        let checkpoint = world.checkpoint();
        assert_eq!(world.checked(checkpoint).checkpoint, Checkpointed::Holds(checkpoint));
        World::edit(&world.path(), |lines| lines.truncate(2));
        assert!(world.verified().holds());
        let cut = ("audit.jsonl".to_owned(), 2, Fault::Cut { last: 2, seen: 3 });
        assert_eq!(found(&world.checked(checkpoint)), [cut]);
        // What is recorded then takes the numbers of what was cut off.
        world.record(2);
        assert!(world.verified().holds());
        let rewritten = ("audit.jsonl".to_owned(), 3, Fault::Rewritten);
        let report = world.checked(checkpoint);
        assert_eq!(found(&report), [rewritten]);
        assert_eq!(report.checkpoint, Checkpointed::Broken(checkpoint));
    }

    #[test]
    fn a_log_that_is_removed_or_written_anew_is_seen_by_a_checkpoint_alone() {
        let world = World::of(3);
        let checkpoint = world.checkpoint();
        fs::remove_file(world.path()).unwrap();
        let gone = ("audit.jsonl".to_owned(), 0, Fault::Cut { last: 0, seen: 3 });
        assert_eq!(found(&world.checked(checkpoint)), [gone]);
        assert!(world.verified().holds() && !world.path().exists());
        let log = AuditLog::at(&world.path());
        record(&log, 2);
        record(&log, 2);
        assert!(world.verified().holds());
        let rewritten = ("audit.jsonl".to_owned(), 3, Fault::Rewritten);
        assert_eq!(found(&world.checked(checkpoint)), [rewritten]);
    }

    #[test]
    fn a_checkpoint_that_is_older_than_the_log_is_said() {
        let world = World::of(1);
        let checkpoint = world.checkpoint();
        world.record(40);
        let report = world.checked(checkpoint);
        assert!(report.holds(), "{report:?}");
        assert_eq!(report.checkpoint, Checkpointed::TooOld(checkpoint));
    }

    #[test]
    fn a_line_that_was_cut_short_is_said_and_stays() {
        let world = World::of(2);
        let torn = |text: &str| fs::write(world.path(), text).unwrap();
        let whole = fs::read_to_string(world.path()).unwrap();
        torn(&format!("{whole}{{\"seq\":3,\"prev"));
        let at = Position { file: world.path(), line: 3 };
        let report = world.verified();
        assert_eq!((report.findings, report.notes), (vec![], vec![Note::TornEnd(at.clone())]));
        world.record(2);
        let report = world.verified();
        assert_eq!((report.findings, report.notes), (vec![], vec![Note::Torn(at)]));
        assert_eq!(report.last.map(|(last, _)| last), Some(4));
        assert!(fs::read_to_string(world.path()).unwrap().contains("{\"seq\":3,\"prev\n{"));
        // It is held like any other line.
        World::edit(&world.path(), |lines| lines[2] = "{\"seq\":3".to_owned());
        assert_eq!(world.found()[0].2, Fault::NoEntry);
    }

    #[test]
    fn a_file_that_was_cut_short_when_it_was_full_or_new_goes_on() {
        let world = World::of(0);
        let (mut torn, mut recorded) = (0, 0);
        for _ in 0..12 {
            let mut text = fs::read(world.path()).unwrap_or_default();
            text.extend(b"{\"seq\":");
            fs::write(world.path(), text).unwrap();
            torn += 1;
            let again = AuditLog::with_limits(&world.path(), Limits { full_bytes: 400, kept: 99 });
            record(&again, 1);
            recorded += 1;
        }
        let report = world.verified();
        assert_eq!(report.findings, []);
        assert!(report.files.len() > 2);
        assert_eq!((report.first, report.lines), (Some(1), torn + recorded));
        assert_eq!(report.notes.len(), torn);
    }

    #[test]
    fn a_full_file_whose_name_is_taken_grows_on_and_nothing_is_written_over() {
        let world = World::of(1);
        let taken = world.folder.path().join("audit-000000000001.jsonl");
        fs::write(&taken, "").unwrap();
        let each_is_full = Limits { full_bytes: 1, kept: 9 };
        record(&AuditLog::with_limits(&world.path(), each_is_full), 1);
        assert_eq!(fs::read(&taken).unwrap(), b"");
        let report = world.verified();
        assert_eq!((report.findings, report.notes), (vec![], vec![]));
        assert_eq!(report.files, [taken, world.path()]);
        assert_eq!(report.lines, 2);
    }

    #[test]
    fn a_change_of_files_that_was_interrupted_goes_on() {
        let world = World::of(40);
        let newest = world.files().pop().unwrap();
        fs::rename(newest, world.folder.path().join("audit-000000000040.jsonl")).unwrap();
        assert_eq!(world.verified().notes, [Note::NoNewestFile]);
        world.record(1);
        let report = world.verified();
        assert_eq!((report.findings, report.notes), (vec![], vec![]));
        assert_eq!(report.last.map(|(last, _)| last), Some(41));
    }

    #[test]
    fn lines_of_the_earlier_format_stay_readable_and_the_chain_begins_behind_them() {
        let world = World::of(0);
        let line = |name: &str| {
            format!(
                r#"{{"time":"2026-11-24T10:00:00Z","action":"inject","name":"{name}","scope":"global","backend":"keyring","place":null,"program":"npm","agent":null}}"#
            )
        };
        fs::write(world.path(), format!("{}\n{}\n", line("A"), line("B"))).unwrap();
        world.record(2);
        let report = world.verified();
        assert_eq!((report.findings, report.notes), (vec![], vec![Note::EarlierFormat(2)]));
        assert_eq!((report.first, report.lines), (Some(1), 4));
        let read = crate::audit::records(&world.path(), 9, |_| true).unwrap();
        assert_eq!(read.unreadable, 0);
        assert_eq!(read.records.iter().filter(|it| it.seq.is_none()).count(), 2);
        // The last one is held by the first of the chain.
        World::edit(&world.path(), |lines| lines[1] = line("C"));
        assert_eq!(world.found(), [("audit.jsonl".to_owned(), 2, Fault::Changed)]);
    }

    #[test]
    fn writers_at_the_same_time_keep_one_chain() {
        let world = World::of(0);
        let (writers, lines) = (16, 25);
        std::thread::scope(|threads| {
            for _ in 0..writers {
                threads.spawn(|| {
                    let limits = Limits { full_bytes: 5000, kept: 1000 };
                    let log = AuditLog::with_limits(&world.path(), limits);
                    (0..lines).for_each(|_| record(&log, 1));
                });
            }
        });
        let report = world.verified();
        assert_eq!((report.findings, report.notes), (vec![], vec![]));
        assert_eq!((report.first, report.lines), (Some(1), writers * lines));
        assert!(report.files.len() > 5);
    }

    #[test]
    fn a_log_that_is_a_link_or_a_folder_is_an_error() {
        let world = World::of(1);
        fs::rename(world.path(), world.folder.path().join("real")).unwrap();
        std::os::unix::fs::symlink("real", world.path()).unwrap();
        assert!(verify(&world.path(), None).is_err());
        fs::remove_file(world.path()).unwrap();
        fs::create_dir(world.path()).unwrap();
        assert!(verify(&world.path(), None).is_err());
    }
}
