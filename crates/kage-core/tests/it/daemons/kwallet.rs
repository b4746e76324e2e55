//! KWallet (`kwalletd5`) as a Secret Service, on no screen.

use std::ops::Deref;

use super::PASSPHRASE;
use super::process::{Running, wait_until};
use super::session::{SERVICE, Session};

/// Opens the wallet as the login screen does, then becomes the daemon.
const LOGIN: &str = include_str!("kwallet_login.py");

/// One wallet that stays open, and the Secret Service on.
const SETTINGS: &str = "\
[Wallet]
Enabled=true
First Use=false
Default Wallet=kdewallet
Use One Wallet=true
Prompt on Open=false
Close When Idle=false
Leave Open=true
[org.freedesktop.secrets]
apiEnabled=true
";

/// Where KWallet's own interface is.
const KWALLET: &str = "org.kde.kwalletd5";
const KWALLET_PATH: &str = "/modules/kwalletd5";

/// The packages of the daemon and of the cipher it cannot do without.
const PACKAGE: &str = "libkf5wallet-bin libqca-qt5-2-plugins";

/// A session with KWallet in it.
#[derive(Debug)]
pub(crate) struct KWallet {
    daemon: Option<Running>,
    session: Session,
}

impl KWallet {
    /// Starts it with an empty, open wallet.
    pub(crate) fn start() -> Self {
        let wallet = Self::just_logged_in();
        wallet.unlock();
        wallet
    }

    /// Lets another client unlock the collection, which needs no passphrase after a login.
    pub(crate) fn unlock(&self) {
        let attributes = ["service", "kage-test-start"];
        let store = [&["store", "--label=start"][..], &attributes].concat();
        self.secret_tool(&store, b"x").success();
        self.secret_tool(&[&["clear"][..], &attributes].concat(), b"").success();
        assert_eq!(self.is_locked(), Some(false));
    }

    /// Starts it as it is after a login: the wallet is open, and yet its collection calls itself
    /// locked until a client unlocks it, which needs no passphrase.
    pub(crate) fn just_logged_in() -> Self {
        let session = Session::start();
        let home = session.home();
        std::fs::create_dir_all(home.join(".config")).expect("the home is ours");
        std::fs::create_dir_all(home.join(".local/share/kwalletd")).expect("the home is ours");
        std::fs::write(home.join(".config/kwalletrc"), SETTINGS).expect("the home is ours");
        let mut wallet = Self { daemon: None, session };
        // The first start makes the wallet and does not offer it.
        wallet.log_in();
        let file = home.join(".local/share/kwalletd/kdewallet.kwl");
        wait_until("the wallet is written", || {
            std::fs::metadata(&file).is_ok_and(|file| file.len() > 0)
        });
        wallet.wait_until_open();
        wallet.restart();
        assert_eq!(wallet.is_locked(), Some(true));
        wallet
    }

    /// Ends the daemon and starts it anew, as from one login to the next.
    pub(crate) fn restart(&mut self) {
        self.end();
        self.log_in();
        self.wait_for_collection();
        self.wait_until_open();
    }

    /// Starts the daemon anew without the passphrase: the dialog in which it asks for it is on no
    /// screen, so it waits for ever.
    pub(crate) fn lock(&mut self) {
        self.end();
        let mut command = self.session.command("kwalletd5");
        command.env("QT_QPA_PLATFORM", "offscreen");
        self.start_daemon(&mut command, b"");
        self.wait_for_collection();
    }

    fn log_in(&mut self) {
        let mut command = self.session.command("/usr/bin/python3");
        command.env("QT_QPA_PLATFORM", "offscreen").args(["-c", LOGIN]);
        self.start_daemon(&mut command, PASSPHRASE.as_bytes());
    }

    fn start_daemon(&mut self, command: &mut std::process::Command, input: &[u8]) {
        let log = self.session.path("daemon.log");
        self.daemon = Some(Running::start(command, input, &log, PACKAGE));
        self.session.wait_for_name(SERVICE);
    }

    /// Closes the wallet first: what was changed last is written then.
    fn end(&mut self) {
        let args = ["string:kdewallet", "boolean:true"];
        self.call(KWALLET, KWALLET_PATH, "org.kde.KWallet.close", &args).success();
        self.daemon.take().expect("it runs").end();
        wait_until("its name is free", || !self.session.has_name(SERVICE));
    }

    fn wait_until_open(&self) {
        wait_until("the wallet is open", || {
            let args = ["string:kdewallet"];
            let answer = self.call(KWALLET, KWALLET_PATH, "org.kde.KWallet.isOpen", &args);
            answer.code == Some(0) && answer.text().contains("true")
        });
    }

    fn wait_for_collection(&self) {
        let (path, interface) = ("/org/freedesktop/secrets", "org.freedesktop.Secret.Service");
        wait_until("the wallet is offered", || {
            self.property(path, interface, "Collections")
                .is_some_and(|collections| collections.contains("kdewallet"))
        });
    }
}

/// It is used through its session.
impl Deref for KWallet {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}
