//! Prompts: the dialogs that a service raises, and how long they are waited for.

use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use zbus::message::Type;
use zbus::{Fd, Message, OwnedObjectPath, OwnedVariant};

use super::bus::{self, DBUS};
use super::fault::{self, Refusal};
use super::item::Path;
use super::service::{Service, decode, sender};
use super::who::Program;
use crate::disk::Lock;
use crate::name::BackendName;
use crate::store::{BackendError, Deadline, Missing};

const PROMPT: &str = "org.freedesktop.Secret.Prompt";

/// What oo7-daemon asks for a passphrase where there is no desktop.
const CLI_PROMPTER: &str = "org.freedesktop.secrets.CliPrompter";

/// The flag of `RequestName` that does not queue for a name that is taken.
const DO_NOT_QUEUE: u32 = 4;

/// How long a prompt may take before kage says what it waits for: many need nobody.
const QUIET: Duration = Duration::from_millis(300);

const WAITING: &str = "an answer to the keyring's prompt";

/// What a prompt is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// A passphrase: a person is needed.
    Unlock,
    /// Leave to do what was asked: the service may be set up to ask nobody.
    Consent,
}

/// How a prompt ended.
enum Ended {
    Answered,
    Dismissed,
    Refused(Refusal),
    Died,
}

impl Ended {
    fn into_result(self) -> Result<(), BackendError> {
        match self {
            Self::Answered => Ok(()),
            Self::Dismissed => {
                Err(fault::denied("the prompt was dismissed, or could not be shown".to_owned()))
            }
            Self::Refused(refusal) => match refusal.clone().into_error() {
                BackendError::Failed { .. } => {
                    Err(fault::denied(format!("the prompt failed: {refusal}")))
                }
                error => Err(error),
            },
            Self::Died => Err(fault::missing(Missing::Gone)),
        }
    }
}

impl Service {
    /// Unlocks `objects`: without a prompt where the service needs none, else with one where
    /// somebody can answer it.
    ///
    /// # Errors
    /// [`BackendError::Locked`] when nobody is there, [`BackendError::Denied`] when the prompt was
    /// dismissed.
    pub(super) async fn unlock(&mut self, objects: &[Path]) -> Result<(), BackendError> {
        let present = self.settings.attendant.present();
        // Taken before the question: whoever held it may have unlocked the keyring meanwhile.
        let _turn = present.then(|| self.turn()).transpose()?;
        let call = self.call_service("Unlock", &objects)?;
        let reply = self.bus.ask_one(call, self.deadline, "the keyring to unlock").await?;
        let reply = reply.map_err(Refusal::into_error)?;
        let (_, prompt) = decode::<(Vec<OwnedObjectPath>, OwnedObjectPath)>(&reply)?;
        let prompt = prompt.into_inner();
        if prompt.as_str() == "/" {
            return Ok(());
        }
        if present {
            return self.follow(&prompt, Asks::Unlock).await;
        }
        if self.is_open_wallet(objects).await? {
            return self.follow_any(&prompt).await;
        }
        Err(fault::locked())
    }

    /// Follows a prompt that a call returned; `/` is none.
    ///
    /// # Errors
    /// As [`Service::unlock`].
    pub(super) async fn follow_any(&mut self, prompt: &Path) -> Result<(), BackendError> {
        if prompt.as_str() == "/" {
            return Ok(());
        }
        let _turn = self.turn()?;
        self.follow(prompt, Asks::Consent).await
    }

    /// Raises a prompt and waits until it ends. The call's own time starts anew afterwards.
    async fn follow(&mut self, prompt: &Path, asks: Asks) -> Result<(), BackendError> {
        let rules = [
            format!("type='signal',interface='{PROMPT}',member='Completed',path='{prompt}'"),
            format!("type='signal',member='NameOwnerChanged',arg0='{}'", self.owner()),
        ];
        let raise = self.call(prompt.as_str(), PROMPT, "Prompt", &"")?;
        let mut calls = about_rules("AddMatch", &rules)?;
        if self.settings.attendant.present() {
            calls.push(bus::notice(DBUS, "RequestName", &(CLI_PROMPTER, DO_NOT_QUEUE))?);
        }
        calls.push(raise.clone());
        self.bus.tell(&calls, self.deadline).await?;
        let ended = self.ended(prompt, &raise, asks).await?;

        self.deadline = Deadline::start(self.settings.timeout);
        let mut calls = about_rules("RemoveMatch", &rules)?;
        calls.push(bus::notice(DBUS, "ReleaseName", &CLI_PROMPTER)?);
        self.bus.tell(&calls, self.deadline).await?;
        ended.into_result()
    }

    async fn ended(
        &mut self,
        prompt: &Path,
        raise: &Message,
        asks: Asks,
    ) -> Result<Ended, BackendError> {
        let attendant = std::sync::Arc::clone(&self.settings.attendant);
        let mut limit = self.patience();
        let mut quiet = attendant.present().then(|| Deadline::start(QUIET));
        let mut answered = false;
        loop {
            match self.bus.next_within(quiet.unwrap_or(limit), WAITING).await {
                Ok(message) if self.asks_for_passphrase(&message) => {
                    quiet = None;
                    if !self.answer(&message).await? {
                        return Ok(Ended::Dismissed);
                    }
                    answered = true;
                    // A wrong passphrase makes oo7-daemon fall silent.
                    limit = Deadline::start(self.settings.timeout);
                }
                Ok(message) => {
                    if let Some(ended) = self.end_in(&message, prompt, raise)? {
                        return Ok(ended);
                    }
                }
                Err(BackendError::TimedOut { .. }) if quiet.take().is_some() => {
                    attendant.tell(match asks {
                        Asks::Unlock => "the keyring is locked: waiting for its prompt",
                        Asks::Consent => "the keyring asks for consent: waiting for its prompt",
                    });
                }
                Err(BackendError::TimedOut { .. }) => {
                    return self.give_up(prompt, limit, answered).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes a prompt back that nobody answers.
    ///
    /// Not from gnome-keyring 42, which aborts when it is told to: its dialog stays, and whoever
    /// answers it later has unlocked the keyring for the next call.
    async fn give_up(
        &mut self,
        prompt: &Path,
        limit: Deadline,
        answered: bool,
    ) -> Result<Ended, BackendError> {
        if self.program() != Program::GnomeKeyring {
            let to = (self.owner(), prompt.as_str(), PROMPT);
            let dismiss = bus::notice(to, "Dismiss", &())?;
            self.bus.tell(&[dismiss], Deadline::start(self.settings.timeout)).await?;
        }
        if answered {
            return Err(fault::denied("the passphrase was not accepted".to_owned()));
        }
        if !self.settings.attendant.present() {
            return Err(fault::locked());
        }
        Err(BackendError::TimedOut {
            backend: BackendName::Keyring,
            waiting_for: WAITING,
            after: limit.limit(),
        })
    }

    /// Returns how the prompt ended, if this message says so.
    fn end_in(
        &self,
        message: &Message,
        prompt: &Path,
        raise: &Message,
    ) -> Result<Option<Ended>, BackendError> {
        let header = message.header();
        let is = |interface: &str, member: &str| {
            header.interface().is_some_and(|name| name.as_str() == interface)
                && header.member().is_some_and(|name| name.as_str() == member)
        };
        match message.message_type() {
            Type::Error if header.reply_serial() == Some(raise.primary_header().serial_num()) => {
                Ok(Some(Ended::Refused(Refusal::of(message))))
            }
            Type::Signal if is(PROMPT, "Completed") => {
                let ours = header.path().is_some_and(|path| path.as_str() == prompt.as_str())
                    && sender(message).as_deref() == Some(self.owner());
                if !ours {
                    return Ok(None);
                }
                let (dismissed, _) = decode::<(bool, OwnedVariant)>(message)?;
                Ok(Some(if dismissed { Ended::Dismissed } else { Ended::Answered }))
            }
            Type::Signal if is(DBUS.0, "NameOwnerChanged") => {
                let (name, _, new) = decode::<(String, String, String)>(message)?;
                let from_bus = sender(message).as_deref() == Some(DBUS.0);
                let died = from_bus && name == self.owner() && new.is_empty();
                Ok(died.then_some(Ended::Died))
            }
            _ => Ok(None),
        }
    }

    /// Returns whether the service, and nobody else on the bus, asks for its passphrase.
    fn asks_for_passphrase(&self, message: &Message) -> bool {
        let header = message.header();
        message.message_type() == Type::MethodCall
            && self.settings.attendant.present()
            && sender(message).as_deref() == Some(self.owner())
            && header.interface().is_some_and(|name| name.as_str() == CLI_PROMPTER)
            && header.member().is_some_and(|name| name.as_str() == "Prompt")
    }

    /// Asks the person and hands the passphrase to the service. Returns whether there was one.
    ///
    /// The terminal is read on this thread: while somebody types, nothing else is worth doing.
    async fn answer(&mut self, call: &Message) -> Result<bool, BackendError> {
        let (_, description) = decode::<(String, String)>(call)?;
        let question = fault::printable(&description);
        let passphrase = self.settings.attendant.passphrase(&question);
        let (theirs, ours) = UnixStream::pair().map_err(|error| no_passage(&error))?;
        if let Some(passphrase) = &passphrase {
            // One that does not fit into the socket's buffer is no passphrase.
            ours.set_nonblocking(true).map_err(|error| no_passage(&error))?;
            passphrase
                .expose(|bytes| (&ours).write_all(bytes))
                .map_err(|error| no_passage(&error))?;
        }
        drop(ours);
        let body = (Fd::from(OwnedFd::from(theirs)), passphrase.is_some());
        let reply = Message::method_return(&call.header()).build(&body).map_err(fault::garbled)?;
        self.bus.tell(&[reply], Deadline::start(self.settings.timeout)).await?;
        Ok(passphrase.is_some())
    }

    /// Waits for the user's other processes: one prompt at a time. The call's own time starts anew
    /// where a person's answer may have been waited for.
    fn turn(&mut self) -> Result<Lock, BackendError> {
        let (name, waiting_for) = ("keyring-prompt.lock", "the prompt of another process");
        if !self.settings.attendant.present() {
            return self.take_lock(name, self.deadline, waiting_for);
        }
        let turn = match self.take_lock(name, Deadline::start(QUIET), waiting_for) {
            Err(BackendError::TimedOut { .. }) => {
                let waiting = "another process waits for the keyring's prompt: waiting for that";
                self.settings.attendant.tell(waiting);
                self.take_lock(name, self.patience(), waiting_for)
            }
            taken_or_broken => taken_or_broken,
        };
        self.deadline = Deadline::start(self.settings.timeout);
        turn
    }

    /// Returns how long a prompt is waited for: where nobody is, only as long as the call may take.
    fn patience(&self) -> Deadline {
        if self.settings.attendant.present() {
            Deadline::start(self.settings.prompt_timeout)
        } else {
            self.deadline
        }
    }

    /// Takes a lock between the user's processes within `patience`.
    pub(super) fn take_lock(
        &self,
        name: &str,
        patience: Deadline,
        waiting_for: &'static str,
    ) -> Result<Lock, BackendError> {
        let path = self.settings.lock_folder.join(name);
        Lock::exclusive(&path, patience.left()).map_err(|error| match error.source.kind() {
            std::io::ErrorKind::TimedOut => BackendError::TimedOut {
                backend: BackendName::Keyring,
                waiting_for,
                after: patience.limit(),
            },
            _ => error.into(),
        })
    }
}

fn about_rules(member: &str, rules: &[String]) -> Result<Vec<Message>, BackendError> {
    rules.iter().map(|rule| bus::notice(DBUS, member, rule)).collect()
}

fn no_passage(error: &std::io::Error) -> BackendError {
    fault::failed(format!("the passphrase cannot be handed to it: {error}"))
}
