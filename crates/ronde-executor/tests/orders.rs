//! Another order of the ready queue, set while a batch runs.

use std::cell::RefCell;
use std::rc::Rc;

use ronde_executor::{Executor, ReadyOrder};

#[derive(Debug)]
struct LastFirst;

impl ReadyOrder for LastFirst {
    fn next(&mut self, ready: usize) -> usize {
        ready - 1
    }
}

#[test]
fn an_order_that_is_taken_away_during_a_batch_is_gone_in_the_next_one() {
    let executor = Rc::new(Executor::new(|| {}));
    executor.set_order(Some(Box::new(LastFirst)));
    let e = executor.clone();
    executor.call_soon(move || e.set_order(None));
    executor.run_batch();
    let order = Rc::new(RefCell::new(Vec::new()));
    for n in [1, 2, 3] {
        let order = order.clone();
        executor.call_soon(move || order.borrow_mut().push(n));
    }
    executor.run_batch();
    assert_eq!(*order.borrow(), [1, 2, 3]);
}
