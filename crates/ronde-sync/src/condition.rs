//! Conditions.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use ronde_context::{CancelledError, WaitKind, catch_cancelled};

use crate::error::{NotLockedError, WouldBlock};
use crate::line::{Gate, Line};
use crate::lock::{Lock, LockGate, LockGuard, LockStatistics};
use crate::waiters::{State, Waiters};

/// A value behind a lock, and a way to wait until somebody has changed it.
///
/// Acquire the lock, look at the value; if it isn't as it should be, [wait](ConditionGuard::wait):
/// that releases the lock, and takes it again once somebody has notified. Share it by reference or
/// in an [`Rc`]; several conditions can share one [`Lock`].
///
/// # In asyncio
///
/// `asyncio.Condition`.
///
/// # Examples
///
/// ```
/// use ronde_sync::Condition;
///
/// # futures_lite::future::block_on(async {
/// let jobs = Condition::new(Vec::new());
/// let worker = async {
///     let mut jobs = jobs.acquire().await.wait_for(|jobs| !jobs.is_empty()).await;
///     jobs.pop()
/// };
/// let boss = async {
///     let mut jobs = jobs.acquire().await;
///     jobs.push("sweep");
///     jobs.notify(1);
/// };
/// let (job, ()) = futures_lite::future::zip(worker, boss).await;
/// assert_eq!(job, Some("sweep"));
/// # });
/// ```
pub struct Condition<T = ()> {
    lock: Rc<Lock<T>>,
    line: Rc<Line<ConditionGate>>,
}

struct ConditionGate {
    /// For `Debug`.
    lock: Rc<Line<LockGate>>,
}

/// What a condition says of itself.
///
/// ```
/// let statistics = ronde_sync::Condition::new(()).statistics();
/// assert!(statistics.waiting == 0 && !statistics.lock.locked);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConditionStatistics {
    /// How many wait to be notified.
    pub waiting: usize,
    /// What the lock says.
    pub lock: LockStatistics,
}

impl<T> Condition<T> {
    /// Makes a condition with a lock of its own.
    pub fn new(value: T) -> Self {
        Self::with_lock(Rc::new(Lock::new(value)))
    }

    /// Makes a condition for a lock that there is, which others may have conditions for as well.
    ///
    /// ```
    /// use ronde_sync::{Condition, Lock};
    /// use std::rc::Rc;
    ///
    /// let lock = Rc::new(Lock::new(0));
    /// let (not_empty, not_full) = (Condition::with_lock(lock.clone()), Condition::with_lock(lock));
    /// let guard = not_empty.try_acquire().unwrap();
    /// assert!(not_full.locked());
    /// not_full.notify(1).unwrap();
    /// # drop(guard);
    /// ```
    pub fn with_lock(lock: Rc<Lock<T>>) -> Self {
        let line = Line::new(ConditionGate { lock: lock.line().clone() });
        Self { lock, line }
    }

    /// The condition's lock.
    pub fn lock(&self) -> &Rc<Lock<T>> {
        &self.lock
    }

    /// Waits until the lock is the caller's. Dropping the guard releases it.
    ///
    /// # Cancel safety
    ///
    /// **Place lost.** As [`Lock::acquire`].
    ///
    /// # In asyncio
    ///
    /// `async with condition`, or `Condition.acquire`.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let condition = ronde_sync::Condition::new(1);
    /// *condition.acquire().await += 1;
    /// assert_eq!(*condition.acquire().await, 2);
    /// # });
    /// ```
    pub async fn acquire(&self) -> ConditionGuard<'_, T> {
        let guard = self.lock.acquire().await;
        ConditionGuard { condition: self, guard }
    }

    /// Acquires the lock if that needs no waiting.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`] if it is locked, or if others wait for it.
    pub fn try_acquire(&self) -> Result<ConditionGuard<'_, T>, WouldBlock> {
        Ok(ConditionGuard { condition: self, guard: self.lock.try_acquire()? })
    }

    /// Makes a guard of this condition from one of its lock's.
    ///
    /// So somebody who holds a lock that several conditions share can wait for either.
    ///
    /// # Errors
    ///
    /// The guard itself, if it is one of another lock.
    ///
    /// ```
    /// use ronde_sync::{Condition, Lock};
    /// use std::rc::Rc;
    ///
    /// let condition = Condition::with_lock(Rc::new(Lock::new(1)));
    /// let guard = condition.lock().try_acquire().unwrap();
    /// assert!(condition.adopt(guard).is_ok());
    /// let other = Lock::new(2);
    /// assert!(condition.adopt(other.try_acquire().unwrap()).is_err());
    /// ```
    pub fn adopt<'a>(
        &'a self,
        guard: LockGuard<'a, T>,
    ) -> Result<ConditionGuard<'a, T>, LockGuard<'a, T>> {
        if Rc::ptr_eq(LockGuard::lock(&guard).line(), self.lock.line()) {
            Ok(ConditionGuard { condition: self, guard })
        } else {
            Err(guard)
        }
    }

    /// As [`acquire`](Self::acquire), without a guard.
    ///
    /// # Cancel safety
    ///
    /// **Place lost.** As [`Lock::acquire_raw`].
    pub async fn acquire_raw(&self) {
        self.lock.acquire_raw().await;
    }

    /// Releases the lock, as [`Lock::release`].
    ///
    /// # Errors
    ///
    /// [`NotLockedError`] if nobody holds the lock, or a guard does.
    pub fn release(&self) -> Result<(), NotLockedError> {
        self.lock.release()
    }

    /// Does somebody hold the lock?
    pub fn locked(&self) -> bool {
        self.lock.locked()
    }

    /// Waits to be notified, for those who hold the lock without a guard.
    ///
    /// It releases the lock and waits. However it ends, also by a cancellation, it takes the lock
    /// again before, however often it is cancelled while it waits for that.
    ///
    /// # Errors
    ///
    /// [`NotLockedError`] if nobody holds the lock, or a guard does.
    ///
    /// # Cancel safety
    ///
    /// **Place lost.** A cancellation is raised once the lock is held again, and a notification that
    /// had reached the caller goes to the next who waits. A future that is *dropped* can't wait for
    /// the lock: then the caller doesn't hold it any more.
    ///
    /// # In asyncio
    ///
    /// `Condition.wait`.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let condition = ronde_sync::Condition::new(());
    /// assert!(condition.wait_raw().await.is_err());
    ///
    /// let waiter = async {
    ///     condition.acquire_raw().await;
    ///     condition.wait_raw().await.unwrap();
    ///     condition.release().unwrap();
    /// };
    /// let notifier = async {
    ///     condition.acquire_raw().await;
    ///     condition.notify(1).unwrap();
    ///     condition.release().unwrap();
    /// };
    /// futures_lite::future::zip(waiter, notifier).await;
    /// # });
    /// ```
    pub async fn wait_raw(&self) -> Result<(), NotLockedError> {
        self.lock.check_held("to wait for a condition, whose lock is released meanwhile")?;
        match self.wait_and_take_lock().await {
            Ok(()) => Ok(()),
            Err(error) => error.raise().await,
        }
    }

    /// Wakes up to `count` of those who wait. They go on once they have the lock.
    ///
    /// # Errors
    ///
    /// [`NotLockedError`] if nobody holds the lock.
    ///
    /// # In asyncio
    ///
    /// `Condition.notify`.
    ///
    /// ```
    /// let condition = ronde_sync::Condition::new(());
    /// assert!(condition.notify(1).is_err());
    /// ```
    pub fn notify(&self, count: usize) -> Result<(), NotLockedError> {
        if !self.locked() {
            let doing = "to notify those who wait for a condition";
            return Err(NotLockedError { doing, has_guard: false });
        }
        self.line.notify(count);
        Ok(())
    }

    /// Wakes all who wait. They go on once they have the lock, one after the other.
    ///
    /// # Errors
    ///
    /// [`NotLockedError`] if nobody holds the lock.
    pub fn notify_all(&self) -> Result<(), NotLockedError> {
        self.notify(usize::MAX)
    }

    /// How many wait, and who holds the lock.
    pub fn statistics(&self) -> ConditionStatistics {
        let waiting = self.line.ask(Waiters::len);
        ConditionStatistics { waiting, lock: self.lock.statistics() }
    }

    /// Releases the lock, waits, and takes the lock again. A cancellation is given when it is held.
    async fn wait_and_take_lock(&self) -> Result<(), CancelledError> {
        // A notification that isn't used is passed on, also if this future is dropped.
        let mut notification = Notification { line: &self.line, got: false };
        let mut turn = self.line.turn();
        self.lock.line().release();
        let mut outcome = catch_cancelled(&mut turn).await;
        notification.got = outcome.is_ok() || turn.leave() == Some(State::Woken);
        while let Err(error) = catch_cancelled(self.lock.acquire_raw()).await {
            outcome = Err(error);
        }
        if outcome.is_ok() {
            notification.got = false;
        }
        outcome
    }
}

/// A notification that one waiter has got and not used yet.
struct Notification<'a> {
    line: &'a Line<ConditionGate>,
    got: bool,
}

impl Drop for Notification<'_> {
    fn drop(&mut self) {
        if self.got {
            self.line.notify(1);
        }
    }
}

impl<T: Default> Default for Condition<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for Condition<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ConditionGate::describe(&self.line, f)
    }
}

impl Line<ConditionGate> {
    fn notify(&self, count: usize) {
        let count = count.min(self.ask(Waiters::pending));
        for _ in 0..count {
            self.wake_next();
        }
    }
}

impl Gate for ConditionGate {
    const KIND: WaitKind = WaitKind::Condition;

    fn enter(_line: &Line<Self>, _amount: usize) -> bool {
        false
    }

    fn enter_woken(_line: &Line<Self>) {}

    fn gave_up(line: &Line<Self>, was: State, _amount: usize) {
        if was == State::Woken {
            line.notify(1);
        }
    }

    fn describe(line: &Line<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<Condition [")?;
        line.gate.lock.gate.write_state(f)?;
        line.write_waiters(f)?;
        f.write_str("]>")
    }
}

/// Holds the lock of a [`Condition`], and gives access to the value. Dropping it releases the lock.
#[must_use = "a guard that is dropped at once releases the lock at once"]
pub struct ConditionGuard<'a, T = ()> {
    condition: &'a Condition<T>,
    guard: LockGuard<'a, T>,
}

impl<'a, T> ConditionGuard<'a, T> {
    /// Releases the lock, waits to be notified, and takes the lock again.
    ///
    /// The guard goes in and comes back, so that nobody can use one that doesn't hold the lock. A
    /// waiter may also be woken without having been notified by those it waits for, so look at the
    /// value again, or use [`wait_for`](Self::wait_for).
    ///
    /// # Cancel safety
    ///
    /// **Place lost.** When the task is cancelled, the lock is taken again before the cancellation
    /// goes on, however often it is cancelled meanwhile; a notification that had reached the caller
    /// goes to the next who waits. Then the guard is dropped, like everything in this future; who
    /// needs it for cleaning up calls [`wait_or_cancelled`](Self::wait_or_cancelled). A future that
    /// is *dropped* can't wait for the lock: the lock is simply released.
    ///
    /// # In asyncio
    ///
    /// `Condition.wait`.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let door = ronde_sync::Condition::new(false);
    /// let visitor = async {
    ///     let mut open = door.acquire().await;
    ///     while !*open {
    ///         open = open.wait().await;
    ///     }
    /// };
    /// let host = async {
    ///     let mut open = door.acquire().await;
    ///     *open = true;
    ///     open.notify_all();
    /// };
    /// futures_lite::future::zip(visitor, host).await;
    /// # });
    /// ```
    pub async fn wait(self) -> Self {
        match self.wait_or_cancelled().await {
            (guard, Ok(())) => guard,
            // Raised with the lock held: the guard is dropped with this frame.
            (_guard, Err(error)) => error.raise().await,
        }
    }

    /// As [`wait`](Self::wait), but gives a cancellation out, together with the guard: for those who
    /// have to clean up under the lock. [Raise](CancelledError::raise) it afterwards.
    ///
    /// # Cancel safety
    ///
    /// **Place lost.** A future that is *dropped* can't wait for the lock: the lock is simply
    /// released, and a notification passed on.
    ///
    /// # In asyncio
    ///
    /// `try: await condition.wait() except CancelledError: ...` inside `async with condition`.
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn example(seats: &ronde_sync::Condition<u32>) {
    /// let mut waiting = seats.acquire().await;
    /// *waiting += 1;
    /// let (mut waiting, outcome) = waiting.wait_or_cancelled().await;
    /// *waiting -= 1;
    /// if let Err(cancelled) = outcome {
    ///     drop(waiting);
    ///     cancelled.raise().await
    /// }
    /// # }
    /// ```
    pub async fn wait_or_cancelled(self) -> (Self, Result<(), CancelledError>) {
        let condition = self.condition;
        // The lock is held by hand while this waits.
        LockGuard::forget(self.guard);
        let outcome = condition.wait_and_take_lock().await;
        (Self { condition, guard: condition.lock.guard() }, outcome)
    }

    /// Waits until the value is as `predicate` wants it, which is asked with the lock held.
    ///
    /// # Cancel safety
    ///
    /// **Place lost.** As [`wait`](Self::wait).
    ///
    /// # In asyncio
    ///
    /// `Condition.wait_for`.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let condition = ronde_sync::Condition::new(3);
    /// let guard = condition.acquire().await.wait_for(|&number| number > 2).await;
    /// assert_eq!(*guard, 3);
    /// # });
    /// ```
    pub async fn wait_for(self, mut predicate: impl FnMut(&T) -> bool) -> Self {
        let mut this = self;
        while !predicate(&this) {
            this = this.wait().await;
        }
        this
    }

    /// Wakes up to `count` of those who wait. They go on once they have the lock.
    ///
    /// # In asyncio
    ///
    /// `Condition.notify`.
    pub fn notify(&self, count: usize) {
        self.condition.line.notify(count);
    }

    /// Wakes all who wait. They go on once they have the lock, one after the other.
    ///
    /// # In asyncio
    ///
    /// `Condition.notify_all`.
    pub fn notify_all(&self) {
        self.notify(usize::MAX);
    }

    /// The guard of the lock alone: to [`adopt`](Condition::adopt) it for another condition, or to
    /// [`forget`](LockGuard::forget) it.
    pub fn into_lock_guard(self) -> LockGuard<'a, T> {
        self.guard
    }
}

impl<T> Deref for ConditionGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for ConditionGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T: fmt::Debug> fmt::Debug for ConditionGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
