//! What a context manager is, and the ready-made ones.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;

use super::BodyOutcome;
use crate::generator::{AsyncGenerator, IgnoredCloseError};

/// Makes something for a body to use, and takes it back when the body is over, however it ended.
///
/// [`async_with`](crate::async_with) has an example. For a manager that is used in one place,
/// [`context_manager`] makes one of two closures.
///
/// # In asyncio
///
/// An object with `__aenter__` and `__aexit__`.
#[allow(async_fn_in_trait)] // A task need not be `Send`, so neither need these futures.
pub trait AsyncContextManager {
    /// What the body uses.
    type Resource;

    /// How entering and exiting can fail. [`Infallible`](std::convert::Infallible) if they can't.
    type Error;

    /// What [`exit`](Self::exit) decides: `()` if it never swallows a failure, [`Swallow`] if it may.
    type Exit: ExitVerdict;

    /// Makes the resource.
    ///
    /// If this fails, or is cancelled, there is no body and no exit.
    ///
    /// # Errors
    ///
    /// Those of the manager.
    ///
    /// # Cancel safety
    ///
    /// **Strict**, if nobody says otherwise: whoever implements it should see to it that what has
    /// been made so far is dropped with the future.
    ///
    /// # In asyncio
    ///
    /// `__aenter__`
    async fn enter(&mut self) -> Result<Self::Resource, Self::Error>;

    /// Takes the resource back. `outcome` says how the body ended.
    ///
    /// A cancellation that arrives now is raised in here; [`catch_cancelled`](crate::catch_cancelled)
    /// protects what must not be cut short.
    ///
    /// # Errors
    ///
    /// Those of the manager. What was on its way already is kept beside it, see
    /// [`WithError::Exit`](crate::WithError::Exit).
    ///
    /// # Cancel safety
    ///
    /// **Data lost**: being dropped before its end, it leaves undone what it has not done.
    ///
    /// # In asyncio
    ///
    /// `__aexit__`
    async fn exit(
        self,
        resource: Self::Resource,
        outcome: BodyOutcome<'_>,
    ) -> Result<Self::Exit, Self::Error>;
}

/// What the exit of a context manager may decide: `()` or [`Swallow`].
///
/// It sets what [`async_with`](crate::async_with) gives: a manager that never swallows a failure gives
/// the body's value, and one that may gives an `Option` of it.
pub trait ExitVerdict: sealed::Sealed {
    /// What `async_with` gives for a body's value of type `T`.
    type Output<T>;

    /// The output for a body that returned.
    fn value<T>(value: T) -> Self::Output<T>;

    /// The output for a body whose failure is swallowed, or `None` if it isn't.
    fn swallowed<T>(&self) -> Option<Self::Output<T>>;
}

/// Never swallows.
impl ExitVerdict for () {
    type Output<T> = T;

    fn value<T>(value: T) -> T {
        value
    }

    fn swallowed<T>(&self) -> Option<T> {
        None
    }
}

/// An exit's verdict: true if the body's failure (its `Err`, its panic, its cancellation) is dealt with
/// and must not go on.
///
/// When the body has succeeded it means nothing.
///
/// # In asyncio
///
/// The truth value that `__aexit__` returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swallow(pub bool);

impl ExitVerdict for Swallow {
    type Output<T> = Option<T>;

    fn value<T>(value: T) -> Option<T> {
        Some(value)
    }

    fn swallowed<T>(&self) -> Option<Option<T>> {
        self.0.then_some(None)
    }
}

impl From<()> for Swallow {
    fn from((): ()) -> Self {
        Self(false)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for () {}
    impl Sealed for super::Swallow {}
}

/// Makes a context manager of two closures.
///
/// `enter` makes the resource, `exit` gets it back, and what happened to the body.
///
/// # In asyncio
///
/// `contextlib.asynccontextmanager`: `enter` is what stands before its `yield`, `exit` what stands
/// in the `finally` behind it.
///
/// # Examples
///
/// ```
/// use ronde::{async_with, context_manager, yield_now};
///
/// # ronde::run(async {
/// let room = context_manager(
///     async || {
///         yield_now().await;
///         Ok::<_, std::io::Error>(vec!["chair"])
///     },
///     async |room: Vec<&str>, _| {
///         yield_now().await;
///         assert_eq!(room, ["chair", "table"]);
///         Ok(())
///     },
/// );
/// let length = async_with(room, async |room| {
///     room.push("table");
///     room.len()
/// });
/// assert_eq!(length.await.unwrap(), 2);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
pub fn context_manager<Enter, Exit, R, E, V>(
    enter: Enter,
    exit: Exit,
) -> ContextManager<Enter, Exit, R, E, V>
where
    Enter: AsyncFnOnce() -> Result<R, E>,
    Exit: AsyncFnOnce(R, BodyOutcome<'_>) -> Result<V, E>,
    V: ExitVerdict,
{
    ContextManager { enter: Some(enter), exit, types: PhantomData }
}

/// A context manager of two closures: see [`context_manager`].
pub struct ContextManager<Enter, Exit, R, E, V> {
    /// `None` once it has been entered.
    enter: Option<Enter>,
    exit: Exit,
    types: PhantomData<Types<R, E, V>>,
}

type Types<R, E, V> = fn() -> (R, E, V);

/// What errors call a manager: its type, or for one of two closures the function they are in. The full
/// names of closures say no more, at great length.
pub(super) fn name_of<M>() -> &'static str {
    let name = type_name::<M>();
    match name.strip_prefix(concat!(module_path!(), "::ContextManager<")) {
        Some(types) => {
            let ends = ["::{{closure}}", "<", ", "].iter().filter_map(|end| types.find(end));
            &types[..ends.min().unwrap_or(types.len())]
        }
        None => name,
    }
}

impl<Enter, Exit, R, E, V> AsyncContextManager for ContextManager<Enter, Exit, R, E, V>
where
    Enter: AsyncFnOnce() -> Result<R, E>,
    Exit: AsyncFnOnce(R, BodyOutcome<'_>) -> Result<V, E>,
    V: ExitVerdict,
{
    type Resource = R;
    type Error = E;
    type Exit = V;

    async fn enter(&mut self) -> Result<R, E> {
        let enter = self.enter.take().expect("a context manager was entered twice");
        enter().await
    }

    async fn exit(self, resource: R, outcome: BodyOutcome<'_>) -> Result<V, E> {
        (self.exit)(resource, outcome).await
    }
}

impl<Enter, Exit, R, E, V> fmt::Debug for ContextManager<Enter, Exit, R, E, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextManager").field("entered", &self.enter.is_none()).finish()
    }
}

/// A context manager that closes a generator at the end of the body.
///
/// # In asyncio
///
/// `contextlib.aclosing`
///
/// # Examples
///
/// ```
/// use ronde::{aclosing, async_with, generator};
///
/// # ronde::run(async {
/// let numbers = generator(async |y| {
///     for number in 1.. {
///         y.yield_(number).await;
///     }
/// });
/// let first = async_with(aclosing(numbers), async |numbers| numbers.next().await);
/// assert_eq!(first.await.unwrap(), Some(1));
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
pub fn aclosing<T>(generator: AsyncGenerator<T>) -> Aclosing<T> {
    Aclosing { generator: Some(generator) }
}

/// See [`aclosing`].
#[derive(Debug)]
pub struct Aclosing<T: 'static> {
    /// `None` once it has been entered.
    generator: Option<AsyncGenerator<T>>,
}

impl<T> AsyncContextManager for Aclosing<T> {
    type Resource = AsyncGenerator<T>;
    type Error = IgnoredCloseError;
    type Exit = ();

    async fn enter(&mut self) -> Result<AsyncGenerator<T>, IgnoredCloseError> {
        Ok(self.generator.take().expect("a context manager was entered twice"))
    }

    async fn exit(
        self,
        mut generator: AsyncGenerator<T>,
        _: BodyOutcome<'_>,
    ) -> Result<(), IgnoredCloseError> {
        generator.aclose().await
    }
}
