//! The service on the other side: who it is, what it finds, whether it is locked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use zbus::{Message, OwnedObjectPath, OwnedVariant, Variant};
use zeroize::Zeroizing;

use super::bus::{self, Batch, Bus, DBUS, Replies, Reply, Slot};
use super::fault;
use super::item::{Address, Attributes, Found, Item, Path, Query};
use super::session::{DH, Offer, PLAIN, Session};
use crate::store::{Attendant, BackendError, Deadline, Missing};

/// The name that a Secret Service owns on the bus.
const NAME: &str = "org.freedesktop.secrets";

const PATH: &str = "/org/freedesktop/secrets";
const DEFAULT: &str = "/org/freedesktop/secrets/aliases/default";

const SERVICE: &str = "org.freedesktop.Secret.Service";
pub(super) const COLLECTION: &str = "org.freedesktop.Secret.Collection";
pub(super) const ITEM: &str = "org.freedesktop.Secret.Item";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// How often a search is followed by a prompt: KeePassXC unlocks the database first, then entries.
const MAX_PROMPTS: usize = 2;

/// How often a key exchange is tried: one in about 128 leads to a number that is not used.
const MAX_EXCHANGES: usize = 4;

/// What the programs that offer a Secret Service own besides its name.
const PROGRAMS: [(&str, Program); 6] = [
    ("org.gnome.keyring", Program::GnomeKeyring),
    ("org.keepassxc.KeePassXC.MainWindow", Program::KeePassXc),
    ("org.kde.kwalletd5", Program::KWallet),
    ("org.kde.kwalletd6", Program::KWallet),
    ("org.kde.ksecretd", Program::KWallet),
    ("org.kde.secretservicecompat", Program::KWallet),
];

/// A program that offers a Secret Service, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    GnomeKeyring,
    KeePassXc,
    KWallet,
    Unknown,
}

impl Program {
    /// Returns its name, if it is known.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::GnomeKeyring => Some("gnome-keyring"),
            Self::KeePassXc => Some("KeePassXC"),
            Self::KWallet => Some("KWallet"),
            Self::Unknown => None,
        }
    }

    /// Returns whether its encrypted sessions can be relied on: KWallet garbles one in a hundred.
    fn encrypts(self) -> bool {
        self != Self::KWallet
    }
}

/// What the caller gave kage to reach and ask the service.
#[derive(Debug)]
pub(super) struct Settings {
    /// The address of the session bus.
    pub(super) address: Option<String>,
    /// The limit for one call as a whole, without what a person takes.
    pub(super) timeout: Duration,
    /// The limit for a person's answer to a prompt.
    pub(super) prompt_timeout: Duration,
    /// Who is at the terminal.
    pub(super) attendant: Arc<dyn Attendant>,
    /// Where the locks between the user's processes are.
    pub(super) lock_folder: PathBuf,
}

/// Whether a session will be needed soon, so that opening it can share a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ahead {
    /// Values will be read or written.
    Values,
    /// Nothing but a listing.
    Names,
}

/// A connection to a Secret Service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) bus: Bus,
    pub(super) settings: Arc<Settings>,
    pub(super) deadline: Deadline,
    /// The unique name of the program that answered first: every later call goes to it, so that
    /// nothing is sent to a program that took the service's name over.
    owner: Option<(String, Program)>,
    session: Option<Session>,
    /// Where the values of listed entries are. A path may come to stand for another entry, so that
    /// [`Service::read`] checks what it reads.
    pub(super) listed: BTreeMap<Address, Path>,
}

/// What a search answered.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// Items that can be read.
    pub(super) open: BTreeSet<Path>,
    /// Items that are locked.
    pub(super) closed: BTreeSet<Path>,
    /// The collection that new entries go to; `None` when there is none.
    pub(super) collection: Option<Path>,
    /// Whether that collection is locked.
    pub(super) collection_locked: bool,
}

/// Where the replies to the questions of a first burst are.
struct Introduction {
    owner: Slot,
    programs: [(Slot, Program); PROGRAMS.len()],
}

impl Service {
    /// Connects to the bus; the service is asked with the first search.
    ///
    /// # Errors
    /// [`BackendError`] when there is no bus.
    pub(super) async fn connect(
        settings: &Arc<Settings>,
        deadline: Deadline,
    ) -> Result<Self, BackendError> {
        let bus = Bus::connect(settings.address.as_deref(), deadline).await?;
        Ok(Self {
            bus,
            settings: Arc::clone(settings),
            deadline,
            owner: None,
            session: None,
            listed: BTreeMap::new(),
        })
    }

    /// Returns the items that `queries` find, with their attributes; raises a prompt where
    /// something is locked and somebody can answer.
    ///
    /// # Errors
    /// [`BackendError`], among them [`BackendError::Locked`].
    pub(super) async fn find(
        &mut self,
        queries: &[Query],
        ahead: Ahead,
    ) -> Result<Found, BackendError> {
        let sight = self.unlocked(queries, ahead).await?;
        if sight.open.is_empty() && sight.collection.is_none() {
            return Err(fault::missing(Missing::Collection));
        }
        self.describe(sight.open, queries).await
    }

    /// Searches until nothing is locked that may hold what is searched for.
    pub(super) async fn unlocked(
        &mut self,
        queries: &[Query],
        ahead: Ahead,
    ) -> Result<Sight, BackendError> {
        for _ in 0..MAX_PROMPTS {
            let sight = self.look(queries, ahead).await?;
            let Some(locked) = sight.locked() else { return Ok(sight) };
            self.unlock(&locked).await?;
        }
        // A prompt that was answered may still have changed nothing.
        let sight = self.look(queries, ahead).await?;
        match sight.locked() {
            None => Ok(sight),
            Some(_) => Err(fault::denied("it is still locked after its prompt".to_owned())),
        }
    }

    /// Asks everything at once that does not depend on an answer.
    pub(super) async fn look(
        &mut self,
        queries: &[Query],
        ahead: Ahead,
    ) -> Result<Sight, BackendError> {
        let mut batch = Batch::default();
        let introduction = match self.owner {
            None => Some(Introduction::push(&mut batch)?),
            Some(_) => None,
        };
        let offer = self.offer(ahead, &mut batch)?;
        let alias = batch.push(self.call(PATH, SERVICE, "ReadAlias", &"default")?);
        let locked = batch.push(self.get(DEFAULT, COLLECTION, "Locked")?);
        let searches: Vec<_> = queries
            .iter()
            .map(|query| self.call(PATH, SERVICE, "SearchItems", &query.attributes()))
            .map(|call| call.map(|call| batch.push(call)))
            .collect::<Result<_, _>>()?;
        let mut replies = self.bus.ask(batch, self.deadline, "the search").await?;

        let alias = replies.take(alias).map_err(fault::Refusal::into_error)?;
        if let Some(introduction) = introduction {
            self.meet(&alias, introduction, &mut replies).await?;
        }
        if let Some((offer, slot)) = offer {
            self.session = self.accept(&offer, replies.take(slot))?;
        }
        let mut sight = self.sight_of(&alias, replies.take(locked)).await?;
        for slot in searches {
            let found = replies.take(slot).map_err(fault::Refusal::into_error)?;
            let (open, closed) = decode::<(Vec<OwnedObjectPath>, Vec<OwnedObjectPath>)>(&found)?;
            sight.open.extend(open.into_iter().map(OwnedObjectPath::into_inner));
            sight.closed.extend(closed.into_iter().map(OwnedObjectPath::into_inner));
        }
        Ok(sight)
    }

    fn offer(
        &self,
        ahead: Ahead,
        batch: &mut Batch,
    ) -> Result<Option<(Offer, Slot)>, BackendError> {
        if ahead == Ahead::Names || self.session.is_some() || !self.program().encrypts() {
            return Ok(None);
        }
        let offer = Offer::new()?;
        let slot = batch.push(self.open_encrypted(&offer)?);
        Ok(Some((offer, slot)))
    }

    /// Remembers who answered.
    async fn meet(
        &mut self,
        answer: &Message,
        introduction: Introduction,
        replies: &mut Replies,
    ) -> Result<(), BackendError> {
        let owner = sender(answer).ok_or_else(|| fault::failed("it has no name".to_owned()))?;
        let mut program = introduction.read(&owner, replies);
        if program.is_none() {
            // The bus started the service for this very burst: its names are known only now.
            let mut batch = Batch::default();
            let again = Introduction::push(&mut batch)?;
            let mut replies = self.bus.ask(batch, self.deadline, "the bus").await?;
            program = again.read(&owner, &mut replies);
        }
        let program = program.unwrap_or(Program::Unknown);
        self.owner = Some((owner, program));
        Ok(())
    }

    async fn sight_of(&mut self, alias: &Message, locked: Reply) -> Result<Sight, BackendError> {
        let collection = decode::<OwnedObjectPath>(alias)?.into_inner();
        if collection.as_str() == "/" {
            return Ok(Sight::default());
        }
        let locked = match locked {
            // Not every service answers at the alias.
            Err(refusal) if refusal.is_no_object() => {
                let call = self.get(collection.as_str(), COLLECTION, "Locked")?;
                self.bus.ask_one(call, self.deadline, "the search").await?
            }
            answered => answered,
        };
        let locked = locked.map_err(fault::Refusal::into_error)?;
        let collection_locked = property(&locked)?;
        Ok(Sight { collection: Some(collection), collection_locked, ..Sight::default() })
    }

    /// Asks the items' attributes, then the service's own time where kage did not write one.
    pub(super) async fn describe(
        &mut self,
        paths: BTreeSet<Path>,
        queries: &[Query],
    ) -> Result<Found, BackendError> {
        let paths: Vec<_> = paths.into_iter().collect();
        let answers = self.get_each::<Attributes>(&paths, "Attributes").await?;
        let items = paths.into_iter().zip(answers).filter_map(|(path, attributes)| {
            let attributes = attributes.filter(|some| queries.iter().any(|q| q.fits(some)))?;
            Some(Item { path, attributes, modified: None })
        });
        let found = Found::sort(items.collect());
        let undated: Vec<_> = found.undated().map(|item| item.path.clone()).collect();
        if undated.is_empty() {
            return Ok(found);
        }
        let times = self.get_each::<u64>(&undated, "Modified").await?;
        let dated: BTreeMap<_, _> = undated.into_iter().zip(times).collect();
        let mut items = found.into_items();
        for item in &mut items {
            let seconds = dated.get(&item.path).copied().flatten();
            item.modified = seconds
                .and_then(|seconds| i64::try_from(seconds).ok())
                .and_then(|seconds| Timestamp::from_second(seconds).ok());
        }
        Ok(Found::sort(items))
    }

    /// Asks the same property of many items; `None` where an item went away meanwhile.
    pub(super) async fn get_each<T: TryFrom<OwnedVariant, Error = zbus::Error>>(
        &mut self,
        items: &[Path],
        name: &str,
    ) -> Result<Vec<Option<T>>, BackendError> {
        let mut batch = Batch::default();
        let slots = self.push_get_each(items, name, &mut batch)?;
        let mut replies = self.bus.ask(batch, self.deadline, "the entries' names").await?;
        slots.into_iter().map(|slot| property_if_there(replies.take(slot))).collect()
    }

    /// Adds the same question to many items to a batch.
    pub(super) fn push_get_each(
        &self,
        items: &[Path],
        name: &str,
        batch: &mut Batch,
    ) -> Result<Vec<Slot>, BackendError> {
        let calls = items.iter().map(|item| self.get(item.as_str(), ITEM, name));
        calls.map(|call| call.map(|call| batch.push(call))).collect()
    }

    /// Returns the session, and opens one where there is none.
    ///
    /// # Errors
    /// [`BackendError`] when the service opens none.
    pub(super) async fn session(&mut self) -> Result<&Session, BackendError> {
        if self.session.is_none() {
            self.session = Some(self.open_session().await?);
        }
        self.session.as_ref().ok_or_else(|| fault::failed("it opened no session".to_owned()))
    }

    /// Forgets the session, so that the next value travels in a new one.
    pub(super) fn forget_session(&mut self) {
        self.session = None;
    }

    async fn open_session(&mut self) -> Result<Session, BackendError> {
        for _ in 0..MAX_EXCHANGES {
            if !self.program().encrypts() {
                break;
            }
            let offer = Offer::new()?;
            let call = self.open_encrypted(&offer)?;
            let reply = self.bus.ask_one(call, self.deadline, "a session").await?;
            let refused = reply.is_err();
            match self.accept(&offer, reply)? {
                Some(session) => return Ok(session),
                None if refused => break,
                None => {}
            }
        }
        let call = self.call(PATH, SERVICE, "OpenSession", &(PLAIN, Variant::from("")))?;
        let reply = self.bus.ask_one(call, self.deadline, "a session").await?;
        let reply = reply.map_err(fault::Refusal::into_error)?;
        let (_, path) = decode::<(OwnedVariant, OwnedObjectPath)>(&reply)?;
        Ok(Session::new(path.into_inner(), None))
    }

    fn open_encrypted(&self, offer: &Offer) -> Result<Message, BackendError> {
        let public = Variant::from(offer.public());
        self.call(PATH, SERVICE, "OpenSession", &(DH, public))
    }

    /// Takes the service's half of a key exchange. `None` when it refuses to encrypt, when the
    /// exchange led to a number that is not used, and when this service's encryption is not.
    fn accept(&self, offer: &Offer, reply: Reply) -> Result<Option<Session>, BackendError> {
        let reply = match reply {
            Ok(reply) => reply,
            Err(refusal) => {
                return match refusal.into_error() {
                    BackendError::Failed { .. } => Ok(None),
                    error => Err(error),
                };
            }
        };
        let (theirs, path) = decode::<(OwnedVariant, OwnedObjectPath)>(&reply)?;
        let theirs = Vec::<u8>::try_from(theirs).map_err(fault::garbled)?;
        let key: Option<Zeroizing<_>> = offer.key(&theirs);
        let used = key.filter(|_| self.program().encrypts());
        Ok(used.map(|key| Session::new(path.into_inner(), Some(key))))
    }

    /// Returns what the program is.
    pub(super) fn program(&self) -> Program {
        self.owner.as_ref().map_or(Program::Unknown, |(_, program)| *program)
    }

    /// Returns the unique name of the service.
    pub(super) fn owner(&self) -> &str {
        self.owner.as_ref().map_or(NAME, |(owner, _)| owner)
    }

    /// Builds a call to the service.
    pub(super) fn call(
        &self,
        path: &str,
        interface: &str,
        member: &str,
        body: &(impl serde::Serialize + zbus::DynamicType),
    ) -> Result<Message, BackendError> {
        bus::call((self.owner(), path, interface), member, body)
    }

    /// Builds a call to the service itself, not to one of its objects.
    pub(super) fn call_service(
        &self,
        member: &str,
        body: &(impl serde::Serialize + zbus::DynamicType),
    ) -> Result<Message, BackendError> {
        self.call(PATH, SERVICE, member, body)
    }

    /// Builds a question for a property.
    pub(super) fn get(
        &self,
        path: &str,
        interface: &str,
        name: &str,
    ) -> Result<Message, BackendError> {
        self.call(path, PROPERTIES, "Get", &(interface, name))
    }

    /// Builds a change of an item's property.
    pub(super) fn set(
        &self,
        item: &Path,
        name: &str,
        value: Variant<'_>,
    ) -> Result<Message, BackendError> {
        self.call(item.as_str(), PROPERTIES, "Set", &(ITEM, name, value))
    }
}

impl Sight {
    /// Returns what has to be unlocked before the answer can be relied on; `None` when nothing.
    ///
    /// The default collection is among it even where nothing was found in it: a locked oo7-daemon
    /// finds nothing at all.
    pub(super) fn locked(&self) -> Option<Vec<Path>> {
        let collection = self.collection.iter().filter(|_| self.collection_locked);
        let locked: Vec<_> = collection.chain(&self.closed).cloned().collect();
        (!locked.is_empty()).then_some(locked)
    }
}

impl Introduction {
    fn push(batch: &mut Batch) -> Result<Self, BackendError> {
        let mut owner_of =
            |name: &str| bus::call(DBUS, "GetNameOwner", &name).map(|call| batch.push(call));
        let owner = owner_of(NAME)?;
        let mut programs = [(owner, Program::Unknown); PROGRAMS.len()];
        for (slot, (name, program)) in programs.iter_mut().zip(PROGRAMS) {
            *slot = (owner_of(name)?, program);
        }
        Ok(Self { owner, programs })
    }

    /// Returns which program `owner` is; `None` when it had no name yet when the bus was asked.
    fn read(&self, owner: &str, replies: &mut Replies) -> Option<Program> {
        let mut owner_of = |slot| decode::<String>(&replies.take(slot).ok()?).ok();
        let owned: Vec<_> =
            self.programs.map(|(slot, program)| (owner_of(slot), program)).into_iter().collect();
        owner_of(self.owner)?;
        let program = owned.iter().find(|(name, _)| name.as_deref() == Some(owner));
        Some(program.map_or(Program::Unknown, |(_, program)| *program))
    }
}

/// Returns the unique name of who sent a message, as the bus says.
pub(super) fn sender(message: &Message) -> Option<String> {
    message.header().sender().map(|name| name.as_str().to_owned())
}

/// Reads the body of a reply.
pub(super) fn decode<T>(reply: &Message) -> Result<T, BackendError>
where
    T: for<'body> zbus::wire::DynamicDeserialize<'body>,
{
    reply.body().deserialize().map_err(fault::garbled)
}

/// Reads the reply to a question for a property.
pub(super) fn property<T: TryFrom<OwnedVariant, Error = zbus::Error>>(
    reply: &Message,
) -> Result<T, BackendError> {
    T::try_from(decode::<OwnedVariant>(reply)?).map_err(fault::garbled)
}

/// Reads the reply to a question for a property of an object that may be gone.
pub(super) fn property_if_there<T: TryFrom<OwnedVariant, Error = zbus::Error>>(
    reply: Reply,
) -> Result<Option<T>, BackendError> {
    match reply {
        Ok(reply) => property(&reply).map(Some),
        Err(refusal) if refusal.is_no_object() => Ok(None),
        Err(refusal) => Err(refusal.into_error()),
    }
}
