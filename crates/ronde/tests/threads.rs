//! `to_thread`: blocking work beside the loop.

use ronde::low_level::{Job, JobExecutor, SubmitError};
use ronde::{
    CancelledError, JobError, catch_cancelled, create_task, gather_all, get_running_loop,
    to_thread, to_thread_with_token, yield_now,
};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::Poll;
use std::thread;

#[ronde::test(simulated)]
async fn the_function_runs_on_another_thread() {
    let there = to_thread(|| thread::current().id()).await.unwrap();
    assert_ne!(there, thread::current().id());
}

#[ronde::test]
async fn several_run_at_once_and_the_loop_goes_on_meanwhile() {
    let squares = gather_all((0..4).map(|n| to_thread(move || n * n))).await.unwrap();
    let squares: Vec<i32> = squares.into_iter().map(Result::unwrap).collect();
    assert_eq!(squares, [0, 1, 4, 9]);
}

#[ronde::test(simulated)]
async fn a_panic_comes_back_as_an_error() {
    let outcome: Result<(), _> = to_thread(|| panic!("no luck")).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, JobError::Panicked(_)));
    assert_eq!(error.to_string(), "the job panicked: no luck");
}

#[ronde::test(simulated)]
async fn after_the_shutdown_of_the_executor_it_is_an_error() {
    get_running_loop().unwrap().shutdown_default_executor(None).await.unwrap();
    let error = to_thread(|| ()).await.unwrap_err();
    assert!(matches!(error, JobError::Submit(_)));
}

#[ronde::test(simulated)]
async fn a_task_that_is_cancelled_before_it_begins_never_calls_the_function() {
    let task = create_task(to_thread(|| unreachable!()));
    task.cancel();
    assert!(task.await.map(|_: Result<(), _>| ()).unwrap_err().is_cancelled());
}

#[ronde::test(simulated)]
async fn beside_a_cancellation_that_is_being_raised_nothing_is_submitted() {
    /// Fails when it gets a job.
    #[derive(Debug)]
    struct Unused;
    impl JobExecutor for Unused {
        fn submit(&self, _: Job) -> Result<(), SubmitError> {
            panic!("a job was submitted");
        }
    }
    get_running_loop().unwrap().set_default_executor(Rc::new(Unused));
    let outcome = catch_cancelled(async {
        let mut raise = pin!(CancelledError::default().raise::<()>());
        let mut job = pin!(to_thread(|| ()));
        // Two branches of one task. The first raises, the second is polled for the first time.
        poll_fn(|cx| {
            assert!(raise.as_mut().poll(cx).is_pending());
            assert!(job.as_mut().poll(cx).is_pending());
            Poll::<()>::Pending
        })
        .await;
    });
    assert!(outcome.await.is_err());
}

#[ronde::test(simulated)]
async fn a_function_that_has_begun_runs_on_when_the_task_is_cancelled() {
    let (release, released) = mpsc::channel::<()>();
    let (done, is_done) = mpsc::channel();
    let (begun, begins) = mpsc::channel();
    let task = create_task(to_thread(move || {
        begun.send(()).unwrap();
        released.recv().unwrap();
        done.send("ran on").unwrap();
    }));
    yield_now().await;
    begins.recv().unwrap();
    task.cancel();
    assert!(task.await.unwrap_err().is_cancelled());
    release.send(()).unwrap();
    assert_eq!(is_done.recv(), Ok("ran on"));
}

#[ronde::test(simulated)]
async fn a_function_with_a_token_learns_that_its_task_was_cancelled() {
    let (begun, begins) = mpsc::channel();
    let (ended, ends) = mpsc::channel();
    let task = create_task(to_thread_with_token(move |token| {
        begun.send(token.is_cancelled()).unwrap();
        while !token.is_cancelled() {
            thread::yield_now();
        }
        ended.send("noticed").unwrap();
    }));
    yield_now().await;
    assert_eq!(begins.recv(), Ok(false));
    task.cancel();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(ends.recv(), Ok("noticed"));
}

#[ronde::test(simulated)]
async fn a_function_with_a_token_that_nobody_cancels_returns_its_result() {
    assert!(!to_thread_with_token(|token| token.is_cancelled()).await.unwrap());
    let panics = to_thread_with_token(|_| panic!("no luck"));
    let outcome: Result<(), _> = panics.await;
    assert!(matches!(outcome, Err(JobError::Panicked(_))));
}

#[ronde::test(simulated)]
async fn a_function_with_a_token_that_is_cancelled_before_it_begins_is_never_called() {
    let task = create_task(to_thread_with_token(|_| unreachable!()));
    task.cancel();
    assert!(task.await.map(|_: Result<(), _>| ()).unwrap_err().is_cancelled());
}
