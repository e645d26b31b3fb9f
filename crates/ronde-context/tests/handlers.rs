//! Handlers and raising, under any executor.

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

use futures_lite::FutureExt;
use futures_lite::future::{block_on, or, pending, poll_once, yield_now, zip};
use ronde_context::{CancelledError, catch_cancelled, is_cancelling};

fn raise(message: &'static str) -> impl Future<Output = ()> {
    CancelledError::new(message).raise()
}

fn message(outcome: Result<(), CancelledError>) -> String {
    outcome.unwrap_err().message().unwrap().to_string()
}

#[test]
fn a_body_that_returns_gives_its_value() {
    let value = catch_cancelled(async {
        yield_now().await;
        7
    });
    assert_eq!(block_on(value), Ok(7));
}

#[test]
fn raising_drops_the_frames_up_to_the_nearest_handler_inner_ones_first() {
    let log = RefCell::new(Vec::new());
    struct Frame<'a>(&'a RefCell<Vec<&'static str>>, &'static str);
    impl Drop for Frame<'_> {
        fn drop(&mut self) {
            assert!(is_cancelling());
            self.0.borrow_mut().push(self.1);
        }
    }
    block_on(async {
        let caught = catch_cancelled(async {
            let _outer = Frame(&log, "outer");
            async {
                let _inner = Frame(&log, "inner");
                raise("x").await;
            }
            .await;
            unreachable!();
        });
        assert_eq!(message(caught.await), "x");
        assert!(!is_cancelling());
    });
    assert_eq!(log.take(), ["inner", "outer"]);
}

#[test]
fn a_raise_goes_to_the_handler_around_it_and_from_there_to_the_next_in_the_same_poll() {
    let nested = catch_cancelled(async {
        let inner = catch_cancelled(raise("inner")).await.unwrap_err();
        assert_eq!(inner.message(), Some("inner"));
        raise("outer").await;
    });
    assert_eq!(message(block_on(poll_once(nested)).unwrap()), "outer");
}

#[test]
fn a_raise_passes_by_handlers_of_sibling_branches() {
    let nested = catch_cancelled(async {
        let sibling = catch_cancelled(pending::<()>());
        zip(raise("x"), async { assert!(sibling.await.is_err(), "it is not for this one") }).await;
    });
    assert_eq!(message(block_on(nested)), "x");
}

#[test]
fn a_handler_whose_body_returns_while_a_branch_of_it_raises_keeps_the_value() {
    let raced = catch_cancelled(or(raise("x"), async {}));
    assert!(block_on(raced).is_ok());
    assert!(!is_cancelling());
}

#[test]
fn raising_where_nobody_can_take_it_panics_and_says_why() {
    let panic = catch_unwind(|| block_on(raise("x"))).unwrap_err();
    let text = panic.downcast_ref::<&str>().unwrap();
    assert!(text.starts_with("a cancellation was raised outside"), "{text}");
}

#[test]
fn a_panic_that_overtakes_a_raise_leaves_nothing_armed() {
    block_on(async {
        let body = zip(raise("x"), async { assert!(!is_cancelling(), "oh") });
        let caught = AssertUnwindSafe(catch_cancelled(body)).catch_unwind();
        assert!(caught.await.is_err());
        assert!(!is_cancelling());
        assert_eq!(catch_cancelled(async { is_cancelling() }).await, Ok(false));
    });
}

#[test]
fn a_panic_in_a_destructor_that_runs_because_of_a_cancellation_leaves_nothing_armed() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("oh");
        }
    }
    block_on(async {
        let body = catch_cancelled(async {
            let _bomb = Bomb;
            raise("x").await;
        });
        assert!(AssertUnwindSafe(body).catch_unwind().await.is_err());
        assert!(!is_cancelling());
    });
}

#[test]
fn dropping_a_suspended_handler_drops_its_body_and_catches_nothing() {
    let mut handler: Pin<Box<dyn Future<Output = _>>> =
        Box::pin(catch_cancelled(async { catch_cancelled(pending::<()>()).await }));
    assert!(block_on(poll_once(&mut handler)).is_none());
    drop(handler);
    assert!(!is_cancelling());
}

#[test]
fn a_handler_that_was_moved_to_another_thread_does_not_take_what_is_raised_around_it() {
    // Handlers of different threads must not be taken for one another: make many here and there.
    let made_elsewhere = std::thread::spawn(|| {
        let mut handlers: Vec<_> =
            (0..4).map(|_| Box::pin(catch_cancelled(pending::<()>()))).collect();
        for handler in &mut handlers {
            assert!(block_on(poll_once(handler)).is_none());
        }
        handlers
    });
    let handlers = made_elsewhere.join().unwrap();
    for handler in handlers {
        let around = catch_cancelled(async {
            zip(raise("around"), async { assert!(handler.await.is_err(), "not for this one") })
                .await;
        });
        assert_eq!(message(block_on(around)), "around");
    }
}

#[test]
fn a_finished_handler_that_is_polled_again_panics() {
    block_on(async {
        let mut handler = std::pin::pin!(catch_cancelled(async {}));
        handler.as_mut().await.unwrap();
        let again = AssertUnwindSafe(handler.as_mut()).catch_unwind().await.unwrap_err();
        assert_eq!(*again.downcast::<&str>().unwrap(), "a finished future was polled again");
    });
}

#[test]
fn errors_compare_and_print_by_message_and_origin() {
    use ronde_context::Origin;
    let error = CancelledError::new("x").with_origin(Origin::Interrupt);
    assert_eq!(format!("{error:?}"), "CancelledError(\"x\", Interrupt)");
    assert_eq!(format!("{:?}", CancelledError::default()), "CancelledError()");
    assert_eq!(error, error.clone());
    assert_ne!(error, CancelledError::new("x"));
    assert_eq!(
        error.clone().without_message(),
        CancelledError::default().with_origin(error.origin())
    );
}
