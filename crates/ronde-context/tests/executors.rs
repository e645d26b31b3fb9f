//! The other side: what an executor does around each poll.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Waker};

use futures_lite::future::{or, pending, zip};
use ronde_context::executor::{self, Handler, Previous, Step, arm, enter};
use ronde_context::{
    Awaited, CancelStep, CancelledError, Wait, cancel, catch_cancelled, decline, is_cancelling,
    no_longer_waiting_for, waiting_for,
};

/// What a poll left behind, in one piece.
struct Left {
    waiting: Option<Wait>,
    returned: Option<CancelledError>,
    poll_again: bool,
}

fn leave(previous: Previous) -> Left {
    let mut waiting = None;
    let frame = executor::leave(previous, |wait| waiting = Some(wait));
    let frame = frame.map(|frame| *frame).unwrap_or_default();
    Left { waiting, returned: frame.returned, poll_again: frame.poll_again }
}

/// The smallest task: a boundary and a coroutine.
struct MiniTask {
    boundary: Handler,
    coroutine: Pin<Box<Option<BoxedFuture>>>,
}

type BoxedFuture = Pin<Box<dyn Future<Output = u32>>>;

impl MiniTask {
    fn new(future: impl Future<Output = u32> + 'static) -> Self {
        let coroutine = Box::pin(Some(Box::pin(future) as BoxedFuture));
        Self { boundary: Handler::boundary(), coroutine }
    }

    fn step(&mut self, due: Option<CancelledError>) -> (Step<u32>, Left) {
        let previous = enter();
        if let Some(error) = due {
            arm(error);
        }
        let mut cx = Context::from_waker(Waker::noop());
        let step = self.boundary.poll_body(self.coroutine.as_mut(), &mut cx);
        (step, leave(previous))
    }
}

fn stop() -> Option<CancelledError> {
    Some(CancelledError::new("stop"))
}

#[test]
fn a_boundary_drops_a_suspended_coroutine_without_polling_it() {
    let polls = Rc::new(Cell::new(0));
    let count = polls.clone();
    let mut task = MiniTask::new(std::future::poll_fn(move |_| {
        count.set(count.get() + 1);
        std::task::Poll::Pending
    }));
    assert!(matches!(task.step(None).0, Step::Pending));
    let (step, _) = task.step(stop());
    assert!(matches!(step, Step::Cancelled(error) if error.message() == Some("stop")));
    assert_eq!(polls.get(), 1);
    assert!(task.coroutine.is_none());
}

#[test]
fn what_is_given_back_returns_to_the_executor() {
    let mut task = MiniTask::new(async {
        let raced = or(async { drop(catch_cancelled(pending::<()>()).await) }, async {
            futures_lite::future::yield_now().await;
        });
        let _ = zip(catch_cancelled(raced), pending::<()>()).await;
        0
    });
    assert!(matches!(task.step(None).0, Step::Pending));
    let (step, frame) = task.step(stop());
    assert!(matches!(step, Step::Pending));
    // The inner handler, polled first, has swallowed it: nothing is left over.
    assert!(frame.returned.is_none());
}

#[test]
fn nothing_that_one_task_leaves_behind_is_found_by_the_next() {
    // A panic in the middle of a delivery, after a handler has given a cancellation back.
    let mut first = MiniTask::new(async {
        let ready = or(async { drop(catch_cancelled(pending::<()>()).await) }, pending());
        let kept = or(catch_cancelled(ready), async {
            futures_lite::future::yield_now().await;
            Ok(())
        });
        drop(catch_cancelled(kept).await);
        zip(CancelledError::new("again").raise::<()>(), async { panic!("oh") }).await;
        0
    });
    assert!(matches!(first.step(None).0, Step::Pending));
    let previous = enter();
    arm(CancelledError::new("stop"));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut cx = Context::from_waker(Waker::noop());
        first.boundary.poll_body(first.coroutine.as_mut(), &mut cx)
    }));
    leave(previous);
    assert!(panicked.is_err());
    assert!(!is_cancelling());
    let (step, frame) = MiniTask::new(pending()).step(None);
    assert!(matches!(step, Step::Pending));
    assert!(frame.returned.is_none() && frame.waiting.is_none() && !frame.poll_again);
}

#[test]
fn what_handlers_outside_every_task_left_behind_is_nobodys() {
    let raced = or(CancelledError::new("lost").raise::<()>(), async {});
    assert!(futures_lite::future::block_on(catch_cancelled(raced)).is_ok());
    let (_, frame) = MiniTask::new(pending()).step(None);
    assert!(frame.returned.is_none());
}

#[test]
fn a_poll_within_a_poll_finds_clean_registers_and_restores_them() {
    let mut task = MiniTask::new(async {
        waiting_for(Wait::Leaf("outer"));
        let (_, inner) = MiniTask::new(async {
            waiting_for(Wait::Leaf("inner"));
            pending().await
        })
        .step(None);
        assert_eq!(format!("{:?}", inner.waiting.unwrap()), "inner");
        pending().await
    });
    let (_, frame) = task.step(None);
    assert_eq!(format!("{:?}", frame.waiting.unwrap()), "outer");
}

#[test]
fn a_cancellation_of_the_outer_task_is_not_seen_by_an_inner_one() {
    struct Polls;
    impl Drop for Polls {
        fn drop(&mut self) {
            assert!(is_cancelling());
            let (step, frame) = MiniTask::new(async { u32::from(is_cancelling()) }).step(None);
            assert!(matches!(step, Step::Returned(0)));
            assert!(frame.returned.is_none());
            assert!(is_cancelling());
        }
    }
    let mut task = MiniTask::new(async {
        let _polls = Polls;
        pending().await
    });
    assert!(matches!(task.step(None).0, Step::Pending));
    assert!(matches!(task.step(stop()).0, Step::Cancelled(_)));
    assert!(!is_cancelling());
}

#[test]
fn an_inner_poll_does_not_swallow_that_a_leaf_of_the_outer_task_declined() {
    let mut task = MiniTask::new(async {
        let leaf = std::future::poll_fn(|_| {
            // A leaf of an old kind, which asks and wakes nobody.
            if is_cancelling() {
                MiniTask::new(async { 0 }).step(None);
            }
            std::task::Poll::<()>::Pending
        });
        zip(leaf, async { drop(catch_cancelled(pending::<()>()).await) }).await;
        0
    });
    assert!(!task.step(None).1.poll_again);
    assert!(task.step(stop()).1.poll_again);
}

#[test]
fn two_leaves_make_several_and_one_that_is_dropped_none() {
    let target: Rc<dyn Awaited> = Rc::new(Node::default());
    let other: Rc<dyn Awaited> = Rc::new(Node::default());
    let frame = |says: &dyn Fn()| {
        let previous = enter();
        says();
        leave(previous).waiting
    };
    let waiting = frame(&|| waiting_for(Wait::For(target.clone())));
    assert!(Rc::ptr_eq(waiting.unwrap().target().unwrap(), &target));
    let waiting = frame(&|| {
        waiting_for(Wait::For(target.clone()));
        waiting_for(Wait::Leaf("a timer"));
        no_longer_waiting_for(&target);
    });
    assert!(matches!(waiting, Some(Wait::Several)));
    let waiting = frame(&|| {
        waiting_for(Wait::For(target.clone()));
        no_longer_waiting_for(&other);
        no_longer_waiting_for(&target);
        waiting_for(Wait::Leaf("a timer"));
    });
    assert_eq!(format!("{:?}", waiting.unwrap()), "a timer");
}

#[test]
fn outside_a_task_nothing_is_remembered() {
    let target: Rc<dyn Awaited> = Rc::new(Node::default());
    waiting_for(Wait::For(target.clone()));
    let wait = async { waiting_for(Wait::For(target.clone())) };
    futures_lite::future::block_on(catch_cancelled(wait)).unwrap();
    assert_eq!(Rc::strong_count(&target), 1);
    assert!(!decline(&Context::from_waker(Waker::noop())));
}

#[test]
fn futures_may_be_polled_and_dropped_while_the_thread_ends() {
    struct Last(RefCell<Option<BoxedFuture>>);
    impl Drop for Last {
        fn drop(&mut self) {
            let mut future = self.0.take().unwrap();
            let mut cx = Context::from_waker(Waker::noop());
            assert!(future.as_mut().poll(&mut cx).is_pending());
            drop(future);
            let raised = catch_cancelled(CancelledError::new("late").raise::<()>());
            assert!(matches!(pin!(raised).poll(&mut cx), std::task::Poll::Ready(Err(_))));
        }
    }
    std::thread::spawn(|| {
        thread_local!(static LAST: Last = const { Last(RefCell::new(None)) });
        LAST.with(|last| {
            let body = async { catch_cancelled(pending()).await.unwrap_or(1) };
            last.0.replace(Some(Box::pin(body)));
        });
        futures_lite::future::block_on(catch_cancelled(async {})).unwrap();
    })
    .join()
    .unwrap();
}

/// Something to cancel that does as it was told and counts.
#[derive(Default)]
struct Node {
    done: Cell<bool>,
    next: RefCell<Vec<Rc<dyn Awaited>>>,
    fork: bool,
    steps: Cell<u32>,
    requests: Cell<u32>,
}

impl Awaited for Node {
    fn is_done(&self) -> bool {
        self.done.get()
    }

    fn take_cancelled(&self) -> Option<CancelledError> {
        None
    }

    fn cancel_step(&self, error: &CancelledError) -> CancelStep {
        self.steps.set(self.steps.get() + 1);
        if self.done.get() {
            return CancelStep::Refused;
        }
        let next = self.next.borrow().clone();
        match next.first() {
            _ if self.fork => CancelStep::ForwardAll(next),
            Some(next) => CancelStep::Forward(next.clone()),
            None => {
                self.request(error);
                CancelStep::Accepted
            }
        }
    }

    fn request(&self, _: &CancelledError) {
        self.requests.set(self.requests.get() + 1);
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node")
    }
}

fn node(next: Vec<Rc<dyn Awaited>>, fork: bool) -> Rc<Node> {
    Rc::new(Node { next: RefCell::new(next), fork, ..Node::default() })
}

#[test]
fn a_chain_is_followed_to_its_end_and_one_that_refuses_leaves_it_to_the_one_before() {
    let error = CancelledError::default();
    let end = node(vec![], false);
    let middle = node(vec![end.clone()], false);
    let first = node(vec![middle.clone()], false);
    assert!(cancel(first.clone(), &error));
    assert_eq!((first.requests.get(), middle.requests.get(), end.requests.get()), (0, 0, 1));
    end.done.set(true);
    assert!(cancel(first.clone(), &error));
    assert_eq!((first.requests.get(), middle.requests.get(), end.requests.get()), (0, 1, 1));
    first.done.set(true);
    assert!(!cancel(first, &error));
}

#[test]
fn a_fork_cancels_every_branch_and_accepts_if_one_does() {
    let error = CancelledError::default();
    let leaves = [node(vec![], false), node(vec![], false)];
    let nested = node(vec![leaves[1].clone()], true);
    let fork = node(vec![leaves[0].clone(), nested], true);
    let waiting = node(vec![fork.clone()], false);
    leaves[0].done.set(true);
    assert!(cancel(fork.clone(), &error));
    assert_eq!((leaves[0].requests.get(), leaves[1].requests.get()), (0, 1));
    leaves[1].done.set(true);
    assert!(!cancel(fork.clone(), &error));
    assert!(cancel(waiting.clone(), &error));
    assert_eq!((waiting.requests.get(), fork.requests.get()), (1, 0));
    assert!(!cancel(node(vec![], true), &error), "a fork without branches has nobody to cancel");
}

#[test]
fn circles_of_every_shape_come_to_an_end() {
    let error = CancelledError::default();
    for fork_at in [None, Some(0), Some(3)] {
        for tail in 0..4 {
            let circle: Vec<_> = (0..5).map(|at| node(vec![], Some(at) == fork_at)).collect();
            for (at, one) in circle.iter().enumerate() {
                one.next.borrow_mut().push(circle[(at + 1) % 5].clone());
            }
            let mut first: Rc<dyn Awaited> = circle[0].clone();
            for _ in 0..tail {
                first = node(vec![first], false);
            }
            assert!(cancel(first, &error));
            let requests: u32 = circle.iter().map(|one| one.requests.get()).sum();
            assert_eq!(requests, 1, "fork at {fork_at:?}, tail of {tail}");
            circle.iter().for_each(|one| drop(one.next.take()));
        }
    }
}

#[test]
fn long_chains_and_deep_forks_need_no_stack() {
    let long = || {
        let mut first: Rc<dyn Awaited> = node(vec![], false);
        let mut all = vec![first.clone()];
        for at in 0..100_000 {
            first = node(vec![first], at % 2 == 0);
            all.push(first.clone());
        }
        assert!(cancel(first, &CancelledError::default()));
        // Dropped from the front, so that no destructor runs within another.
        while all.pop().is_some() {}
    };
    std::thread::Builder::new().stack_size(128 * 1024).spawn(long).unwrap().join().unwrap();
}
