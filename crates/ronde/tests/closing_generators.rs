//! Closing async generators: by hand, by the loop when they are dropped, and at the end of a run.

mod common;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use common::generators::numbers;
use common::{Log, SECOND, after, log_reports, run, runner};
use futures_lite::future::{block_on, poll_once};
use ronde::{
    AsyncGenerator, catch_cancelled, create_task, current_task, generator, get_running_loop, sleep,
    task_group, timeout, yield_now,
};

#[test]
fn a_generator_inside_a_generator_works_and_closes_with_it() {
    let log = Log::default();
    let (first, _) = run({
        let log = log.clone();
        async move {
            let inner = numbers(&log);
            let mut outer = generator(async move |y| {
                let mut inner = inner;
                while let Some(number) = inner.next().await {
                    y.yield_(number * 10).await;
                }
            });
            let first = (outer.next().await, outer.next().await);
            outer.aclose().await.unwrap();
            first
        }
    });
    assert_eq!(first, (Some(10), Some(20)));
    // The inner one was dropped while it was open, so the loop closed it.
    assert_eq!(log.take(), ["after 1", "clean-up after Close", "cleaned up"]);
}

#[test]
fn closing_what_has_not_started_or_has_ended_does_nothing() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let dropped = log.on_drop("dropped");
            let mut new = generator(async move |y| {
                let _dropped = dropped;
                y.yield_(1).await;
            });
            new.aclose().await.unwrap();
            log.push("closed");
            assert_eq!(new.next().await, None);
            new.aclose().await.unwrap();

            let mut ended = generator(async |y| y.yield_(1).await);
            assert_eq!(ended.next().await, Some(1));
            assert_eq!(ended.next().await, None);
            ended.aclose().await.unwrap();
        }
    });
    assert_eq!(log.take(), ["dropped", "closed"]);
}

#[test]
fn closing_raises_at_the_yield_and_waits_for_the_clean_up() {
    let log = Log::default();
    let ((), seconds) = run({
        let log = log.clone();
        async move {
            let mut numbers = numbers(&log);
            assert_eq!(numbers.next().await, Some(1));
            assert_eq!(numbers.next().await, Some(2));
            numbers.aclose().await.unwrap();
            log.push("closed");
            assert_eq!(numbers.next().await, None);
        }
    });
    assert_eq!(log.take(), ["after 1", "clean-up after Close", "cleaned up", "closed"]);
    assert_eq!(seconds, 1);
}

#[test]
fn closing_outside_every_loop_works_too() {
    block_on(async {
        let log = Log::default();
        let inside = log.clone();
        let mut generator = generator(async move |y| {
            let closed = catch_cancelled(y.yield_(1)).await.unwrap_err();
            futures_lite::future::yield_now().await;
            inside.push(format!("{:?}", closed.origin()));
        });
        assert_eq!(generator.next().await, Some(1));
        generator.aclose().await.unwrap();
        assert_eq!(log.take(), ["Close"]);
    });
}

#[test]
fn a_body_may_swallow_the_close_and_return() {
    run(async {
        let mut generator = generator(async |y| {
            let _ = catch_cancelled(y.yield_(1)).await;
        });
        assert_eq!(generator.next().await, Some(1));
        generator.aclose().await.unwrap();
        assert_eq!(current_task().unwrap().cancelling(), 0);
        yield_now().await; // Nothing is left that could be raised here.
    });
}

#[test]
fn a_generator_that_yields_while_it_is_being_closed_is_an_error_that_names_it() {
    run(async {
        let mut stubborn = generator(async |y| {
            loop {
                let _ = catch_cancelled(y.yield_(1)).await;
            }
        });
        assert_eq!(stubborn.next().await, Some(1));
        let error = stubborn.aclose().await.unwrap_err();
        assert_eq!(error.created_at, stubborn.created_at());
        let text = error.to_string();
        assert!(
            text.starts_with("the async generator created at crates/ronde/tests/closing"),
            "{text}"
        );
        assert!(text.ends_with("yielded while it was being closed"), "{text}");
        assert_eq!(stubborn.next().await, None);
        stubborn.aclose().await.unwrap();
    });
}

#[test]
fn a_close_that_the_body_puts_off_comes_at_its_next_await_and_to_nobody_else() {
    for then in ["awaits", "yields", "returns"] {
        let log = Log::default();
        let (later, _) = run({
            let log = log.clone();
            async move {
                let mut generator = generator(async move |y| {
                    let group = task_group(async |group| {
                        let _child = group.try_create_task(async {
                            let cancelled = catch_cancelled(sleep(9 * SECOND)).await;
                            Err::<(), _>(format!("failed, {}", cancelled.unwrap_err()))
                        });
                        y.yield_(1).await;
                    });
                    // The group has its failure to tell, and leaves the close for later.
                    log.push(group.await.unwrap_err().failures().len());
                    match then {
                        "awaits" => sleep(SECOND).await,
                        "yields" => y.yield_(2).await,
                        _ => return,
                    }
                    log.push("not reached");
                });
                generator.next().await;
                yield_now().await;
                generator.aclose().await.unwrap();
                assert_eq!(generator.next().await, None);
                catch_cancelled(yield_now()).await
            }
        });
        assert_eq!(log.take(), ["1"], "the body {then}");
        assert_eq!(later, Ok(()), "the body {then}");
    }
}

#[test]
fn a_close_that_arrives_in_a_close_inside_the_body_is_not_taken_for_that_one() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let mut outer = generator({
                let log = log.clone();
                async move |y| {
                    let mut inner = numbers(&log);
                    inner.next().await;
                    y.yield_(1).await;
                    inner.aclose().await.unwrap();
                    log.push("not reached");
                }
            });
            outer.next().await;
            assert!(poll_once(outer.next()).await.is_none(), "in the inner one's clean-up");
            outer.aclose().await.unwrap();
        }
    });
    assert_eq!(log.take(), ["clean-up after Close"]);
}

#[test]
fn thousands_of_generators_are_closed_in_no_time() {
    const MANY: usize = 20_000;
    let open = Rc::new(Cell::new(0));
    let begun = Instant::now();
    run({
        let open = open.clone();
        async move {
            let mut generators = Vec::new();
            for _ in 0..MANY {
                let open = open.clone();
                let mut generator = generator(async move |y| {
                    open.set(open.get() + 1);
                    let close = catch_cancelled(y.yield_(())).await.unwrap_err();
                    yield_now().await;
                    open.set(open.get() - 1);
                    close.raise().await
                });
                generator.next().await;
                generators.push(generator);
            }
            drop(generators);
            assert_eq!(open.get(), MANY);
        }
    });
    assert_eq!(open.get(), 0);
    // It was half a minute when each one looked at all others.
    assert!(begun.elapsed() < 5 * SECOND, "{:?}", begun.elapsed());
}

#[test]
fn a_time_limit_inside_the_body_passes_the_close_on() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let inside = log.clone();
            let mut limited = generator(async move |y| {
                let outcome = timeout(10 * SECOND, async { y.yield_(1).await }).await;
                inside.push(format!("not here: {outcome:?}"));
            });
            assert_eq!(limited.next().await, Some(1));
            limited.aclose().await.unwrap();
        }
    });
    assert!(log.take().is_empty());
}

#[test]
fn a_time_limit_inside_the_body_expires_at_the_yield() {
    let (outcome, _) = run(async {
        let mut limited = generator(async move |y| {
            let limited = timeout(SECOND, async {
                y.yield_("in time").await;
                y.yield_("late").await;
            });
            if limited.await.is_err() {
                y.yield_("expired").await;
            }
        });
        let first = limited.next().await;
        sleep(5 * SECOND).await;
        (first, limited.next().await, limited.next().await)
    });
    assert_eq!(outcome, (Some("in time"), Some("expired"), None));
}

#[test]
fn dropping_aclose_half_way_leaves_the_clean_up_where_it_is() {
    let log = Log::default();
    let ((), seconds) = run({
        let log = log.clone();
        async move {
            let mut numbers = numbers(&log);
            numbers.next().await;
            assert!(poll_once(numbers.aclose()).await.is_none());
            assert_eq!(log.take(), ["clean-up after Close"]);
            assert_eq!(numbers.next().await, None);
            numbers.aclose().await.unwrap();
            assert_eq!(log.take(), ["cleaned up"]);
        }
    });
    assert_eq!(seconds, 1);
}

// ---- Left open ----

#[test]
fn a_generator_dropped_while_it_is_open_is_closed_by_the_loop() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let mut numbers = numbers(&log);
            numbers.next().await;
            drop(numbers);
            log.push("dropped");
            sleep(2 * SECOND).await;
            log.push("later");
        }
    });
    assert_eq!(log.take(), ["dropped", "clean-up after Close", "cleaned up", "later"]);
}

#[test]
fn the_end_of_a_run_closes_what_is_open_in_order_and_waits_for_it() {
    let log = Log::default();
    let runner = runner();
    let kept = runner
        .run({
            let log = log.clone();
            async move {
                let mut kept = Vec::new();
                for (name, seconds) in [("first", 2), ("second", 1)] {
                    let log = log.clone();
                    let mut open = generator(async move |y| {
                        let _ = catch_cancelled(y.yield_(1)).await;
                        log.push(format!("{name} begins"));
                        after(seconds, ()).await;
                        log.push(format!("{name} ends in {}", current_task().unwrap().name()));
                    });
                    open.next().await;
                    kept.push(open);
                }
                kept
            }
        })
        .unwrap();
    assert!(log.take().is_empty());
    runner.close().unwrap();
    assert_eq!(
        log.take(),
        ["first begins", "second begins", "second ends in Task-4", "first ends in Task-3"]
    );
    for mut generator in kept {
        assert_eq!(block_on(generator.next()), None);
    }
}

#[test]
fn the_end_of_a_run_cancels_tasks_then_closes_generators_then_joins_the_executor() {
    let log = Log::default();
    let (allow, allowed) = std::sync::mpsc::channel();
    let job_done = Arc::new(AtomicBool::new(false));
    let main = {
        let (log, job_done) = (log.clone(), job_done.clone());
        async move {
            let mut open = {
                let log = log.clone();
                generator(async move |y| {
                    let _ = catch_cancelled(y.yield_(1)).await;
                    yield_now().await;
                    log.push("generator closed");
                    // If the executor were joined before, this would never come.
                    allow.send(()).unwrap();
                })
            };
            open.next().await;
            KEPT.with(|kept| kept.replace(Some(open)));
            create_task(async move {
                let _ = catch_cancelled(std::future::pending::<()>()).await;
                yield_now().await;
                log.push("task cleaned up");
            })
            .detach();
            let (begin, begun) = std::sync::mpsc::channel();
            let job = move || {
                begin.send(()).unwrap();
                allowed.recv().unwrap();
                job_done.store(true, Ordering::SeqCst);
            };
            let _job = get_running_loop().unwrap().run_in_executor(None, job).unwrap();
            yield_now().await;
            begun.recv().unwrap();
            panic!("main failed");
        }
    };
    assert!(catch_unwind(AssertUnwindSafe(|| ronde::run(main))).is_err());
    assert_eq!(log.take(), ["task cleaned up", "generator closed"]);
    assert!(job_done.load(Ordering::SeqCst), "the executor was not joined");
}

thread_local! {
    /// Outlives the run.
    static KEPT: RefCell<Option<AsyncGenerator<i32>>> = const { RefCell::new(None) };
}

#[test]
fn what_a_cancelled_task_leaves_open_is_closed_at_the_end_of_the_run() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            create_task(async move {
                let mut numbers = numbers(&log);
                numbers.next().await;
                std::future::pending::<()>().await;
            })
            .detach();
            yield_now().await;
        }
    });
    assert_eq!(log.take(), ["clean-up after Close", "cleaned up"]);
}

#[test]
fn failures_while_the_loop_closes_generators_are_reported() {
    let reports = Rc::new(RefCell::new(Log::default()));
    let runner = runner();
    let kept = runner
        .run({
            let reports = reports.clone();
            async move {
                reports.replace(log_reports());
                let mut panics = generator(async |y| {
                    let _ = catch_cancelled(y.yield_(1)).await;
                    panic!("in the clean-up");
                });
                let mut yields = generator(async |y| {
                    let _ = catch_cancelled(y.yield_(1)).await;
                    y.yield_(2).await;
                });
                panics.next().await;
                yields.next().await;
                (panics, yields)
            }
        })
        .unwrap();
    runner.close().unwrap();
    let reports = reports.borrow().take();
    assert_eq!(reports.len(), 2, "{reports:?}");
    let start = "closing an async generator failed: ";
    assert!(reports[0].starts_with(&format!("{start}panicked: in the clean-up")), "{reports:?}");
    assert!(
        reports[0].contains("(created at crates/ronde/tests/closing_generators.rs"),
        "{reports:?}"
    );
    assert!(
        reports[1].starts_with(&format!("{start}the async generator created at")),
        "{reports:?}"
    );
    drop(kept);
}

#[test]
fn shutdown_asyncgens_ends_an_iteration_that_is_under_way() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let inside = log.clone();
            let reader = create_task(async move {
                let mut forever = generator(async move |y| {
                    y.yield_(1).await;
                    let closed = catch_cancelled(std::future::pending::<()>()).await;
                    inside.push(format!("{:?}", closed.unwrap_err().origin()));
                    sleep(SECOND).await;
                });
                forever.next().await;
                forever.next().await
            });
            yield_now().await;
            let event_loop = get_running_loop().unwrap();
            assert!(event_loop.has_open_asyncgens());
            event_loop.shutdown_asyncgens().await;
            assert!(!event_loop.has_open_asyncgens());
            assert_eq!(reader.await.unwrap(), None);
        }
    });
    assert_eq!(log.take(), ["Close"]);
}

#[test]
fn cancelling_shutdown_asyncgens_cancels_the_closing() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let mut numbers = numbers(&log);
            numbers.next().await;
            let event_loop = get_running_loop().unwrap();
            let closing = create_task(async move { event_loop.shutdown_asyncgens().await });
            yield_now().await;
            yield_now().await;
            closing.cancel();
            assert!(closing.await.unwrap_err().is_cancelled());
            assert_eq!(numbers.next().await, None);
        }
    });
    assert_eq!(log.take(), ["clean-up after Close"]);
}

#[test]
fn dropping_shutdown_asyncgens_leaves_the_closing_to_the_next_call() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let mut numbers = numbers(&log);
            numbers.next().await;
            let event_loop = get_running_loop().unwrap();
            assert!(poll_once(event_loop.shutdown_asyncgens()).await.is_none());
            event_loop.shutdown_asyncgens().await;
            assert_eq!(log.take(), ["clean-up after Close", "cleaned up"]);
        }
    });
}

#[test]
fn a_closed_loop_just_drops_what_is_open() {
    let log = Log::default();
    let runner = runner();
    runner
        .run({
            let log = log.clone();
            async move {
                let numbers = numbers(&log);
                create_task(async move {
                    let mut numbers = numbers;
                    numbers.next().await;
                    std::future::pending::<()>().await;
                })
                .detach();
                yield_now().await;
            }
        })
        .unwrap();
    drop(runner);
    assert!(log.take().is_empty());
}

#[test]
fn the_close_passes_a_timeout_that_is_up() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let mut generator = generator(async move |y| {
                let limited = timeout(SECOND, async {
                    // It is up while this sleeps, and that is swallowed.
                    let _ = catch_cancelled(sleep(2 * SECOND)).await;
                    y.yield_(1).await;
                });
                log.push(limited.await.is_ok());
            });
            generator.next().await;
            generator.aclose().await.unwrap();
        }
    });
    assert!(log.take().is_empty(), "the body is over where it yields");
}
