//! The value before the current one: one for each name, under a service of its own.

use std::time::Duration;

use jiff::Timestamp;

use super::item::{Address, Query};
use super::search::Ahead;
use super::service::Service;
use super::values::Change;
use crate::name::Key;
use crate::store::history::is_kept;
use crate::store::{BackendError, Changes, EarlierValue, Metadata, Replaced};

impl Service {
    /// Stores a value at `key`, and what it replaces beside it: for `keep`, or not at all.
    ///
    /// # Errors
    /// [`BackendError`]; the value that was to be replaced is still there then.
    pub(super) async fn rotate(
        &mut self,
        key: &Key,
        change: Change<'_>,
        keep: Duration,
    ) -> Result<Option<Metadata>, BackendError> {
        let (address, earlier) = (Address::from(key), Address::of_earlier(key));
        if change.about.replaced == Replaced::Forgotten || keep.is_zero() {
            // First: what must be gone is gone even if the rest fails.
            self.delete(&earlier).await?;
        } else {
            self.set_aside(&address, &earlier, change).await?;
        }
        let old = self.write(&address, change).await?;
        self.drop_old(change.now, keep).await?;
        Ok(old)
    }

    /// Keeps the value at `address` as the earlier one, unless it is the one that is stored anew.
    async fn set_aside(
        &mut self,
        address: &Address,
        earlier: &Address,
        change: Change<'_>,
    ) -> Result<(), BackendError> {
        let values = self.read(std::slice::from_ref(address)).await?;
        let Some(current) = values.get(address).filter(|it| !it.same_as(change.value)) else {
            return Ok(());
        };
        let found = self.find(&[Query::At(address.clone())], Ahead::Values).await?;
        let stored = found.at(address).first().and_then(|item| item.meta().updated);
        let about = Changes::default();
        let aside = Change { value: current, about, now: change.now, stored };
        self.write(earlier, aside).await.map(drop)
    }

    /// Removes all earlier values that are not kept any more.
    async fn drop_old(&mut self, now: Timestamp, keep: Duration) -> Result<(), BackendError> {
        let _writing = self.writing()?;
        let found = self.find(&[Query::Earlier], Ahead::Names).await?;
        for item in found.into_items() {
            if !is_kept(item.updated(), now, keep) {
                self.remove(&item.path).await?;
            }
        }
        Ok(())
    }

    /// Returns the value before the current one of `key`, if it is kept.
    ///
    /// # Errors
    /// [`BackendError`].
    pub(super) async fn earlier(&mut self, key: &Key) -> Result<Vec<EarlierValue>, BackendError> {
        let (address, earlier) = (Address::from(key), Address::of_earlier(key));
        let found = self.find(&[Query::At(earlier.clone())], Ahead::Values).await?;
        let Some(item) = found.at(&earlier).first() else { return Ok(Vec::new()) };
        let mut values = self.read(&[address.clone(), earlier.clone()]).await?;
        let current = values.remove(&address);
        let value = values.remove(&earlier);
        // A write that was interrupted has put it aside, and not replaced it.
        let value = value.filter(|old| current.is_none_or(|current| !current.same_as(old)));
        let kept = value.map(|value| EarlierValue {
            value,
            stored: item.stored(),
            replaced: item.updated(),
        });
        Ok(kept.into_iter().collect())
    }
}
