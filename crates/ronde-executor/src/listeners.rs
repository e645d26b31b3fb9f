//! Who wants to know when a task or promise is done: waiters and callbacks, in one list.

use std::cell::{Cell, RefCell};
use std::task::Waker;

/// Names a done callback, to remove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallbackId(u32);

/// A list in order of registration. Most have one entry or none, and allocate nothing.
pub(crate) struct Listeners<C> {
    entries: Entries<C>,
    next_id: Cell<u32>,
}

enum Entries<C> {
    None,
    One(Entry<C>),
    Many(Vec<Entry<C>>),
}

struct Entry<C> {
    id: CallbackId,
    listener: Listener<C>,
}

pub(crate) enum Listener<C> {
    Waker(Waker),
    Callback(C),
}

impl<C> Listeners<C> {
    pub(crate) const fn new() -> Self {
        Self { entries: Entries::None, next_id: Cell::new(0) }
    }

    pub(crate) fn push(&mut self, listener: Listener<C>) -> CallbackId {
        let id = CallbackId(self.next_id.replace(self.next_id.get().wrapping_add(1)));
        let entry = Entry { id, listener };
        self.entries = match std::mem::replace(&mut self.entries, Entries::None) {
            Entries::None => Entries::One(entry),
            Entries::One(first) => Entries::Many(vec![first, entry]),
            Entries::Many(mut all) => {
                all.push(entry);
                Entries::Many(all)
            }
        };
        id
    }

    /// Takes an entry out. The caller drops it after the borrow: a drop may run anything.
    pub(crate) fn remove(&mut self, id: CallbackId) -> Option<Listener<C>> {
        match &mut self.entries {
            Entries::One(entry) if entry.id == id => {
                match std::mem::replace(&mut self.entries, Entries::None) {
                    Entries::One(entry) => Some(entry.listener),
                    _ => None,
                }
            }
            Entries::Many(all) => {
                let index = all.iter().position(|entry| entry.id == id)?;
                Some(all.remove(index).listener)
            }
            _ => None,
        }
    }

    /// Takes a callback out. A number that names no callback here, as one of another list, takes
    /// nothing out.
    pub(crate) fn remove_callback(&mut self, id: CallbackId) -> Option<Listener<C>> {
        if self.waker_mut(id).is_some() { None } else { self.remove(id) }
    }

    /// The waker of an entry, to renew it when its future has moved to another task.
    pub(crate) fn waker_mut(&mut self, id: CallbackId) -> Option<&mut Waker> {
        let entry = match &mut self.entries {
            Entries::One(entry) if entry.id == id => entry,
            Entries::Many(all) => all.iter_mut().find(|entry| entry.id == id)?,
            _ => return None,
        };
        match &mut entry.listener {
            Listener::Waker(waker) => Some(waker),
            Listener::Callback(_) => None,
        }
    }

    pub(crate) fn take(&mut self) -> impl Iterator<Item = Listener<C>> + use<C> {
        let (one, many) = match std::mem::replace(&mut self.entries, Entries::None) {
            Entries::None => (None, Vec::new()),
            Entries::One(entry) => (Some(entry), Vec::new()),
            Entries::Many(all) => (None, all),
        };
        one.into_iter().chain(many).map(|entry| entry.listener)
    }
}

/// Sees to it that `waker` is in the list, at `place`.
pub(crate) fn listen<C>(
    listeners: &RefCell<Listeners<C>>,
    place: &mut Option<CallbackId>,
    waker: &Waker,
) {
    let is_there = place.and_then(|place| {
        listeners.borrow_mut().waker_mut(place).map(|stored| stored.will_wake(waker))
    });
    if is_there == Some(true) {
        return;
    }
    // Cloning and dropping wakers is other people's code: not under the borrow.
    let mut waker = waker.clone();
    let mut listeners = listeners.borrow_mut();
    match place.and_then(|place| listeners.waker_mut(place)) {
        Some(stored) => std::mem::swap(stored, &mut waker),
        None => {
            *place = Some(listeners.push(Listener::Waker(waker)));
            return;
        }
    }
    drop(listeners);
    drop(waker);
}
