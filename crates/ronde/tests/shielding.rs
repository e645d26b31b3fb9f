//! `shield`: who waits can be cancelled, what is waited for runs on.

mod common;

use common::{Log, SECOND, after, log_reports, run};
use ronde::{TaskRef, catch_cancelled, create_task, shield, sleep, timeout, yield_now};

#[test]
fn without_a_cancellation_it_gives_the_result() {
    run(async {
        assert_eq!(shield(after(1, 7)).await.unwrap(), 7);
        let task = create_task(after(1, 8));
        assert_eq!(shield(&task).await.unwrap(), 8);
        // Done already.
        assert_eq!(shield(task).await.unwrap(), 8);
    });
}

#[test]
fn the_one_who_waits_is_cancelled_at_once_and_the_inner_task_runs_on() {
    let log = Log::default();
    let (_, seconds) = run({
        let log = log.clone();
        async move {
            let inner = create_task(after(3, "inner"));
            let target = TaskRef::from(&inner);
            let outer = create_task({
                let log = log.clone();
                async move {
                    let caught = catch_cancelled(shield(&inner)).await;
                    log.push(format!("cancelled: {}", caught.is_err()));
                    log.push(inner.await.unwrap());
                }
            });
            sleep(SECOND).await;
            outer.cancel();
            yield_now().await;
            assert!(!target.done() && target.cancelling() == 0);
            outer.await.unwrap();
        }
    });
    assert_eq!(log.take(), ["cancelled: true", "inner"]);
    assert_eq!(seconds, 3);
}

#[test]
fn a_time_limit_ends_the_wait_and_not_the_task() {
    run(async {
        let task = create_task(after(2, 7));
        assert!(timeout(SECOND, shield(&task)).await.is_err());
        assert_eq!(task.await.unwrap(), 7);
    });
}

#[test]
fn an_inner_task_that_is_cancelled_is_an_error_and_the_outer_one_goes_on() {
    run(async {
        let inner = create_task(after(60, ()));
        let target = TaskRef::from(&inner);
        let outer = create_task(async move { shield(inner).await.unwrap_err().is_cancelled() });
        yield_now().await;
        target.cancel();
        assert!(outer.await.unwrap());
    });
}

#[test]
fn an_inner_failure_after_the_outer_cancellation_is_reported_once() {
    let (log, _) = run(async {
        let log = log_reports();
        let outer = create_task(async {
            let inner = async {
                sleep(2 * SECOND).await;
                panic!("unseen");
            };
            shield(inner).await
        });
        sleep(SECOND).await;
        outer.cancel();
        assert!(outer.await.map(|_: Result<(), _>| ()).unwrap_err().is_cancelled());
        assert!(log.take().is_empty());
        sleep(2 * SECOND).await;
        log
    });
    let reports = log.take();
    assert_eq!(reports.len(), 1, "{reports:#?}");
    assert!(reports[0].contains("panicked: unseen"), "{reports:#?}");
}

#[test]
fn a_shield_that_is_kept_can_be_asked_and_cancelled_by_itself() {
    run(async {
        let task = create_task(after(1, 7)).named("inner");
        let mut shielded = shield(&task);
        assert!(!shielded.done() && !shielded.cancelled());
        assert!(format!("{shielded:?}").starts_with("<Shield pending child=<Task pending "));
        assert_eq!(&*shielded.child().task().unwrap().name(), "inner");

        assert!(shielded.cancel());
        assert!(!shielded.cancel());
        assert!(shielded.done() && shielded.cancelled());
        assert_eq!(format!("{shielded:?}"), "<Shield cancelled>");
        assert!((&mut shielded).await.unwrap_err().is_cancelled());
        assert_eq!((&task).await.unwrap(), 7);

        let shielded = shield(&task);
        assert!(shielded.done() && !shielded.cancel() && !shielded.cancelled());
        assert!(format!("{shielded:?}").starts_with("<Shield finished child=<Task finished "));
        assert_eq!(shielded.await.unwrap(), 7);
    });
}

#[test]
fn who_waits_for_a_shield_that_is_cancelled_by_hand_is_not_cancelled_itself() {
    run(async {
        let task = create_task(after(2, 7));
        let shielded = std::rc::Rc::new(shield(&task));
        let other = shielded.clone();
        create_task(async move {
            sleep(SECOND).await;
            assert!(other.cancel());
        })
        .detach();
        sleep(2 * SECOND).await;
        let shielded = std::rc::Rc::try_unwrap(shielded).unwrap();
        assert!(shielded.await.unwrap_err().is_cancelled());
        assert_eq!(ronde::current_task().unwrap().cancelling(), 0);
        assert_eq!(task.await.unwrap(), 7);
    });
}
