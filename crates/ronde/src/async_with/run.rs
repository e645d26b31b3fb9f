//! Running a body between an enter and an exit.

use std::any::type_name;
use std::convert::Infallible;
use std::fmt;

use ronde_loop::Failure;

use super::manager::name_of;
use super::outcome::{EXIT_FAILED, Ended, REPLACED, report, run_to_its_end};
use super::{AsyncContextManager, ExitVerdict, OnItsWay, WithError};

/// Enters `manager`, runs `body` with what that gives, and awaits the exit, whatever happens to the
/// body: it returns, panics, or is cancelled, be it by a time limit.
///
/// The result is the body's value; an `Option` of it if the manager may [swallow](crate::Swallow) what
/// went wrong. An `Err` that the body returns is a value like any other here; for the exit to see it,
/// take [`try_async_with`].
///
/// # Errors
///
/// [`WithError`] if entering or exiting fails. If the exit fails while a cancellation is on its way, the
/// cancellation ends here and is kept in the error. If it fails while a panic is on its way, the panic
/// goes on, and the failure is reported through the loop's exception handler.
///
/// # Panics
///
/// If the body panics, with its payload, after the exit and unless that swallows it. A panic in the exit
/// takes the place of whatever was on its way. If that was a failure, it is reported through the loop's
/// exception handler.
///
/// # Cancel safety
///
/// **Data lost**: a *dropped* future can await nothing. The body and the resource are dropped, and the
/// exit doesn't run. A *cancellation* does wait: it is raised in the body, the exit sees it and cleans
/// up, and unless the exit swallows it, it goes on. One that arrives during the exit is raised in there; if
/// it comes out, it takes the place of what was on its way, as a panic does.
///
/// # In asyncio
///
/// `async with manager as resource: ...`
///
/// # Examples
///
/// ```
/// use ronde::{AsyncContextManager, BodyOutcome, async_with, yield_now};
/// use std::io;
///
/// struct Transaction;
///
/// impl AsyncContextManager for Transaction {
///     type Resource = Vec<&'static str>;
///     type Error = io::Error;
///     type Exit = ();
///
///     async fn enter(&mut self) -> io::Result<Vec<&'static str>> {
///         Ok(vec!["begin"])
///     }
///
///     async fn exit(self, mut log: Vec<&'static str>, outcome: BodyOutcome<'_>) -> io::Result<()> {
///         yield_now().await;
///         log.push(if outcome.is_ok() { "commit" } else { "roll back" });
///         assert_eq!(log, ["begin", "insert", "commit"]);
///         Ok(())
///     }
/// }
///
/// # ronde::run(async {
/// let rows = async_with(Transaction, async |transaction| {
///     transaction.push("insert");
///     1
/// })
/// .await?;
/// assert_eq!(rows, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?.unwrap();
/// # Ok::<(), ronde::RunError>(())
/// ```
pub async fn async_with<M, R>(
    manager: M,
    body: impl AsyncFnOnce(&mut M::Resource) -> R,
) -> Result<<M::Exit as ExitVerdict>::Output<R>, WithError<M::Error>>
where
    M: AsyncContextManager,
{
    run(manager, body, Ok, |never: Infallible| match never {}).await
}

/// As [`async_with`], for a body that may fail: its `Err` is a failure, which the exit sees as
/// [`BodyOutcome::Failed`](crate::BodyOutcome::Failed).
///
/// The result is what the body returned, `Ok` or `Err`; so `?` comes twice, once for the manager and
/// once for the body.
///
/// # Errors
///
/// As [`async_with`]. If the exit fails while the body's `Err` is on its way, both are in the error.
///
/// # Panics
///
/// As [`async_with`].
///
/// # Cancel safety
///
/// **Data lost**, as [`async_with`].
///
/// # Examples
///
/// ```
/// use ronde::{BodyOutcome, context_manager, try_async_with};
/// use std::convert::Infallible;
///
/// # ronde::run(async {
/// let manager = context_manager(
///     async || Ok::<_, Infallible>(()),
///     async |(), outcome: BodyOutcome<'_>| {
///         assert_eq!(format!("{outcome:?}"), r#"Failed("no luck")"#);
///         Ok(())
///     },
/// );
/// let Ok(outcome) = try_async_with(manager, async |_| Err::<u32, _>("no luck")).await else {
///     unreachable!("the manager can't fail");
/// };
/// assert_eq!(outcome, Err("no luck"));
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
pub async fn try_async_with<M, T, B>(
    manager: M,
    body: impl AsyncFnOnce(&mut M::Resource) -> Result<T, B>,
) -> Result<<M::Exit as ExitVerdict>::Output<Result<T, B>>, WithError<M::Error, B>>
where
    M: AsyncContextManager,
    B: fmt::Debug + 'static,
{
    run(manager, body, |value| value.map(Ok), Err).await
}

/// `split` tells the failures among the values, `rejoin` undoes that.
async fn run<M, R, B>(
    mut manager: M,
    body: impl AsyncFnOnce(&mut M::Resource) -> R,
    split: fn(R) -> Result<R, B>,
    rejoin: fn(B) -> R,
) -> Result<<M::Exit as ExitVerdict>::Output<R>, WithError<M::Error, B>>
where
    M: AsyncContextManager,
    B: fmt::Debug + 'static,
{
    let name = name_of::<M>();
    let entered = manager.enter().await;
    let mut resource = entered.map_err(|error| WithError::Enter { manager: name, error })?;
    let ended = run_to_its_end(body(&mut resource), split).await;

    let exit = manager.exit(resource, ended.outcome());
    let error = match run_to_its_end(exit, Ok::<_, Infallible>).await {
        Ended::Returned(Ok(verdict)) => {
            let swallowed = verdict.swallowed();
            return Ok(match (ended, swallowed) {
                (Ended::Returned(value), _) => M::Exit::value(value),
                (_, Some(nothing)) => nothing,
                (Ended::Failed(error), None) => M::Exit::value(rejoin(error)),
                (Ended::Panicked(panic), None) => panic.resume(),
                (Ended::Cancelled(error), None) => error.raise().await,
            });
        }
        Ended::Returned(Err(error)) => error,
        Ended::Failed(never) => match never {},
        Ended::Panicked(panic) => {
            ended.ends_here(REPLACED);
            panic.resume()
        }
        Ended::Cancelled(error) => {
            ended.ends_here(REPLACED);
            return error.raise().await;
        }
    };
    let on_its_way = match ended {
        Ended::Returned(_) => None,
        Ended::Failed(error) => Some(OnItsWay::Failed(error)),
        Ended::Cancelled(error) => Some(OnItsWay::Cancelled(error)),
        Ended::Panicked(panic) => {
            report(
                EXIT_FAILED,
                Failure::Err { type_name: type_name::<Result<M::Exit, M::Error>>() },
            );
            panic.resume()
        }
    };
    Err(WithError::Exit { manager: name, error, on_its_way })
}
