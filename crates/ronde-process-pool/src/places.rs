//! Who may run a job now: as many as there may be workers, first come, first served.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ronde_context::{Wait, decline, waiting_for};

#[derive(Debug)]
pub(crate) struct Places {
    total: usize,
    free: Cell<usize>,
    queue: RefCell<VecDeque<Rc<Waiter>>>,
    /// Nobody gets a place any more.
    closed: Cell<bool>,
    /// Those who wait until all places are free.
    draining: RefCell<Vec<Waker>>,
}

#[derive(Debug)]
struct Waiter {
    /// It has a place. One that was given away is not in the queue any more.
    granted: Cell<bool>,
    waker: RefCell<Waker>,
}

/// The right to run one job. Dropping it gives it to the next.
#[derive(Debug)]
pub(crate) struct Place {
    places: Rc<Places>,
}

impl Places {
    pub(crate) fn new(total: usize) -> Rc<Self> {
        Rc::new(Self {
            total,
            free: Cell::new(total),
            queue: RefCell::default(),
            closed: Cell::new(false),
            draining: RefCell::default(),
        })
    }

    pub(crate) fn total(&self) -> usize {
        self.total
    }

    pub(crate) fn taken(&self) -> usize {
        self.total - self.free.get()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.queue.borrow().len()
    }

    /// Waits for a place. Who is dropped while waiting loses nothing but the turn. `None` if there is
    /// none any more.
    pub(crate) fn take(self: &Rc<Self>) -> Take {
        Take { places: self.clone(), waiter: None }
    }

    /// Sends away who waits. Those who have a place keep it.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        for waiter in self.queue.take() {
            let waker = waiter.waker.borrow().clone();
            waker.wake();
        }
    }

    pub(crate) fn poll_all_free(&self, cx: &mut Context<'_>) -> Poll<()> {
        if decline(cx) {
            return Poll::Pending;
        }
        if self.free.get() == self.total {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let mut draining = self.draining.borrow_mut();
        if !draining.iter().any(|known| known.will_wake(&waker)) {
            draining.push(waker);
        }
        waiting_for(Wait::Leaf("the jobs of a process pool to end"));
        Poll::Pending
    }

    fn release(&self) {
        let next = self.queue.borrow_mut().pop_front();
        if let Some(next) = next {
            next.granted.set(true);
            let waker = next.waker.borrow().clone();
            waker.wake();
            return;
        }
        self.free.set(self.free.get() + 1);
        if self.free.get() == self.total {
            self.draining.take().into_iter().for_each(Waker::wake);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.release();
    }
}

#[must_use]
pub(crate) struct Take {
    places: Rc<Places>,
    waiter: Option<Rc<Waiter>>,
}

impl Future for Take {
    type Output = Option<Place>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Place>> {
        if decline(cx) {
            return Poll::Pending;
        }
        let places = self.places.clone();
        if places.closed.get() {
            // One that was granted goes back when this is dropped.
            return Poll::Ready(None);
        }
        match &self.waiter {
            Some(waiter) if waiter.granted.get() => {
                self.waiter = None;
                return Poll::Ready(Some(Place { places }));
            }
            Some(waiter) => {
                let _old = waiter.waker.replace(cx.waker().clone());
            }
            // Nobody waits while there is a free place.
            None if places.free.get() > 0 => {
                places.free.set(places.free.get() - 1);
                return Poll::Ready(Some(Place { places }));
            }
            None => {
                let waker = RefCell::new(cx.waker().clone());
                let waiter = Rc::new(Waiter { granted: Cell::new(false), waker });
                places.queue.borrow_mut().push_back(waiter.clone());
                self.waiter = Some(waiter);
            }
        }
        waiting_for(Wait::Leaf("a worker of a process pool"));
        Poll::Pending
    }
}

impl Drop for Take {
    fn drop(&mut self) {
        let Some(waiter) = self.waiter.take() else { return };
        if waiter.granted.get() {
            self.places.release();
            return;
        }
        self.places.queue.borrow_mut().retain(|other| !Rc::ptr_eq(other, &waiter));
    }
}
