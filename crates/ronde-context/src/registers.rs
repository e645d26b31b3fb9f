//! The thread-local cells: what is true of the poll that is under way on this thread.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Context;

use crate::CancelledError;
use crate::error::Origin;
use crate::scope::ScopeRef;
use crate::wait::Wait;

/// Identifies a handler while a cancellation is raised to it. No two handlers of a process share
/// one, so a future may be polled now here and now there.
pub(crate) type HandlerId = u64;

/// Around all handlers.
pub(crate) const ROOT: HandlerId = 0;
/// Whose cancellation is armed. Compared on every poll of a leaf, so a number and not an enum.
const NOBODY: HandlerId = u64::MAX;
/// Armed for the innermost live handler, whichever that is.
const INNERMOST: HandlerId = u64::MAX - 1;

struct Registers {
    /// Is a task being polled?
    in_task: Cell<bool>,
    /// Is the body of a scope being polled? It is read, like a task, for what it waits for.
    in_scope: Cell<bool>,
    /// The innermost scope whose body is being polled.
    scope: Cell<Option<ScopeRef>>,
    /// Was anything armed or given back since the task was entered? If not, `leave` has little to
    /// read.
    eventful: Cell<bool>,
    /// `NOBODY`, `INNERMOST`, or the one handler that a raised cancellation is meant for.
    armed_for: Cell<HandlerId>,
    /// Invariant: `Some` exactly while `armed_for` is not `NOBODY`.
    armed: Cell<Option<CancelledError>>,
    /// Is what is armed only shown to destructors? It has been taken.
    taken: Cell<bool>,
    /// Cancellations whose handlers finished before they could take them; requests once more.
    returned: Cell<Vec<CancelledError>>,
    /// The handler whose body is being polled.
    enclosing: Cell<HandlerId>,
    /// Has a leaf asked, and been told that it must take nothing?
    declined: Cell<bool>,
    /// How many live handlers are directly inside `enclosing`. Means nothing at `ROOT`.
    inner: Cell<u32>,
    waiting: Cell<Option<Wait>>,
    next_id: Cell<u64>,
}

thread_local! {
    // Never dropped, so that an access is a plain load and works while the thread ends. Between
    // polls there is nothing in it that would need dropping.
    static REGISTERS: ManuallyDrop<Registers> = const {
        ManuallyDrop::new(Registers {
            in_task: Cell::new(false),
            in_scope: Cell::new(false),
            scope: Cell::new(None),
            eventful: Cell::new(false),
            armed_for: Cell::new(NOBODY),
            armed: Cell::new(None),
            taken: Cell::new(false),
            returned: Cell::new(Vec::new()),
            enclosing: Cell::new(ROOT),
            declined: Cell::new(false),
            inner: Cell::new(0),
            waiting: Cell::new(None),
            next_id: Cell::new(0),
        })
    };
}

/// Is a cancellation being delivered to the task that is polled right now?
///
/// True also in destructors that run because of it, so that they can tell.
///
/// A leaf asks [`decline`], so that combinators like `FuturesUnordered` poll it again; one that asks
/// this and returns `Pending` gets another poll of its task, and no more.
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

/// Must the leaf that is polled right now decline, because a cancellation is being delivered?
///
/// A leaf that gets `true` takes nothing, changes nothing and returns `Pending`: the frames above
/// it are about to be dropped. Or it sits in a sibling branch, as under `join!`, and is to be polled
/// again; so its waker is woken here.
///
/// ```
/// use ronde_context::decline;
/// use std::task::{Context, Waker};
///
/// assert!(!decline(&Context::from_waker(Waker::noop())));
/// ```
#[inline]
pub fn decline(cx: &Context<'_>) -> bool {
    let cancelling = anything_armed();
    if cancelling {
        cx.waker().wake_by_ref();
    }
    cancelling
}

/// What is left to do after a poll of a task, in the rare case that there is something.
///
/// ```
/// use ronde_context::executor::{enter, leave};
///
/// let previous = enter();
/// // ... poll the task's future here ...
/// let frame = leave(previous, |wait| println!("the task waits for {wait:?}"));
/// assert!(frame.is_none());
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Frame {
    /// Must the task be polled again? A leaf declined to make progress because of a cancellation,
    /// which somebody else may have taken.
    pub poll_again: bool,
    /// A cancellation that was armed and found its handler finished: a request once more.
    pub returned: Option<CancelledError>,
}

/// What the registers held before [`enter`]; [`leave`] puts it back.
#[derive(Debug)]
#[must_use = "give it to `leave`"]
pub struct Previous {
    /// A poll within a poll (in a destructor, or of one executor by another's task) is rare.
    outer_poll: Option<Box<OuterPoll>>,
}

#[derive(Debug)]
struct OuterPoll {
    in_task: bool,
    in_scope: bool,
    scope: Option<ScopeRef>,
    eventful: bool,
    enclosing: HandlerId,
    inner: u32,
    declined: bool,
    armed: Option<(HandlerId, CancelledError)>,
    taken: bool,
    returned: Vec<CancelledError>,
    waiting: Option<Wait>,
}

/// Clears the registers for a poll of a task.
///
/// Polls may be nested: a task may poll another executor's tasks.
///
/// ```
/// use ronde_context::executor::{enter, leave};
/// let previous = enter();
/// leave(previous, |_| ());
/// ```
#[inline]
pub fn enter() -> Previous {
    REGISTERS.with(|registers| {
        let in_task = registers.in_task.replace(true);
        let nested = in_task || registers.enclosing.get() != ROOT;
        if !nested && registers.eventful.replace(false) {
            forget_leftovers(registers);
        }
        Previous { outer_poll: nested.then(|| suspend_outer_poll(registers, in_task)) }
    })
}

/// What handlers outside every task gave back is nobody's. Above all not this task's.
#[cold]
fn forget_leftovers(registers: &Registers) {
    registers.declined.set(false);
    registers.returned.take();
    take_armed(registers);
}

#[cold]
fn suspend_outer_poll(registers: &Registers, in_task: bool) -> Box<OuterPoll> {
    Box::new(OuterPoll {
        in_task,
        in_scope: registers.in_scope.replace(false),
        scope: registers.scope.take(),
        eventful: registers.eventful.replace(false),
        enclosing: registers.enclosing.replace(ROOT),
        inner: registers.inner.get(),
        declined: registers.declined.replace(false),
        armed: take_armed(registers),
        taken: registers.taken.replace(false),
        returned: registers.returned.take(),
        waiting: registers.waiting.take(),
    })
}

#[cold]
fn resume_outer_poll(registers: &Registers, outer: OuterPoll) {
    registers.in_task.set(outer.in_task);
    registers.in_scope.set(outer.in_scope);
    registers.scope.set(outer.scope);
    registers.enclosing.set(outer.enclosing);
    registers.inner.set(outer.inner);
    registers.declined.set(outer.declined);
    registers.returned.set(outer.returned);
    registers.waiting.set(outer.waiting);
    registers.taken.set(outer.taken);
    if let Some((whom, error)) = outer.armed {
        set_armed(registers, whom, error);
    }
    registers.eventful.set(outer.eventful);
}

/// Reads the registers back after the poll, and restores what was there before it.
///
/// If a leaf has said what it waits for, `waits_for` gets that.
///
/// ```
/// use ronde_context::executor::{enter, leave};
/// let frame = leave(enter(), |_| ());
/// assert!(frame.is_none());
/// ```
#[inline]
pub fn leave(previous: Previous, waits_for: impl FnOnce(Wait)) -> Option<Box<Frame>> {
    // This runs at every step of every task, and moving structs about is what it would spend its
    // time on: hence the closure and the box.
    REGISTERS.with(|registers| {
        if let Some(wait) = registers.waiting.take() {
            waits_for(wait);
        }
        let eventful = registers.eventful.replace(false);
        let frame = if eventful { leave_eventful(registers) } else { None };
        registers.in_task.set(false);
        if let Some(outer) = previous.outer_poll {
            resume_outer_poll(registers, *outer);
        }
        frame
    })
}

#[cold]
fn leave_eventful(registers: &Registers) -> Option<Box<Frame>> {
    let poll_again = registers.declined.replace(false);
    // Armed still: raised where no handler of the task could take it.
    let armed = take_armed(registers).map(|(_, error)| error);
    // A task keeps one request, so one of them has to do.
    let returned = registers.returned.take().into_iter().next().or(armed);
    (poll_again || returned.is_some()).then(|| Box::new(Frame { returned, poll_again }))
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
/// assert!(is_cancelling());
/// let step = boundary.poll_body(coroutine, &mut Context::from_waker(Waker::noop()));
/// leave(previous, |_| ());
/// assert!(matches!(step, Step::Cancelled(_)));
/// ```
pub fn arm(error: CancelledError) {
    arm_for(INNERMOST, error);
}

/// Forgets what the task that is being polled has raised for later: it has taken back all its
/// cancellations.
///
/// ```
/// use ronde_context::CancelledError;
/// use ronde_context::executor::{enter, leave, withdraw};
///
/// let previous = enter();
/// CancelledError::default().raise_later();
/// withdraw();
/// assert!(leave(previous, |_| ()).is_none());
/// ```
pub fn withdraw() {
    REGISTERS.with(|registers| {
        let mut returned = registers.returned.take();
        // The closing of a generator is nothing that the task counts.
        returned.retain(|error| error.origin() == Origin::Close);
        registers.returned.set(returned);
    });
}

/// Calls `f` while destructors can see which cancellation `handler` has taken.
pub(crate) fn while_taken(handler: HandlerId, error: CancelledError, f: impl FnOnce()) {
    arm_for(handler, error);
    REGISTERS.with(|registers| registers.taken.set(true));
    f();
    take_armed_for(handler);
}

/// Is a cancellation on its way to some handler, and must not be overwritten by another one?
pub(crate) fn anything_on_its_way() -> bool {
    anything_armed() && REGISTERS.with(|registers| !registers.taken.get())
}

/// Arms a cancellation for one handler.
pub(crate) fn arm_for(whom: HandlerId, error: CancelledError) {
    REGISTERS.with(|registers| set_armed(registers, whom, error));
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
    registers.armed.set(Some(error));
    registers.taken.set(false);
    registers.eventful.set(true);
}

fn take_armed(registers: &Registers) -> Option<(HandlerId, CancelledError)> {
    let whom = registers.armed_for.get();
    if whom == NOBODY {
        return None;
    }
    registers.armed_for.set(NOBODY);
    registers.taken.set(false);
    registers.armed.take().map(|error| (whom, error))
}

/// Is a cancellation armed for whichever handler is innermost?
pub(crate) fn armed_for_innermost() -> bool {
    REGISTERS.with(|registers| registers.armed_for.get() == INNERMOST)
}

/// What is armed for whichever handler is innermost.
pub(crate) fn armed_error() -> Option<CancelledError> {
    if !armed_for_innermost() {
        return None;
    }
    REGISTERS.with(|registers| {
        let error = registers.armed.take();
        registers.armed.set(error.clone());
        error
    })
}

/// Is any cancellation armed? Unlike [`is_cancelling`] this leaves no trace.
pub(crate) fn anything_armed() -> bool {
    REGISTERS.with(|registers| registers.armed_for.get() != NOBODY)
}

/// Takes what is armed for handler `me` or for anybody.
pub(crate) fn take_armed_for(me: HandlerId) -> Option<CancelledError> {
    REGISTERS.with(|registers| {
        let whom = registers.armed_for.get();
        if whom == INNERMOST || whom == me {
            take_armed(registers).map(|(_, error)| error)
        } else {
            None
        }
    })
}

/// Stops delivering to whichever handler is innermost.
pub(crate) fn disarm_innermost() {
    REGISTERS.with(|registers| {
        if registers.armed_for.get() == INNERMOST {
            take_armed(registers);
        }
    });
}

/// Stops delivering: the handler whose turn it was has finished. The cancellation becomes a
/// request again, to be delivered at the task's next suspension.
///
/// Outside every task and scope nobody delivers it, and it is gone.
pub(crate) fn give_back(error: CancelledError) {
    REGISTERS.with(|registers| {
        if !registers.in_task.get() && !registers.in_scope.get() {
            return;
        }
        let mut returned = registers.returned.take();
        returned.push(error);
        registers.returned.set(returned);
        registers.eventful.set(true);
    });
}

/// Takes back what [`give_back`] left, if it is `mine`.
pub(crate) fn take_returned(mine: impl Fn(&CancelledError) -> bool) -> Option<CancelledError> {
    REGISTERS.with(|registers| {
        let mut returned = registers.returned.take();
        let found = returned.iter().position(mine).map(|index| returned.remove(index));
        if !returned.is_empty() {
            registers.returned.set(returned);
        }
        found
    })
}

/// A number that nobody else in the process has. A thread takes them by the block.
pub(crate) fn unique() -> u64 {
    static NEXT_BLOCK: AtomicU64 = AtomicU64::new(1);
    const BLOCK: u64 = 1 << 32;
    REGISTERS.with(|registers| {
        let mut id = registers.next_id.get();
        if id % BLOCK == 0 {
            id = NEXT_BLOCK.fetch_add(1, Ordering::Relaxed) * BLOCK;
        }
        registers.next_id.set(id + 1);
        id
    })
}

/// Makes handler `id`, with `inner` live handlers in it, the enclosing one. Returns what was.
pub(crate) fn enter_handler(id: HandlerId, inner: u32) -> (HandlerId, u32) {
    REGISTERS.with(|registers| (registers.enclosing.replace(id), registers.inner.replace(inner)))
}

/// Ends what [`enter_handler`] began. Returns how many live handlers there are in `id` now.
pub(crate) fn leave_handler(id: HandlerId, outside: (HandlerId, u32)) -> u32 {
    REGISTERS.with(|registers| {
        // What was raised to a handler is still armed here only if a panic has overtaken it.
        if registers.armed_for.get() == id {
            take_armed(registers);
        }
        registers.enclosing.set(outside.0);
        registers.inner.replace(outside.1)
    })
}

/// A handler disappears that was directly inside `parent`.
///
/// One that was polled elsewhere in the meantime may leave a count too high behind. That is
/// harmless: a body is then polled where it could have been dropped unpolled.
pub(crate) fn unlink(parent: HandlerId) {
    REGISTERS.with(|registers| {
        if registers.enclosing.get() == parent {
            registers.inner.set(registers.inner.get().saturating_sub(1));
        }
    });
}

pub(crate) fn take_waiting() -> Option<Wait> {
    REGISTERS.with(|registers| registers.waiting.take())
}

pub(crate) fn set_waiting(waiting: Option<Wait>) {
    REGISTERS.with(|registers| registers.waiting.set(waiting));
}

/// Is somebody there to read what a leaf waits for?
pub(crate) fn waiting_is_read() -> bool {
    REGISTERS.with(|registers| registers.in_task.get() || registers.in_scope.get())
}

/// The scope around the caller.
pub(crate) fn current_scope() -> Option<ScopeRef> {
    REGISTERS.with(|registers| {
        let scope = registers.scope.take();
        registers.scope.set(scope.clone());
        scope
    })
}

/// While it lives, leaves say what they wait for to a scope, apart from what its siblings say.
pub(crate) struct Apart {
    siblings: Option<Wait>,
    in_scope: bool,
    around: Option<ScopeRef>,
}

impl Apart {
    pub(crate) fn begin(scope: ScopeRef) -> Self {
        REGISTERS.with(|registers| Self {
            siblings: registers.waiting.take(),
            in_scope: registers.in_scope.replace(true),
            around: registers.scope.replace(Some(scope)),
        })
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        drop(take_waiting());
        set_waiting(self.siblings.take());
        let _scope = REGISTERS.with(|registers| registers.scope.replace(self.around.take()));
        REGISTERS.with(|registers| {
            registers.in_scope.set(self.in_scope);
            if !self.in_scope && !registers.in_task.get() {
                registers.returned.take();
            }
        });
    }
}
