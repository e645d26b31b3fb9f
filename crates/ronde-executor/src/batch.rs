//! The ready queue, and one round of it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Waker;

use crate::callback::Handle;
use crate::executor::Shared;
use crate::spawn::Runnable;

/// One entry of the ready queue: something that is about to run.
pub(crate) enum Entry {
    /// A step of a task.
    Step(Runnable),
    Callback(Handle),
    /// Wakes a task. A timer that is due sits in the queue as this, so that its task runs in the
    /// batch after, as in asyncio, where the timer's entry only sets a future.
    Wake(Waker),
    /// Something that runs more than once, such as a reader of a descriptor.
    Repeated(Rc<dyn Fn()>),
}

#[derive(Default)]
pub(crate) struct Ready {
    queue: RefCell<VecDeque<Entry>>,
}

impl Ready {
    #[inline]
    pub(crate) fn push(&self, entry: Entry) {
        self.queue.borrow_mut().push_back(entry);
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.borrow().len()
    }

    pub(crate) fn take(&self) -> VecDeque<Entry> {
        self.queue.take()
    }

    fn pop(&self) -> Option<Entry> {
        self.queue.borrow_mut().pop_front()
    }
}

/// While it lives, a batch of the executor is being run.
struct Running<'a> {
    executor: &'a Shared,
    outside: bool,
}

impl<'a> Running<'a> {
    fn begin(executor: &'a Shared) -> Self {
        Self { executor, outside: executor.running.replace(true) }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.executor.running.set(self.outside);
    }
}

/// Runs exactly the entries that are ready now. Returns how many there were.
pub(crate) fn run(shared: &Rc<Shared>) -> usize {
    let _running = Running::begin(shared);
    let count = shared.ready.len();
    for _ in 0..count {
        let Some(entry) = shared.ready.pop() else { break };
        match entry {
            Entry::Step(runnable) => {
                runnable.run();
            }
            Entry::Callback(handle) => {
                if let Err(context) = handle.run() {
                    shared.call_exception_handler(&context);
                }
            }
            Entry::Wake(waker) => waker.wake(),
            Entry::Repeated(callback) => {
                let callback = Handle::new(move || callback());
                if let Err(context) = callback.run() {
                    shared.call_exception_handler(&context);
                }
            }
        }
    }
    count
}
