//! Events.

mod common;

use std::rc::Rc;

use common::{Log, run, turns};
use ronde::{Event, catch_cancelled, create_task};

#[test]
fn an_event_that_is_set_does_not_suspend_anybody() {
    common::at_once(async {
        let event = Event::default();
        event.set();
        event.wait().await;
        assert!(event.is_set());
    });
}

#[test]
fn an_event_wakes_all_who_wait_in_order_even_if_it_is_cleared_before_they_run() {
    let log = run(async {
        let (event, log) = (Rc::new(Event::new()), Log::default());
        let tasks = [1, 2, 3].map(|number| {
            let (event, log) = (event.clone(), log.clone());
            create_task(async move {
                event.wait().await;
                log.push(number);
                event.wait().await;
                log.push("twice");
            })
        });
        turns(1).await;
        event.set();
        event.clear();
        turns(1).await;
        assert!(!tasks[0].done());
        assert_eq!(event.statistics().waiting, 3);
        log
    });
    assert_eq!(log.take(), ["1", "2", "3"]);
}

#[test]
fn a_waiter_that_is_cancelled_after_the_event_was_set_is_cancelled() {
    run(async {
        let event = Rc::new(Event::new());
        let waits = event.clone();
        let waiter = create_task(async move { catch_cancelled(waits.wait()).await.is_err() });
        turns(1).await;
        event.set();
        waiter.cancel();
        assert!(waiter.await.unwrap());
        assert_eq!(event.statistics().waiting, 0);
    });
}

#[test]
fn a_cancelled_waiter_leaves_nothing_behind_and_may_wait_again() {
    run(async {
        let event = Rc::new(Event::new());
        let waits = event.clone();
        let waiter = create_task(async move {
            catch_cancelled(waits.wait()).await.unwrap_err();
            waits.wait().await;
        });
        turns(1).await;
        waiter.cancel();
        turns(1).await;
        assert_eq!(event.statistics().waiting, 1);
        event.set();
        waiter.await.unwrap();
    });
}

#[test]
fn an_event_says_how_it_is() {
    let event = Event::new();
    let _waiter = common::Polled::waiting(event.wait());
    assert_eq!(format!("{event:?}"), "<Event [unset, waiters:1]>");
    let event = Event::new();
    event.set();
    assert_eq!(format!("{event:?}"), "<Event [set]>");
}
