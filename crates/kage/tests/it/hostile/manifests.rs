//! What may lie in the place of a manifest, and what it may ask for.

use std::os::unix::fs::PermissionsExt as _;

use rustix::fs::FileType;

use super::{CLAIMS, NOTHING, OWN, Row, Yard};

/// What acts on a terminal, as TOML writes it.
const ACTS: &str = "\\u001B[2J\\u001B]0;t\\u0007\\u202E\\u2066\\u009B1A\\r\\n\\u0000\\u200B";

/// What acts on a terminal, as it is.
const RAW: &str = "\u{1b}[2J\u{202e}\u{2066}\u{9b}1A\u{7}";

/// The place of a manifest.
const PLACE: &str = ".kage/config.toml";

pub(super) const ROWS: &[Row] = &[
    Row::new("a manifest that claims a namespace", |yard| asks(yard, CLAIMS)),
    Row::new("a manifest that asks for names that change what programs do", |yard| {
        asks(yard, "[secrets]\nallow_names = [\"LD_PRELOAD\"]\n")
    }),
    Row::new("a manifest that requires and narrows to such names", |yard| {
        asks(yard, "[secrets]\nrequired = [\"LD_PRELOAD\"]\ninject = [\"PATH\", \"VICTIM\"]\n")
    }),
    Row::new("a manifest that sets commands", |yard| {
        let vault = "[vault]\npassphrase_command = [\"sh\", \"-c\", \"touch ~/ran\"]\n";
        asks(yard, format!("{vault}[agents]\ncommand = \"touch ~/ran\"\n"))
    }),
    Row::new("a manifest that defines the namespace it would be in", |yard| {
        asks(yard, "namespace = \"production\"\n[namespaces.production]\nrepos = [\"/**\"]\n")
    }),
    Row::new("a manifest that changes after it was trusted", |yard| {
        yard.manifest("# nothing\n");
        yard.trust();
        yard.file(PLACE, CLAIMS);
        OWN
    }),
    Row::new("a manifest that becomes a link after it was trusted", |yard| {
        yard.manifest(CLAIMS);
        yard.trust();
        std::fs::rename(yard.clone().join(PLACE), yard.clone().join("kept")).unwrap();
        yard.link(PLACE, "../kept");
        OWN
    }),
    Row::new("a trusted manifest that requires what is not there", |yard| {
        let required = format!("{{ name = \"A\", description = \"{ACTS}\" }}");
        yard.manifest(format!("[secrets]\nrequired = [{required}]\n"));
        yard.trust();
        NOTHING
    }),
    Row::new("a link to a manifest in the repository", |yard| {
        yard.repository();
        yard.file("other.toml", CLAIMS);
        yard.link(PLACE, "../other.toml");
        OWN
    }),
    Row::new("a link to the trusted manifest of another repository", |yard| {
        yard.repository();
        yard.link(PLACE, yard.home().join("victim/.kage/config.toml"));
        OWN
    }),
    Row::new("a link to the user's own configuration", |yard| {
        yard.repository();
        yard.link(PLACE, "../../../.config/kage/config.toml");
        OWN
    }),
    Row::new("a link that leads nowhere", |yard| {
        yard.repository();
        yard.link(PLACE, "nowhere");
        OWN
    }),
    Row::new("a link to itself", |yard| {
        yard.repository();
        yard.link(PLACE, "config.toml");
        OWN
    }),
    Row::new("a link to endless zeros", |yard| {
        yard.repository();
        yard.link(PLACE, "/dev/zero");
        OWN
    }),
    Row::new("a manifest's folder that is a link to another repository's", |yard| {
        yard.repository();
        yard.link(".kage", yard.home().join("victim/.kage"));
        OWN
    }),
    Row::new("a manifest's folder that is a file", |yard| {
        yard.repository();
        yard.file(".kage", CLAIMS);
        OWN
    }),
    Row::new("a manifest of 10 MB", |yard| {
        asks(yard, [CLAIMS.as_bytes(), &vec![b'#'; 10 << 20]].concat())
    }),
    Row::new("a manifest that is not UTF-8", |yard| asks(yard, b"namespace = \"\xff\x9b2J\"\n")),
    Row::new("a manifest with NUL", |yard| asks(yard, b"namespace = \"produc\0tion\"\n")),
    Row::new("a manifest behind a byte order mark", |yard| asks(yard, format!("\u{feff}{CLAIMS}"))),
    Row::new("a manifest that is a FIFO", |yard| {
        yard.repository();
        yard.node(PLACE, FileType::Fifo);
        OWN
    }),
    Row::new("a manifest that is a socket", |yard| {
        yard.repository();
        yard.node(PLACE, FileType::Socket);
        OWN
    }),
    Row::new("a manifest that is a folder", |yard| {
        yard.repository();
        yard.file(".kage/config.toml/config.toml", CLAIMS);
        OWN
    }),
    Row::new("a manifest that may not be read", |yard| {
        yard.manifest(CLAIMS);
        let none = std::fs::Permissions::from_mode(0o000);
        std::fs::set_permissions(yard.clone().join(PLACE), none).unwrap();
        OWN
    }),
    Row::new("a manifest of deep lists", |yard| {
        let deep = 30_000;
        asks(yard, format!("namespace = {}{}\n", "[".repeat(deep), "]".repeat(deep)))
    }),
    Row::new("a manifest of deep tables", |yard| {
        asks(yard, format!("secrets = {}", "{ a = ".repeat(10_000)))
    }),
    Row::new("a manifest of deep keys", |yard| {
        asks(yard, format!("[{}a]\n{}b = 1\n", "a.".repeat(15_000), "b.".repeat(15_000)))
    }),
    Row::new("a manifest that says things twice", |yard| {
        asks(yard, format!("{CLAIMS}{CLAIMS}[secrets]\n[secrets]\n"))
    }),
    Row::new("a manifest whose keys act on the terminal", |yard| {
        asks(yard, format!("\"{ACTS}\\nhint: run this\" = 1\n"))
    }),
    Row::new("a manifest whose names act on the terminal", |yard| {
        asks(yard, format!("namespace = \"{ACTS}\"\n[secrets]\nrequired = [\"{ACTS}\"]\n"))
    }),
    Row::new("a manifest whose descriptions act on the terminal", |yard| {
        let required = format!("{{ name = \"VICTIM\", description = \"{ACTS}\" }}");
        asks(yard, format!("[secrets]\nrequired = [{required}]\n"))
    }),
    Row::new("a manifest that acts on the terminal and is no TOML", |yard| {
        asks(yard, format!("{RAW} = {RAW}\n\"{RAW}\" = '{RAW}'\n"))
    }),
    Row::new("a manifest of thousands of names", |yard| {
        let names: Vec<_> = (0..7_000).map(|n| format!("\"A{n}\"")).collect();
        asks(yard, format!("secrets.required = [{}]\n", names.join(",")))
    }),
];

/// Makes a repository with a manifest, which gives it nothing.
fn asks(yard: &Yard, manifest: impl AsRef<[u8]>) -> &'static [&'static str] {
    yard.manifest(manifest);
    OWN
}
