//! Futures of other crates, which know nothing of ronde, work unchanged.

mod common;

use common::{SECOND, simulated, turn};
use event_listener::Event;
use futures_channel::{mpsc, oneshot};
use futures_lite::{StreamExt, future};
use ronde_loop::{EventLoop, TaskRef, get_running_loop, sleep, timeout};
use std::sync::Arc;
use std::thread;

#[test]
fn a_channel_is_fed_by_another_thread() {
    let event_loop = EventLoop::new().unwrap();
    let (sender, receiver) = async_channel::bounded(2);
    let feeder = thread::spawn(move || {
        for n in 0..100 {
            sender.send_blocking(n).unwrap();
        }
    });
    let received: Vec<i32> = event_loop.run_until_complete(receiver.collect()).unwrap();
    feeder.join().unwrap();
    assert_eq!(received, (0..100).collect::<Vec<_>>());
}

#[test]
fn a_oneshot_is_sent_by_another_thread() {
    let event_loop = EventLoop::new().unwrap();
    let (sender, receiver) = oneshot::channel();
    let outcome = event_loop.run_until_complete(async move {
        thread::spawn(move || sender.send(7).unwrap());
        receiver.await
    });
    assert_eq!(outcome.unwrap(), Ok(7));
}

#[test]
fn an_event_is_notified_by_another_thread() {
    let event_loop = EventLoop::new().unwrap();
    let event = Arc::new(Event::new());
    event_loop
        .run_until_complete(async move {
            let listener = event.listen();
            thread::spawn(move || event.notify(1));
            listener.await;
        })
        .unwrap();
}

#[test]
fn two_tasks_talk_through_a_channel_in_simulated_time() {
    let (sender, mut receiver) = mpsc::channel(0);
    let received = simulated()
        .run_until_complete(async move {
            let producer = get_running_loop().unwrap().create_task(async move {
                let mut sender = sender;
                for n in 0..3_u32 {
                    sleep(SECOND).await;
                    sender.try_send(n).unwrap();
                }
            });
            let mut received = Vec::new();
            while let Some(n) = receiver.next().await {
                received.push(n);
            }
            producer.await.unwrap();
            received
        })
        .unwrap();
    assert_eq!(received, [0, 1, 2]);
}

#[test]
fn a_cancelled_receiver_takes_no_item_with_it() {
    let event_loop = simulated();
    let (sender, receiver) = async_channel::unbounded();
    let doomed = event_loop.create_task({
        let receiver = receiver.clone();
        async move { receiver.recv().await }
    });
    turn(&event_loop);
    // It is woken for the item, and then cancelled before it can run.
    sender.try_send("item").unwrap();
    assert!(TaskRef::from(&doomed).cancel());
    turn(&event_loop);
    assert!(doomed.cancelled());
    assert_eq!(receiver.try_recv(), Ok("item"));
}

#[test]
fn a_receiver_under_a_time_limit_gets_what_comes_in_time() {
    simulated()
        .run_until_complete(async {
            let (sender, receiver) = async_channel::unbounded();
            assert!(timeout(SECOND, receiver.recv()).await.is_err());
            sender.try_send(1).unwrap();
            assert_eq!(timeout(SECOND, receiver.recv()).await.unwrap(), Ok(1));
        })
        .unwrap();
}

#[test]
fn joins_and_races_of_other_crates_work_in_one_task() {
    simulated()
        .run_until_complete(async {
            let left = async {
                sleep(SECOND).await;
                1
            };
            let right = async {
                sleep(2 * SECOND).await;
                2
            };
            assert_eq!(future::zip(left, right).await, (1, 2));
            let first = future::or(sleep(SECOND), std::future::pending());
            first.await;
        })
        .unwrap();
}
