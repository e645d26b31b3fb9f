//! Random operations, against models so simple that they are right.

mod common;

use std::collections::VecDeque;

use common::Polled;
use proptest::prelude::*;
use ronde_sync::{Queue, Semaphore, SemaphorePermit};

#[derive(Clone, Debug)]
enum Op {
    /// A new waiter comes, if it has to wait.
    Start,
    /// A waiter is polled.
    Poll(usize),
    /// A waiter is dropped.
    Drop(usize),
    /// A slot is given back; an item is put.
    Give,
    /// Something is taken without waiting.
    TryTake,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => Just(Op::Start),
        4 => any::<usize>().prop_map(Op::Poll),
        2 => any::<usize>().prop_map(Op::Drop),
        3 => Just(Op::Give),
        1 => Just(Op::TryTake),
    ];
    prop::collection::vec(op, 0..80)
}

proptest! {
    /// No slot is lost or made; slots are had in the order of asking, among those who stay.
    #[test]
    fn a_semaphore_keeps_its_slots_and_its_order(start in 0_usize..3, ops in ops()) {
        let semaphore = Semaphore::new(start);
        let mut waiters: Vec<(usize, Polled<'_, SemaphorePermit<'_>>)> = Vec::new();
        let (mut number, mut total, mut taken) = (0, start, 0);
        for op in ops {
            match op {
                Op::Start => {
                    let free = !semaphore.locked();
                    if free {
                        common::at_once(semaphore.acquire()).forget();
                        taken += 1;
                    } else {
                        waiters.push((number, Polled::waiting(semaphore.acquire())));
                        number += 1;
                    }
                }
                Op::Poll(_) if waiters.is_empty() => {}
                Op::Poll(which) => {
                    let which = which % waiters.len();
                    let woken = waiters[which].1.wakes() > 0;
                    if let Some(permit) = waiters[which].1.poll() {
                        prop_assert!(woken);
                        permit.forget();
                        taken += 1;
                        waiters.remove(which);
                    } else {
                        prop_assert!(!woken, "who is woken has its slot");
                    }
                }
                Op::Drop(_) if waiters.is_empty() => {}
                Op::Drop(which) => {
                    waiters.remove(which % waiters.len());
                }
                Op::Give => {
                    semaphore.release();
                    total += 1;
                }
                Op::TryTake => {
                    let locked = semaphore.locked();
                    match semaphore.try_acquire() {
                        Ok(permit) => {
                            prop_assert!(!locked);
                            permit.forget();
                            taken += 1;
                        }
                        Err(_) => prop_assert!(locked),
                    }
                }
            }
            // Those who were woken are the first of those in line.
            let woken: Vec<_> = waiters.iter().map(|(_, waiter)| waiter.wakes() > 0).collect();
            prop_assert!(woken.is_sorted_by(|a, b| a >= b), "{woken:?}");
            let on_their_way = woken.iter().filter(|woken| **woken).count();
            prop_assert_eq!(semaphore.value() + on_their_way + taken, total);
            // Slots are free only while somebody who was woken hasn't run, or nobody waits.
            prop_assert!(semaphore.value() == 0 || on_their_way > 0 || waiters.is_empty());
        }
    }

    /// No item is lost, doubled or overtaken, and nobody waits in vain.
    #[test]
    fn a_queue_gives_every_item_once_and_in_order(maxsize in 0_usize..4, ops in ops()) {
        let queue = Queue::new(maxsize);
        let mut getters: Vec<Polled<'_, _>> = Vec::new();
        let mut model = VecDeque::new();
        let mut next = 0;
        for op in ops {
            match op {
                Op::Start if queue.empty() => getters.push(Polled::waiting(queue.get())),
                Op::Start => {
                    prop_assert_eq!(common::at_once(queue.get()).ok(), model.pop_front());
                }
                Op::Poll(_) | Op::Drop(_) if getters.is_empty() => {}
                Op::Poll(which) => {
                    let which = which % getters.len();
                    match getters[which].poll() {
                        Some(item) => {
                            prop_assert_eq!(item.ok(), model.pop_front());
                            drop(getters.remove(which));
                        }
                        None => prop_assert!(getters[which].wakes() == 0 || model.is_empty()
                            || getters.len() > 1),
                    }
                }
                Op::Drop(which) => drop(getters.remove(which % getters.len())),
                Op::Give => match queue.put_nowait(next) {
                    Ok(()) => {
                        model.push_back(next);
                        next += 1;
                    }
                    Err(error) => {
                        prop_assert!(maxsize > 0 && model.len() == maxsize);
                        prop_assert_eq!(error.into_item(), next);
                    }
                },
                Op::TryTake => prop_assert_eq!(queue.get_nowait().ok(), model.pop_front()),
            }
            prop_assert_eq!(queue.qsize(), model.len());
        }
        // Whoever is left gets what is left: polling those that were woken suffices.
        let mut progress = true;
        while progress && !getters.is_empty() {
            progress = false;
            for which in (0..getters.len()).rev() {
                if getters[which].wakes() > 0 && getters[which].poll().is_some() {
                    model.pop_front();
                    drop(getters.remove(which));
                    progress = true;
                }
            }
        }
        prop_assert!(model.is_empty() || getters.is_empty(), "an item and somebody who waits for it");
    }
}
