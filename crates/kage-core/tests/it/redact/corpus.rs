//! `testdata/redaction-corpus.json`, whose format is described in the file: what other tools let
//! through, each case at every cut that it asks for and at random ones.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kage_core::redact::{Kind, Redactor};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{pieces, redacted, redactor};

/// Cases that are a goal and no promise, and are not reached.
const OPEN: &[&str] = &[];

/// How many ways of cutting are tried where all would be too many.
const CUTS: usize = 300;

/// As many bytes are too many for that.
const LONG: usize = 20_000;

struct Case<'a>(&'a Value);

fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().expect("it is Base64")).expect("it is Base64")
}

/// Joins pieces that are repeated, or counted through a hash.
fn generated(pieces: &Value) -> Vec<u8> {
    let piece = |piece: &Value| match piece["sha256_ctr"].as_str() {
        Some(seed) => {
            counted(seed, piece["len"].as_u64().expect("a number"), piece["encode"] == "base64")
        }
        None => bytes(&piece["b64"])
            .repeat(piece["repeat"].as_u64().expect("a number").try_into().expect("it is small")),
    };
    pieces.as_array().expect("a list").iter().flat_map(piece).collect()
}

fn counted(seed: &str, length: u64, encoded: bool) -> Vec<u8> {
    let block = |count: u64| Sha256::new().chain_update(seed).chain_update(count.to_le_bytes());
    let mut bytes: Vec<u8> =
        (0..length.div_ceil(32)).flat_map(|count| block(count).finalize()).collect();
    bytes.truncate(length.try_into().expect("it is small"));
    if encoded { STANDARD.encode(bytes).into_bytes() } else { bytes }
}

impl Case<'_> {
    fn id(&self) -> &str {
        self.0["id"].as_str().expect("a text")
    }

    fn input(&self) -> Vec<u8> {
        match self.0.get("input_gen") {
            Some(pieces) => generated(pieces),
            None => bytes(&self.0["input_b64"]),
        }
    }

    fn redactor(&self) -> Redactor {
        let secret = |secret: &Value| {
            let value = match secret.get("value_gen") {
                Some(pieces) => generated(pieces),
                None => bytes(&secret["value_b64"]),
            };
            (secret["name"].as_str().expect("a text").to_owned(), value)
        };
        let secrets: Vec<_> =
            self.0["secrets"].as_array().expect("a list").iter().map(secret).collect();
        redactor(secrets.iter().map(|(name, value)| (name.as_str(), value.as_slice())))
    }

    /// Returns where the input is cut, one list for each way. All two-part cuts, where it is short.
    fn cuts(&self, length: usize) -> Vec<Vec<usize>> {
        let chunking = &self.0["chunking"];
        let mut cuts = vec![vec![]];
        if length < 2 {
            return cuts;
        }
        let step = if length < LONG { 1.max(length / CUTS) } else { length / 2 };
        cuts.extend((1..length).step_by(step).map(|cut| vec![cut]));
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for count in 0..if length < LONG { 20 } else { 1 } {
            let mut at = 0;
            let mut cut = Vec::new();
            loop {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                at += 1 + usize::try_from(random).expect("it is well formed")
                    % (length / 20 + count + 1);
                if at >= length {
                    break;
                }
                cut.push(at);
            }
            cuts.push(cut);
        }
        if length < LONG {
            cuts.push((1..length).collect());
        }
        if let Some(offsets) = chunking["offsets"].as_array() {
            cuts.push(
                offsets
                    .iter()
                    .map(|at| at.as_u64().expect("a number").try_into().expect("it is small"))
                    .collect(),
            );
        }
        if chunking["mode"] == "every_split" {
            let pairs =
                (1..length).flat_map(|one| (one + 1..length).map(move |two| vec![one, two]));
            cuts.extend(pairs);
        }
        cuts
    }

    /// Says what is wrong with `out`.
    fn faults(&self, input: &[u8], out: &[u8]) -> Vec<String> {
        let expect = &self.0["expect"];
        let mut faults = Vec::new();
        let mut check = |fine: bool, what: &str| {
            if !fine {
                faults.push(format!("{what}: {:?}", shown(out)));
            }
        };
        if expect["identity"] == true {
            check(input == out, "it is not what went in");
        }
        if let Some(parts) = expect["parts"].as_array() {
            check(is_made_of(out, parts), "it is not what was expected");
        }
        if let Some(repeated) = expect.get("parts_repeat") {
            let count =
                repeated["count"].as_u64().expect("a number").try_into().expect("it is small");
            let parts = repeated["parts"].as_array().expect("a list");
            let parts = vec![parts.clone(); count].concat();
            check(is_made_of(out, &parts), "it is not what was expected");
        }
        let listed = |key: &str| expect[key].as_array().into_iter().flatten().map(bytes);
        for leaked in listed("must_not_contain_b64").chain(listed("never_emitted_b64")) {
            check(!contains(out, &leaked), "it leaks");
        }
        for leaked in listed("stripped_must_not_contain_b64") {
            check(!contains(&stripped(out), &leaked), "it leaks between control sequences");
        }
        for kept in listed("must_contain_b64") {
            check(contains(out, &kept), "it masks too much");
        }
        if expect["valid_json"] == true {
            check(serde_json::from_slice::<Value>(out).is_ok(), "it is no JSON");
        }
        faults
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(200).collect()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn stripped(text: &[u8]) -> Vec<u8> {
    let mut rest = text.iter().copied().filter(|byte| !b"\r\n".contains(byte));
    let mut out = Vec::new();
    while let Some(byte) = rest.next() {
        match byte {
            0x1b if rest.next() == Some(b'[') => {
                assert!(rest.any(|byte| (0x40..0x7f).contains(&byte)));
            }
            0x1b => {}
            plain => out.push(plain),
        }
    }
    out
}

fn is_made_of(mut out: &[u8], parts: &[Value]) -> bool {
    for part in parts {
        let allowed: Vec<Vec<u8>> = match part.get("mask") {
            Some(names) => names
                .as_array()
                .expect("a list")
                .iter()
                .map(|name| format!("[kage:{}]", name.as_str().expect("a text")).into_bytes())
                .collect(),
            None => vec![part.get("lit_gen").map_or_else(|| bytes(&part["lit_b64"]), generated)],
        };
        let Some(rest) = allowed.iter().find_map(|allowed| out.strip_prefix(&allowed[..])) else {
            return false;
        };
        out = rest;
    }
    out.is_empty()
}

fn each_case(mut look: impl FnMut(Case<'_>)) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/testdata/redaction-corpus.json");
    let corpus: Value = serde_json::from_slice(&std::fs::read(path).expect("it is well formed"))
        .expect("it is well formed");
    let cases = corpus["cases"].as_array().expect("a list");
    assert_eq!(cases.len(), 90);
    for case in cases.iter().filter(|case| case["expect"]["documented_limit"] != true) {
        look(Case(case));
    }
}

#[test]
fn every_case_of_the_corpus_holds_at_every_cut() {
    let mut failed = Vec::new();
    each_case(|case| {
        let (redactor, input) = (case.redactor(), case.input());
        let fault = case.cuts(input.len()).into_iter().find_map(|cuts| {
            let faults = case.faults(&input, &redacted(&redactor, &pieces(&input, &cuts)));
            (!faults.is_empty()).then(|| format!("{}: {cuts:?}: {faults:?}", case.id()))
        });
        if let Some(fault) = fault {
            eprintln!("{fault}");
            failed.push(case.id().to_owned());
        }
    });
    assert_eq!(failed, OPEN);
}

#[test]
fn a_prompt_is_out_before_anything_follows() {
    let mut seen = 0;
    each_case(|case| {
        if case.0["expect"]["open_stream"] == true {
            let (redactor, input) = (case.redactor(), case.input());
            let mut out = Vec::new();
            redactor.stream(Kind::Pipe).push(&input, &mut out);
            assert_eq!(case.faults(&input, &out), Vec::<String>::new(), "{}", case.id());
            seen += 1;
        }
    });
    assert!(seen >= 4, "the corpus has such cases");
}
