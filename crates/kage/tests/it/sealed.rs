//! What a process of kage switches off for itself, and what the command that it becomes has again.

use crate::world::{KAGE, World};

/// Runs a script of bash in the world, and returns what it says on both streams.
fn script(world: &World, script: &str) -> String {
    let output = world.command("bash", ["-c", script]).output().unwrap();
    let both = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[test]
fn a_kage_that_is_aborted_with_a_value_in_hand_leaves_no_core() {
    let world = World::with_vault();
    let said = script(
        &world,
        &format!(
            r#"
            ulimit -S -c "$(ulimit -H -c)"
            mkfifo pipe
            exec 7<>pipe
            printf s3cr3t-for-core >&7
            {KAGE} set API_KEY --raw <pipe 7>&- &
            # It has the value when the pipe is empty, and waits for the rest of it.
            for turn in {{1..1000}}; do read -t 0 <&7 || break; sleep 0.01; done
            read -t 0 <&7 && echo not read
            grep 'Max core file size' /proc/$!/limits
            kill -ABRT $!
            wait $!
            echo "ended: $?"
            "#
        ),
    );
    assert!(said.contains("ended: 134"), "{said}");
    let limit = said.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(limit.split_whitespace().nth(4), Some("0"), "{said}");
    assert!(!said.contains("core dumped") && !said.contains("not read"), "{said}");
    let left = script(&world, "find .. -name 'core*'");
    assert_eq!(left, "");
}

#[test]
fn the_command_has_the_limits_that_it_would_have_without_kage() {
    let world = World::with_vault();
    let shown = "ulimit -S -c; ulimit -H -c; cat /proc/self/coredump_filter";
    for set in [":", "ulimit -S -c 0", "ulimit -S -c $(ulimit -H -c)", "ulimit -H -c 0"] {
        let without = script(&world, &format!("{set}; bash -c '{shown}'"));
        let with = script(&world, &format!("{set}; {KAGE} run -- bash -c '{shown}'"));
        assert_eq!(with, without, "{set}");
    }
}

#[test]
fn a_command_that_is_aborted_leaves_a_core_where_it_would_without_kage() {
    let world = World::with_vault();
    let aborted = |before: &str| {
        let all = "ulimit -S -c $(ulimit -H -c)";
        let said = script(&world, &format!("{all}; {before} sh -c 'kill -ABRT $$'; echo $?"));
        (said.contains("134"), said.contains("core dumped"))
    };
    assert_eq!(aborted(&format!("{KAGE} run --")), aborted(""));
}
