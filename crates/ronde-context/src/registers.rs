//! The thread-local cells: what is true of the poll that is under way on this thread.

use std::cell::{Cell, RefCell};

use crate::CancelledError;
use crate::wait::Wait;

/// Identifies a handler while a cancellation is raised to it. The task's boundary is `ROOT`.
pub(crate) type HandlerId = u64;
pub(crate) const ROOT: HandlerId = 0;

/// Whose cancellation is armed. Compared on every poll of a leaf, so a number and not an enum.
const NOBODY: HandlerId = u64::MAX;
/// Armed for the innermost live handler, whichever that is.
const INNERMOST: HandlerId = u64::MAX - 1;

struct Registers {
    /// Is a task being polled?
    in_task: Cell<bool>,
    /// `NOBODY`, `INNERMOST`, or the one handler that a raised cancellation is meant for.
    armed_for: Cell<HandlerId>,
    /// Invariant: `Some` exactly while `armed_for` is not `NOBODY`.
    armed: RefCell<Option<CancelledError>>,
    /// A cancellation whose handler finished before it could take it; a request once more.
    returned: RefCell<Option<CancelledError>>,
    /// The handler whose body is being polled.
    enclosing: Cell<HandlerId>,
    /// How many live handlers are directly inside `enclosing`.
    inner: Cell<u32>,
    /// Did a leaf take nothing because a cancellation was armed?
    declined: Cell<bool>,
    waiting: Cell<Option<Wait>>,
    next_id: Cell<HandlerId>,
}

thread_local! {
    static REGISTERS: Registers = const {
        Registers {
            in_task: Cell::new(false),
            armed_for: Cell::new(NOBODY),
            armed: RefCell::new(None),
            returned: RefCell::new(None),
            enclosing: Cell::new(ROOT),
            inner: Cell::new(0),
            declined: Cell::new(false),
            waiting: Cell::new(None),
            next_id: Cell::new(1),
        }
    };
}

/// Is a cancellation being delivered to the task that is polled right now?
///
/// A leaf that gets `true` takes nothing, changes nothing and returns `Pending`: the frames above
/// it are being dropped, or it sits in a sibling branch, and then it is polled again soon.
///
/// Outside a ronde task, and almost always inside one, the answer is `false`: one load and a
/// comparison.
///
/// ```
/// assert!(!ronde_context::is_cancelling());
/// ```
#[inline]
pub fn is_cancelling() -> bool {
    REGISTERS.with(|registers| {
        let armed = registers.armed_for.get() != NOBODY;
        if armed {
            registers.declined.set(true);
        }
        armed
    })
}

/// What a poll of a task left behind, besides its result.
///
/// ```
/// use ronde_context::executor::{enter, leave};
///
/// let previous = enter();
/// // ... poll the task's future here ...
/// let frame = leave(previous);
/// assert!(frame.waiting.is_none());
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Frame {
    /// What the task's leaf said it waits for.
    pub waiting: Option<Wait>,
    /// Must the task be polled again at once? A leaf declined to make progress because of a
    /// cancellation that somebody else then took.
    pub poll_again: bool,
    /// A cancellation that was armed and found its handler finished: a request once more.
    pub returned: Option<CancelledError>,
}

/// What the registers held before [`enter`]; [`leave`] puts it back.
#[derive(Debug)]
#[must_use = "give it to `leave`"]
pub struct Previous {
    in_task: bool,
    enclosing: HandlerId,
    inner: u32,
    armed: Option<(HandlerId, CancelledError)>,
    waiting: Option<Wait>,
}

/// Clears the registers for a poll of a task.
///
/// ```
/// use ronde_context::executor::{enter, leave};
/// let previous = enter();
/// leave(previous);
/// ```
#[inline]
pub fn enter() -> Previous {
    REGISTERS.with(|registers| {
        let in_task = registers.in_task.replace(true);
        Previous {
            in_task,
            enclosing: registers.enclosing.replace(ROOT),
            inner: registers.inner.replace(0),
            armed: take_armed(registers),
            // A poll within a poll (a task's destructor, a nested loop) is rare; the common case
            // finds nothing here.
            waiting: registers.waiting.take(),
        }
    })
}

/// Reads the registers back after the poll, and restores what was there before it.
///
/// ```
/// use ronde_context::executor::{enter, leave};
/// let frame = leave(enter());
/// assert!(!frame.poll_again);
/// ```
#[inline]
pub fn leave(previous: Previous) -> Frame {
    REGISTERS.with(|registers| {
        let still_armed = registers.armed_for.get() != NOBODY;
        let frame = Frame {
            waiting: registers.waiting.replace(previous.waiting),
            poll_again: registers.declined.replace(false) && !still_armed,
            returned: if still_armed { None } else { registers.returned.take() },
        };
        registers.in_task.set(previous.in_task);
        registers.enclosing.set(previous.enclosing);
        registers.inner.set(previous.inner);
        if still_armed {
            take_armed(registers);
        }
        if let Some((whom, error)) = previous.armed {
            set_armed(registers, whom, error);
        }
        frame
    })
}

/// Arms a cancellation for the innermost live handler of the task that was entered.
///
/// ```
/// use ronde_context::executor::{Handler, Step, arm, enter, leave};
/// use ronde_context::{CancelledError, is_cancelling};
/// use std::pin::pin;
/// use std::task::{Context, Waker};
///
/// let mut boundary = Handler::boundary();
/// let mut coroutine = pin!(Some(async {}));
///
/// let previous = enter();
/// arm(CancelledError::new("stop"));
/// let step = boundary.poll_body(coroutine, &mut Context::from_waker(Waker::noop()));
/// leave(previous);
/// assert!(matches!(step, Step::Cancelled(_)));
/// ```
pub fn arm(error: CancelledError) {
    REGISTERS.with(|registers| set_armed(registers, INNERMOST, error));
}

/// Raises `error` to the handler around the caller.
pub(crate) fn raise(error: CancelledError) {
    REGISTERS.with(|registers| {
        let whom = registers.enclosing.get();
        assert!(
            whom != ROOT || registers.in_task.get(),
            "a cancellation was raised outside every ronde task and every `catch_cancelled`: \
             nobody could take it"
        );
        set_armed(registers, whom, error);
    });
}

fn set_armed(registers: &Registers, whom: HandlerId, error: CancelledError) {
    registers.armed_for.set(whom);
    registers.armed.replace(Some(error));
}

fn take_armed(registers: &Registers) -> Option<(HandlerId, CancelledError)> {
    let whom = registers.armed_for.get();
    if whom == NOBODY {
        return None;
    }
    registers.armed_for.set(NOBODY);
    registers.armed.take().map(|error| (whom, error))
}

fn take_if_for(registers: &Registers, me: HandlerId) -> Option<CancelledError> {
    let whom = registers.armed_for.get();
    if whom == INNERMOST || whom == me {
        take_armed(registers).map(|(_, error)| error)
    } else {
        None
    }
}

/// Is a cancellation armed for whichever handler is innermost?
pub(crate) fn armed_for_innermost() -> bool {
    REGISTERS.with(|registers| registers.armed_for.get() == INNERMOST)
}

/// Is any cancellation armed? Unlike [`is_cancelling`] this leaves no trace.
pub(crate) fn anything_armed() -> bool {
    REGISTERS.with(|registers| registers.armed_for.get() != NOBODY)
}

/// Takes what is armed for handler `me` or for anybody.
pub(crate) fn take_armed_for(me: HandlerId) -> Option<CancelledError> {
    REGISTERS.with(|registers| take_if_for(registers, me))
}

/// Stops delivering: the handler whose turn it was has finished. The cancellation becomes a
/// request again, to be delivered at the task's next suspension.
pub(crate) fn give_back(error: CancelledError) {
    REGISTERS.with(|registers| registers.returned.replace(Some(error)));
}

/// Takes back what [`give_back`] left, if it is `mine`.
pub(crate) fn take_returned(mine: impl FnOnce(&CancelledError) -> bool) -> Option<CancelledError> {
    REGISTERS.with(|registers| {
        let mut returned = registers.returned.borrow_mut();
        if returned.as_ref().is_some_and(mine) { returned.take() } else { None }
    })
}

/// A handler appears inside the one that is polled now. Returns its number.
pub(crate) fn link() -> HandlerId {
    REGISTERS.with(|registers| {
        registers.inner.set(registers.inner.get() + 1);
        let id = registers.next_id.get();
        registers.next_id.set(id + 1);
        id
    })
}

/// A handler disappears from the one that is polled now.
///
/// A future that is moved between tasks while it is suspended is dropped under another count than
/// the one it was linked to. The counts only decide whether a body is worth polling, so being off
/// by one is harmless; wrapping around would not be.
pub(crate) fn unlink() {
    // Destructors of other thread-local values may drop futures after these cells are gone.
    let _ = REGISTERS.try_with(|registers| {
        registers.inner.set(registers.inner.get().saturating_sub(1));
    });
}

/// Makes handler `id`, with `inner` live handlers in it, the enclosing one. Returns what was.
pub(crate) fn swap_enclosing(id: HandlerId, inner: u32) -> (HandlerId, u32) {
    REGISTERS
        .try_with(|registers| (registers.enclosing.replace(id), registers.inner.replace(inner)))
        .unwrap_or((ROOT, 0))
}

pub(crate) fn take_waiting() -> Option<Wait> {
    REGISTERS.with(|registers| registers.waiting.take())
}

pub(crate) fn set_waiting(waiting: Option<Wait>) {
    REGISTERS.with(|registers| registers.waiting.set(waiting));
}

/// Is somebody there to read what a leaf waits for?
pub(crate) fn somebody_reads_waiting() -> bool {
    REGISTERS.with(|registers| registers.in_task.get() || registers.enclosing.get() != ROOT)
}
