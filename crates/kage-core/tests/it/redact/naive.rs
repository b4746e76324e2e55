//! A redactor that is slow and plain, sees its input whole, and shares no code with the real one but
//! the list of spellings.

/// No value goes on behind a longer run of gaps.
pub(crate) const LONGEST_GAP: usize = 1024;

/// A pattern, and the name of its value.
pub(crate) type Spelling = (Vec<u8>, String);

/// Which bytes are gaps, as a table of runs.
fn gaps(input: &[u8]) -> Vec<(usize, usize)> {
    let mut is_gap = vec![false; input.len()];
    let mut at = 0;
    let mut line_begins = false;
    while at < input.len() {
        let length = gap_length(&input[at..], line_begins);
        match input[at] {
            b'\r' | b'\n' => line_begins = true,
            _ if length == 0 => line_begins = false,
            _ => {}
        }
        is_gap[at..at + length].fill(true);
        at += length.max(1);
    }
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for at in (0..input.len()).filter(|at| is_gap[*at]) {
        match runs.last_mut() {
            Some((_, end)) if *end == at => *end = at + 1,
            _ => runs.push((at, at + 1)),
        }
    }
    runs
}

/// Returns how long the gap is that `rest` begins with.
fn gap_length(rest: &[u8], line_begins: bool) -> usize {
    let count = |from: usize, of: std::ops::RangeInclusive<u8>| {
        rest[from.min(rest.len())..].iter().take_while(|byte| of.contains(byte)).count()
    };
    let one_more = |from: usize, of: std::ops::RangeInclusive<u8>| {
        from + usize::from(rest.get(from).is_some_and(|byte| of.contains(byte)))
    };
    match rest {
        [b'\r' | b'\n', ..] => 1,
        [b' ' | b'\t', ..] if line_begins => 1,
        [0x08, ..] => one_more(1, 0x20..=0xff),
        [0x1b, b'[', ..] => one_more(2 + count(2, 0x20..=0x3f), 0x40..=0x7e),
        [0x1b, ..] => one_more(1 + count(1, 0x20..=0x2f), 0x30..=0x7e),
        _ => 0,
    }
}

/// Returns where `pattern` is in `text`.
fn places<'a>(text: &'a [u8], pattern: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let windows = text.windows(pattern.len()).enumerate();
    windows.filter(move |(_, window)| *window == pattern).map(|(at, _)| at)
}

/// Redacts `input` by the definition.
pub(crate) fn naive(spellings: &[Spelling], input: &[u8]) -> Vec<u8> {
    let gaps = gaps(input);
    let mut exact = vec![false; input.len()];
    // (start, end, name) of each occurrence.
    let mut occurrences: Vec<(usize, usize, &str)> = Vec::new();
    for (pattern, name) in spellings {
        for at in places(input, pattern) {
            occurrences.push((at, at + pattern.len(), name));
            exact[at..at + pattern.len()].fill(true);
        }
    }
    for stretch in stretches(input, &gaps) {
        let text: Vec<u8> = stretch.iter().map(|at| input[*at]).collect();
        for (pattern, name) in spellings {
            for at in places(&text, pattern) {
                occurrences.push((stretch[at], stretch[at + pattern.len() - 1] + 1, name));
            }
        }
    }
    let mut covered = vec![false; input.len()];
    for (start, end, _) in &occurrences {
        covered[*start..*end].fill(true);
    }
    let mut out = Vec::new();
    for at in 0..input.len() {
        if !covered[at] {
            out.push(input[at]);
        } else if at == 0 || !covered[at - 1] {
            out.extend_from_slice(mark(&occurrences, spellings, at).as_bytes());
        }
        let gap = gaps.iter().find(|(start, _)| *start == at);
        if let Some(&(start, end)) =
            gap.filter(|(start, end)| (*start..*end).all(|at| covered[at] && !exact[at]))
        {
            out.extend(controls(&input[start..end]));
        }
    }
    out
}

/// Splits what is no gap where a gap is too long.
fn stretches(input: &[u8], gaps: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut stretches = vec![Vec::new()];
    for at in 0..input.len() {
        match gaps.iter().find(|(start, end)| (*start..*end).contains(&at)) {
            None => stretches.last_mut().expect("one").push(at),
            Some((start, end)) if end - start > LONGEST_GAP => stretches.push(Vec::new()),
            Some(_) => {}
        }
    }
    stretches
}

/// The longest that begins there gives the name; of equal ones the value that was named first.
fn mark(occurrences: &[(usize, usize, &str)], spellings: &[Spelling], at: usize) -> String {
    let here = occurrences.iter().filter(|(start, _, _)| *start == at);
    let rank = |name: &str| spellings.iter().position(|(_, other)| other == name);
    let first = here.min_by_key(|(_, end, name)| (usize::MAX - end, rank(name)));
    first.map(|(_, _, name)| (*name).to_owned()).expect("a byte is covered by something")
}

fn controls(mut gap: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while !gap.is_empty() {
        let length = gap_length(gap, true).max(1);
        let (sequence, rest) = gap.split_at(length);
        let complete = sequence.last().is_some_and(|byte| (0x40..=0x7e).contains(byte));
        if sequence.starts_with(b"\x1b[") && length > 2 && complete {
            out.extend_from_slice(sequence);
        }
        gap = rest;
    }
    out
}
