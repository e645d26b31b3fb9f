//! Locks.

use std::cell::{Cell, RefCell, RefMut};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::{Rc, Weak};

use ronde_context::{Awaited, WaitKind, current_task};

use crate::error::{NotLockedError, WouldBlock};
use crate::line::{Gate, Line};
use crate::waiters::{State, Waiters};

/// Keeps a value for one task at a time.
///
/// First come, first served: who asks for a lock that others wait for queues up behind them, also
/// if it has just been released. Share it by reference or in an [`Rc`].
///
/// Usually one holds it through a guard. Where none can be held, [`acquire_raw`](Self::acquire_raw)
/// and [`release`](Self::release) are asyncio's form: another task may release it.
///
/// # In asyncio
///
/// `asyncio.Lock`. It keeps a value, as locks do in Rust; `Lock<()>` keeps none.
///
/// # Examples
///
/// ```
/// use ronde_sync::Lock;
///
/// # futures_lite::future::block_on(async {
/// let account = Lock::new(100);
/// {
///     let mut balance = account.acquire().await;
///     *balance -= 30;
/// }
/// assert_eq!(*account.acquire().await, 70);
/// assert!(!account.locked());
/// # });
/// ```
pub struct Lock<T = ()> {
    line: Rc<Line<LockGate>>,
    /// Invariant: borrowed exactly while a guard lives.
    value: RefCell<T>,
}

/// Whether a lock is locked, apart from its value.
pub(crate) struct LockGate {
    locked: Cell<bool>,
    owner: Cell<Option<Weak<dyn Awaited>>>,
}

/// What a lock says of itself.
///
/// ```
/// use ronde_sync::Lock;
/// let lock = Lock::new(());
/// let _guard = lock.try_acquire().unwrap();
/// let statistics = lock.statistics();
/// assert!(statistics.locked && statistics.waiting == 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockStatistics {
    /// Does somebody hold it?
    pub locked: bool,
    /// The task that acquired it, such as `<Task 'Task-3'>`, if it was one of ronde's.
    pub owner: Option<String>,
    /// How many wait for it.
    pub waiting: usize,
}

impl<T> Lock<T> {
    /// Makes a lock that nobody holds.
    ///
    /// ```
    /// # use ronde_sync::Lock;
    /// assert!(!Lock::new("a value").locked());
    /// ```
    pub fn new(value: T) -> Self {
        let gate = LockGate { locked: Cell::new(false), owner: Cell::new(None) };
        Self { line: Line::new(gate), value: RefCell::new(value) }
    }

    /// Waits until the lock is the caller's. Dropping the guard releases it.
    ///
    /// # Cancel safety
    ///
    /// **Place lost.** The caller leaves the line. If the lock had just been handed to it, the next
    /// one in line gets it.
    ///
    /// # In asyncio
    ///
    /// `async with lock`, or `Lock.acquire`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_sync::Lock;
    /// # futures_lite::future::block_on(async {
    /// let names = Lock::new(Vec::new());
    /// names.acquire().await.push("Ada");
    /// assert_eq!(names.acquire().await.len(), 1);
    /// # });
    /// ```
    pub async fn acquire(&self) -> LockGuard<'_, T> {
        self.acquire_raw().await;
        self.guard()
    }

    /// Acquires the lock if that needs no waiting.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`] if it is locked, or if others wait for it.
    ///
    /// ```
    /// # use ronde_sync::Lock;
    /// let lock = Lock::new(1);
    /// let guard = lock.try_acquire().unwrap();
    /// assert!(lock.try_acquire().is_err());
    /// drop(guard);
    /// assert!(lock.try_acquire().is_ok());
    /// ```
    pub fn try_acquire(&self) -> Result<LockGuard<'_, T>, WouldBlock> {
        self.try_acquire_raw()?;
        Ok(self.guard())
    }

    /// As [`acquire`](Self::acquire), without a guard: the lock stays locked until
    /// [`release`](Self::release) is called, by whichever task.
    ///
    /// # Cancel safety
    ///
    /// **Place lost.** As `acquire`.
    ///
    /// # In asyncio
    ///
    /// `Lock.acquire`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_sync::Lock;
    /// # futures_lite::future::block_on(async {
    /// let lock = Lock::new(());
    /// lock.acquire_raw().await;
    /// assert!(lock.locked());
    /// lock.release().unwrap();
    /// # });
    /// ```
    pub async fn acquire_raw(&self) {
        self.line.turn().await;
    }

    /// As [`try_acquire`](Self::try_acquire), without a guard.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`] if it is locked, or if others wait for it.
    pub fn try_acquire_raw(&self) -> Result<(), WouldBlock> {
        match LockGate::enter(&self.line, 1) {
            true => Ok(()),
            false => Err(WouldBlock { what: "the lock" }),
        }
    }

    /// Releases a lock that was acquired without a guard, or whose guard was
    /// [forgotten](LockGuard::forget). Any task may do so.
    ///
    /// The first in line is woken. Until it runs, the lock is unlocked, but newcomers queue up behind.
    ///
    /// # Errors
    ///
    /// [`NotLockedError`] if nobody holds the lock, or a guard does. Nothing has changed then.
    ///
    /// # In asyncio
    ///
    /// `Lock.release`.
    pub fn release(&self) -> Result<(), NotLockedError> {
        self.check_held("to release a lock")?;
        self.line.release();
        Ok(())
    }

    /// Does somebody hold the lock?
    ///
    /// A lock that was released isn't locked, even if it is on its way to the next in line.
    pub fn locked(&self) -> bool {
        self.line.gate.locked.get()
    }

    /// Who holds the lock, and how many wait for it.
    pub fn statistics(&self) -> LockStatistics {
        LockStatistics {
            locked: self.locked(),
            owner: self.line.gate.owner(),
            waiting: self.line.ask(Waiters::len),
        }
    }

    /// The value, of a lock that nobody else can have.
    ///
    /// ```
    /// # use ronde_sync::Lock;
    /// let mut lock = Lock::new(1);
    /// *lock.get_mut() += 1;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Gives the value out, and ends the lock.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }

    /// Is the lock held, and not by a guard?
    pub(crate) fn check_held(&self, doing: &'static str) -> Result<(), NotLockedError> {
        let has_guard = self.value.try_borrow_mut().is_err();
        if self.locked() && !has_guard { Ok(()) } else { Err(NotLockedError { doing, has_guard }) }
    }

    pub(crate) fn line(&self) -> &Rc<Line<LockGate>> {
        &self.line
    }

    /// Makes a guard of a lock that the caller has acquired without one.
    pub(crate) fn guard(&self) -> LockGuard<'_, T> {
        // The guard is made first: if the borrow failed, the lock would be released.
        LockGuard { held: Held { line: &self.line }, value: self.value.borrow_mut(), lock: self }
    }
}

impl<T: Default> Default for Lock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Lock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        LockGate::describe(&self.line, f)
    }
}

impl LockGate {
    fn take(&self) {
        self.locked.set(true);
        self.owner.set(current_task());
    }

    /// The task that holds it. It may have ended since.
    fn owner_task(&self) -> Option<Option<Rc<dyn Awaited>>> {
        let owner = self.owner.take()?;
        let task = owner.upgrade();
        self.owner.set(Some(owner));
        Some(task)
    }

    fn owner(&self) -> Option<String> {
        Some(match self.owner_task()? {
            Some(task) => Described(&*task).to_string(),
            None => "a task that has ended".to_owned(),
        })
    }

    pub(crate) fn write_state(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.locked.get() { "locked" } else { "unlocked" })?;
        match self.owner() {
            Some(owner) => write!(f, ", owner:{owner}"),
            None => Ok(()),
        }
    }
}

struct Described<'a>(&'a dyn Awaited);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.describe(f)
    }
}

impl Line<LockGate> {
    pub(crate) fn release(&self) {
        self.gate.locked.set(false);
        self.gate.owner.set(None);
        self.wake_first();
    }
}

impl Gate for LockGate {
    const KIND: WaitKind = WaitKind::Lock;

    /// Newcomers queue up also while a waiter that was woken hasn't run yet.
    fn enter(line: &Line<Self>, _amount: usize) -> bool {
        let free = !line.gate.locked.get() && line.ask(Waiters::all_cancelled);
        if free {
            line.gate.take();
        }
        free
    }

    fn enter_woken(line: &Line<Self>) {
        line.gate.take();
    }

    fn gave_up(line: &Line<Self>, _was: State, _amount: usize) {
        if !line.gate.locked.get() {
            line.wake_first();
        }
    }

    fn describe(line: &Line<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<Lock [")?;
        line.gate.write_state(f)?;
        line.write_waiters(f)?;
        f.write_str("]>")
    }

    fn holders(line: &Line<Self>) -> Vec<Rc<dyn Awaited>> {
        line.gate.owner_task().flatten().into_iter().collect()
    }
}

/// Holds a [`Lock`], and gives access to its value. Dropping it releases the lock.
///
/// A guard that is leaked with [`std::mem::forget`] leaves the lock locked for good; there is
/// [`forget`](Self::forget) for those who mean to release it by hand.
#[must_use = "a guard that is dropped at once releases the lock at once"]
pub struct LockGuard<'a, T = ()> {
    // The value is given back before the lock is released.
    value: RefMut<'a, T>,
    held: Held<'a>,
    lock: &'a Lock<T>,
}

struct Held<'a> {
    line: &'a Rc<Line<LockGate>>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.line.release();
    }
}

impl<'a, T> LockGuard<'a, T> {
    /// Lets go of the value, but keeps the lock locked until somebody calls [`Lock::release`].
    ///
    /// ```
    /// use ronde_sync::{Lock, LockGuard};
    /// let lock = Lock::new(());
    /// LockGuard::forget(lock.try_acquire().unwrap());
    /// assert!(lock.locked());
    /// lock.release().unwrap();
    /// ```
    pub fn forget(guard: Self) {
        drop(guard.value);
        std::mem::forget(guard.held);
    }

    /// The lock that the guard holds.
    pub fn lock(guard: &Self) -> &'a Lock<T> {
        guard.lock
    }
}

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for LockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
