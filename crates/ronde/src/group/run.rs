//! The life of a group: its body, the wait for its tasks, and what comes out.

use std::any::Any;
use std::error::Error;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use ronde_context::{CancelledError, Origin, catch_cancelled};
use ronde_loop::current_task;

use super::TaskGroup;
use super::error::TaskGroupError;
use super::members::{Members, report};

/// How the body has ended.
enum Ending<R> {
    Returned(R),
    Panicked(Box<dyn Any + Send>),
    /// The group itself has cancelled it.
    CutShort,
    Cancelled(CancelledError),
}

/// Abandons the group if the future that runs it is dropped.
struct Guard(Rc<Members>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

pub(super) async fn run<B, R, F>(
    created_at: &'static Location<'static>,
    body: F,
    judge: impl FnOnce(B) -> Result<R, Box<dyn Error>>,
) -> Result<R, TaskGroupError>
where
    F: AsyncFnOnce(TaskGroup) -> B,
{
    let parent = current_task().expect("a task group was used outside of a task");
    let members = Members::new(created_at, &parent);
    let _guard = Guard(members.clone());

    let mut ending = match run_body(&members, body).await {
        Ending::Returned(value) => match judge(value) {
            Ok(value) => Ending::Returned(value),
            Err(error) => {
                members.body_failed(&parent, error);
                Ending::CutShort
            }
        },
        Ending::Panicked(panic) => Ending::Panicked(panic),
        Ending::CutShort => Ending::CutShort,
        Ending::Cancelled(error) => Ending::Cancelled(error),
    };
    if !matches!(ending, Ending::Returned(_)) {
        members.abort();
    }
    while let Some(empty) = members.until_empty() {
        if let Err(error) = catch_cancelled(empty.wait_done()).await {
            members.abort();
            // The first one counts. And a panic is on its way already.
            if let Ending::Returned(_) | Ending::CutShort = ending {
                ending = Ending::Cancelled(error);
            }
        }
    }
    let failures = members.end();
    if members.uncount() && matches!(ending, Ending::Cancelled(_)) {
        ending = Ending::CutShort;
    }

    if let Ending::Panicked(panic) = ending {
        // It hides the failures of the tasks.
        for failure in failures {
            report("a failure in a task group whose body panicked", failure);
        }
        resume_unwind(panic);
    }
    if failures.is_empty() {
        return match ending {
            Ending::Returned(value) => Ok(value),
            Ending::Cancelled(error) => error.raise().await,
            Ending::CutShort | Ending::Panicked(_) => Err(TaskGroupError::cancelled(created_at)),
        };
    }
    // Neither must be lost: what the task has been asked for, nor the closing of a generator that we are in.
    match ending {
        Ending::Cancelled(error) if error.origin() == Origin::Close => error.raise_later(),
        _ if members.scope.outstanding() == 0 => {}
        Ending::Cancelled(error) if !matches!(error.origin(), Origin::Scope(_)) => {
            error.raise_later();
        }
        // What a timeout around us asked for ends there, and may not be all there is.
        _ => CancelledError::default().raise_later(),
    }
    Err(TaskGroupError::new(created_at, failures, members.was_cancelled()))
}

async fn run_body<R, F>(members: &Rc<Members>, body: F) -> Ending<R>
where
    F: AsyncFnOnce(TaskGroup) -> R,
{
    let group = TaskGroup { members: members.clone() };
    let mut body = pin!(catch_cancelled(members.scope.run(body(group))));
    // Caught out here, since the body may also panic where it is dropped, when it is cut short. It is
    // only ever polled in here: all that it can be seen doing after a panic is being dropped.
    let caught = std::future::poll_fn(|cx| {
        match catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(ended)) => Poll::Ready(Ok(ended)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    });
    match caught.await {
        Ok(Ok(Ok(value))) => Ending::Returned(value),
        Ok(Ok(Err(_own))) => Ending::CutShort,
        Ok(Err(error)) => Ending::Cancelled(error),
        Err(panic) => Ending::Panicked(panic),
    }
}
