//! Attempts that begin one after the other.

mod common;

use common::{Log, SECOND};
use ronde::{catch_cancelled, create_task, get_running_loop, sleep, staggered_race, yield_now};
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::rc::Rc;

type Attempt = Pin<Box<dyn Future<Output = Result<&'static str, String>>>>;

/// Attempts that note when they begin and when they are dropped. Each takes some seconds, and fails or
/// succeeds.
struct Course {
    log: Log,
    start: std::time::Instant,
}

impl Course {
    fn new() -> Rc<Self> {
        let start = get_running_loop().unwrap().time();
        Rc::new(Self { log: Log::default(), start })
    }

    fn note(&self, what: &str) {
        let now = get_running_loop().unwrap().time() - self.start;
        self.log.push(format!("{} {what}", now.as_secs()));
    }

    fn attempt(
        self: &Rc<Self>,
        name: &'static str,
        seconds: u32,
        succeeds: bool,
    ) -> impl FnOnce() -> Attempt + use<> {
        let course = self.clone();
        move || {
            course.note(name);
            let dropped = course.log.on_drop("dropped");
            Box::pin(async move {
                let _dropped = dropped;
                sleep(seconds * SECOND).await;
                if succeeds { Ok(name) } else { Err(format!("{name} failed")) }
            })
        }
    }
}

#[ronde::test(simulated)]
async fn each_has_a_head_start_and_the_first_that_succeeds_wins() {
    let course = Course::new();
    let attempts = [
        course.attempt("a", 60, true),
        course.attempt("b", 5, true),
        course.attempt("c", 60, true),
        course.attempt("d", 1, true),
    ];
    let won = staggered_race(attempts, 4 * SECOND).await.unwrap();
    assert_eq!((won.value, won.index, &*won.failures), ("b", 1, &[][..]));
    // `d` never began.
    assert_eq!(course.log.take(), ["0 a", "4 b", "8 c", "dropped", "dropped", "dropped"]);
}

#[ronde::test(simulated)]
async fn a_failure_starts_the_next_at_once() {
    let course = Course::new();
    let attempts = [
        course.attempt("a", 1, false),
        course.attempt("b", 1, false),
        course.attempt("c", 1, true),
    ];
    let won = staggered_race(attempts, 60 * SECOND).await.unwrap();
    assert_eq!((won.value, won.index), ("c", 2));
    assert_eq!(won.failures, [(0, "a failed".to_owned()), (1, "b failed".to_owned())]);
    assert_eq!(course.log.take(), ["0 a", "dropped", "1 b", "dropped", "2 c", "dropped"]);
}

#[ronde::test(simulated)]
async fn without_a_delay_the_next_waits_for_the_failure() {
    let course = Course::new();
    let attempts = [course.attempt("a", 100, false), course.attempt("b", 1, true)];
    assert_eq!(staggered_race(attempts, None).await.unwrap().index, 1);
    assert_eq!(course.log.take(), ["0 a", "dropped", "100 b", "dropped"]);
}

#[ronde::test(simulated)]
async fn if_all_fail_each_failure_is_told_in_order() {
    let course = Course::new();
    let attempts = [course.attempt("a", 9, false), course.attempt("b", 1, false)];
    let error = staggered_race(attempts, SECOND).await.unwrap_err();
    assert_eq!(error.failures, ["a failed", "b failed"]);
    assert_eq!(error.to_string(), "all 2 attempts failed: a failed; b failed");
    let one = staggered_race([course.attempt("c", 1, false)], None).await.unwrap_err();
    assert_eq!(one.to_string(), "c failed");
    let none: [fn() -> Attempt; 0] = [];
    let none = staggered_race(none, SECOND).await.unwrap_err();
    assert_eq!(none.to_string(), "there was nothing to attempt");
}

#[ronde::test(simulated)]
async fn dropped_while_it_is_pending_it_drops_what_runs_and_starts_no_more() {
    let course = Course::new();
    let attempts = [course.attempt("a", 60, true), course.attempt("b", 60, true)];
    {
        let mut race = pin!(staggered_race(attempts, SECOND));
        assert!(futures_lite::future::poll_once(race.as_mut()).await.is_none());
        let told = format!("{race:?}");
        assert_eq!(told, "StaggeredRace { started: 1, running: 1, failed: 0, .. }");
    }
    sleep(5 * SECOND).await;
    assert_eq!(course.log.take(), ["0 a", "dropped"]);
}

#[ronde::test(simulated)]
async fn a_cancellation_goes_to_the_attempts_and_starts_no_other() {
    let log = Log::default();
    let (lines, began) = (log.clone(), log.clone());
    let first = move || -> Attempt {
        Box::pin(async move {
            let error = catch_cancelled(pending::<()>()).await.unwrap_err();
            lines.push(format!("cleans up: {}", error.message().unwrap()));
            error.raise().await
        })
    };
    let second = move || -> Attempt {
        began.push("never");
        Box::pin(pending())
    };
    let attempts: [Box<dyn FnOnce() -> Attempt>; 2] = [Box::new(first), Box::new(second)];
    let task = create_task(staggered_race(attempts, 60 * SECOND));
    yield_now().await;
    task.cancel_msg("enough");
    let error = task.await.unwrap_err();
    assert!(error.is_cancelled());
    assert_eq!(log.take(), ["cleans up: enough"]);
}
