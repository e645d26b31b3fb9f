//! The ready queue, and one round of it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::Location;
use std::rc::Rc;
use std::task::Waker;

use crate::callback::Handle;
use crate::executor::Shared;
use crate::inherited::Inherited;
use crate::order::ReadyOrder;
use crate::spawn::Runnable;

/// What is about to run and is not a step of a task.
pub(crate) enum Entry {
    Callback(Handle),
    /// Wakes a task. A timer that is due sits in the queue as this, so that its task runs in the
    /// batch after, as in asyncio, where the timer's entry only sets a future.
    Wake(Waker),
    /// Something that runs more than once, such as a reader of a descriptor, and where it was registered.
    Repeated(Rc<dyn Fn()>, &'static Location<'static>),
}

/// The queue.
///
/// Almost all entries are steps, and a step is one word. So the queue is one of words, and what is
/// not a step waits in a second queue, for the place that a `None` keeps for it in the first.
#[derive(Default)]
pub(crate) struct Ready {
    places: RefCell<VecDeque<Option<Runnable>>>,
    /// Invariant: as many as there are `None`s in `places`, in the same order.
    others: RefCell<VecDeque<Entry>>,
}

impl Ready {
    #[inline]
    pub(crate) fn push_step(&self, step: Runnable) {
        self.places.borrow_mut().push_back(Some(step));
    }

    pub(crate) fn push(&self, entry: Entry) {
        self.others.borrow_mut().push_back(entry);
        self.places.borrow_mut().push_back(None);
    }

    pub(crate) fn len(&self) -> usize {
        self.places.borrow().len()
    }

    /// Takes the first place, and what is in it.
    #[inline]
    fn pop(&self) -> Option<Result<Runnable, Entry>> {
        let place = self.places.borrow_mut().pop_front()?;
        match place {
            Some(step) => Some(Ok(step)),
            None => self.others.borrow_mut().pop_front().map(Err),
        }
    }

    /// Takes what is at `index`, from the front.
    fn take(&self, index: usize) -> Option<Result<Runnable, Entry>> {
        let mut places = self.places.borrow_mut();
        let place = places.remove(index)?;
        match place {
            Some(step) => Some(Ok(step)),
            None => {
                let before = places.iter().take(index).filter(|place| place.is_none()).count();
                self.others.borrow_mut().remove(before).map(Err)
            }
        }
    }

    /// Takes everything that there is now.
    pub(crate) fn drain(&self) -> impl Iterator<Item = Result<Runnable, Entry>> {
        let mut others = self.others.take();
        let places = self.places.take().into_iter();
        places.filter_map(move |place| match place {
            Some(step) => Some(Ok(step)),
            None => others.pop_front().map(Err),
        })
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
    // Taken out, as what runs may set another one. It counts from the next batch on.
    let order = shared.order.take();
    if let Some(order) = order {
        run_in_order(shared, count, order);
        return count;
    }
    for _ in 0..count {
        match shared.ready.pop() {
            Some(Ok(step)) => {
                step.run();
            }
            Some(Err(entry)) => entry.run(shared),
            None => break,
        }
    }
    count
}

#[cold]
fn run_in_order(shared: &Rc<Shared>, count: usize, order: Box<dyn ReadyOrder>) {
    shared.order_is_new.set(false);
    let mut order = PutBack { shared, order: Some(order) };
    for left in (1..=count).rev() {
        // Fewer, if the executor was closed by what ran.
        let left = left.min(shared.ready.len());
        if left == 0 {
            break;
        }
        let next = order.next(left).min(left - 1);
        match shared.ready.take(next) {
            Some(Ok(step)) => {
                step.run();
            }
            Some(Err(entry)) => entry.run(shared),
            None => break,
        }
    }
}

/// Puts the order back after the batch, unless another one was set meanwhile.
struct PutBack<'a> {
    shared: &'a Shared,
    order: Option<Box<dyn ReadyOrder>>,
}

impl PutBack<'_> {
    fn next(&mut self, ready: usize) -> usize {
        self.order.as_mut().map_or(0, |order| order.next(ready))
    }
}

impl Drop for PutBack<'_> {
    fn drop(&mut self) {
        if !self.shared.order_is_new.get() {
            self.shared.order.set(self.order.take());
        }
    }
}

impl Entry {
    fn run(self, shared: &Rc<Shared>) {
        let handle = match self {
            Entry::Callback(handle) => handle,
            Entry::Repeated(callback, registered_at) => {
                // In a context of its own, though not that of whoever registered it.
                let call = move || Inherited::default().run(|| callback());
                Handle::registered_at(registered_at, call)
            }
            Entry::Wake(waker) => {
                waker.wake();
                return;
            }
        };
        let outcome = if shared.instruments.steps() {
            shared.run_callback_watched(Some(handle.created_at()), || handle.run())
        } else {
            handle.run()
        };
        if let Err(context) = outcome {
            shared.call_exception_handler(&context);
        }
    }
}
