//! Promises: results that somebody sets by hand.

mod common;

use common::{Log, SECOND, log_reports, run};
use ronde::{InvalidStateError, Promise, TaskError, create_task, get_running_loop, yield_now};

#[test]
fn everybody_who_waits_gets_the_result_in_order() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let promise = Promise::new();
            for name in ["a", "b"] {
                let (log, promise) = (log.clone(), promise.clone());
                create_task(async move {
                    let value: i32 = (&promise).await.unwrap();
                    log.push(format!("{name} {value}"));
                })
                .detach();
            }
            let setter = promise.clone();
            get_running_loop().unwrap().call_later(SECOND, move || setter.set_result(7).unwrap());
            assert_eq!((&promise).await.unwrap(), 7);
            yield_now().await;
        }
    });
    assert_eq!(log.take(), ["a 7", "b 7"]);
}

#[test]
fn a_result_is_set_once_and_a_second_one_comes_back() {
    run(async {
        let promise = Promise::new();
        assert!(matches!(
            promise.result(),
            Err(TaskError::InvalidState(InvalidStateError::Pending))
        ));
        promise.set_result("first").unwrap();
        assert_eq!(promise.set_result("second").unwrap_err().value, "second");
        assert!(!promise.cancel());
        assert_eq!(promise.result().unwrap(), "first");
    });
}

#[test]
fn cancelling_a_task_that_waits_cancels_the_promise_for_all() {
    run(async {
        let promise = Promise::<()>::new();
        let first = create_task({
            let promise = promise.clone();
            async move { promise.await.is_ok() }
        });
        let second = create_task({
            let promise = promise.clone();
            async move { promise.await.unwrap_err().is_cancelled() }
        });
        yield_now().await;
        first.cancel();
        assert!(second.await.unwrap());
        assert!(first.cancelled() && promise.cancelled());
    });
}

#[test]
fn a_failure_that_nobody_looks_at_is_reported() {
    let (log, _) = run(async {
        let log = log_reports();
        Promise::<Result<(), &str>>::new().set_exception("unseen").unwrap();
        let seen = Promise::<Result<(), &str>>::new();
        seen.set_exception("seen").unwrap();
        assert!(seen.await.unwrap().is_err());
        log
    });
    assert_eq!(log.take().len(), 1);
}
