//! Another order of the ready queue than first in, first out.

use std::fmt::Debug;

/// Decides which of the entries that are ready in one turn runs next.
///
/// An entry is a callback, a done callback, or a step of a task. Without a `ReadyOrder` they run in the
/// order in which they became ready, which costs nothing and is what programs are promised. With one, the
/// rest of the promises stand: a turn runs exactly the entries that were ready when it began, each once,
/// and what they schedule runs in the next turn.
///
/// It is asked once for each entry, also for the last one of a turn. Taking entries out of the middle makes a
/// turn with very many of them slow: this is for tests.
///
/// # Examples
///
/// Last in, first out:
///
/// ```
/// use ronde_executor::{Executor, ReadyOrder};
///
/// #[derive(Debug)]
/// struct LastFirst;
///
/// impl ReadyOrder for LastFirst {
///     fn next(&mut self, ready: usize) -> usize {
///         ready - 1
///     }
/// }
///
/// let executor = Executor::new(|| {});
/// executor.set_order(Some(Box::new(LastFirst)));
/// let order = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
/// for number in [1, 2, 3] {
///     let order = order.clone();
///     executor.call_soon(move || order.borrow_mut().push(number));
/// }
/// executor.run_batch();
/// assert_eq!(*order.borrow(), [3, 2, 1]);
/// ```
pub trait ReadyOrder: Debug {
    /// `ready` entries of this turn, at least one, have not run: which of them is next?
    ///
    /// They are numbered from 0, in the order in which they became ready. A number that is too large means
    /// the last one.
    fn next(&mut self, ready: usize) -> usize;
}
