//! Attempts that begin one after the other, until one succeeds.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ronde_context::decline;
use ronde_loop::{Sleep, sleep};

/// Starts attempts one by one until one succeeds.
///
/// Each has the field to itself for `delay`, or, with `None`, until it has failed; then the next one
/// runs beside it. A failure starts the next one at once. The first that succeeds wins, and the others are
/// dropped, which is how a cancellation ends them, too. They all run within the task that awaits this, and
/// an attempt that is never started is never made: hence the closures.
///
/// It is what [`open_connection`](crate::open_connection) connects with to a host of several addresses
/// ("Happy Eyeballs", RFC 8305), for whatever else has several ways to succeed.
///
/// # Errors
///
/// What each attempt failed with, in their order, if none succeeds. Of no attempts, none does.
///
/// # Panics
///
/// When polled outside a running event loop, with a delay and more than one attempt. When polled after its
/// end.
///
/// # Cancel safety
///
/// **Data lost.** All attempts are dropped, and what they have done so far with them.
///
/// # In asyncio
///
/// `asyncio.staggered.staggered_race`, which is undocumented. There the attempts are tasks, and the losers
/// are cancelled and awaited; here a loser that must clean up with `.await` is made a task of one's own.
///
/// # Examples
///
/// ```
/// use ronde::{sleep, staggered_race};
/// use std::time::Duration;
///
/// async fn ask(mirror: &str, milliseconds: u64) -> Result<String, String> {
///     sleep(Duration::from_millis(milliseconds)).await;
///     if mirror == "broken" { Err("no answer".into()) } else { Ok(format!("from {mirror}")) }
/// }
///
/// # ronde::run(async {
/// let mirrors = [("broken", 1), ("slow", 10_000), ("near", 1)];
/// let attempts = mirrors.map(|(mirror, time)| move || ask(mirror, time));
/// let won = staggered_race(attempts, Duration::from_millis(2)).await.unwrap();
/// assert_eq!((&*won.value, won.index), ("from near", 2));
/// assert_eq!(won.failures, [(0, "no answer".to_owned())]);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
pub fn staggered_race<I, A, F, T, E>(
    attempts: I,
    delay: impl Into<Option<Duration>>,
) -> StaggeredRace<I::IntoIter, F, E>
where
    I: IntoIterator<Item = A>,
    A: FnOnce() -> F,
    F: Future<Output = Result<T, E>>,
{
    StaggeredRace {
        attempts: Some(attempts.into_iter()),
        started: 0,
        running: Vec::new(),
        failures: Vec::new(),
        head_start: HeadStart::Over,
        delay: delay.into(),
    }
}

/// The future of [`staggered_race`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct StaggeredRace<I, F, E> {
    /// Those to come. `None` when all have been started.
    attempts: Option<I>,
    started: usize,
    running: Vec<(usize, Pin<Box<F>>)>,
    failures: Vec<(usize, E)>,
    head_start: HeadStart,
    delay: Option<Duration>,
}

/// The time in which the latest attempt is left alone.
enum HeadStart {
    Over,
    Runs(Sleep),
    /// It lasts until the attempt has failed.
    UntilFailure,
}

/// Who has won a [`staggered_race`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StaggeredWinner<T, E> {
    /// What the attempt gave.
    pub value: T,
    /// Which attempt it was.
    pub index: usize,
    /// What others had failed with until then, and which ones, in the order of the attempts.
    pub failures: Vec<(usize, E)>,
}

/// No attempt of a [`staggered_race`] has succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StaggeredRaceError<E> {
    /// What each of them failed with, in their order.
    pub failures: Vec<E>,
}

impl<E: fmt::Display> fmt::Display for StaggeredRaceError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.failures {
            [] => f.write_str("there was nothing to attempt"),
            [only] => only.fmt(f),
            all => {
                write!(f, "all {} attempts failed: ", all.len())?;
                for (index, failure) in all.iter().enumerate() {
                    write!(f, "{}{failure}", if index == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for StaggeredRaceError<E> {}

impl<I, A, F, T, E> StaggeredRace<I, F, E>
where
    I: Iterator<Item = A>,
    A: FnOnce() -> F,
    F: Future<Output = Result<T, E>>,
{
    /// Starts the next attempt, if there is one.
    fn start_next(&mut self) {
        let Some(attempt) = self.attempts.as_mut().and_then(Iterator::next) else {
            self.attempts = None;
            return;
        };
        self.running.push((self.started, Box::pin(attempt())));
        self.started += 1;
        self.head_start = match self.delay {
            Some(delay) => HeadStart::Runs(sleep(delay)),
            None => HeadStart::UntilFailure,
        };
    }

    /// Polls all that run, and returns the winner if there is one. A failure ends the head start.
    fn poll_attempts(&mut self, cx: &mut Context<'_>) -> Option<(usize, T)> {
        let mut place = 0;
        while let Some((index, attempt)) = self.running.get_mut(place) {
            let index = *index;
            match attempt.as_mut().poll(cx) {
                Poll::Pending => place += 1,
                Poll::Ready(Ok(value)) => return Some((index, value)),
                Poll::Ready(Err(failure)) => {
                    drop(self.running.remove(place));
                    self.failures.push((index, failure));
                    self.head_start = HeadStart::Over;
                }
            }
        }
        None
    }

    /// Is it time for the next attempt, if there is one?
    fn is_time_for_next(&mut self, cx: &mut Context<'_>) -> bool {
        if self.attempts.is_none() {
            return false;
        }
        if let HeadStart::Runs(timer) = &mut self.head_start
            && Pin::new(timer).poll(cx).is_ready()
        {
            self.head_start = HeadStart::Over;
        }
        matches!(self.head_start, HeadStart::Over)
    }

    fn take_failures(&mut self) -> Vec<(usize, E)> {
        self.running.clear();
        let mut failures = std::mem::take(&mut self.failures);
        failures.sort_by_key(|(index, _)| *index);
        failures
    }
}

impl<I, F, E> Unpin for StaggeredRace<I, F, E> {}

impl<I, A, F, T, E> Future for StaggeredRace<I, F, E>
where
    I: Iterator<Item = A>,
    A: FnOnce() -> F,
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<StaggeredWinner<T, E>, StaggeredRaceError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            if let Some((index, value)) = this.poll_attempts(cx) {
                let failures = this.take_failures();
                return Poll::Ready(Ok(StaggeredWinner { value, index, failures }));
            }
            // The attempts have had their chance to take it. No new one begins because of it.
            if decline(cx) {
                return Poll::Pending;
            }
            if this.is_time_for_next(cx) {
                this.start_next();
                continue;
            }
            if !this.running.is_empty() {
                return Poll::Pending;
            }
            let failures = this.take_failures().into_iter().map(|(_, failure)| failure).collect();
            return Poll::Ready(Err(StaggeredRaceError { failures }));
        }
    }
}

impl<I, F, E> fmt::Debug for StaggeredRace<I, F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaggeredRace")
            .field("started", &self.started)
            .field("running", &self.running.len())
            .field("failed", &self.failures.len())
            .finish_non_exhaustive()
    }
}
