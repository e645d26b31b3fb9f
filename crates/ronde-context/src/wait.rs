//! What a task waits for, and how a cancellation travels along it.

use std::any::Any;
use std::collections::HashSet;
use std::fmt;
use std::rc::Rc;
use std::time::Instant;

use crate::CancelledError;
use crate::entry::Entry;
use crate::kind::{IoDirection, WaitKind};
use crate::registers;

/// What a suspended task waits for.
///
/// It is stored at every suspension, so it is small and holds no text. [`kind`](Self::kind) says what
/// it is, [`waits_on`](Self::waits_on) who must do something for the wait to end; `Debug` puts it in
/// words.
#[derive(Clone)]
#[non_exhaustive]
pub enum Wait {
    /// A task, a promise, or something else that can itself be cancelled.
    For(Rc<dyn Awaited>),
    /// A place in a wait list, such as a lock's. It is marked as soon as the task is cancelled.
    Entry(Entry),
    /// A time to come.
    Timer(Instant),
    /// A descriptor or socket, to become ready.
    Descriptor {
        /// Its number.
        number: u64,
        /// What it is to be ready for.
        direction: IoDirection,
    },
    /// A function in an executor.
    Thread {
        /// Its type.
        function: &'static str,
    },
    /// Something else that can't be cancelled by itself. The text names it.
    Leaf(&'static str),
    /// More than one thing, as under `join!`. A cancellation goes to none of them.
    Several,
}

impl Wait {
    /// What can be cancelled in the stead of the task that waits for it.
    ///
    /// ```
    /// use ronde_context::Wait;
    /// assert!(Wait::Leaf("a timer").target().is_none());
    /// ```
    pub fn target(&self) -> Option<&Rc<dyn Awaited>> {
        match self {
            Wait::For(target) => Some(target),
            _ => None,
        }
    }

    /// What kind of thing it is.
    ///
    /// ```
    /// use ronde_context::{Wait, WaitKind};
    /// assert_eq!(Wait::Leaf("a letter").kind(), WaitKind::Other("a letter"));
    /// ```
    pub fn kind(&self) -> WaitKind {
        match self {
            Wait::For(target) => target.kind(),
            Wait::Entry(entry) => entry.kind(),
            Wait::Timer(deadline) => WaitKind::Timer { deadline: *deadline },
            Wait::Descriptor { number, direction } => {
                WaitKind::Descriptor { number: *number, direction: *direction }
            }
            Wait::Thread { function } => WaitKind::Thread { function },
            Wait::Leaf(words) => WaitKind::Other(words),
            Wait::Several => WaitKind::Several,
        }
    }

    /// Who must do something for the wait to end, as far as is known: the task that is waited for, or
    /// the one that holds the lock. Empty where nobody in particular is known, as of a timer or a queue.
    ///
    /// ```
    /// use ronde_context::Wait;
    /// assert!(Wait::Leaf("a letter").waits_on().is_empty());
    /// ```
    pub fn waits_on(&self) -> Vec<Rc<dyn Awaited>> {
        match self {
            Wait::For(target) => vec![target.clone()],
            Wait::Entry(entry) => entry.holders(),
            _ => Vec::new(),
        }
    }

    /// Is it something outside of the tasks, which can't be cancelled by itself: a timer, a descriptor,
    /// a thread?
    ///
    /// ```
    /// use ronde_context::Wait;
    /// assert!(Wait::Leaf("a letter").is_leaf() && !Wait::Several.is_leaf());
    /// ```
    pub fn is_leaf(&self) -> bool {
        !matches!(self, Wait::For(_) | Wait::Entry(_) | Wait::Several)
    }

    /// Marks the entry that is waited in, if there is one and it still waits. Returns whether it did.
    ///
    /// Who cancels a task or a scope calls it when the request is made.
    ///
    /// ```
    /// use ronde_context::Wait;
    /// assert!(!Wait::Leaf("a timer").cancel_entry());
    /// ```
    pub fn cancel_entry(&self) -> bool {
        matches!(self, Wait::Entry(entry) if entry.cancel())
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wait::For(awaited) => awaited.describe(f),
            Wait::Entry(entry) => entry.fmt(f),
            wait => fmt::Display::fmt(&wait.kind(), f),
        }
    }
}

/// Something that a task can wait for and that can be cancelled in the task's stead.
///
/// `ronde-executor` implements it for tasks and promises.
pub trait Awaited {
    /// Has it an outcome?
    fn is_done(&self) -> bool;

    /// If it ended cancelled, the cancellation. The first who asks gets its message.
    fn take_cancelled(&self) -> Option<CancelledError>;

    /// One step of a cancellation; [`cancel`] takes the next.
    fn cancel_step(&self, error: &CancelledError) -> CancelStep;

    /// Takes the cancellation itself, because what it was forwarded to refused it.
    fn request(&self, error: &CancelledError);

    /// How many cancellations have been asked for and not taken back, if this is a task. By default none
    /// are counted.
    fn cancelling(&self) -> u32 {
        0
    }

    /// How many of them are those of scopes in this task.
    fn cancelling_scopes(&self) -> u32 {
        0
    }

    /// Counts the cancellation of a scope in this task; or, with `false`, takes it back, because the scope
    /// is over.
    fn count_scope(&self, cancelled: bool) {
        let _ = cancelled;
    }

    /// Writes what this is, for `Debug` and for reports of deadlocks.
    ///
    /// # Errors
    ///
    /// Those of the formatter.
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// What kind of thing it is, for reports.
    fn kind(&self) -> WaitKind {
        WaitKind::Other("something that can be cancelled")
    }

    /// What must be done for this to be done, as far as is known: what a task waits for, the children of
    /// a `gather`. For reports of who waits for whom. By default nothing is known.
    fn waits_on(&self) -> Vec<Rc<dyn Awaited>> {
        Vec::new()
    }

    /// If this is a task, its executor's handle to it (`ronde-executor`'s `TaskRef`): for reports of who
    /// waits for whom. By default it is none.
    fn task(self: Rc<Self>) -> Option<Rc<dyn Any>> {
        None
    }
}

/// What became of one step of a cancellation.
#[non_exhaustive]
pub enum CancelStep {
    /// It is done already.
    Refused,
    /// It will end, or hear of the cancellation at its next poll.
    Accepted,
    /// It waits for something that must be cancelled first.
    Forward(Rc<dyn Awaited>),
    /// It waits for all of these at once.
    ForwardAll(Vec<Rc<dyn Awaited>>),
}

impl fmt::Debug for CancelStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CancelStep::Refused => "Refused",
            CancelStep::Accepted => "Accepted",
            CancelStep::Forward(_) => "Forward",
            CancelStep::ForwardAll(_) => "ForwardAll",
        })
    }
}

/// Cancels `target`, or what it waits for, and so on to the end of the chain.
///
/// Returns whether the cancellation was accepted. It is a loop: a chain may be as long as it likes,
/// fork as deeply as it likes, and even bite its own tail.
pub fn cancel(target: Rc<dyn Awaited>, error: &CancelledError) -> bool {
    let mut forks = Vec::new();
    let mut open = HashSet::new();
    let mut next = target;
    loop {
        let mut accepted = match follow(next, error) {
            ChainEnd::Answered(accepted) => accepted,
            ChainEnd::Fork(fork) if open.insert(fork.id()) => {
                forks.push(fork);
                false
            }
            // A circle through a fork: here is where it must be broken.
            ChainEnd::Fork(fork) => fork.answer(false, error),
        };
        // On with the next branch of the innermost fork that has one left.
        next = loop {
            let Some(fork) = forks.last_mut() else { return accepted };
            fork.accepted |= accepted;
            if let Some(branch) = fork.branches.next() {
                break branch;
            }
            let Some(fork) = forks.pop() else { return accepted };
            open.remove(&fork.id());
            accepted = fork.answer(fork.accepted, error);
        };
    }
}

/// How following a chain ended.
enum ChainEnd {
    Answered(bool),
    Fork(Fork),
}

/// Something that waits for several things, each of which is being cancelled.
struct Fork {
    owner: Rc<dyn Awaited>,
    /// Who waits for the owner, if the chain didn't begin there.
    previous: Option<Rc<dyn Awaited>>,
    branches: std::vec::IntoIter<Rc<dyn Awaited>>,
    /// Has any branch accepted?
    accepted: bool,
}

impl Fork {
    fn id(&self) -> *const () {
        Rc::as_ptr(&self.owner).cast()
    }

    fn answer(&self, accepted: bool, error: &CancelledError) -> bool {
        answer(self.previous.as_ref(), accepted, error)
    }
}

/// The end of a chain has answered. If it refused, the one who waits for it takes the cancellation.
fn answer(previous: Option<&Rc<dyn Awaited>>, accepted: bool, error: &CancelledError) -> bool {
    match previous {
        Some(previous) if !accepted => {
            previous.request(error);
            true
        }
        _ => accepted,
    }
}

/// Cancels along a chain to its end or to its first fork.
fn follow(target: Rc<dyn Awaited>, error: &CancelledError) -> ChainEnd {
    let mut owner = target;
    let mut previous = None::<Rc<dyn Awaited>>;
    // Tasks may wait for each other in a circle. Brent's algorithm: remember one of them, another
    // one after twice as many steps, and so on, until we meet it again.
    let (mut landmark, mut steps, mut limit) = (owner.clone(), 0_u64, 2);
    loop {
        let accepted = match owner.cancel_step(error) {
            CancelStep::Accepted => true,
            CancelStep::Refused => false,
            CancelStep::Forward(next) => {
                previous = Some(std::mem::replace(&mut owner, next));
                if !Rc::ptr_eq(&owner, &landmark) {
                    steps += 1;
                    if steps == limit {
                        (landmark, steps, limit) = (owner.clone(), 0, limit * 2);
                    }
                    continue;
                }
                false
            }
            CancelStep::ForwardAll(all) => {
                let branches = all.into_iter();
                return ChainEnd::Fork(Fork { owner, previous, branches, accepted: false });
            }
        };
        return ChainEnd::Answered(answer(previous.as_ref(), accepted, error));
    }
}

/// Says what the leaf that is being polled waits for. Call it when returning `Pending`.
///
/// Outside a ronde task it does nothing.
///
/// ```
/// use ronde_context::executor::{enter, leave};
/// use ronde_context::{Wait, waiting_for};
///
/// let previous = enter();
/// waiting_for(Wait::Leaf("timer"));
/// leave(previous, |wait| assert_eq!(format!("{wait:?}"), "timer"));
/// ```
#[inline]
pub fn waiting_for(wait: Wait) {
    if registers::waiting_is_read() {
        let earlier = registers::take_waiting();
        registers::set_waiting(Some(if earlier.is_some() { Wait::Several } else { wait }));
    }
}

/// Takes back what [`waiting_for`] said: the leaf that waited for `target` is dropped.
///
/// It matters to a task that drops the leaf and suspends elsewhere in the same poll, as after a
/// `select`: a cancellation that went to `target` would never come back.
///
/// ```
/// use ronde_context::executor::{enter, leave};
/// use ronde_context::{Awaited, CancelStep, CancelledError, Wait, no_longer_waiting_for, waiting_for};
/// use std::{fmt, rc::Rc};
///
/// struct Never;
/// impl Awaited for Never {
///     fn is_done(&self) -> bool {
///         false
///     }
///     // ...
/// #   fn take_cancelled(&self) -> Option<CancelledError> { None }
/// #   fn cancel_step(&self, _: &CancelledError) -> CancelStep { CancelStep::Refused }
/// #   fn request(&self, _: &CancelledError) {}
/// #   fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("never") }
/// }
///
/// let target = Rc::new(Never);
/// let previous = enter();
/// waiting_for(Wait::For(target.clone()));
/// no_longer_waiting_for(&target);
/// leave(previous, |_| unreachable!());
/// ```
pub fn no_longer_waiting_for<T: ?Sized>(target: &Rc<T>) {
    let waiting = registers::take_waiting();
    let said = waiting.as_ref().and_then(Wait::target);
    if !said.is_some_and(|said| std::ptr::addr_eq(Rc::as_ptr(said), Rc::as_ptr(target))) {
        registers::set_waiting(waiting);
    }
}
