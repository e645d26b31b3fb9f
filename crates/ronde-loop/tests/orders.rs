//! Other orders of the ready queue than first in, first out.

use std::cell::RefCell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use ronde_loop::{
    Builder, EventLoop, RandomSource, ReadyOrder, SeededOrder, SimulatedClock, explore, sleep,
    yield_now,
};

/// What runs in which order: three tasks of two steps, and a callback that schedules another.
fn trace(builder: Builder) -> Vec<String> {
    let event_loop = builder.build().unwrap();
    let log = Rc::new(RefCell::new(Vec::new()));
    let say = |text: String| {
        let log = log.clone();
        move || log.borrow_mut().push(text)
    };
    let tasks: Vec<_> = (0..3)
        .map(|number| {
            let (first, second) = (say(format!("{number} a")), say(format!("{number} b")));
            event_loop.create_task(async move {
                first();
                yield_now().await;
                second();
            })
        })
        .collect();
    let (outer, inner) = (say("outer".to_owned()), say("inner".to_owned()));
    let handle = event_loop.handle();
    event_loop.call_soon(move || {
        outer();
        handle.call_soon(inner);
    });
    for task in tasks {
        event_loop.run_until_complete(task).unwrap();
    }
    log.take()
}

#[test]
fn a_turn_runs_each_entry_once_whatever_the_order_and_nothing_of_the_next() {
    let mut seen = HashSet::new();
    for seed in 0..200 {
        let order = trace(Builder::new().order(SeededOrder::new(seed)));
        let (mut first, mut second) = (order[..4].to_vec(), order[4..].to_vec());
        first.sort();
        second.sort();
        assert_eq!(first, ["0 a", "1 a", "2 a", "outer"], "seed {seed}");
        assert_eq!(second, ["0 b", "1 b", "2 b", "inner"], "seed {seed}");
        seen.insert(order);
    }
    assert!(seen.len() > 100, "{} different orders", seen.len());
}

#[test]
fn a_seed_gives_the_same_order_again() {
    for seed in [0, 7, u64::MAX] {
        let run = || trace(Builder::new().order(SeededOrder::new(seed)));
        assert_eq!(run(), run());
    }
}

#[test]
fn a_number_that_is_too_large_means_the_last() {
    #[derive(Debug)]
    struct TooLarge;
    impl ReadyOrder for TooLarge {
        fn next(&mut self, _: usize) -> usize {
            usize::MAX
        }
    }
    assert_eq!(trace(Builder::new().order(TooLarge))[..4], ["outer", "2 a", "1 a", "0 a"]);
}

#[test]
fn an_order_is_asked_with_how_many_are_left() {
    #[derive(Debug)]
    struct Counting(Rc<RefCell<Vec<usize>>>);
    impl ReadyOrder for Counting {
        fn next(&mut self, ready: usize) -> usize {
            self.0.borrow_mut().push(ready);
            0
        }
    }
    let asked = Rc::new(RefCell::new(Vec::new()));
    let event_loop = EventLoop::builder().order(Counting(asked.clone())).build().unwrap();
    for _ in 0..3 {
        event_loop.call_soon(|| {});
    }
    event_loop.run_once(None).unwrap();
    assert_eq!(*asked.borrow(), [3, 2, 1]);
}

#[test]
fn an_order_that_panics_is_the_programs_panic_and_the_loop_can_be_closed() {
    #[derive(Debug)]
    struct Panics;
    impl ReadyOrder for Panics {
        fn next(&mut self, _: usize) -> usize {
            panic!("no idea")
        }
    }
    let event_loop = EventLoop::builder().order(Panics).build().unwrap();
    event_loop.call_soon(|| {});
    let ran = catch_unwind(AssertUnwindSafe(|| event_loop.run_once(None)));
    assert_eq!(ran.unwrap_err().downcast_ref(), Some(&"no idea"));
    assert!(!event_loop.is_running());
    event_loop.close().unwrap();
}

#[test]
fn explore_finds_an_order_that_breaks_a_program_and_its_seed_breaks_it_again() {
    let mut runs = 0;
    let mut order = Vec::new();
    let found = catch_unwind(AssertUnwindSafe(|| {
        explore(1000, |builder| {
            runs += 1;
            order = trace(builder);
            assert_eq!(order[0], "0 a", "somebody else was first");
        });
    }));
    assert!(found.is_err() && runs > 0);
    // Seeds count from zero.
    let again = Builder::new().clock(SimulatedClock::new()).order(SeededOrder::new(runs - 1));
    assert_eq!(trace(again), order);
}

#[test]
fn explored_programs_have_a_simulated_clock_and_random_numbers_that_repeat() {
    let run = || {
        let mut numbers = Vec::new();
        explore(3, |builder| {
            let event_loop = builder.build().unwrap();
            event_loop.run_until_complete(sleep(std::time::Duration::from_secs(86_400))).unwrap();
            numbers.push(event_loop.random());
        });
        numbers
    };
    assert_eq!(run(), run());
    assert_eq!(run().iter().collect::<HashSet<_>>().len(), 3);
}

#[test]
fn random_numbers_can_come_from_elsewhere() {
    #[derive(Debug)]
    struct Always(u64);
    impl RandomSource for Always {
        fn next_u64(&mut self) -> u64 {
            self.0
        }
    }
    let event_loop = EventLoop::builder().random(Always(5)).build().unwrap();
    assert_eq!([event_loop.random(), event_loop.random()], [5, 5]);
}
