//! Barriers.

mod common;

use std::rc::Rc;

use common::{Log, Polled, at_once, run, turns};
use ronde::{Barrier, Task, create_task};

/// Starts a task that passes the barrier so many times, and logs its index each time.
fn party(barrier: &Rc<Barrier>, log: &Log, name: &'static str, rounds: usize) -> Task<()> {
    let (barrier, log) = (barrier.clone(), log.clone());
    create_task(async move {
        for _ in 0..rounds {
            match barrier.wait().await {
                Ok(passed) => log.push(format!("{name} {}", passed.index())),
                Err(error) => log.push(format!("{name} {error}")),
            }
        }
    })
}

fn barrier(parties: usize) -> (Rc<Barrier>, Log) {
    (Rc::new(Barrier::new(parties).unwrap()), Log::default())
}

#[test]
fn the_last_arrival_passes_without_suspending_and_lets_all_through_in_the_next_turn() {
    run(async {
        let (barrier, log) = barrier(3);
        let _tasks = ["a", "b"].map(|name| party(&barrier, &log, name, 1));
        turns(1).await;
        assert_eq!(barrier.n_waiting(), 2);
        let passed = at_once(barrier.wait()).unwrap();
        assert!(passed.is_leader());
        assert_eq!((passed.index(), log.take()), (2, vec![]));
        turns(1).await;
        assert_eq!(log.take(), ["a 0", "b 1"]);
    });
}

#[test]
fn nobody_enters_the_next_round_before_everyone_has_left() {
    run(async {
        let (barrier, log) = barrier(2);
        let _early = party(&barrier, &log, "early", 2);
        turns(1).await;
        let _late = party(&barrier, &log, "late", 2);
        turns(1).await;
        assert_eq!(log.take(), ["late 1"]);
        assert_eq!(barrier.n_waiting(), 0, "late waits outside: early hasn't left");
        assert_eq!(format!("{barrier:?}"), "<Barrier [draining, waiters:0/2]>");
        turns(3).await;
        let mut second_round = log.take();
        assert_eq!(second_round.remove(0), "early 0");
        second_round.sort();
        assert_eq!(second_round, ["early 0", "late 1"]);
    });
}

#[test]
fn as_many_of_those_outside_are_woken_as_there_is_room_for() {
    let barrier = Barrier::new(2).unwrap();
    let mut first = Polled::waiting(barrier.wait());
    assert!(at_once(barrier.wait()).unwrap().is_leader());
    let mut outside: Vec<_> = (0..6).map(|_| Polled::waiting(barrier.wait())).collect();
    let woken = |outside: &[Polled<'_, _>]| outside.iter().map(Polled::wakes).collect::<Vec<_>>();

    assert!(first.poll().unwrap().is_ok());
    assert_eq!(woken(&outside), [1, 1, 0, 0, 0, 0]);
    // One that was woken goes away, and one that is in already.
    drop(outside.remove(0));
    assert_eq!(woken(&outside), [1, 1, 0, 0, 0]);
    assert!(outside[0].poll().is_none());
    drop(outside.remove(0));
    assert_eq!(woken(&outside), [1, 1, 0, 0]);

    // A newcomer takes the place of one that was woken, which waits for the round after this one.
    assert!(outside[0].poll().is_none());
    assert!(at_once(barrier.wait()).unwrap().is_leader());
    assert!(outside[1].poll().is_none());
    assert!(outside[0].poll().unwrap().is_ok());
    assert_eq!(woken(&outside), [2, 1, 1, 1]);
    assert!(outside[2].poll().is_none());
    assert!(outside[3].poll().unwrap().unwrap().is_leader());
    assert!(outside[2].poll().unwrap().is_ok());
    assert_eq!(outside[1].wakes(), 2);
    drop(outside);
    assert_eq!(barrier.n_waiting(), 0);
}

#[test]
fn those_outside_are_woken_when_the_barrier_is_broken_and_when_a_reset_is_over() {
    let barrier = Barrier::new(2).unwrap();
    let mut first = Polled::waiting(barrier.wait());
    assert!(at_once(barrier.wait()).is_ok());
    let mut outside: Vec<_> = (0..3).map(|_| Polled::waiting(barrier.wait())).collect();
    barrier.reset();
    assert!(first.poll().unwrap().is_err());
    assert!(outside[0].poll().is_none());
    assert!(outside[1].poll().unwrap().unwrap().is_leader());
    barrier.abort();
    for mut waiter in outside.drain(..).skip(2) {
        assert_eq!(waiter.wakes(), 1);
        assert!(waiter.poll().unwrap().is_err());
    }
}

#[test]
fn a_cancelled_waiter_does_not_break_the_barrier() {
    run(async {
        let (barrier, log) = barrier(2);
        let gone = party(&barrier, &log, "gone", 1);
        turns(1).await;
        gone.cancel();
        turns(1).await;
        assert!(gone.cancelled());
        assert_eq!((barrier.n_waiting(), barrier.broken()), (0, false));
        let _other = party(&barrier, &log, "other", 1);
        turns(1).await;
        assert_eq!(barrier.wait().await.unwrap().index(), 1);
        turns(1).await;
        assert_eq!(log.take(), ["other 0"]);
    });
}

#[test]
fn a_waiter_that_is_cancelled_once_all_had_come_leaves_the_way_free() {
    run(async {
        let (barrier, log) = barrier(2);
        let waiter = party(&barrier, &log, "waiter", 1);
        turns(1).await;
        barrier.wait().await.unwrap();
        waiter.cancel();
        turns(1).await;
        assert!(waiter.cancelled());
        assert_eq!(format!("{barrier:?}"), "<Barrier [filling, waiters:0/2]>");
    });
}

#[test]
fn abort_fails_all_who_wait_and_all_who_come() {
    run(async {
        let (barrier, log) = barrier(3);
        let _task = party(&barrier, &log, "waiter", 1);
        turns(1).await;
        barrier.abort();
        let error = barrier.wait().await.unwrap_err();
        assert!(!error.was_reset());
        assert_eq!(format!("{barrier:?}"), "<Barrier [broken]>");
        turns(1).await;
        assert_eq!(log.take(), ["waiter to wait at a barrier: it is broken"]);
        assert!(barrier.statistics().broken);
    });
}

#[test]
fn reset_fails_those_who_wait_and_the_barrier_can_be_used_again_when_they_have_left() {
    run(async {
        let (barrier, log) = barrier(2);
        let _task = party(&barrier, &log, "waiter", 1);
        turns(1).await;
        barrier.reset();
        let _next = party(&barrier, &log, "next", 1);
        turns(2).await;
        assert_eq!(log.take(), ["waiter to wait at a barrier: it was reset meanwhile"]);
        assert_eq!(barrier.n_waiting(), 1);
        assert_eq!(barrier.wait().await.unwrap().index(), 1);
    });
}

#[test]
fn a_broken_barrier_that_is_reset_is_whole_again() {
    run(async {
        let (barrier, log) = barrier(2);
        barrier.abort();
        barrier.reset();
        let _task = party(&barrier, &log, "waiter", 1);
        turns(1).await;
        assert!(barrier.wait().await.is_ok());
    });
}

#[test]
fn a_barrier_of_nobody_is_refused() {
    assert_eq!(Barrier::new(0).unwrap_err().to_string(), "a barrier needs at least one party");
    assert_eq!(Barrier::new(2).unwrap().parties(), 2);
}
