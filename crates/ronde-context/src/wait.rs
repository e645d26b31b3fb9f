//! What a task waits for, and how a cancellation travels along it.

use std::fmt;
use std::rc::Rc;

use crate::CancelledError;
use crate::registers;

/// What a suspended task waits for.
#[derive(Clone)]
#[non_exhaustive]
pub enum Wait {
    /// A task, a promise, or something else that can itself be cancelled.
    For(Rc<dyn Awaited>),
    /// Something that can't: a timer, a descriptor, a lock, a thread. The text names the kind.
    Leaf(&'static str),
    /// More than one thing, as under `join!`. A cancellation goes to none of them.
    Several,
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wait::For(awaited) => awaited.describe(f),
            Wait::Leaf(kind) => f.write_str(kind),
            Wait::Several => f.write_str("several things"),
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

    /// Writes what this is, for `Debug` and for reports of deadlocks.
    ///
    /// # Errors
    ///
    /// Those of the formatter.
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
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
/// and even bite its own tail.
pub fn cancel(target: Rc<dyn Awaited>, error: &CancelledError) -> bool {
    let mut next = match target.cancel_step(error) {
        CancelStep::Refused => return false,
        CancelStep::Accepted => return true,
        CancelStep::ForwardAll(all) => return cancel_all(all, error),
        CancelStep::Forward(next) => next,
    };
    let mut previous = target;
    // Tasks may wait for each other in a circle. Brent's algorithm: remember one of them, another
    // one after twice as many steps, and so on, until we meet it again.
    let (mut landmark, mut steps, mut limit) = (previous.clone(), 0_u64, 2);
    loop {
        if Rc::ptr_eq(&next, &landmark) {
            previous.request(error);
            return true;
        }
        steps += 1;
        if steps == limit {
            (landmark, steps, limit) = (next.clone(), 0, limit * 2);
        }
        let accepted = match next.cancel_step(error) {
            CancelStep::Forward(further) => {
                previous = std::mem::replace(&mut next, further);
                continue;
            }
            CancelStep::ForwardAll(all) => cancel_all(all, error),
            CancelStep::Accepted => true,
            CancelStep::Refused => false,
        };
        if !accepted {
            previous.request(error);
        }
        return true;
    }
}

/// Cancels each of `all`; the depth of the recursion is how deeply such things are nested.
fn cancel_all(all: Vec<Rc<dyn Awaited>>, error: &CancelledError) -> bool {
    let mut accepted = false;
    for one in all {
        accepted |= cancel(one, error);
    }
    accepted
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
/// let frame = leave(previous);
/// assert_eq!(format!("{:?}", frame.waiting.unwrap()), "timer");
/// ```
#[inline]
pub fn waiting_for(wait: Wait) {
    if registers::somebody_reads_waiting() {
        add_waiting(wait);
    }
}

pub(crate) fn add_waiting(wait: Wait) {
    let earlier = registers::take_waiting();
    registers::set_waiting(Some(if earlier.is_some() { Wait::Several } else { wait }));
}
