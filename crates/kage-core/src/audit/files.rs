//! The files of the log: the one that is written, and those that were full before it.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::PATIENCE;
use super::chain::{Hash, Link, Place};
use crate::disk::{self, Appender, Held, PathError};

/// How much of the end of a file is looked at first: several lines.
const TAIL_BYTES: u64 = 4096;

/// Where the files are.
#[derive(Clone, Debug)]
pub(super) struct Files {
    /// The file that is written.
    pub(super) active: PathBuf,
}

impl Files {
    /// Returns what a full file is called whose last line has the number `last`:
    /// `audit-000000000042.jsonl`.
    pub(super) fn archive(&self, last: u64) -> PathBuf {
        let (stem, extension) = self.parts();
        self.active.with_file_name(format!("{stem}-{last:012}.{extension}"))
    }

    /// Returns the full files, the oldest first.
    pub(super) fn archives(&self) -> Result<Vec<PathBuf>, PathError> {
        let folder = self.active.parent().unwrap_or(Path::new("/"));
        let paths = disk::paths_in(folder)?;
        let mut numbered: Vec<_> =
            paths.into_iter().filter_map(|path| Some((self.number_of(&path)?, path))).collect();
        numbered.sort();
        Ok(numbered.into_iter().map(|(_, path)| path).collect())
    }

    fn number_of(&self, path: &Path) -> Option<u64> {
        let (stem, extension) = self.parts();
        let name = path.file_name()?.to_str()?;
        let name = name.strip_prefix(&*stem)?.strip_prefix('-')?;
        let digits = name.strip_suffix(&*extension)?.strip_suffix('.')?;
        digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
    }

    fn parts(&self) -> (String, String) {
        let text = |part: Option<&std::ffi::OsStr>| {
            part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default()
        };
        (text(self.active.file_stem()), text(self.active.extension()))
    }

    /// Opens all files, the oldest first, with how long each is at one moment at which nobody
    /// appends. Nothing is made where there is no log.
    pub(super) fn snapshot(&self) -> Result<Vec<LogFile>, PathError> {
        let mut active = Appender::open_existing(&self.active)?;
        // Nothing is appended, and no file is full and moved, as long as this is held.
        let held = active.as_mut().map(|file| file.hold(PATIENCE)).transpose()?;
        let mut paths = self.archives()?;
        paths.extend(held.is_some().then(|| self.active.clone()));
        paths.into_iter().map(LogFile::open).collect()
    }
}

/// A file of the log, as far as it goes at one moment.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    bytes: u64,
}

/// One line of a file.
#[derive(Debug)]
pub(super) struct RawLine<'a> {
    /// The file.
    pub(super) file: &'a Path,
    /// The number of the line in it, from 1.
    pub(super) number: usize,
    /// What it says, without its line end.
    pub(super) bytes: &'a [u8],
    /// Whether it has a line end.
    pub(super) ended: bool,
}

impl LogFile {
    fn open(path: PathBuf) -> Result<Self, PathError> {
        let file = disk::open_plain(&path)?;
        match file.metadata() {
            Ok(meta) => Ok(Self { path, file, bytes: meta.len() }),
            Err(source) => Err(PathError { doing: "read", path, source }),
        }
    }

    /// Returns which file it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Shows each line to `see`, until that says that it has seen enough.
    pub(super) fn each_line(
        self,
        mut see: impl FnMut(&RawLine<'_>) -> Go,
    ) -> Result<(), PathError> {
        let Self { path, file, bytes } = self;
        let mut reader = BufReader::new(file.take(bytes));
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let read = reader.read_until(b'\n', &mut line);
            let read = read.map_err(|source| failed(&path, source))?;
            let ended = line.pop_if(|last| *last == b'\n').is_some();
            let raw = RawLine { file: &path, number, bytes: &line, ended };
            if read == 0 || see(&raw) == Go::Stop {
                break;
            }
        }
        Ok(())
    }
}

/// Whether there is more to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Go {
    On,
    Stop,
}

fn failed(path: &Path, source: io::Error) -> PathError {
    PathError { doing: "read", path: path.to_owned(), source }
}

/// Returns the first number in a file; `None` when no line has one.
pub(super) fn first_number(path: &Path) -> Result<Option<u64>, PathError> {
    let mut first = None;
    LogFile::open(path.to_owned())?.each_line(|line| {
        first = Place::of(line.bytes).and_then(|place| place.seq);
        if first.is_some() { Go::Stop } else { Go::On }
    })?;
    Ok(first)
}

/// How a file ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    /// The number of the last line that has one.
    pub(super) seq: Option<u64>,
    /// The hash of the last line, whatever it is; `None` when the file is empty.
    pub(super) hash: Option<Hash>,
    /// Whether the last line has no line end: its writing was cut short.
    pub(super) torn: bool,
}

impl End {
    /// Looks at the end of a file: at its last line, and further back only where that has no number.
    pub(super) fn of(held: &Held<'_>) -> Result<Self, PathError> {
        let bytes = held.bytes()?;
        if bytes == 0 {
            return Ok(Self::default());
        }
        let mut size = TAIL_BYTES;
        loop {
            let found = Self::in_tail(&held.tail(size)?, size >= bytes);
            if let Some(end) = found {
                return Ok(end);
            }
            size = size.saturating_mul(16);
        }
    }

    /// Returns `None` when the tail does not reach far enough back. `whole`: it is all there is.
    fn in_tail(tail: &[u8], whole: bool) -> Option<Self> {
        let lines = tail.strip_suffix(b"\n").unwrap_or(tail);
        let mut lines: Vec<_> = lines.split(|byte| *byte == b'\n').collect();
        if !whole {
            // It may begin in the middle of a line.
            lines.remove(0);
        }
        let last = lines.last()?;
        let seq = lines.iter().rev().find_map(|line| Place::of(line)?.seq);
        let torn = !tail.ends_with(b"\n");
        (whole || seq.is_some()).then(|| Self { seq, hash: Some(Hash::of(last)), torn })
    }

    /// Returns the last line of the newest of `archives`, numbered by the newest line in them that
    /// has a number.
    pub(super) fn of_archives(archives: &[PathBuf]) -> Result<Link, PathError> {
        let mut newest = None;
        for path in archives.iter().rev() {
            let Some(mut file) = Appender::open_existing(path)? else { continue };
            let end = Self::of(&file.hold(PATIENCE)?)?;
            newest = newest.or(end.hash);
            if let Some(seq) = end.seq {
                return Ok(Link { seq, hash: newest.unwrap_or(Hash::NONE) });
            }
        }
        Ok(Link { hash: newest.unwrap_or(Hash::NONE), ..Link::NONE })
    }
}
