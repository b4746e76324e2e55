//! KeePassXC as a Secret Service, on no screen, with a database made for the test.

use std::ops::Deref;

use super::PASSPHRASE;
use super::process::{Running, wait_until};
use super::session::{SERVICE, Session};

/// What `keepassxc-cli` makes the database from.
const DATABASE: &str = include_str!("keepassxc.xml");

/// No dialog, no notification, and the Secret Service on.
const SETTINGS: &str = "\
[General]
ConfigVersion=2
UpdateCheckMessageShown=true
SingleInstance=false
[FdoSecrets]
Enabled=true
ShowNotification=false
ConfirmDeleteItem=false
ConfirmAccessItem=false
[GUI]
CheckForUpdates=false
[Security]
LockDatabaseIdle=false
";

/// The collection: named after the database's file.
const COLLECTION: &str = "/org/freedesktop/secrets/collection/db";

/// The package of both programs.
const PACKAGE: &str = "keepassxc";

/// A session with an unlocked KeePassXC in it.
#[derive(Debug)]
pub(crate) struct KeePassXc {
    program: Option<Running>,
    session: Session,
}

impl KeePassXc {
    /// Starts it with an empty database.
    pub(crate) fn start() -> Self {
        Self::configured(SETTINGS)
    }

    /// Starts it as it is installed: each program is let in to each entry by a person.
    pub(crate) fn that_asks() -> Self {
        Self::configured(&SETTINGS.replace("ConfirmAccessItem=false", "ConfirmAccessItem=true"))
    }

    fn configured(settings: &str) -> Self {
        let session = Session::start();
        std::fs::write(session.path("keepassxc.ini"), settings).expect("it can be configured");
        make_database(&session);
        let mut keepassxc = Self { program: None, session };
        keepassxc.start_program();
        keepassxc
    }

    /// Locks the database, which saves it, kills the program (a request to end it is answered with
    /// a dialog) and starts it anew.
    pub(crate) fn restart(&mut self) {
        self.lock();
        self.program = None;
        wait_until("its name is free", || !self.session.has_name(SERVICE));
        self.start_program();
    }

    fn start_program(&mut self) {
        let session = &self.session;
        let mut command = session.command("keepassxc");
        command.env("QT_QPA_PLATFORM", "offscreen").arg("--pw-stdin");
        command.arg("--config").arg(session.path("keepassxc.ini"));
        command.arg("--localconfig").arg(session.path("local.ini"));
        command.arg(session.path("db.kdbx"));
        let passphrase = format!("{PASSPHRASE}\n");
        let log = session.path("daemon.log");
        self.program = Some(Running::start(&mut command, passphrase.as_bytes(), &log, PACKAGE));
        session.wait_for_name(SERVICE);
        // A client that comes earlier opens a dialog that nobody sees, and hangs.
        wait_until("the database is unlocked", || {
            let interface = "org.freedesktop.Secret.Collection";
            session
                .property(COLLECTION, interface, "Locked")
                .is_some_and(|locked| locked.contains("false"))
        });
        wait_until("it is the default collection", || session.is_locked() == Some(false));
    }

    /// Locks the database, and waits until it says so.
    pub(crate) fn lock(&self) {
        let collection = format!("array:objpath:{COLLECTION}");
        let method = "org.freedesktop.Secret.Service.Lock";
        let path = "/org/freedesktop/secrets";
        let answer = self.call(SERVICE, path, method, &[&collection]).success();
        // It locks only when the prompt that it answers with is called.
        let prompt = answer.text().split_whitespace().last().expect("a path").to_owned();
        let method = "org.freedesktop.Secret.Prompt.Prompt";
        self.call(SERVICE, &prompt, method, &["string:"]).success();
        wait_until("the database is locked", || self.is_locked() != Some(false));
    }
}

/// It is used through its session.
impl Deref for KeePassXc {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

fn make_database(session: &Session) {
    let (xml, database) = (session.path("db.xml"), session.path("db.kdbx"));
    std::fs::write(&xml, DATABASE).expect("the folder is ours");
    let (xml, database) = (xml.display().to_string(), database.display().to_string());
    let args = ["import", "--set-password", "--decryption-time", "100", &xml, &database];
    let passphrase_twice = format!("{PASSPHRASE}\n{PASSPHRASE}\n");
    session.run("keepassxc-cli", &args, passphrase_twice.as_bytes(), PACKAGE).success();
}
