//! Queues: order, waiting for items and for room, and the end of a queue.

mod common;

use std::cell::Cell;
use std::cmp::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use common::{Log, Polled, at_once, run, turns};
use ronde::{LifoQueue, PriorityQueue, Queue, QueueShutDown, Task, create_task};

type Shared = (Rc<Queue<u32>>, Log);

fn queue(maxsize: usize) -> Shared {
    (Rc::new(Queue::new(maxsize)), Log::default())
}

/// Starts a task that gets an item and logs it.
fn getter((queue, log): &Shared, name: &'static str) -> Task<()> {
    let (queue, log) = (queue.clone(), log.clone());
    create_task(async move {
        match queue.get().await {
            Ok(item) => log.push(format!("{name} {item}")),
            Err(error) => log.push(format!("{name}: {error}")),
        }
    })
}

/// Starts a task that puts an item and logs when that is done.
fn putter((queue, log): &Shared, item: u32) -> Task<()> {
    let (queue, log) = (queue.clone(), log.clone());
    create_task(async move {
        match queue.put(item).await {
            Ok(()) => log.push(format!("put {item}")),
            Err(error) => log.push(format!("{}: {error}", error.0)),
        }
    })
}

#[test]
fn items_come_out_in_the_order_of_the_queue() {
    let (fifo, lifo, priority) = (Queue::new(0), LifoQueue::new(0), PriorityQueue::new(0));
    for item in [2, 1, 3] {
        fifo.put_nowait(item).unwrap();
        lifo.put_nowait(item).unwrap();
        priority.put_nowait(item).unwrap();
    }
    let (mut fifo_order, mut lifo_order, mut priority_order) = (vec![], vec![], vec![]);
    for _ in 0..3 {
        fifo_order.push(fifo.get_nowait().unwrap());
        lifo_order.push(lifo.get_nowait().unwrap());
        priority_order.push(priority.get_nowait().unwrap());
    }
    assert_eq!((fifo_order, lifo_order), (vec![2, 1, 3], vec![3, 1, 2]));
    assert_eq!(priority_order, [1, 2, 3]);
}

#[test]
fn equal_items_of_a_priority_queue_come_out_as_they_were_put() {
    #[derive(Debug)]
    struct Job(u8, &'static str);
    impl Ord for Job {
        fn cmp(&self, other: &Self) -> std::cmp::Ordering {
            self.0.cmp(&other.0)
        }
    }
    impl PartialOrd for Job {
        fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }
    impl PartialEq for Job {
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }
    impl Eq for Job {}

    let queue = PriorityQueue::unbounded();
    for (priority, name) in [(1, "a"), (1, "b"), (0, "first"), (1, "c"), (1, "d")] {
        queue.put_nowait(Job(priority, name)).unwrap();
    }
    let order: Vec<_> = std::iter::from_fn(|| queue.get_nowait().ok()).map(|job| job.1).collect();
    assert_eq!(order, ["first", "a", "b", "c", "d"]);
}

#[test]
fn getters_are_served_in_the_order_in_which_they_came() {
    run(async {
        let shared = queue(0);
        let _tasks = ["a", "b"].map(|name| getter(&shared, name));
        turns(1).await;
        shared.0.put_nowait(1).unwrap();
        shared.0.put_nowait(2).unwrap();
        turns(1).await;
        assert_eq!(shared.1.take(), ["a 1", "b 2"]);
    });
}

#[test]
fn a_full_queue_makes_putters_wait_in_order() {
    run(async {
        let shared = queue(1);
        let _tasks = [1, 2, 3].map(|item| putter(&shared, item));
        turns(1).await;
        assert_eq!((shared.1.take(), shared.0.statistics().putters), (vec!["put 1".to_owned()], 2));
        assert_eq!(shared.0.get().await, Ok(1));
        turns(1).await;
        assert_eq!(shared.1.take(), ["put 2"]);
        assert_eq!((shared.0.get().await, shared.0.get().await), (Ok(2), Ok(3)));
    });
}

#[test]
fn a_woken_getter_that_is_beaten_to_the_item_queues_at_the_back() {
    run(async {
        let shared = queue(0);
        let _tasks = ["beaten", "next"].map(|name| getter(&shared, name));
        turns(1).await;
        shared.0.put_nowait(1).unwrap();
        assert_eq!(shared.0.get_nowait(), Ok(1));
        turns(1).await;
        shared.0.put_nowait(2).unwrap();
        shared.0.put_nowait(3).unwrap();
        turns(1).await;
        assert_eq!(shared.1.take(), ["next 2", "beaten 3"]);
    });
}

#[test]
fn a_woken_getter_that_is_cancelled_passes_its_item_on() {
    run(async {
        let shared = queue(0);
        let [first, _second] = ["first", "second"].map(|name| getter(&shared, name));
        turns(1).await;
        shared.0.put_nowait(1).unwrap();
        first.cancel();
        turns(2).await;
        assert!(first.cancelled());
        assert_eq!(shared.1.take(), ["second 1"]);
    });
}

#[test]
fn a_getter_that_is_being_cancelled_is_passed_by() {
    run(async {
        let shared = queue(0);
        let [first, _second] = ["first", "second"].map(|name| getter(&shared, name));
        turns(1).await;
        first.cancel();
        shared.0.put_nowait(1).unwrap();
        turns(1).await;
        assert_eq!(shared.1.take(), ["second 1"], "in the next turn");
    });
}

#[test]
fn a_getter_that_is_cancelled_leaves_the_item_for_others() {
    run(async {
        let shared = queue(0);
        let getter = getter(&shared, "getter");
        turns(1).await;
        shared.0.put_nowait(1).unwrap();
        getter.cancel();
        turns(1).await;
        assert_eq!(shared.0.get_nowait(), Ok(1));
    });
}

#[test]
fn a_cancelled_putter_gives_nothing_to_the_queue_and_passes_its_room_on() {
    run(async {
        let shared = queue(1);
        shared.0.put_nowait(0).unwrap();
        let [first, _second] = [1, 2].map(|item| putter(&shared, item));
        turns(1).await;
        assert_eq!(shared.0.get_nowait(), Ok(0));
        first.cancel();
        turns(2).await;
        assert!(first.cancelled());
        assert_eq!(shared.1.take(), ["put 2"]);
        assert_eq!(shared.0.get_nowait(), Ok(2));
        assert!(shared.0.empty());
    });
}

#[test]
fn a_waiting_putter_that_is_cancelled_gives_nothing_to_the_queue() {
    run(async {
        let shared = queue(1);
        shared.0.put_nowait(0).unwrap();
        let putter = putter(&shared, 1);
        turns(1).await;
        putter.cancel();
        turns(1).await;
        assert_eq!((shared.0.get_nowait(), shared.0.qsize()), (Ok(0), 0));
        assert_eq!(shared.0.statistics().putters, 0);
    });
}

#[test]
fn what_cannot_be_put_comes_back() {
    let queue = Queue::new(1);
    queue.put_nowait("first").unwrap();
    assert!(queue.full());
    let error = queue.put_nowait("second").unwrap_err();
    assert!(error.is_full());
    assert_eq!(error.to_string(), "to put an item into a queue: it is full");
    assert_eq!(error.into_item(), "second");
    queue.shutdown(false);
    let error = queue.put_nowait("third").unwrap_err();
    assert!(!error.is_full());
    assert_eq!(
        (error.to_string().as_str(), error.into_item()),
        ("the queue was shut down", "third")
    );
    assert_eq!(at_once(queue.put("fourth")), Err(QueueShutDown("fourth")));
}

#[test]
fn nothing_can_be_got_from_an_empty_queue() {
    let queue = Queue::<u8>::unbounded();
    let error = queue.get_nowait().unwrap_err();
    assert!(error.is_empty());
    assert_eq!(error.to_string(), "to get an item from a queue: it is empty");
}

#[test]
fn join_returns_at_once_with_nothing_unfinished() {
    at_once(Queue::<u8>::unbounded().join());
}

#[test]
fn join_waits_until_every_item_is_marked_as_done() {
    run(async {
        let (queue, log) = queue(0);
        queue.put_nowait(1).unwrap();
        queue.put_nowait(2).unwrap();
        let (joined, said) = (queue.clone(), log.clone());
        let _task = create_task(async move {
            joined.join().await;
            said.push("joined");
        });
        turns(1).await;
        queue.get_nowait().unwrap();
        queue.task_done().unwrap();
        turns(1).await;
        assert_eq!(log.take(), [""; 0]);
        let item = queue.get_item().await.unwrap();
        assert_eq!(format!("{item:?}"), "2");
        drop(item);
        turns(1).await;
        assert_eq!(log.take(), ["joined"]);
    });
}

#[test]
fn a_cancelled_join_changes_nothing() {
    run(async {
        let (queue, _) = queue(0);
        queue.put_nowait(1).unwrap();
        let joined = queue.clone();
        let task = create_task(async move { joined.join().await });
        turns(1).await;
        assert_eq!(queue.statistics().joiners, 1);
        task.cancel();
        turns(1).await;
        assert!(task.cancelled());
        assert_eq!((queue.statistics().joiners, queue.statistics().unfinished), (0, 1));
    });
}

#[test]
fn a_getter_of_an_item_that_marks_itself_leaves_it_and_marks_nothing_when_cancelled() {
    run(async {
        let (queue, _) = queue(0);
        let waits = queue.clone();
        let task = create_task(async move { drop(waits.get_item().await) });
        turns(1).await;
        queue.put_nowait(1).unwrap();
        task.cancel();
        turns(1).await;
        assert!(task.cancelled());
        assert_eq!((queue.get_nowait(), queue.statistics().unfinished), (Ok(1), 1));
    });
}

#[test]
fn a_task_done_too_often_is_refused() {
    let queue = Queue::unbounded();
    queue.put_nowait(1).unwrap();
    queue.task_done().unwrap();
    let error = queue.task_done().unwrap_err();
    assert_eq!(error.to_string(), "task_done was called on a queue that has no unfinished tasks");
    assert_eq!(queue.get_nowait(), Ok(1));
}

#[test]
fn a_queue_that_is_shut_down_is_emptied_first_and_then_fails_getters() {
    run(async {
        let shared = queue(0);
        shared.0.put_nowait(1).unwrap();
        shared.0.shutdown(false);
        assert!(shared.0.is_shut_down());
        assert_eq!(shared.0.get().await, Ok(1));
        assert_eq!(shared.0.get().await, Err(QueueShutDown(())));
    });
}

#[test]
fn shutdown_fails_getters_and_putters_that_wait() {
    run(async {
        let empty = queue(0);
        let full = queue(1);
        full.0.put_nowait(0).unwrap();
        let _getters = ["a", "b"].map(|name| getter(&empty, name));
        let _putters = [1, 2].map(|item| putter(&full, item));
        turns(1).await;
        empty.0.shutdown(false);
        full.0.shutdown(false);
        turns(1).await;
        assert_eq!(empty.1.take(), ["a: the queue was shut down", "b: the queue was shut down"]);
        assert_eq!(full.1.take(), ["1: the queue was shut down", "2: the queue was shut down"]);
        assert_eq!(full.0.get().await, Ok(0));
    });
}

#[test]
fn an_immediate_shutdown_lowers_the_unfinished_count_by_what_it_drops() {
    run(async {
        let (queue, log) = queue(0);
        for item in 0..3 {
            queue.put_nowait(item).unwrap();
        }
        queue.get_nowait().unwrap();
        let (joined, said) = (queue.clone(), log.clone());
        let _task = create_task(async move {
            joined.join().await;
            said.push("joined");
        });
        turns(1).await;
        queue.shutdown(true);
        assert_eq!((queue.qsize(), queue.statistics().unfinished), (0, 1));
        assert!(queue.get().await.is_err());
        turns(1).await;
        assert_eq!(log.take(), [""; 0], "one item is still being worked on");
        queue.task_done().unwrap();
        turns(1).await;
        assert_eq!(log.take(), ["joined"]);
    });
}

#[test]
fn an_immediate_shutdown_wakes_those_who_join() {
    run(async {
        let (queue, _) = queue(0);
        queue.put_nowait(1).unwrap();
        let joined = queue.clone();
        let task = create_task(async move { joined.join().await });
        turns(1).await;
        queue.shutdown(true);
        task.await.unwrap();
    });
}

#[test]
fn items_that_use_the_queue_when_they_are_dropped_do_no_harm() {
    struct Item(Rc<Queue<Item>>);
    impl Drop for Item {
        fn drop(&mut self) {
            assert!(self.0.empty());
            let _ = self.0.get_nowait();
        }
    }
    let queue = Rc::new(Queue::unbounded());
    queue.put_nowait(Item(queue.clone())).ok().unwrap();
    queue.shutdown(true);
    assert_eq!(Rc::strong_count(&queue), 1);
}

#[test]
fn a_comparison_that_panics_leaves_a_queue_that_counts_right() {
    #[derive(PartialEq, Eq)]
    struct Moody(u32, Rc<Cell<bool>>);
    impl PartialOrd for Moody {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }
    impl Ord for Moody {
        fn cmp(&self, other: &Self) -> Ordering {
            assert!(!self.1.get(), "not in the mood");
            self.0.cmp(&other.0)
        }
    }

    let panics = Rc::new(Cell::new(false));
    let queue = PriorityQueue::new(4);
    let put = |number| queue.put_nowait(Moody(number, panics.clone()));
    let fails: [fn(&PriorityQueue<Moody>, Moody); 2] =
        [|queue, item| drop(queue.put_nowait(item)), |queue, _| drop(queue.get_nowait())];
    for fail in fails {
        assert!([1, 2, 3].into_iter().all(|number| put(number).is_ok()));
        panics.set(true);
        let fail = || fail(&queue, Moody(0, panics.clone()));
        assert!(catch_unwind(AssertUnwindSafe(fail)).is_err());
        panics.set(false);
        for left in (0..queue.qsize()).rev() {
            assert!(queue.get_nowait().is_ok());
            assert_eq!(queue.qsize(), left);
        }
        assert!(queue.get_nowait().is_err());
    }
}

#[test]
fn a_queue_says_how_it_is() {
    let queue = Queue::new(1);
    assert_eq!(format!("{queue:?}"), "<Queue maxsize=1 qsize=0>");
    queue.put_nowait(1).unwrap();
    let _putter = Polled::waiting(queue.put(2));
    queue.shutdown(false);
    assert_eq!(format!("{queue:?}"), "<Queue maxsize=1 qsize=1 putters[1] tasks=1 shutdown>");
    let lifo = LifoQueue::<u8>::default();
    let _getter = Polled::waiting(lifo.get());
    assert_eq!(format!("{lifo:?}"), "<LifoQueue maxsize=0 qsize=0 getters[1]>");
    let priority = PriorityQueue::<u8>::default();
    assert_eq!(format!("{priority:?}"), "<PriorityQueue maxsize=0 qsize=0>");
}
