//! Scopes under any executor. Inside tasks they are tested where tasks are.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_lite::future::{block_on, or, pending, poll_once, yield_now, zip};
use ronde_context::{CancelScope, CancelledError, Origin, catch_cancelled, decline};

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn error(message: &str) -> CancelledError {
    CancelledError::new(message)
}

#[test]
fn a_cancelled_scope_wakes_its_body_once_and_ends_it() {
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut cx = Context::from_waker(&waker);
    let scope = CancelScope::new();
    let mut body = pin!(scope.run(pending::<()>()));
    assert!(body.as_mut().poll(&mut cx).is_pending());
    assert!(scope.cancel(&error("first")) && scope.cancel(&error("second")));
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    let Poll::Ready(Err(error)) = body.as_mut().poll(&mut cx) else { panic!() };
    assert_eq!((error.message(), error.origin()), (Some("first"), scope.origin()));
    assert!(scope.is_finished());
}

#[test]
fn a_scope_lets_its_waker_go_when_its_body_is_over() {
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let scope = CancelScope::new();
    {
        let mut body = pin!(scope.run(pending::<()>()));
        assert!(body.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    drop(waker);
    assert_eq!(Arc::strong_count(&wakes), 1);
    assert!(!scope.cancel(&error("late")));
}

#[test]
fn every_scope_has_an_origin_of_its_own_also_on_other_threads() {
    let scopes = [CancelScope::new(), CancelScope::default()];
    let elsewhere = std::thread::spawn(|| CancelScope::new().origin()).join().unwrap();
    let origins = [scopes[0].origin(), scopes[1].origin(), elsewhere];
    assert_eq!(origins[0], scopes[0].clone().origin());
    for (index, origin) in origins.iter().enumerate() {
        assert!(matches!(origin, Origin::Scope(_)));
        assert!(!origins[..index].contains(origin));
    }
}

#[test]
fn a_cancellation_of_the_outer_scope_passes_through_the_inner_one() {
    block_on(async {
        let (outer, inner) = (CancelScope::new(), CancelScope::new());
        let mut body = pin!(outer.run(inner.run(pending::<()>())));
        assert!(poll_once(body.as_mut()).await.is_none());
        outer.cancel(&error("outer"));
        assert_eq!(body.await.unwrap_err().message(), Some("outer"));
        assert!(inner.is_finished());
    });
}

#[test]
fn a_handler_inside_goes_first_and_may_clean_up() {
    block_on(async {
        let scope = CancelScope::new();
        let body = async {
            let error = catch_cancelled(pending::<()>()).await.unwrap_err();
            yield_now().await;
            error.raise::<()>().await;
        };
        let mut body = pin!(scope.run(body));
        assert!(poll_once(body.as_mut()).await.is_none());
        scope.cancel(&error("x"));
        assert!(poll_once(body.as_mut()).await.is_none(), "it cleans up");
        assert_eq!(body.await.unwrap_err().message(), Some("x"));
    });
}

#[test]
fn a_cancellation_that_a_finished_handler_gave_back_is_delivered_by_the_scope_later() {
    block_on(async {
        let scope = CancelScope::new();
        let body = async {
            // Ready in the very poll in which it is cancelled.
            let losing = async { drop(catch_cancelled(pending::<()>()).await) };
            let first = catch_cancelled(or(yield_now(), losing)).await;
            let second = catch_cancelled(pending::<()>()).await;
            (first.is_ok(), second.is_err())
        };
        let mut body = pin!(scope.run(body));
        assert!(poll_once(body.as_mut()).await.is_none());
        scope.cancel(&error("x"));
        assert_eq!(body.await.unwrap(), (true, true));
    });
}

#[test]
fn leaves_of_sibling_branches_decline_and_are_polled_again_under_any_executor() {
    block_on(async {
        let scope = CancelScope::new();
        let polls = Cell::new(0);
        let leaf = std::future::poll_fn(|cx| {
            polls.set(polls.get() + 1);
            match polls.get() {
                1 => Poll::Pending,
                _ if decline(cx) => Poll::Pending,
                _ => Poll::Ready(()),
            }
        });
        let handled = async { catch_cancelled(pending::<()>()).await.is_err() };
        let mut body = pin!(scope.run(zip(leaf, handled)));
        assert!(poll_once(body.as_mut()).await.is_none());
        scope.cancel(&error("x"));
        let ((), handled) = body.await.unwrap();
        assert!(handled);
        assert_eq!(polls.get(), 3);
    });
}

#[test]
fn the_text_of_a_scope_says_whether_it_was_asked_and_is_over() {
    let scope = CancelScope::new();
    assert_eq!(format!("{scope:?}"), "CancelScope { finished: false, requested: false, .. }");
    scope.cancel(&error("x"));
    assert_eq!(format!("{scope:?}"), "CancelScope { finished: false, requested: true, .. }");
    assert!(block_on(scope.run(async {})).is_err());
    assert_eq!(format!("{scope:?}"), "CancelScope { finished: true, requested: false, .. }");
}
