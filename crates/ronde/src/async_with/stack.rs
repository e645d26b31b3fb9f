//! A stack of exits, for a number of managers that is not known beforehand.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use ronde_loop::Failure;

use super::outcome::{EXIT_FAILED, Ended, REPLACED, report, run_to_its_end};
use super::{AsyncContextManager, BodyError, BodyOutcome, ExitStackError, ExitVerdict, OnItsWay};

type BoxError = Box<dyn Error>;
type Exiting<'a, V> = Pin<Box<dyn Future<Output = Result<V, BoxError>> + 'a>>;

/// An exit on the stack, of whatever kind.
trait Exit<'env, V> {
    fn exit<'a>(self: Box<Self>, outcome: BodyOutcome<'a>) -> Exiting<'a, V>
    where
        'env: 'a;
}

/// The exit of a manager that was entered.
struct Entered<M: AsyncContextManager> {
    manager: M,
    resource: M::Resource,
}

impl<'env, V, M> Exit<'env, V> for Entered<M>
where
    M: AsyncContextManager + 'env,
    M::Resource: 'env,
    M::Error: Into<BoxError>,
    V: From<M::Exit>,
{
    fn exit<'a>(self: Box<Self>, outcome: BodyOutcome<'a>) -> Exiting<'a, V>
    where
        'env: 'a,
    {
        Box::pin(async move {
            self.manager.exit(self.resource, outcome).await.map(V::from).map_err(Into::into)
        })
    }
}

/// A function that was pushed.
struct Pushed<F, X, E> {
    exit: F,
    types: PhantomData<fn() -> (X, E)>,
}

impl<'env, V, F, X, E> Exit<'env, V> for Pushed<F, X, E>
where
    F: AsyncFnOnce(BodyOutcome<'_>) -> Result<X, E> + 'env,
    V: From<X>,
    X: 'env,
    E: Into<BoxError> + 'env,
{
    fn exit<'a>(self: Box<Self>, outcome: BodyOutcome<'a>) -> Exiting<'a, V>
    where
        'env: 'a,
    {
        Box::pin(async move { (self.exit)(outcome).await.map(V::from).map_err(Into::into) })
    }
}

/// Runs `body` with a stack that it pushes exits on, and afterwards awaits them, the last one first,
/// whatever happens to the body or to other exits.
///
/// Each exit sees the outcome so far: that of the body, or the failure of an exit before it. Here none
/// may swallow a failure; [`ExitStack::run`] is the general form.
///
/// # Errors
///
/// [`ExitStackError`] if exits fail: it has all their errors, and what was on its way before.
///
/// # Panics
///
/// If the body or an exit panics, with its payload, after all exits. Of several panics the first goes on.
/// Other panics, and errors that this takes the place of, are reported through the loop's exception
/// handler.
///
/// # Cancel safety
///
/// **Data lost**: a *dropped* future can await nothing, so no exit runs. A *cancellation* waits for all
/// exits. One that arrives during an exit is raised in there, and the other exits see it.
///
/// # In asyncio
///
/// `async with contextlib.AsyncExitStack() as stack: ...`
///
/// # Examples
///
/// ```
/// use ronde::{exit_stack, yield_now};
/// use std::cell::RefCell;
///
/// # ronde::run(async {
/// let log = RefCell::new(Vec::new());
/// let opened = exit_stack(async |stack| {
///     for name in ["door", "window"] {
///         let log = &log;
///         stack.push_async_callback(async move || {
///             yield_now().await;
///             log.borrow_mut().push(name);
///         });
///     }
///     2
/// });
/// assert_eq!(opened.await.unwrap(), 2);
/// assert_eq!(log.take(), ["window", "door"]);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
pub async fn exit_stack<'env, R>(
    body: impl AsyncFnOnce(&mut ExitStack<'env>) -> R,
) -> Result<R, ExitStackError> {
    ExitStack::run(body).await
}

/// As [`exit_stack`], for a body that may fail: its `Err` is a failure, which the exits see.
///
/// The result is what the body returned, `Ok` or `Err`; so `?` comes twice, once for the exits and once
/// for the body.
///
/// # Errors
///
/// As [`exit_stack`].
///
/// # Panics
///
/// As [`exit_stack`].
///
/// # Cancel safety
///
/// **Data lost**, as [`exit_stack`].
///
/// # Examples
///
/// ```
/// use ronde::{BodyOutcome, try_exit_stack};
///
/// # ronde::run(async {
/// let outcome = try_exit_stack(async |stack| {
///     stack.push_async_exit(async |outcome: BodyOutcome<'_>| {
///         assert!(!outcome.is_ok());
///         Ok::<_, std::io::Error>(())
///     });
///     "x".parse::<u32>()
/// });
/// assert!(outcome.await.unwrap().is_err());
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
pub async fn try_exit_stack<'env, T, B: fmt::Debug + 'static>(
    body: impl AsyncFnOnce(&mut ExitStack<'env>) -> Result<T, B>,
) -> Result<Result<T, B>, ExitStackError<B>> {
    ExitStack::try_run(body).await
}

/// Exits to be awaited, the last one first.
///
/// [`exit_stack`] makes one. `V` is what its exits may decide: with `()` none swallows a failure, and the
/// result is the body's value; with [`Swallow`](crate::Swallow) any may, and the result is an `Option`.
///
/// # In asyncio
///
/// `contextlib.AsyncExitStack`
#[must_use = "what is on the stack is dropped, not run, unless it is closed"]
pub struct ExitStack<'env, V = ()> {
    exits: Vec<Box<dyn Exit<'env, V> + 'env>>,
}

impl<'env, V: ExitVerdict + 'env> ExitStack<'env, V> {
    /// Makes an empty stack, to be closed by hand.
    pub fn new() -> Self {
        Self { exits: Vec::new() }
    }

    /// The general form of [`exit_stack`].
    ///
    /// # Errors
    ///
    /// As [`exit_stack`].
    ///
    /// # Panics
    ///
    /// As [`exit_stack`].
    ///
    /// # Cancel safety
    ///
    /// **Data lost**, as [`exit_stack`].
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde::{ExitStack, Swallow, timeout};
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    ///
    /// # ronde::run(async {
    /// let value = ExitStack::<Swallow>::run(async |stack| {
    ///     stack.push_async_exit(async |_| Ok::<_, Infallible>(Swallow(true)));
    ///     panic!("somebody deals with it");
    /// });
    /// assert_eq!(value.await.unwrap(), None::<u32>);
    /// # })?;
    /// # Ok::<(), ronde::RunError>(())
    /// ```
    pub async fn run<R>(
        body: impl AsyncFnOnce(&mut Self) -> R,
    ) -> Result<V::Output<R>, ExitStackError> {
        let mut stack = Self::new();
        let ended = run_to_its_end(body(&mut stack), Ok).await;
        stack.unwind(ended, |never: Infallible| match never {}).await
    }

    /// The general form of [`try_exit_stack`].
    ///
    /// # Errors
    ///
    /// As [`exit_stack`].
    ///
    /// # Panics
    ///
    /// As [`exit_stack`].
    ///
    /// # Cancel safety
    ///
    /// **Data lost**, as [`exit_stack`].
    pub async fn try_run<T, B: fmt::Debug + 'static>(
        body: impl AsyncFnOnce(&mut Self) -> Result<T, B>,
    ) -> Result<V::Output<Result<T, B>>, ExitStackError<B>> {
        let mut stack = Self::new();
        let ended = run_to_its_end(body(&mut stack), |value| value.map(Ok)).await;
        stack.unwind(ended, Err).await
    }

    /// Enters `manager`, and pushes its exit. The resource is shared with the exit, so it must be
    /// something of which there can be two: an `Rc`, a handle.
    ///
    /// # Errors
    ///
    /// Those of entering. Nothing is pushed then.
    ///
    /// # Cancel safety
    ///
    /// That of the manager's `enter`: **Strict**, if it doesn't say otherwise. Nothing is pushed.
    ///
    /// # In asyncio
    ///
    /// `AsyncExitStack.enter_async_context`
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde::{context_manager, exit_stack};
    /// use std::convert::Infallible;
    /// use std::rc::Rc;
    ///
    /// # ronde::run(async {
    /// let total = exit_stack(async |stack| {
    ///     let mut total = 0;
    ///     for number in 1..=3 {
    ///         let manager = context_manager(
    ///             async move || Ok::<_, Infallible>(Rc::new(number)),
    ///             async |_: Rc<i32>, _| Ok(()),
    ///         );
    ///         let Ok(number) = stack.enter(manager).await;
    ///         total += *number;
    ///     }
    ///     total
    /// });
    /// assert_eq!(total.await.unwrap(), 6);
    /// # })?;
    /// # Ok::<(), ronde::RunError>(())
    /// ```
    pub async fn enter<M>(&mut self, mut manager: M) -> Result<M::Resource, M::Error>
    where
        M: AsyncContextManager + 'env,
        M::Resource: Clone + 'env,
        M::Error: Into<BoxError>,
        V: From<M::Exit>,
    {
        let resource = manager.enter().await?;
        self.exits.push(Box::new(Entered { manager, resource: resource.clone() }));
        Ok(resource)
    }

    /// Pushes an exit that sees what has happened.
    ///
    /// # In asyncio
    ///
    /// `AsyncExitStack.push_async_exit`
    pub fn push_async_exit<X, E>(
        &mut self,
        exit: impl AsyncFnOnce(BodyOutcome<'_>) -> Result<X, E> + 'env,
    ) where
        V: From<X>,
        X: 'env,
        E: Into<BoxError> + 'env,
    {
        self.exits.push(Box::new(Pushed { exit, types: PhantomData }));
    }

    /// Pushes something to be awaited.
    ///
    /// # In asyncio
    ///
    /// `AsyncExitStack.push_async_callback`
    pub fn push_async_callback(&mut self, callback: impl AsyncFnOnce() + 'env)
    where
        V: From<()>,
    {
        self.push_async_exit(async move |_| {
            callback().await;
            Ok::<(), Infallible>(())
        });
    }

    /// Pushes something to be called.
    ///
    /// # In asyncio
    ///
    /// `AsyncExitStack.callback`
    pub fn callback(&mut self, callback: impl FnOnce() + 'env)
    where
        V: From<()>,
    {
        self.push_async_callback(async move || callback());
    }

    /// Moves all exits to a new stack, to be closed by hand later.
    ///
    /// # In asyncio
    ///
    /// `AsyncExitStack.pop_all`
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde::exit_stack;
    ///
    /// # ronde::run(async {
    /// let kept = exit_stack(async |stack| {
    ///     stack.callback(|| println!("later"));
    ///     stack.pop_all()
    /// });
    /// kept.await.unwrap().aclose().await.unwrap();
    /// # })?;
    /// # Ok::<(), ronde::RunError>(())
    /// ```
    pub fn pop_all(&mut self) -> Self {
        Self { exits: std::mem::take(&mut self.exits) }
    }

    /// Awaits all exits now, the last one first. They see that all is well.
    ///
    /// # Errors
    ///
    /// As [`exit_stack`].
    ///
    /// # Panics
    ///
    /// If an exit panics, after all exits.
    ///
    /// # Cancel safety
    ///
    /// **Data lost**, as [`exit_stack`].
    ///
    /// # In asyncio
    ///
    /// `AsyncExitStack.aclose`
    pub async fn aclose(self) -> Result<(), ExitStackError> {
        self.unwind(Ended::Returned(()), |never: Infallible| match never {}).await?;
        Ok(())
    }

    async fn unwind<R, B: fmt::Debug + 'static>(
        mut self,
        ended: Ended<R, B>,
        rejoin: fn(B) -> R,
    ) -> Result<V::Output<R>, ExitStackError<B>> {
        let mut so_far = SoFar::Ended(ended);
        while let Some(exit) = self.exits.pop() {
            let exited = run_to_its_end(exit.exit(so_far.outcome()), Ok::<_, Infallible>).await;
            so_far = match exited {
                Ended::Returned(Ok(verdict)) => so_far.exited(verdict.swallowed()),
                Ended::Returned(Err(error)) => so_far.failed(error),
                Ended::Failed(never) => match never {},
                Ended::Panicked(panic) => so_far.replaced_by(Ended::Panicked(panic)),
                Ended::Cancelled(error) => so_far.replaced_by(Ended::Cancelled(error)),
            };
        }
        match so_far {
            SoFar::Ended(Ended::Returned(value)) => Ok(V::value(value)),
            SoFar::Ended(Ended::Failed(error)) => Ok(V::value(rejoin(error))),
            SoFar::Ended(Ended::Panicked(panic)) => panic.resume(),
            SoFar::Ended(Ended::Cancelled(error)) => error.raise().await,
            SoFar::Swallowed(nothing) => Ok(nothing),
            SoFar::Errors(errors) => Err(errors),
        }
    }
}

impl<'env, V: ExitVerdict + 'env> Default for ExitStack<'env, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> fmt::Debug for ExitStack<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExitStack").field("exits", &self.exits.len()).finish()
    }
}

/// What has happened before the next exit.
enum SoFar<R, B, O> {
    Ended(Ended<R, B>),
    /// There was a failure, and an exit has swallowed it.
    Swallowed(O),
    Errors(ExitStackError<B>),
}

impl<R, B: fmt::Debug + 'static, O> SoFar<R, B, O> {
    fn outcome(&self) -> BodyOutcome<'_> {
        match self {
            Self::Ended(ended) => ended.outcome(),
            Self::Swallowed(_) => BodyOutcome::Returned,
            Self::Errors(failed) => match failed.errors.last() {
                Some(error) => BodyOutcome::Failed(BodyError::of(error)),
                None => BodyOutcome::Returned,
            },
        }
    }

    /// An exit has returned. It gives what there is instead of a value, if it swallows.
    fn exited(self, swallowed: Option<O>) -> Self {
        match (self, swallowed) {
            (so_far @ (Self::Ended(Ended::Returned(_)) | Self::Swallowed(_)), _) => so_far,
            (_, Some(nothing)) => Self::Swallowed(nothing),
            (so_far, None) => so_far,
        }
    }

    /// An exit has returned an error.
    fn failed(self, error: BoxError) -> Self {
        let (mut errors, on_its_way) = match self {
            Self::Errors(failed) => (failed.errors, failed.on_its_way),
            Self::Swallowed(_) | Self::Ended(Ended::Returned(_)) => (Vec::new(), None),
            Self::Ended(Ended::Failed(error)) => (Vec::new(), Some(OnItsWay::Failed(error))),
            Self::Ended(Ended::Cancelled(error)) => (Vec::new(), Some(OnItsWay::Cancelled(error))),
            Self::Ended(Ended::Panicked(_)) => {
                report(EXIT_FAILED, Failure::Error(error));
                return self;
            }
        };
        errors.push(error);
        Self::Errors(ExitStackError { errors, on_its_way })
    }

    /// An exit has panicked or was cancelled. A panic that is on its way stays.
    fn replaced_by(self, ended: Ended<R, B>) -> Self {
        match self {
            Self::Ended(Ended::Panicked(_)) => {
                ended.ends_here(EXIT_FAILED);
                return self;
            }
            Self::Ended(failed) => failed.ends_here(REPLACED),
            Self::Errors(failed) => {
                let errors = failed.errors.into_iter();
                errors.for_each(|error| report(REPLACED, Failure::Error(error)));
                if let Some(OnItsWay::Failed(error)) = failed.on_its_way {
                    Ended::<R, B>::Failed(error).ends_here(REPLACED);
                }
            }
            Self::Swallowed(_) => {}
        }
        Self::Ended(ended)
    }
}
