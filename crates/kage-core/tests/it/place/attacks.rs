//! What a clone, an archive or another user can put on disk, and what it is worth: nothing.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use kage_core::resolve::Reason;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::World;

#[test]
fn a_copied_worktree_pointer_maps_nothing() {
    let world = World::new();
    let (_, tree) = world.worktree();
    world.folder("evil");
    fs::copy(tree.join(".git"), world.home().join("evil/.git")).unwrap();
    world.assert_its_own("evil", &[("evil/.git", Reason::NotPointedBack)]);
}

#[test]
fn a_hard_link_of_a_worktree_pointer_maps_nothing() {
    let world = World::new();
    let (_, tree) = world.worktree();
    world.folder("evil");
    fs::hard_link(tree.join(".git"), world.home().join("evil/.git")).unwrap();
    world.assert_its_own("evil", &[("evil/.git", Reason::NotPointedBack)]);
}

#[test]
fn a_pointer_into_another_repositorys_worktrees_maps_nothing() {
    let world = World::new();
    world.worktree();
    for target in ["../main/.git/worktrees/tree", "../main/.git/worktrees/tree/"] {
        world.file("evil/.git", format!("gitdir: {target}\n"));
        world.assert_its_own("evil", &[("evil/.git", Reason::NotPointedBack)]);
    }
    world.file("evil/.git", "gitdir: ../main/.git/worktrees/missing\n");
    world.assert_its_own("evil", &[("evil/.git", Reason::Dangling)]);
}

#[test]
fn a_pointer_at_a_git_folder_maps_nothing() {
    let world = World::new();
    world.worktree();
    for target in ["../main/.git", "../main", "../main/.git/worktrees", "..", "/"] {
        world.file("evil/.git", format!("gitdir: {target}\n"));
        world.assert_its_own("evil", &[("evil/.git", Reason::NotAWorktree)]);
    }
}

#[test]
fn a_forged_worktree_that_names_a_foreign_common_folder_maps_nothing() {
    let world = World::new();
    let (main, _) = world.worktree();
    world.file("evil/.git", "gitdir: fake/.git/worktrees/x\n");
    world.file("evil/fake/.git/worktrees/x/gitdir", "../../../../.git\n");
    let common = format!("{}/.git\n", main.display());
    world.file("evil/fake/.git/worktrees/x/commondir", common);
    world.file("evil/fake/.git/commondir", "../../../main/.git\n");
    let pointer = "evil/fake/.git/worktrees/x/commondir";
    world.assert_its_own("evil", &[(pointer, Reason::OtherCommon)]);
    world.file(pointer, "../..\n");
    world.file("evil/fake/.git/HEAD", "ref: refs/heads/main\n");
    world.assert_its_own("evil", &[("evil/fake/.git", Reason::NotARepository)]);
    // One that is whole leads no further than the forger's own folder.
    world.folder("evil/fake/.git/objects");
    assert_eq!(world.scopes("evil"), ["~/evil", "~/evil/fake"]);
}

#[test]
fn a_forged_worktrees_folder_that_links_to_a_repository_maps_nothing() {
    let world = World::new();
    world.worktree();
    world.file("evil/.git", "gitdir: fake/worktrees/x\n");
    world.file("evil/fake/entry/gitdir", "../../.git\n");
    world.file("evil/fake/entry/commondir", "../../../main/.git\n");
    // `fake/worktrees/x` is `fake/entry`; then `fake/worktrees` is that of `main`.
    world.folder("evil/fake/worktrees");
    symlink("../entry", world.home().join("evil/fake/worktrees/x")).unwrap();
    world.assert_its_own("evil", &[("evil/.git", Reason::NotAWorktree)]);
    fs::remove_dir_all(world.home().join("evil/fake/worktrees")).unwrap();
    symlink("../../main/.git/worktrees", world.home().join("evil/fake/worktrees")).unwrap();
    world.file("evil/.git", "gitdir: fake/worktrees/tree\n");
    world.assert_its_own("evil", &[("evil/.git", Reason::NotPointedBack)]);
}

#[test]
fn a_back_pointer_through_a_linked_git_file_maps_nothing() {
    let world = World::new();
    let (_, tree) = world.worktree();
    world.folder("evil");
    fs::rename(tree.join(".git"), world.home().join("evil/.git")).unwrap();
    symlink("../evil/.git", tree.join(".git")).unwrap();
    world.assert_its_own("evil", &[("evil/.git", Reason::NotPointedBack)]);
    world.assert_its_own("tree", &[("tree/.git", Reason::LinkedGit)]);
}

#[test]
fn a_worktree_whose_own_files_are_odd_maps_nothing() {
    let (gitdir, commondir) =
        ("main/.git/worktrees/tree/gitdir", "main/.git/worktrees/tree/commondir");
    for (path, why) in [(gitdir, Reason::NotPointedBack), (commondir, Reason::OtherCommon)] {
        let world = World::new();
        world.worktree();
        let seen = if path == gitdir { "tree/.git" } else { commondir };
        for text in ["", "\n", "/nonexistent/.git\n", "..\n", "\0\n"] {
            world.file(path, text);
            world.assert_its_own("tree", &[(seen, why)]);
        }
        fs::remove_file(world.home().join(path)).unwrap();
        world.assert_its_own("tree", &[(path, Reason::Unreadable)]);
        world.file("kept", fs::read(world.home().join("tree/.git")).unwrap());
        symlink("../../../../kept", world.home().join(path)).unwrap();
        world.assert_its_own("tree", &[(path, Reason::Unreadable)]);
    }
}

#[test]
fn a_committed_folder_that_looks_bare_and_holds_a_commondir_maps_nothing() {
    let world = World::new();
    world.repository("victim");
    world.repository("evil");
    world.git("evil", &["init", "-q", "--bare", "trap"]);
    world.file("evil/trap/commondir", "../../victim/.git\n");
    world.file("evil/trap/gitdir", "../../victim/.git\n");
    let place = world.place("evil/trap");
    assert_eq!(world.shown(&place), ["~/evil/trap", "~/evil"]);
    assert_eq!(place.repository.unwrap().root, world.home().join("evil"));
    // The same folder with nothing around it.
    world.git("", &["init", "-q", "--bare", "alone"]);
    world.file("alone/commondir", "../victim/.git\n");
    assert_eq!(world.scopes("alone"), ["~/alone"]);
    assert_eq!(world.place("alone").repository, None);
}

#[test]
fn an_ordinary_git_folder_that_holds_a_commondir_maps_nothing() {
    let world = World::new();
    let (main, tree) = world.worktree();
    world.repository("evil");
    world.file("evil/.git/commondir", format!("{}/.git\n", main.display()));
    world.file("evil/.git/gitdir", format!("{}/.git\n", tree.display()));
    world.assert_its_own("evil", &[]);
}

#[test]
fn an_embedded_bare_repository_is_a_folder_of_the_repository_around_it() {
    let world = World::new();
    world.repository("shop");
    world.git("shop", &["init", "-q", "--bare", "vendor/lib.git"]);
    let place = world.place("shop/vendor/lib.git");
    assert_eq!(world.shown(&place), ["~/shop/vendor/lib.git", "~/shop/vendor", "~/shop"]);
    assert_eq!(place.repository.unwrap().root, world.home().join("shop"));
}

#[test]
fn a_linked_git_maps_nothing() {
    let world = World::new();
    let (main, tree) = world.worktree();
    for target in [main.join(".git"), tree.join(".git"), "/nonexistent".into(), ".git".into()] {
        let evil = world.folder("evil");
        symlink(&target, evil.join(".git")).unwrap();
        world.assert_its_own("evil", &[("evil/.git", Reason::LinkedGit)]);
        fs::remove_file(evil.join(".git")).unwrap();
    }
}

#[test]
fn whatever_is_called_git_stops_the_walk() {
    let world = World::new();
    world.repository("victim");
    let evil = world.folder("victim/evil");
    let git = evil.join(".git");
    let shown = "victim/evil/.git";

    mknodat(CWD, &git, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    world.assert_its_own("victim/evil", &[(shown, Reason::OddGit)]);
    fs::remove_file(&git).unwrap();

    let _socket = std::os::unix::net::UnixListener::bind(&git).unwrap();
    world.assert_its_own("victim/evil", &[(shown, Reason::OddGit)]);
    fs::remove_file(&git).unwrap();

    let huge = [&b"gitdir: "[..], &vec![b'a'; 1024 * 1024]].concat();
    let no_pointer: [(&[u8], Reason); 9] = [
        (b"", Reason::NoPointer),
        (b"gitdir: ", Reason::NoPointer),
        (b"gitdir: \n", Reason::NoPointer),
        (b"gitdir:../../victim/.git\n", Reason::NoPointer),
        (b"\xef\xbb\xbfgitdir: ../.git\n", Reason::NoPointer),
        (b"\xff\xfe", Reason::NoPointer),
        (b"gitdir: \xff\n", Reason::Dangling),
        (b"gitdir: a\0b\n", Reason::Dangling),
        (&huge, Reason::Unreadable),
    ];
    for (bytes, why) in no_pointer {
        fs::write(&git, bytes).unwrap();
        world.assert_its_own("victim/evil", &[(shown, why)]);
    }
    fs::remove_file(&git).unwrap();

    fs::create_dir(&git).unwrap();
    world.assert_its_own("victim/evil", &[]);
}

#[test]
fn a_git_file_that_may_not_be_read_maps_nothing() {
    let world = World::new();
    let (main, tree) = world.worktree();
    // A folder in the place of what should be a file cannot be read by anyone.
    let back = main.join(".git/worktrees/tree/gitdir");
    fs::remove_file(&back).unwrap();
    fs::create_dir(&back).unwrap();
    world.assert_its_own(&tree, &[("main/.git/worktrees/tree/gitdir", Reason::Unreadable)]);
}

#[test]
fn a_folder_of_another_owner_has_no_repository_scope() {
    let world = World::new();
    world.repository("shop");
    world.folder("shop/theirs/mine");
    if !world.give_away("shop/theirs") {
        // Without the right to give a folder away: one that is another's already.
        let place = world.place("/usr/bin");
        assert_eq!((world.shown(&place), place.repository), (Vec::new(), None));
        return;
    }
    let ignored = world.ignored(&[("shop/theirs", Reason::OtherOwner)]);
    let theirs = world.place("shop/theirs");
    assert_eq!((world.shown(&theirs), theirs.repository), (Vec::new(), None));
    assert_eq!(theirs.ignored, ignored);
    // What is mine in there is its own path; the repository around theirs does not reach it.
    let mine = world.place("shop/theirs/mine");
    assert_eq!(world.shown(&mine), ["~/shop/theirs/mine"]);
    assert_eq!((mine.repository, mine.ignored), (None, ignored));
    assert_eq!(world.scopes("shop"), ["~/shop"]);
}

#[test]
fn the_folder_of_another_owner_gives_nothing_without_a_repository_either() {
    let world = World::new();
    world.folder("notes/theirs/mine");
    if !world.give_away("notes/theirs") {
        assert_eq!(world.scopes("/usr/bin"), [""; 0]);
        return;
    }
    assert_eq!(world.scopes("notes/theirs/mine"), ["~/notes/theirs/mine"]);
    assert_eq!(world.scopes("notes/theirs"), [""; 0]);
    assert_eq!(world.scopes("notes"), ["~/notes"]);
}

/// Everything that a worktree's identity rests on, each given to another user.
#[test]
fn a_worktree_whose_evidence_is_another_owners_maps_nothing() {
    for evidence in [
        "main",
        "main/.git",
        "main/.git/worktrees",
        "main/.git/worktrees/tree",
        "main/.git/worktrees/tree/gitdir",
        "main/.git/worktrees/tree/commondir",
    ] {
        let world = World::new();
        world.worktree();
        if world.give_away(evidence) {
            let place = world.place("tree");
            assert_eq!(world.shown(&place), ["~/tree"], "{evidence}");
            assert_eq!(place.ignored.len(), 1, "{evidence}");
            assert_eq!(place.ignored[0].why, Reason::OtherOwner, "{evidence}");
            let seen = fs::canonicalize(&place.ignored[0].path).unwrap();
            assert_eq!(seen, world.home().join(evidence));
        } else {
            assert_eq!(world.scopes("tree"), ["~/tree", "~/main"]);
        }
    }
}

#[test]
fn a_git_that_another_user_put_there_stops_the_walk_and_is_no_repository() {
    let world = World::new();
    world.folder("shared/mine");
    fs::create_dir(world.home().join("shared/.git")).unwrap();
    if !world.give_away("shared/.git") {
        world.assert_its_own("shared", &[]);
        return;
    }
    let place = world.place("shared/mine");
    assert_eq!((world.shown(&place), &place.repository), (vec!["~/shared/mine".into()], &None));
    assert_eq!(place.ignored, world.ignored(&[("shared/.git", Reason::OtherOwner)]));
}

/// Prints where the folder in `PLACE` belongs.
#[test]
#[ignore = "a process for `git_variables_change_nothing` to start"]
fn says_where() {
    let world = World::new();
    let place = world.place(std::env::var_os("PLACE").unwrap());
    print!("{:?} {:?}", place.repository, place.scopes);
}

#[test]
fn git_variables_change_nothing() {
    let world = World::new();
    let victim = world.repository("victim");
    let evil = world.repository("evil");
    let told = |variables: &[(&str, &Path)]| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["place::attacks::says_where", "--exact", "--ignored", "--nocapture"])
            .env("PLACE", &evil)
            .envs(variables.iter().copied())
            .current_dir(&evil)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let line = told.lines().find(|line| line.contains("Repository")).unwrap_or_default();
        assert!(line.contains(evil.to_str().unwrap()), "{told}");
        line.to_owned()
    };
    let git = victim.join(".git");
    let variables: [(&str, &Path); 6] = [
        ("GIT_DIR", &git),
        ("GIT_COMMON_DIR", &git),
        ("GIT_WORK_TREE", &victim),
        ("GIT_CEILING_DIRECTORIES", Path::new("/")),
        ("GIT_INDEX_FILE", &git),
        ("GIT_DISCOVERY_ACROSS_FILESYSTEM", Path::new("1")),
    ];
    assert_eq!(told(&variables), told(&[]));
}

#[test]
fn a_manifest_asks_and_is_given_nothing() {
    let world = World::with_config("[namespaces.production]\nrepos = [\"~/other\"]");
    world.repository("evil");
    world.file("evil/.kage/config.toml", "namespace = \"production\"");
    let place = world.place("evil/api");
    assert_eq!(world.shown(&place), ["~/evil/api", "~/evil"]);
    assert_eq!(
        place.membership,
        kage_core::resolve::Membership::Requested("production".parse().unwrap())
    );
    assert_eq!(place.membership.granted(), None);
    assert!(place.manifest.unwrap().is_ok());
}

#[test]
fn a_manifest_that_cannot_be_used_stops_nothing() {
    let world = World::new();
    world.repository("evil");
    let path = world.file("evil/.kage/config.toml", "namespace = 1");
    let check = || {
        let place = world.place("evil");
        assert_eq!(world.shown(&place), ["~/evil"]);
        assert!(place.manifest.unwrap().is_err());
    };
    check();
    world.file("evil/.kage/config.toml", vec![b'#'; 1024 * 1024]);
    check();
    fs::remove_file(&path).unwrap();
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    check();
    fs::remove_file(&path).unwrap();
    symlink("../../secret.toml", &path).unwrap();
    check();
}

#[test]
fn a_manifest_behind_a_link_is_not_read() {
    let world = World::new();
    world.repository("evil");
    world.file("private/config.toml", "token = \"s3cr3t-for-place\"");
    symlink("../private", world.home().join("evil/.kage")).unwrap();
    let place = world.place("evil");
    assert!(place.manifest.is_none());
    assert_eq!(place.ignored, world.ignored(&[("evil/.kage", Reason::LinkedManifest)]));
}
