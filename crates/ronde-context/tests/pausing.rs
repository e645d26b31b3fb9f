//! Handlers that outlive their surroundings: paused, polled elsewhere, and interrupted.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use ronde_context::executor::{Handler, Step, arm, enter, leave};
use ronde_context::{CancelledError, catch_cancelled, is_cancelling};

#[test]
fn a_paused_handler_does_not_count_as_a_live_one() {
    let mut cx = Context::from_waker(Waker::noop());
    let polls = Cell::new(0);
    let mut inner = Handler::boundary();
    let mut body = pin!(Some(pending::<()>()));
    let outer = catch_cancelled(poll_fn(|cx| {
        polls.set(polls.get() + 1);
        if polls.get() == 1 {
            assert!(matches!(inner.poll_body(body.as_mut(), cx), Step::Pending));
            inner.pause();
        }
        Poll::<()>::Pending
    }));
    let mut task = Handler::boundary();
    let mut coroutine = pin!(Some(outer));

    let previous = enter();
    assert!(matches!(task.poll_body(coroutine.as_mut(), &mut cx), Step::Pending));
    assert!(leave(previous, |_| ()).is_none());

    let previous = enter();
    arm(CancelledError::default());
    let step = task.poll_body(coroutine.as_mut(), &mut cx);
    assert!(leave(previous, |_| ()).is_none());
    assert!(matches!(step, Step::Returned(Err(_))));
    assert_eq!(polls.get(), 1, "with no live handler inside, the body is dropped unpolled");
}

#[test]
fn what_interrupts_a_body_goes_to_the_handler_inside_it() {
    let mut cx = Context::from_waker(Waker::noop());
    let mut handler = Handler::boundary();
    let mut body = pin!(Some(async {
        let error = catch_cancelled(pending::<()>()).await.unwrap_err();
        error.message().map(str::to_owned)
    }));
    assert!(matches!(handler.poll_body(body.as_mut(), &mut cx), Step::Pending));
    handler.pause();
    let step = handler.interrupt_body(body, CancelledError::new("over"), &mut cx);
    assert!(matches!(step, Step::Returned(Some(message)) if message == "over"));
}

#[test]
fn what_interrupts_a_body_stays_with_it() {
    let mut cx = Context::from_waker(Waker::noop());
    let mut handler = Handler::boundary();
    let done = Cell::new(false);
    // The handler inside is not polled again, and the body ends by itself.
    let mut body = pin!(Some(async {
        let mut inside = pin!(catch_cancelled(pending::<()>()));
        poll_fn(|cx| {
            if done.get() {
                return Poll::Ready(());
            }
            assert!(inside.as_mut().poll(cx).is_pending());
            Poll::Pending
        })
        .await;
    }));

    let previous = enter();
    assert!(matches!(handler.poll_body(body.as_mut(), &mut cx), Step::Pending));
    done.set(true);
    let step = handler.interrupt_body(body, CancelledError::new("over"), &mut cx);
    assert!(matches!(step, Step::Returned(())));
    assert!(!is_cancelling());
    let frame = leave(previous, |_| ());
    assert!(frame.is_none_or(|frame| frame.returned.is_none()));
}

#[test]
fn a_panic_in_an_interrupted_body_leaves_nothing_armed() {
    let mut cx = Context::from_waker(Waker::noop());
    let mut handler = Handler::boundary();
    let mut first = true;
    let mut inside = Box::pin(catch_cancelled(pending::<()>()));
    let mut body = pin!(Some(poll_fn(move |cx| {
        assert!(std::mem::take(&mut first), "polled again");
        inside.as_mut().poll(cx)
    })));
    assert!(matches!(handler.poll_body(body.as_mut(), &mut cx), Step::Pending));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        handler.interrupt_body(body, CancelledError::new("over"), &mut cx)
    }));
    assert!(panicked.is_err());
    assert!(!is_cancelling());
}
