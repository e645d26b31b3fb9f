//! Coroutines that another thread hands to a loop, and what that thread hears of them.

mod common;

use common::{Log, SECOND, simulated, turn};
use ronde_context::{ContextVar, catch_cancelled};
use ronde_loop::{
    EventLoop, Remote, RemoteTask, RemoteTaskError, RunError, get_running_loop,
    run_coroutine_threadsafe, sleep, timeout, yield_now,
};
use std::future::{Future, pending};
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A loop that runs on a thread of its own, until it is stopped.
struct OtherLoop {
    remote: Remote,
    thread: JoinHandle<()>,
}

impl OtherLoop {
    fn start() -> Self {
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(move || {
            let event_loop = EventLoop::new().unwrap();
            sender.send(event_loop.remote()).unwrap();
            event_loop.run_forever().unwrap();
        });
        Self { remote: receiver.recv().unwrap(), thread }
    }

    /// Stops and closes it.
    fn end(self) {
        self.remote.call_soon_threadsafe(|| get_running_loop().unwrap().stop()).unwrap();
        self.thread.join().unwrap();
    }
}

fn send<T: Send + 'static, F: Future<Output = T> + 'static>(
    remote: &Remote,
    make: impl FnOnce() -> F + Send + 'static,
) -> RemoteTask<T> {
    run_coroutine_threadsafe(remote, make).unwrap()
}

/// Runs the loop of this thread until what was sent to it is done.
fn run_until_done<T>(event_loop: &EventLoop, task: &RemoteTask<T>) {
    while !task.done() {
        turn(event_loop);
    }
}

fn cancellation(outcome: Result<impl Sized, RemoteTaskError>) -> String {
    match outcome {
        Err(RemoteTaskError::Cancelled(error)) => error.to_string(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("a value"),
    }
}

#[test]
fn a_future_that_is_not_send_runs_on_the_loops_thread_and_its_value_comes_back() {
    let other = OtherLoop::start();
    let home = other.thread.thread().id();
    let task = send(&other.remote, move || {
        assert_eq!(thread::current().id(), home);
        async move {
            let not_send = Rc::new(20);
            yield_now().await;
            assert_eq!(thread::current().id(), home);
            *not_send + 1
        }
    });
    assert_eq!(task.result(None).unwrap(), 21);
    assert!(task.done() && !task.cancelled());
    assert!(matches!(task.result(None), Err(RemoteTaskError::Taken)));
    other.end();
}

#[test]
fn it_says_where_it_was_sent_from_and_runs_in_a_copy_of_the_senders_context() {
    static USER: ContextVar<&str> = ContextVar::new("user");
    USER.set("Ada");
    let event_loop = simulated();
    let line = line!() + 1;
    let task = send_here(&event_loop, async || {
        let task = ronde_loop::current_task().unwrap();
        (USER.get(), task.created_at().line(), task.created_at().file())
    });
    run_until_done(&event_loop, &task);
    assert_eq!(task.result(None).unwrap(), (Some("Ada"), line, file!()));
}

#[track_caller]
fn send_here<T: Send + 'static, F: Future<Output = T> + 'static>(
    event_loop: &EventLoop,
    make: impl FnOnce() -> F + Send + 'static,
) -> RemoteTask<T> {
    run_coroutine_threadsafe(&event_loop.remote(), make).unwrap()
}

#[test]
fn an_err_is_a_value() {
    let event_loop = simulated();
    let task = send_here(&event_loop, async || Err::<(), _>(io::Error::other("no")));
    run_until_done(&event_loop, &task);
    assert_eq!(task.result(None).unwrap().unwrap_err().to_string(), "no");
}

#[test]
fn a_panic_is_carried_and_so_is_one_of_the_function_that_makes_the_future() {
    let other = OtherLoop::start();
    let task = send(&other.remote, async || panic!("no luck"));
    let early = send(&other.remote, || {
        assert!(thread::current().name().is_some(), "too early");
        async {}
    });
    for (task, message) in [(&task, "no luck"), (&early, "too early")] {
        let Err(RemoteTaskError::Panicked(panic)) = task.result(None) else { panic!() };
        assert_eq!(panic.message(), message);
        assert!(matches!(task.result(None), Err(RemoteTaskError::Panicked(_))), "it stays");
    }
    other.end();
}

#[test]
fn a_timeout_leaves_the_task_alone() {
    let other = OtherLoop::start();
    let (sender, receiver) = futures_channel::oneshot::channel();
    let task = send(&other.remote, async || receiver.await.unwrap());
    let error = task.result(Duration::from_millis(1)).unwrap_err();
    assert!(matches!(error, RemoteTaskError::TimedOut));
    assert!(matches!(task.result(Duration::ZERO), Err(RemoteTaskError::TimedOut)));
    assert!(!task.done());
    sender.send(5).unwrap();
    assert_eq!(task.result(Duration::MAX).unwrap(), 5);
    other.end();
}

#[test]
fn a_closed_loop_refuses_and_drops_what_was_sent() {
    let event_loop = simulated();
    let remote = event_loop.remote();
    drop(event_loop);
    let held = Arc::new(());
    let sent = held.clone();
    let refused = run_coroutine_threadsafe(&remote, async move || drop(sent)).unwrap_err();
    assert_eq!(refused.to_string(), "the event loop is closed");
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn who_blocks_hears_of_the_end_of_the_loop_before_and_in_the_task() {
    for turns in 0..3 {
        let event_loop = simulated();
        let held = Arc::new(());
        let sent = held.clone();
        let task = Arc::new(send_here(&event_loop, async move || {
            let _sent = sent;
            pending::<()>().await;
        }));
        for _ in 0..turns {
            turn(&event_loop);
        }
        let blocked = task.clone();
        let thread = thread::spawn(move || blocked.result(None));
        drop(event_loop);
        let error = thread.join().unwrap().unwrap_err();
        assert!(matches!(error, RemoteTaskError::Closed), "{turns}: {error}");
        assert!(!task.cancelled() && !task.cancel());
        assert_eq!(Arc::strong_count(&held), 1);
    }
}

#[test]
fn a_value_that_was_there_before_the_loop_was_closed_is_not_lost() {
    let event_loop = simulated();
    let task = send_here(&event_loop, async || 7);
    // Two turns: the function is called, and the task runs. Its done callback has no turn.
    turn(&event_loop);
    turn(&event_loop);
    assert!(!task.done() && event_loop.all_tasks().is_empty());
    event_loop.close().unwrap();
    assert_eq!(task.result(None).unwrap(), 7);
}

#[test]
fn no_thread_hangs_whenever_the_loop_is_closed() {
    for _ in 0..200 {
        let event_loop = EventLoop::new().unwrap();
        let remote = event_loop.remote();
        let thread =
            thread::spawn(move || match run_coroutine_threadsafe(&remote, pending::<()>) {
                Ok(task) => matches!(task.result(None), Err(RemoteTaskError::Closed)),
                Err(closed) => closed.to_string() == "the event loop is closed",
            });
        turn(&event_loop);
        drop(event_loop);
        assert!(thread.join().unwrap());
    }
}

#[test]
fn blocking_the_loops_own_thread_is_an_error_and_no_deadlock() {
    let event_loop = simulated();
    let task = send_here(&event_loop, async || 1);
    for timeout in [None, Some(SECOND)] {
        let error = task.result(timeout).unwrap_err();
        assert!(matches!(error, RemoteTaskError::OwnThread));
    }
    event_loop
        .run_until_complete(async move {
            let error = task.result(None).unwrap_err();
            assert!(matches!(error, RemoteTaskError::OwnThread));
            assert_eq!(task.await.unwrap(), 1, "awaiting it is fine");
        })
        .unwrap();
}

#[test]
fn a_task_that_is_cancelled_before_its_loop_begins_with_it_never_runs() {
    let event_loop = simulated();
    let held = Arc::new(());
    let sent = held.clone();
    let task = send_here(&event_loop, move || {
        drop(sent);
        panic!("called");
        #[allow(unreachable_code)]
        pending::<()>()
    });
    assert!(task.cancel_msg("never mind"));
    assert_eq!(Arc::strong_count(&held), 1, "what it holds is released at once");
    assert!(task.done() && task.cancelled() && !task.cancel());
    turn(&event_loop);
    assert_eq!(cancellation(task.result(None)), "cancelled: never mind");
}

#[test]
fn a_running_task_is_cancelled_from_another_thread() {
    let other = OtherLoop::start();
    let (sender, receiver) = mpsc::channel();
    let task = send(&other.remote, async move || {
        sender.send(()).unwrap();
        pending::<()>().await;
    });
    receiver.recv().unwrap();
    assert!(task.cancel_msg("enough"));
    assert_eq!(cancellation(task.result(None)), "cancelled: enough");
    assert!(task.cancelled());
    other.end();
}

#[test]
fn a_cancellation_is_a_request_and_what_the_task_makes_of_it_is_its_result() {
    let event_loop = simulated();
    let task = send_here(&event_loop, async || {
        let error = catch_cancelled(pending::<()>()).await.unwrap_err();
        sleep(SECOND).await;
        error.to_string()
    });
    turn(&event_loop);
    turn(&event_loop);
    assert!(task.cancel_msg("stop"));
    assert!(!task.done(), "it cleans up");
    event_loop.run_until_complete(sleep(SECOND * 2)).unwrap();
    assert_eq!(task.result(None).unwrap(), "cancelled: stop");
    assert!(!task.cancelled());
}

#[test]
fn a_cancellation_while_the_future_is_made_arrives_before_the_first_step() {
    let event_loop = simulated();
    let (begin, begun) = mpsc::channel();
    let (cancel, cancelled) = mpsc::channel();
    let task = send_here(&event_loop, move || {
        begin.send(()).unwrap();
        cancelled.recv().unwrap();
        async { unreachable!("the task has run") }
    });
    let thread = thread::spawn(move || {
        begun.recv().unwrap();
        assert!(task.cancel());
        cancel.send(()).unwrap();
        task
    });
    turn(&event_loop);
    let task = thread.join().unwrap();
    run_until_done(&event_loop, &task);
    assert!(task.cancelled());
}

#[test]
fn dropping_the_handle_lets_the_task_run_on() {
    let event_loop = simulated();
    let (sender, receiver) = mpsc::channel();
    send_here(&event_loop, async move || {
        yield_now().await;
        sender.send(7).unwrap();
    })
    .detach();
    for _ in 0..3 {
        turn(&event_loop);
    }
    assert_eq!(receiver.try_recv(), Ok(7));
}

#[test]
fn a_failure_that_nobody_looks_at_is_reported_and_one_that_somebody_looked_at_is_not() {
    let event_loop = simulated();
    let log = Log::default();
    let reports = log.clone();
    let handler = move |context: &ronde_loop::ExceptionContext| reports.push(context);
    event_loop.set_exception_handler(Some(Rc::new(handler)));
    send_here(&event_loop, async || panic!("unseen")).detach();
    send_here(&event_loop, async || Err::<(), _>("unseen")).detach();
    let seen = send_here(&event_loop, async || Err::<(), _>("seen"));
    run_until_done(&event_loop, &seen);
    seen.result(None).unwrap().unwrap_err();
    drop(seen);
    assert_eq!(
        log.take(),
        [
            "the failure of task 'Task-1' was never looked at: panicked: unseen",
            "the failure of task 'Task-2' was never looked at: returned the Err of \
             core::result::Result<(), &str>",
        ]
    );
}

#[test]
fn done_callbacks_are_called_in_order_whatever_the_others_do() {
    let event_loop = simulated();
    let log = Log::default();
    let reports = log.clone();
    let handler = move |context: &ronde_loop::ExceptionContext| reports.push(context);
    event_loop.set_exception_handler(Some(Rc::new(handler)));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let task = send_here(&event_loop, async || 3);
    let push = |name: &'static str| {
        let seen = seen.clone();
        move |task: &RemoteTask<i32>| {
            assert!(task.done(), "no lock is held");
            seen.lock().unwrap().push((name, task.result(None).ok()));
        }
    };
    task.add_done_callback(push("first"));
    task.add_done_callback(|_| panic!("oh"));
    task.add_done_callback(push("third"));
    run_until_done(&event_loop, &task);
    task.add_done_callback(push("late"));
    assert_eq!(*seen.lock().unwrap(), [("first", Some(3)), ("third", None), ("late", None)]);
    assert_eq!(log.take(), ["a done callback failed: panicked: oh"]);
}

#[test]
fn another_loop_awaits_it() {
    let other = OtherLoop::start();
    let remote = other.remote.clone();
    // The time of a loop that awaits another one stands still: the limit is never up.
    let sum = simulated().run_until_complete(async move {
        let one = send(&remote, async || 1);
        let two = send(&remote, async || {
            sleep(Duration::from_millis(1)).await;
            2
        });
        timeout(SECOND, async { two.await.unwrap() + one.await.unwrap() }).await
    });
    assert_eq!(sum.unwrap().unwrap(), 3);
    other.end();
}

#[test]
fn a_foreign_executor_on_any_thread_awaits_it() {
    let other = OtherLoop::start();
    let task = send(&other.remote, async || 4);
    let (by_reference, by_value) = ((&task).into_future(), task.into_future());
    let thread = thread::spawn(move || futures_lite::future::block_on(by_value));
    let mut outcomes = [thread.join().unwrap(), futures_lite::future::block_on(by_reference)];
    outcomes.sort_by_key(Result::is_err);
    let [Ok(4), Err(RemoteTaskError::Taken)] = outcomes else { panic!("{outcomes:?}") };
    other.end();
}

#[test]
fn cancelling_the_task_that_awaits_it_cancels_it_and_loses_nothing_that_is_awaited_by_reference() {
    let event_loop = simulated();
    let task = Arc::new(send_here(&event_loop, async || {
        catch_cancelled(pending::<()>()).await.unwrap_err();
        yield_now().await;
        "cleaned up"
    }));
    let awaited = task.clone();
    let waiting = event_loop.create_task(async move { (&*awaited).await.unwrap() });
    turn(&event_loop);
    turn(&event_loop);
    assert!(format!("{waiting:?}").contains("wait_for=a task that was sent to a loop"));
    waiting.cancel();
    turn(&event_loop);
    assert!(waiting.cancelled() && !task.done(), "the wait is over at once");
    run_until_done(&event_loop, &task);
    assert_eq!(task.result(None).unwrap(), "cleaned up");
}

#[test]
fn dropping_the_await_or_polling_it_during_a_cancellation_elsewhere_cancels_nothing() {
    let event_loop = simulated();
    let task = send_here(&event_loop, async || {
        sleep(SECOND * 3).await;
        7
    });
    let value = event_loop.run_until_complete(async {
        let mut first = (&task).into_future();
        futures_lite::future::poll_once(&mut first).await;
        drop(first);
        // A limit that is up in a sibling branch is none of its business.
        let limited = timeout(SECOND, pending::<()>());
        let (limit, value) = futures_lite::future::zip(limited, task.into_future()).await;
        assert!(limit.is_err());
        value.unwrap()
    });
    assert_eq!(value.unwrap(), 7);
}

#[test]
fn a_handle_says_how_the_task_is() {
    let event_loop = simulated();
    let task = send_here(&event_loop, async || ());
    let cancelled = send_here(&event_loop, async || ());
    cancelled.cancel();
    assert_eq!(format!("{cancelled:?}"), "<RemoteTask cancelled>");
    assert_eq!(format!("{task:?}"), "<RemoteTask queued>");
    turn(&event_loop);
    assert_eq!(format!("{task:?}"), "<RemoteTask running>");
    run_until_done(&event_loop, &task);
    assert_eq!(format!("{:?}", task.into_future()), "<JoinRemote finished>");
}

#[test]
fn a_task_that_nothing_will_ever_wake_is_a_deadlock_of_its_own_loop() {
    let event_loop = simulated();
    let task = send_here(&event_loop, pending::<()>);
    let error = event_loop.run_until_complete(task.into_future()).unwrap_err();
    let RunError::Deadlock(deadlock) = error else { panic!("{error}") };
    assert!(deadlock.to_string().contains("waits for a task that was sent to a loop"));
}

#[test]
fn the_errors_say_what_was_being_done() {
    let cancelled = RemoteTaskError::Cancelled(ronde_context::CancelledError::new("why"));
    assert!(cancelled.is_cancelled());
    let texts = [
        (cancelled, "the task on the other loop was cancelled: why"),
        (RemoteTaskError::Closed, "the event loop was closed before the task was done"),
        (RemoteTaskError::TimedOut, "timed out waiting for a task on another loop"),
        (RemoteTaskError::OwnThread, "blocking the event loop's own thread until its task is done"),
        (RemoteTaskError::Taken, "the value of the task was moved out before"),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
    assert_eq!(io::Error::from(RemoteTaskError::TimedOut).kind(), io::ErrorKind::TimedOut);
    assert_eq!(io::Error::from(RemoteTaskError::Closed).kind(), io::ErrorKind::Other);
}
