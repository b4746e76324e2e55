//! Writers that are killed, and the order in which a writer lets the disk catch up.

use std::io::{BufRead as _, BufReader, Lines};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ChildStdout, Command, Stdio};
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::{World, another_process, key, read, stores_of_another_process, write};

/// How often a writer is killed, unless [`ROUNDS_VARIABLE`] says otherwise.
const ROUNDS: usize = 200;

/// Sets another number of rounds, for a long run by hand.
const ROUNDS_VARIABLE: &str = "KAGE_TEST_KILLS";

/// Sets the seed that a run printed.
const SEED_VARIABLE: &str = "KAGE_TEST_SEED";

/// How many vaults are worked on side by side: most of a round is waiting.
const LANES: usize = 2;

/// What a writer prints when a write has returned.
const WRITTEN: &str = "written ";

fn from_environment<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The value of one write: long enough that half of it would be seen.
fn counted(round: usize, count: usize) -> Vec<u8> {
    format!("s3cr3t-for-kill-{round}-{count}-").repeat(400).into_bytes()
}

/// The other process of the next tests: on its own it does nothing.
#[test]
#[ignore = "started by the test that kills it"]
fn writes_until_it_is_killed() {
    let Some((stores, round)) = stores_of_another_process() else { return };
    let round = round.parse().unwrap();
    for count in 0.. {
        write(&stores, &key("COUNTER"), &counted(round, count)).unwrap();
        println!("{WRITTEN}{count}");
    }
}

fn writes(lines: &mut Lines<BufReader<ChildStdout>>) -> impl Iterator<Item = usize> {
    lines.map_while(Result::ok).filter_map(|line| line.strip_prefix(WRITTEN)?.parse().ok())
}

/// Starts a writer, kills it at an instant that `chance` chooses, and returns how long one of its
/// writes took. Then the vault holds what the last write that returned had written, or what the one
/// after it was about to.
fn kill_one(world: &World, round: usize, chance: &mut StdRng) {
    let mut victim =
        another_process(world, "vault::killed::writes_until_it_is_killed", &round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let started = Instant::now();
    let first = writes(&mut lines).next();
    assert_eq!(first, Some(0), "the writer wrote nothing");
    // The first write took longer than this, with the start of its process.
    let until = Instant::now() + started.elapsed().mul_f64(chance.gen_range(0.0..1.0));
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    victim.kill().unwrap();
    assert_eq!(victim.wait().unwrap().signal(), Some(9));
    let last = writes(&mut lines).last().unwrap_or(0);
    let stores = world.stores();
    let value = read(&stores, &key("COUNTER")).unwrap().unwrap();
    let is = |count| value == counted(round, count);
    assert!(is(last) || is(last + 1), "round {round}: neither {last} nor the next");
    assert_eq!(read(&stores, &key("BESIDE")).unwrap().unwrap(), b"s3cr3t-for-beside");
}

#[test]
fn a_killed_writer_leaves_the_old_value_or_the_new_one() {
    let rounds = from_environment(ROUNDS_VARIABLE).unwrap_or(ROUNDS);
    let seed = from_environment(SEED_VARIABLE).unwrap_or_else(rand::random::<u64>);
    println!("{rounds} rounds, {SEED_VARIABLE}={seed}");
    std::thread::scope(|threads| {
        for lane in 0..LANES {
            let mut chance = StdRng::seed_from_u64(seed.wrapping_add(lane as u64));
            threads.spawn(move || {
                let world = World::with_identity();
                write(&world.stores(), &key("BESIDE"), b"s3cr3t-for-beside").unwrap();
                for round in (lane..rounds).step_by(LANES) {
                    kill_one(&world, round, &mut chance);
                }
                // What the killed ones left of unfinished generations goes with the next write.
                write(&world.stores(), &key("LAST"), b"s3cr3t-for-last").unwrap();
                let folder = world.file().parent().unwrap().to_owned();
                assert_eq!(std::fs::read_dir(folder).unwrap().count(), 3);
            });
        }
    });
}

/// The process whose calls the next test looks at: on its own it does nothing.
#[test]
#[ignore = "started by the test that watches it"]
fn writes_once() {
    let Some((stores, _)) = stores_of_another_process() else { return };
    write(&stores, &key("A"), b"s3cr3t-for-order").unwrap();
}

/// What `strace` says of one write: each call that succeeded, and which files of the vault it is
/// about.
fn calls_of_a_write(world: &World) -> Vec<String> {
    let log = world.folder.path().join("calls");
    let writer = another_process(world, "vault::killed::writes_once", "");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-s0", "-e", "trace=write,fsync,rename,renameat,renameat2", "-o"]);
    strace.arg(&log).arg(writer.get_program()).args(writer.get_args());
    strace.envs(writer.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let said = strace.output().expect("strace starts: ./test installs it");
    assert!(said.status.success(), "strace needs the right to watch a process: {said:?}");
    let folder = world.file().parent().unwrap().canonicalize().unwrap();
    let text = std::fs::read_to_string(log).unwrap();
    let done = text.lines().filter(|line| !line.contains(" = -1 "));
    let mut calls: Vec<_> = done.filter_map(|line| told(line, folder.to_str().unwrap())).collect();
    calls.dedup();
    calls
}

/// Tells a line such as `PID  fsync(5</…/kage/.kage-vault.age-x1Y2>) = 0`.
fn told(line: &str, folder: &str) -> Option<String> {
    let call = line.split_whitespace().nth(1)?.split('(').next()?;
    let call = if call.starts_with("rename") { "rename" } else { call };
    let files = line.split(folder).skip(1).map(|rest| {
        let name = rest.split(['>', '"']).next().unwrap_or("").trim_start_matches('/');
        match name.strip_prefix(".kage-").and_then(|temporary| temporary.rsplit_once('-')) {
            Some((becomes, _)) => format!("new {becomes}"),
            None if name.is_empty() => "the folder".to_owned(),
            None => name.to_owned(),
        }
    });
    let files: Vec<_> = files.collect();
    (!files.is_empty()).then(|| format!("{call} {}", files.join(" to ")))
}

#[test]
fn a_generation_is_on_disk_before_it_takes_its_place_and_its_place_before_the_write_returns() {
    let world = World::with_identity();
    assert_eq!(
        calls_of_a_write(&world),
        [
            "write new vault.age.previous",
            "fsync new vault.age.previous",
            "rename new vault.age.previous to vault.age.previous",
            "fsync the folder",
            "write new vault.age",
            "fsync new vault.age",
            "rename new vault.age to vault.age",
            "fsync the folder",
        ]
    );
}
