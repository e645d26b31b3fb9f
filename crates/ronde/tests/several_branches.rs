//! Scopes, groups and gatherings in several branches of one task, and other places where one cancellation
//! could be taken for another.

mod common;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use common::{SECOND, run};
use futures_lite::future::{pending, poll_once, zip};
use ronde::{
    CancelScope, CancelledError, Promise, catch_cancelled, create_task, current_task, gather,
    shield, sleep, timeout, try_task_group, yield_now,
};

#[test]
fn two_timeouts_side_by_side_with_one_deadline_both_time_out() {
    run(async {
        let t = create_task(async {
            zip(timeout(SECOND, pending::<()>()), timeout(SECOND, pending::<()>())).await
        });
        let r = t.await;
        assert!(r.is_ok(), "{r:?}");
    });
}

#[test]
fn a_timeout_beside_one_that_cleans_up_is_its_own_affair() {
    run(async {
        let t = create_task(async {
            zip(
                timeout(SECOND, async {
                    let c = catch_cancelled(pending::<()>()).await;
                    sleep(SECOND * 2).await;
                    c.unwrap_err().raise::<()>().await
                }),
                timeout(SECOND * 2, pending::<()>()),
            )
            .await
        });
        let r = t.await;
        assert!(r.is_ok(), "{r:?}");
    });
}

#[test]
fn a_cancellation_from_outside_is_not_lost_between_two_branches() {
    run(async {
        let me = create_task(async {
            zip(
                // A: cancelled at 1s, cleans up until 3s
                timeout(SECOND, async {
                    let c = catch_cancelled(pending::<()>()).await;
                    sleep(SECOND * 2).await;
                    c.unwrap_err().raise::<()>().await
                }),
                async {
                    sleep(SECOND * 2).await;
                    // B begins while A counts 1
                    timeout(SECOND * 3, async {
                        let _taken = catch_cancelled(pending::<()>()).await; // at 4 s, from outside
                        pending::<()>().await; // "cleans up" until the timeout at 5 s
                    })
                    .await
                },
            )
            .await
        });
        sleep(SECOND * 4).await;
        me.cancel();
        let r = me.await;
        assert!(r.as_ref().is_err_and(|e| e.is_cancelled()), "{r:?}");
    });
}

#[test]
fn a_group_beside_a_timeout_raises_its_failures() {
    run(async {
        let t = create_task(async {
            zip(
                try_task_group(async |g| {
                    g.create_task(async {
                        let c = catch_cancelled(pending::<()>()).await;
                        sleep(SECOND * 2).await;
                        c.unwrap_err().raise::<()>().await
                    });
                    g.create_task(async {
                        sleep(SECOND).await;
                        panic!("failed")
                    });
                    Ok::<(), std::io::Error>(())
                }),
                timeout(SECOND * 2, pending::<()>()),
            )
            .await
        });
        let r = t.await;
        assert!(r.is_ok(), "{r:?}");
    });
}

#[test]
fn a_deadline_does_not_overwrite_what_another_branch_has_raised() {
    run(async {
        let t = create_task(async {
            catch_cancelled(zip(
                async {
                    sleep(SECOND).await;
                    CancelledError::new("mine").raise::<()>().await
                },
                timeout(SECOND, pending::<()>()),
            ))
            .await
        });
        assert_eq!(t.await.unwrap().unwrap_err().message(), Some("mine"));
    });
}

#[test]
fn of_two_branches_that_raise_at_once_the_first_is_heard() {
    run(async {
        let t = create_task(async {
            catch_cancelled(zip(
                async { CancelledError::new("outer").raise::<()>().await },
                catch_cancelled(async { CancelledError::new("inner").raise::<()>().await }),
            ))
            .await
        });
        assert_eq!(t.await.unwrap().unwrap_err().message(), Some("outer"));
    });
}

#[test]
fn a_scope_that_is_cancelled_before_its_first_poll_counts_from_there_on() {
    run(async {
        let t = create_task(async {
            let me = current_task().unwrap();
            me.cancel();
            assert_eq!(me.cancelling(), 1);
            let scope = CancelScope::new();
            scope.cancel(&CancelledError::default());
            let r = scope.run(pending::<()>()).await;
            assert!(r.is_err());
            assert_eq!(me.cancelling(), 1);
            yield_now().await;
            "reached"
        });
        let r = t.await;
        assert!(r.as_ref().is_err_and(|e| e.is_cancelled()), "{r:?}");
    });
}

#[test]
fn a_scope_whose_body_has_moved_to_another_task_ends_only_what_is_its_own() {
    run(async {
        let scope = CancelScope::new();
        let s = scope.clone();
        let mut body = Box::pin(async move { s.run(pending::<()>()).await });
        let first = create_task(async move {
            assert!(poll_once(&mut body).await.is_none());
            (body,)
        });
        let (body,) = first.await.unwrap();
        let second = create_task(body);
        yield_now().await;
        second.cancel();
        scope.cancel(&CancelledError::new("scope"));
        let r = second.await;
        assert!(r.as_ref().is_err_and(|e| e.is_cancelled()), "{r:?}");
    });
}

#[test]
fn cancelling_a_group_keeps_the_cancellation_that_its_body_deals_with() {
    run(async {
        let handle = Rc::new(RefCell::new(None));
        let h2 = handle.clone();
        let t = create_task(async move {
            let r = try_task_group(async |g| {
                *h2.borrow_mut() = Some(g.clone());
                let c = catch_cancelled(pending::<()>()).await;
                sleep(SECOND * 5).await; // cleaning up
                c.unwrap_err().raise::<()>().await;
                Ok::<(), std::io::Error>(())
            })
            .await;
            yield_now().await;
            r.map_err(|e| e.to_string())
        });
        sleep(SECOND).await;
        t.cancel_msg("outside");
        sleep(SECOND).await;
        let g: ronde::TaskGroup = handle.borrow_mut().take().unwrap();
        g.cancel();
        let r = t.await;
        assert!(r.as_ref().is_err_and(|e| e.is_cancelled()), "{r:?}");
    });
}

#[test]
fn a_gathering_whose_children_are_done_refuses_to_be_cancelled() {
    run(async {
        let child = create_task(async { 7 });
        let g = gather([&child]);
        yield_now().await;
        assert!(child.done() && !g.done());
        assert!(!g.cancel());
        let r = g.await;
        assert!(r.is_ok(), "{r:?}");
    });
}

#[test]
fn so_does_one_that_is_a_promise() {
    run(async {
        let child = create_task(async { 7 });
        let g = gather([&child]).into_promise(|r| r.unwrap()[0]);
        yield_now().await;
        assert!(child.done() && !g.done());
        let accepted = g.cancel();
        let r = g.await;
        assert!(!accepted && r.is_ok(), "{accepted} {r:?}");
    });
}

#[test]
fn a_shield_that_is_a_promise_keeps_nothing_alive() {
    let n = Rc::new(());
    let held = n.clone();
    run(async move {
        let never = Promise::<i32>::new();
        let g = shield(never.clone()).into_promise(move |_| {
            let _held = &held;
        });
        drop(g);
        drop(never);
    });
    assert_eq!(Rc::strong_count(&n), 1);
}

#[test]
fn such_a_scope_takes_back_only_what_it_has_counted() {
    run(async {
        let t = create_task(async {
            let me = current_task().unwrap();
            let _ = catch_cancelled(pending::<()>()).await;
            let before = me.cancelling();
            let scope = CancelScope::new();
            scope.cancel(&CancelledError::default());
            let _ = scope.run(pending::<()>()).await;
            (before, me.cancelling())
        });
        yield_now().await;
        t.cancel();
        assert_eq!(t.await.unwrap(), (1, 1));
    });
}

#[test]
fn timeouts_side_by_side_in_a_timeout() {
    run(async {
        // inner timeout and sibling timeout, both inside an outer timeout
        let r = timeout(
            SECOND * 5,
            zip(timeout(SECOND, pending::<()>()), timeout(SECOND, pending::<()>())),
        )
        .await;
        assert_eq!(r, Ok((Err(Default::default()), Err(Default::default()))));
    });
}

#[test]
fn a_group_that_fails_leaves_the_clean_up_of_another_branch_alone() {
    let done = Rc::new(Cell::new(false));
    let d = done.clone();
    run(async move {
        let t = create_task(async move {
            let r = zip(
                try_task_group(async |g| {
                    g.create_task(async {
                        sleep(SECOND * 2).await;
                        panic!("failed")
                    });
                    Ok::<(), std::io::Error>(())
                }),
                timeout(SECOND, async {
                    let c = catch_cancelled(pending::<()>()).await;
                    sleep(SECOND * 3).await;
                    d.set(true);
                    c.unwrap_err().raise::<()>().await
                }),
            )
            .await;
            (r.0.is_err(), r.1.is_err())
        });
        assert_eq!(t.await.unwrap(), (true, true));
    });
    assert!(done.get(), "clean-up cut short, though nobody cancelled the task");
}

#[test]
fn a_task_that_waits_for_a_gathering_that_is_a_promise_is_cancelled() {
    run(async {
        let t = create_task(async {
            let both = gather((pending::<()>(), pending::<()>())).into_promise(|r| r);
            let _ = both.await;
            yield_now().await;
            "went on"
        });
        yield_now().await;
        t.cancel();
        let r = t.await;
        assert!(r.as_ref().is_err_and(|e| e.is_cancelled()), "{r:?}");
    });
}

#[test]
fn as_one_that_waits_for_a_gathering_is() {
    run(async {
        let t = create_task(async {
            let _ = gather((pending::<()>(), pending::<()>())).await;
            yield_now().await;
            "went on"
        });
        yield_now().await;
        t.cancel();
        let r = t.await;
        assert!(r.as_ref().is_err_and(|e| e.is_cancelled()), "{r:?}");
    });
}

#[test]
fn a_timeout_around_a_gathering_that_is_a_promise_times_out() {
    run(async {
        let r = timeout(SECOND, gather((pending::<()>(),)).into_promise(|r| r)).await;
        assert!(r.is_err(), "{r:?}");
    });
}
