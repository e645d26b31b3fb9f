//! Entries in wait lists: how a list hears at once that one of its waiters is being cancelled.

use std::fmt;
use std::rc::Rc;

use crate::kind::WaitKind;
use crate::registers;
use crate::wait::{Awaited, Wait};

/// A list in which waiters stand in line, such as a lock's.
///
/// Who chooses from the list whom to wake must pass by a waiter that is being cancelled, or what it
/// hands over goes to one that won't take it, and others that could have had it wait on. So the list
/// is told when the cancellation is asked for, which is before it is delivered.
pub trait WaitList {
    /// Marks an entry as cancelled, if it is still waiting, and wakes its leaf.
    ///
    /// Returns false, and changes nothing, if the entry has been woken or cancelled already or is
    /// gone. The leaf, when it is polled next, either declines, because a cancellation is being
    /// delivered, or finds that it was delivered elsewhere in the task, and then starts over.
    fn cancel_entry(&self, key: u64) -> bool;

    /// Writes what is waited for, for `Debug` and for reports of deadlocks.
    ///
    /// # Errors
    ///
    /// Those of the formatter.
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// What kind of thing is waited for.
    fn kind(&self) -> WaitKind {
        WaitKind::Other("a place in a line")
    }

    /// Who must do something for the line to move, such as the task that holds a lock. By default nobody
    /// is known.
    fn holders(&self) -> Vec<Rc<dyn Awaited>> {
        Vec::new()
    }
}

/// A waiter's entry in a [`WaitList`].
///
/// It is stored at every suspension: a reference to the list and a number, without an allocation.
///
/// # Examples
///
/// ```
/// use ronde_context::{Entry, Wait, WaitList};
/// use std::{cell::Cell, fmt, rc::Rc};
///
/// /// A list with room for one.
/// struct Single {
///     waiting: Cell<bool>,
/// }
///
/// impl WaitList for Single {
///     fn cancel_entry(&self, _key: u64) -> bool {
///         self.waiting.replace(false)
///     }
///
///     fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str("a list of one")
///     }
/// }
///
/// let entry = Entry::new(Rc::new(Single { waiting: Cell::new(true) }), 0);
/// assert_eq!(format!("{:?}", Wait::Entry(entry.clone())), "a list of one");
/// assert!(entry.cancel());
/// assert!(!entry.cancel());
/// ```
#[derive(Clone)]
pub struct Entry {
    list: Rc<dyn WaitList>,
    key: u64,
}

impl Entry {
    /// An entry that `list` knows by `key`. A list should not give a key out twice: this may outlive
    /// the entry.
    #[inline]
    pub fn new(list: Rc<dyn WaitList>, key: u64) -> Self {
        Self { list, key }
    }

    /// Marks the entry as cancelled. Returns whether it was still waiting.
    pub fn cancel(&self) -> bool {
        self.list.cancel_entry(self.key)
    }

    pub(crate) fn kind(&self) -> WaitKind {
        self.list.kind()
    }

    pub(crate) fn holders(&self) -> Vec<Rc<dyn Awaited>> {
        self.list.holders()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list.describe(f)
    }
}

/// Takes back what [`waiting_for`](crate::waiting_for) said: the entry is gone from its list.
///
/// As [`no_longer_waiting_for`](crate::no_longer_waiting_for), it matters to a task that drops the
/// leaf and suspends elsewhere in the same poll.
///
/// ```
/// # use ronde_context::WaitList;
/// # use std::{fmt, rc::Rc};
/// # struct Lock;
/// # impl WaitList for Lock {
/// #     fn cancel_entry(&self, _: u64) -> bool { false }
/// #     fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("a lock") }
/// # }
/// use ronde_context::executor::{enter, leave};
/// use ronde_context::{Entry, Wait, no_longer_waiting_in, waiting_for};
///
/// let lock = Rc::new(Lock);
/// let previous = enter();
/// waiting_for(Wait::Entry(Entry::new(lock.clone(), 7)));
/// no_longer_waiting_in(&lock, 7);
/// leave(previous, |_| unreachable!());
/// ```
pub fn no_longer_waiting_in<L: ?Sized>(list: &Rc<L>, key: u64) {
    let waiting = registers::take_waiting();
    match &waiting {
        Some(Wait::Entry(said))
            if said.key == key && std::ptr::addr_eq(Rc::as_ptr(&said.list), Rc::as_ptr(list)) => {}
        _ => registers::set_waiting(waiting),
    }
}
