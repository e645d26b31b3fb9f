//! Async generators: values, panics, cancellation. Their closing has a file of its own.

mod common;

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use common::generators::numbers;
use common::{Log, SECOND, run};
use futures_lite::FutureExt;
use futures_lite::future::block_on;
use ronde::{
    AsyncIterator, CancelledError, Origin, Yielder, catch_cancelled, create_task, current_task,
    gather, generator, sleep, timeout, try_generator, yield_now,
};

#[test]
fn a_generator_gives_what_its_body_yields() {
    let (seen, seconds) = run(async {
        let mut seen = Vec::new();
        let mut squares = generator(async |y| {
            for i in 0..4_u32 {
                sleep(SECOND).await;
                y.yield_(i * i).await;
            }
        });
        while let Some(square) = squares.next().await {
            seen.push(square);
        }
        assert_eq!(squares.next().await, None);
        squares.aclose().await.unwrap();
        seen
    });
    assert_eq!((seen, seconds), (vec![0, 1, 4, 9], 4));
}

#[test]
fn nothing_runs_before_the_first_next_or_between_two() {
    let log = Log::default();
    block_on(async {
        let inside = log.clone();
        let mut generator = generator(async move |y| {
            inside.push("start");
            y.yield_(1).await;
            inside.push("between");
            y.yield_(2).await;
        });
        assert!(log.take().is_empty());
        assert_eq!(generator.next().await, Some(1));
        assert_eq!(log.take(), ["start"]);
        assert_eq!(generator.next().await, Some(2));
        assert_eq!(log.take(), ["between"]);
        assert_eq!(generator.next().await, None);
    });
}

#[test]
fn the_body_runs_in_the_task_that_asks() {
    run(async {
        let names = Rc::new(RefCell::new(generator(async |y| {
            loop {
                let name = current_task().unwrap().name();
                y.yield_(name.to_string()).await;
            }
        })));
        for expected in ["first", "second"] {
            let names = names.clone();
            let ask = async move {
                let mut taken = names.replace(generator(async |_| {}));
                let name = taken.next().await;
                names.replace(taken);
                name
            };
            assert_eq!(create_task(ask).named(expected).await.unwrap().unwrap(), expected);
        }
    });
}

#[test]
fn functions_can_yield_on_behalf_of_the_body() {
    async fn count_down(y: &mut Yielder<u32>, from: u32) {
        if from > 0 {
            y.yield_(from).await;
            Box::pin(count_down(y, from - 1)).await;
        }
    }
    let (seen, _) = run(async {
        generator(async |y| {
            count_down(y, 3).await;
            count_down(y, 2).await;
        })
        .collect::<Vec<_>>()
        .await
    });
    assert_eq!(seen, [3, 2, 1, 2, 1]);
}

// ---- Panics ----

#[test]
fn a_panic_in_the_body_comes_out_of_next_and_ends_the_generator() {
    let (text, _) = run(async {
        let mut bad = generator(async |y| {
            y.yield_(1).await;
            panic!("no more");
        });
        assert_eq!(bad.next().await, Some(1));
        let panic = AssertUnwindSafe(bad.next()).catch_unwind().await.unwrap_err();
        assert_eq!(bad.next().await, None);
        bad.aclose().await.unwrap();
        *panic.downcast::<&str>().unwrap()
    });
    assert_eq!(text, "no more");
}

// ---- Cancellation ----

#[test]
fn a_cancellation_inside_next_is_raised_in_the_body_and_ends_it() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let inside = log.clone();
            let task = create_task(async move {
                let dropped = inside.on_drop("dropped");
                // The generator lives outside of the handler.
                let mut generator = generator(async move |y| {
                    let _dropped = dropped;
                    y.yield_(1).await;
                    sleep(9 * SECOND).await;
                    y.yield_(2).await;
                });
                assert_eq!(generator.next().await, Some(1));
                let error = catch_cancelled(generator.next()).await.unwrap_err();
                inside.push(format!("caught {error}"));
                assert_eq!(generator.next().await, None);
                generator.aclose().await.unwrap();
                7
            });
            yield_now().await;
            assert!(task.cancel_msg("enough"));
            assert_eq!(task.await.unwrap(), 7);
        }
    });
    assert_eq!(log.take(), ["dropped", "caught cancelled: enough"]);
}

#[test]
fn a_handler_in_the_body_may_clean_up_and_raise_again() {
    let log = Log::default();
    let ((), seconds) = run({
        let log = log.clone();
        async move {
            let inside = log.clone();
            let task = create_task(async move {
                let cleaning = inside.clone();
                let mut generator = generator(async move |y| {
                    y.yield_(1).await;
                    let cancelled = catch_cancelled(sleep(9 * SECOND)).await.unwrap_err();
                    sleep(SECOND).await;
                    cleaning.push("finally");
                    cancelled.raise().await
                });
                generator.next().await;
                generator.next().await;
            });
            yield_now().await;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
        }
    });
    assert_eq!((log.take(), seconds), (vec!["finally".to_string()], 1));
}

#[test]
fn a_handler_in_the_body_may_take_the_cancellation_and_yield() {
    let (seen, _) = run(async {
        let task = create_task(async {
            generator(async |y| {
                y.yield_(1).await;
                if catch_cancelled(sleep(9 * SECOND)).await.is_err() {
                    y.yield_(2).await;
                }
                y.yield_(3).await;
            })
            .collect::<Vec<_>>()
            .await
        });
        yield_now().await;
        task.cancel();
        task.await.unwrap()
    });
    assert_eq!(seen, [1, 2, 3]);
}

#[test]
fn a_cancellation_goes_through_to_the_task_that_the_body_awaits() {
    run(async {
        let child = create_task(std::future::pending::<()>());
        let reference = child.as_ref().clone();
        let task = create_task(async move {
            let mut generator = generator(async move |y| {
                let _ = child.await;
                y.yield_(1).await;
            });
            generator.next().await
        });
        yield_now().await;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(reference.cancelled());
    });
}

#[test]
fn between_two_values_a_cancellation_of_the_task_touches_nothing() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let inside = log.clone();
            let task = create_task(async move {
                let mut numbers = numbers(&inside);
                numbers.next().await;
                // A foreign future in the same handler must be dropped unpolled: the generator does
                // not count as a handler while it is suspended.
                let body = catch_cancelled(async {
                    numbers.next().await;
                    LogPolls(inside.clone()).await;
                });
                assert!(body.await.is_err());
                assert_eq!(numbers.next().await, Some(3));
                numbers.aclose().await.unwrap();
            });
            yield_now().await;
            task.cancel();
            task.await.unwrap();
        }
    });
    assert_eq!(log.take(), ["after 1", "polled", "after 2", "clean-up after Close", "cleaned up"]);
}

/// Logs each poll.
struct LogPolls(Log);

impl Future for LogPolls {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.0.push("polled");
        Poll::Pending
    }
}

#[test]
fn dropping_next_half_way_loses_nothing() {
    let (seen, seconds) = run(async {
        let mut slow = generator(async |y| {
            for i in 0..3 {
                y.yield_(i).await;
                sleep(2 * SECOND).await;
            }
        });
        let mut seen = Vec::new();
        loop {
            let tick = async {
                sleep(SECOND).await;
                None
            };
            let item = async { Some(slow.next().await) };
            match futures_lite::future::or(item, tick).await {
                Some(Some(item)) => seen.push(item),
                Some(None) => break seen,
                None => {}
            }
        }
    });
    assert_eq!((seen, seconds), (vec![0, 1, 2], 6));
}

#[test]
fn a_cancellation_that_drops_next_unpolled_ends_the_generator_all_the_same() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let task = create_task(async move {
                let dropped = log.on_drop("body dropped");
                let mut slow = generator(async move |y| {
                    let _dropped = dropped;
                    sleep(9 * SECOND).await;
                    y.yield_(1).await;
                });
                // Polls `next` once, as a combinator that polls only what was woken.
                let caught = {
                    let mut next = Box::pin(slow.next());
                    let mut first = true;
                    let once = std::future::poll_fn(move |cx| {
                        if std::mem::take(&mut first) {
                            assert!(next.as_mut().poll(cx).is_pending());
                        }
                        Poll::<()>::Pending
                    });
                    catch_cancelled(once).await
                };
                assert!(caught.is_err());
                assert_eq!(log.take(), ["body dropped"]);
                assert_eq!(slow.next().await, None);
            });
            yield_now().await;
            task.cancel();
            task.await.unwrap();
        }
    });
}

#[test]
fn a_cancellation_before_the_first_poll_of_next_leaves_the_body_where_it_is() {
    run(async {
        let task = create_task(async {
            let mut numbers = generator(async |y| {
                y.yield_(1).await;
                y.yield_(2).await;
            });
            assert_eq!(numbers.next().await, Some(1));
            // One branch waits; the other asks for the next value when the cancellation arrives.
            let mut asked = false;
            let waits = catch_cancelled(sleep(9 * SECOND));
            let asks = async {
                std::future::poll_fn(|_| {
                    if std::mem::replace(&mut asked, true) {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                })
                .await;
                numbers.next().await
            };
            let (item, slept) = futures_lite::future::zip(asks, waits).await;
            assert!(slept.is_err());
            item
        });
        yield_now().await;
        task.cancel();
        assert_eq!(task.await.unwrap(), Some(2));
    });
}

#[test]
fn a_time_limit_around_next_ends_the_generator() {
    run(async {
        let mut slow = generator(async |y| {
            sleep(9 * SECOND).await;
            y.yield_(1).await;
        });
        assert!(timeout(SECOND, slow.next()).await.is_err());
        assert_eq!(slow.next().await, None);
    });
}

#[test]
fn cancelling_aclose_is_raised_in_the_clean_up() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let inside = log.clone();
            let task = create_task(async move {
                let cleaning = inside.clone();
                let mut generator = generator(async move |y| {
                    let _ = catch_cancelled(y.yield_(1)).await;
                    let second = catch_cancelled(sleep(9 * SECOND)).await.unwrap_err();
                    cleaning.push(format!("{:?}", second.origin()));
                    second.raise().await
                });
                generator.next().await;
                let error = catch_cancelled(generator.aclose()).await.unwrap_err();
                inside.push(error);
                generator.aclose().await.unwrap();
            });
            yield_now().await;
            task.cancel_msg("now");
            task.await.unwrap();
        }
    });
    assert_eq!(log.take(), ["Request", "cancelled: now"]);
}

#[test]
fn a_foreign_cancellation_raised_in_the_body_goes_on_in_the_caller() {
    run(async {
        let mut generator = generator(async |y| {
            y.yield_(1).await;
            CancelledError::new("by hand").raise().await
        });
        assert_eq!(generator.next().await, Some(1));
        let error = catch_cancelled(generator.next()).await.unwrap_err();
        assert_eq!(error.message(), Some("by hand"));
        assert_eq!(generator.next().await, None);
    });
}

#[test]
fn generators_in_branches_of_one_task_each_get_their_cancellation() {
    let log = Log::default();
    run({
        let log = log.clone();
        async move {
            let inside = log.clone();
            let task = create_task(async move {
                let branch = |name: &'static str| {
                    let dropped = inside.on_drop(name);
                    async move {
                        let mut generator = generator(async move |y| {
                            let _dropped = dropped;
                            sleep(9 * SECOND).await;
                            y.yield_(1).await;
                        });
                        generator.next().await
                    }
                };
                futures_lite::future::zip(branch("left"), branch("right")).await
            });
            yield_now().await;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
        }
    });
    let mut dropped = log.take();
    dropped.sort();
    assert_eq!(dropped, ["left", "right"]);
}

// ---- As a stream, and more ----

#[test]
fn a_generator_is_a_stream() {
    let (sum, _) = run(async {
        let numbers = generator(async |y| {
            for i in 1..=4 {
                yield_now().await;
                y.yield_(i).await;
            }
        });
        let mut numbers = pin!(futures_lite::StreamExt::filter(numbers, |i| i % 2 == 0));
        let mut sum = 0;
        while let Some(i) = futures_lite::StreamExt::next(&mut numbers).await {
            sum += i;
        }
        sum
    });
    assert_eq!(sum, 6);
}

#[test]
fn yielding_in_a_combinator_works() {
    let (seen, _) = run(async {
        generator(async |y| {
            let ticks = sleep(SECOND);
            futures_lite::future::zip(ticks, async {
                y.yield_(1).await;
                y.yield_(2).await;
            })
            .await;
            // The loser of a race is never handed out.
            futures_lite::future::or(async {}, y.yield_(3)).await;
            futures_lite::future::or(y.yield_(4), async {}).await;
            y.yield_(5).await;
        })
        .collect::<Vec<_>>()
        .await
    });
    assert_eq!(seen, [1, 2, 5]);
}

#[test]
fn the_err_of_a_try_generator_is_its_last_value() {
    let (seen, _) = run(async {
        try_generator(async |y| {
            y.yield_(Ok(1)).await;
            let number: i32 = "x".parse()?;
            y.yield_(Ok(number)).await;
            Ok::<_, std::num::ParseIntError>(())
        })
        .map(|item| item.map_err(|error| error.to_string()))
        .collect::<Vec<_>>()
        .await
    });
    assert_eq!(seen, [Ok(1), Err("invalid digit found in string".into())]);
}

#[test]
fn debug_says_the_state_and_the_place() {
    run(async {
        let mut generator = generator(async |y| y.yield_(1).await);
        let text = format!("{generator:?}");
        assert!(text.starts_with("<AsyncGenerator not started, created at crates/"), "{text}");
        generator.next().await;
        assert!(format!("{generator:?}").starts_with("<AsyncGenerator suspended"));
        generator.next().await;
        assert!(format!("{generator:?}").starts_with("<AsyncGenerator finished"));
    });
    assert_eq!(format!("{:?}", Origin::Close), "Close");
}

#[test]
fn two_generators_interleave_in_two_tasks() {
    run(async {
        let doubled = async |from: u32| {
            generator(async move |y| {
                for i in from..from + 3 {
                    sleep(SECOND).await;
                    y.yield_(i).await;
                }
            })
            .collect::<Vec<_>>()
            .await
        };
        let (left, right) = gather((doubled(0), doubled(10))).await.unwrap();
        assert_eq!((left, right), (vec![0, 1, 2], vec![10, 11, 12]));
    });
}
