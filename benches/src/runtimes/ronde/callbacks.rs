//! What only ronde has: callbacks.

use std::cell::Cell;
use std::rc::Rc;

use super::{run, yield_now};
use crate::scenario::{Scenario, timed};

pub(crate) const SCENARIOS: &[Scenario] = &[Scenario::time("call-soon", 300_000, call_soon)];

/// A hundred callbacks in each turn.
fn call_soon(count: u32) -> f64 {
    run(timed(async move {
        let event_loop = ronde::get_running_loop().unwrap();
        let called = Rc::new(Cell::new(0));
        for _ in 0..count / 100 {
            for _ in 0..100 {
                let called = called.clone();
                event_loop.call_soon(move || called.set(called.get() + 1));
            }
            yield_now().await;
        }
        assert_eq!(called.get(), count / 100 * 100);
    }))
}
