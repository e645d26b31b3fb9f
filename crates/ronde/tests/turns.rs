//! How many turns of the loop lie between a cause and its effect: the table of `docs/semantics.md`.

use std::cell::Cell;
use std::future::{Future, IntoFuture, pending};
use std::rc::Rc;
use std::time::Duration;

use ronde::low_level::SimulatedClock;
use ronde::{
    Condition, Event, Lock, Promise, Queue, Runner, Semaphore, Task, as_completed, catch_cancelled,
    create_task, gather, shield, sleep, task_group, timeout, wait, wait_for, yield_now,
};

/// Counts turns, beginning with the cause.
#[derive(Clone, Default)]
struct Turns {
    now: Rc<Cell<u32>>,
    cause: Rc<Cell<u32>>,
    /// How many there were until the effect, if that has come already.
    counted: Rc<Cell<Option<u32>>>,
}

impl Turns {
    /// The cause is now.
    fn begin(&self) {
        self.cause.set(self.now.get());
    }

    /// The effect is now.
    fn end(&self) {
        self.counted.set(Some(self.now.get() - self.cause.get()));
    }
}

/// How many turns there were between `begin` and `end`, which is when `scenario` is over unless it says so.
fn turns<F: Future + 'static>(scenario: impl FnOnce(Turns) -> F + 'static) -> u32 {
    let runner = Runner::builder().clock(SimulatedClock::new()).build().unwrap();
    let counted = runner.run(async {
        let turns = Turns::default();
        let ticking = turns.clone();
        // It comes first in each turn, and is there as long as anything is ready.
        let ticker = create_task(async move {
            loop {
                yield_now().await;
                ticking.now.set(ticking.now.get() + 1);
            }
        });
        yield_now().await;
        scenario(turns.clone()).await;
        if turns.counted.get().is_none() {
            turns.end();
        }
        ticker.cancel();
        turns.counted.get().unwrap()
    });
    runner.close().unwrap();
    counted.unwrap()
}

/// A task whose end is the effect: when `future` is over.
fn timed<F: Future + 'static>(turns: &Turns, future: F) -> Task<()> {
    let turns = turns.clone();
    create_task(async move {
        future.await;
        turns.end();
    })
}

/// A task that ends at the cause, some turns from now.
fn ends(turns: &Turns) -> Task<()> {
    let turns = turns.clone();
    create_task(async move {
        for _ in 0..5 {
            yield_now().await;
        }
        turns.begin();
    })
}

async fn settle() {
    for _ in 0..3 {
        yield_now().await;
    }
}

#[test]
fn a_new_task_begins_in_the_next_turn() {
    let counted = turns(async |turns| {
        turns.begin();
        timed(&turns, async {}).await.unwrap()
    });
    assert_eq!(counted, 1);
}

#[test]
fn yield_now_takes_one_turn() {
    let counted = turns(async |turns| {
        turns.begin();
        yield_now().await;
    });
    assert_eq!(counted, 1);
}

#[test]
fn a_promise_wakes_its_waiters_and_callbacks_in_the_next_turn() {
    let counted = turns(async |turns| {
        let promise = Promise::<()>::new();
        let waiter = timed(&turns, promise.clone().into_future());
        settle().await;
        turns.begin();
        promise.set_result(()).unwrap();
        waiter.await.unwrap();
    });
    let called = turns(async |turns| {
        let promise = Promise::<()>::new();
        let ending = turns.clone();
        promise.add_done_callback(move |_| ending.end());
        turns.begin();
        promise.set_result(()).unwrap();
        settle().await;
    });
    assert_eq!((counted, called), (1, 1));
}

#[test]
fn a_task_that_ends_wakes_who_awaits_it_in_the_next_turn() {
    assert_eq!(turns(async |turns| ends(&turns).await.unwrap()), 1);
}

#[test]
fn primitives_wake_their_waiters_in_the_next_turn() {
    let lock = turns(async |turns| {
        let lock = Rc::new(Lock::<()>::default());
        let guard = lock.acquire().await;
        let waiter = timed(&turns, {
            let lock = lock.clone();
            async move { drop(lock.acquire().await) }
        });
        settle().await;
        turns.begin();
        drop(guard);
        waiter.await.unwrap()
    });
    let semaphore = turns(async |turns| {
        let semaphore = Rc::new(Semaphore::new(0));
        let waiter = timed(&turns, {
            let semaphore = semaphore.clone();
            async move { semaphore.acquire().await.forget() }
        });
        settle().await;
        turns.begin();
        semaphore.release();
        waiter.await.unwrap()
    });
    let event = turns(async |turns| {
        let event = Rc::new(Event::new());
        let waiter = timed(&turns, {
            let event = event.clone();
            async move { event.wait().await }
        });
        settle().await;
        turns.begin();
        event.set();
        waiter.await.unwrap()
    });
    let queue = turns(async |turns| {
        let queue = Rc::new(Queue::new(1));
        let waiter = timed(&turns, {
            let queue = queue.clone();
            async move { queue.get().await }
        });
        settle().await;
        turns.begin();
        queue.put_nowait(1).unwrap();
        waiter.await.unwrap()
    });
    let condition = turns(async |turns| {
        let condition = Rc::new(Condition::<()>::default());
        let waiter = timed(&turns, {
            let condition = condition.clone();
            async move {
                let guard = condition.acquire().await;
                drop(guard.wait().await);
            }
        });
        settle().await;
        let guard = condition.acquire().await;
        turns.begin();
        guard.notify(1);
        drop(guard);
        waiter.await.unwrap()
    });
    assert_eq!([lock, semaphore, event, queue, condition], [1; 5]);
}

#[test]
fn a_timer_that_is_due_resumes_its_sleeper_one_turn_later() {
    // The turn in which the timer is due is the first after everything else has come to rest: the
    // ticker must rest, too, so the order of what happens at that time tells.
    let runner = Runner::builder().clock(SimulatedClock::new()).build().unwrap();
    let order = runner.run(async {
        let log = Rc::new(std::cell::RefCell::new(Vec::new()));
        let note = |what: &'static str| {
            let log = log.clone();
            move || log.borrow_mut().push(what)
        };
        let event_loop = ronde::get_running_loop().unwrap();
        let (timer, next) = (note("timer"), note("next turn"));
        let soon = event_loop.clone();
        event_loop.call_later(Duration::from_millis(1), move || {
            timer();
            soon.call_soon(next);
        });
        sleep(Duration::from_millis(1)).await;
        note("sleeper")();
        yield_now().await;
        log.take()
    });
    assert_eq!(order.unwrap(), ["timer", "next turn", "sleeper"]);
}

#[test]
fn a_cancellation_is_delivered_in_the_next_turn_and_one_per_task_it_passes() {
    let direct = turns(async |turns| {
        let task = timed(&turns, catch_cancelled(pending::<()>()));
        settle().await;
        turns.begin();
        task.cancel();
        task.await.unwrap()
    });
    let through_one = turns(async |turns| {
        let inner = create_task(pending::<()>());
        let outer = timed(&turns, catch_cancelled(inner.into_future()));
        settle().await;
        turns.begin();
        outer.cancel();
        outer.await.unwrap()
    });
    assert_eq!((direct, through_one), (1, 2));
}

#[test]
fn composites_return_two_turns_after_the_child_that_decides() {
    let gathered = turns(async |turns| gather((ends(&turns), async {})).await.map(|_| ()).unwrap());
    let waited = turns(async |turns| drop(wait([ends(&turns)]).await));
    let shielded = turns(async |turns| shield(ends(&turns)).await.unwrap());
    let completed = turns(async |turns| drop(as_completed([ends(&turns)]).next().await));
    let grouped = turns(async |turns| {
        let grouped = task_group(async |group| {
            group.create_task(async move {
                settle().await;
                turns.begin();
            });
        });
        grouped.await.unwrap();
    });
    assert_eq!([gathered, waited, shielded, completed, grouped], [2; 5]);
}

#[test]
fn a_time_limit_adds_no_turn() {
    let limit = Duration::from_secs(1);
    assert_eq!(turns(async move |turns| wait_for(ends(&turns), limit).await.unwrap().unwrap()), 1);
    assert_eq!(turns(async move |turns| timeout(limit, ends(&turns)).await.unwrap().unwrap()), 1);
}

#[test]
fn what_is_done_already() {
    let task = turns(async |turns| {
        let done = ends(&turns);
        (&done).await.unwrap();
        turns.begin();
        done.await.unwrap();
    });
    let gathered = turns(async |turns| {
        let done = ends(&turns);
        (&done).await.unwrap();
        turns.begin();
        gather((&done,)).await.unwrap();
    });
    let shielded = turns(async |turns| {
        let done = ends(&turns);
        (&done).await.unwrap();
        turns.begin();
        shield(&done).await.unwrap();
    });
    let waited = turns(async |turns| {
        let done = ends(&turns);
        (&done).await.unwrap();
        turns.begin();
        wait([&done]).await;
    });
    assert_eq!([task, gathered, shielded, waited], [0, 0, 0, 2]);
}

#[test]
fn a_cancelled_gather_takes_three_turns_and_the_rest_one() {
    let gathered = turns(async |turns| {
        let task = timed(&turns, catch_cancelled(gather((pending::<()>(),))));
        settle().await;
        turns.begin();
        task.cancel();
        task.await.unwrap()
    });
    let waited = turns(async |turns| {
        let child = create_task(pending::<()>());
        let task = timed(&turns, catch_cancelled(wait([child])));
        settle().await;
        turns.begin();
        task.cancel();
        task.await.unwrap()
    });
    let shielded = turns(async |turns| {
        let child = create_task(pending::<()>());
        let task = timed(&turns, catch_cancelled(shield(child)));
        settle().await;
        turns.begin();
        task.cancel();
        task.await.unwrap()
    });
    assert_eq!([gathered, waited, shielded], [3, 1, 1]);
}
