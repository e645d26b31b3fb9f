//! A callback that is called again and again, as long as something happens.

use std::cell::{Cell, RefCell};

use ronde_context::{Context, copy_context};
use tracing::Span;

/// The callback, and the context and the span of whoever registered it.
pub(crate) struct Repeated {
    /// Empty while it runs: it may do anything, also remove itself.
    inner: RefCell<Option<Inner>>,
    is_removed: Cell<bool>,
}

struct Inner {
    callback: Box<dyn FnMut()>,
    context: Context,
    span: Span,
}

impl Repeated {
    pub(crate) fn new(callback: impl FnMut() + 'static) -> Self {
        let inner =
            Inner { callback: Box::new(callback), context: copy_context(), span: Span::current() };
        Self { inner: RefCell::new(Some(inner)), is_removed: Cell::new(false) }
    }

    /// Calls it, unless it is removed.
    pub(crate) fn call(&self) {
        let Some(inner) = self.inner.take() else { return };
        let mut running = Running { inner: Some(inner), repeated: self };
        if let Some(Inner { callback, context, span }) = &mut running.inner {
            let _entered = span.enter();
            context.run(callback);
        }
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.is_removed.get()
    }

    /// Sees to it that it isn't called any more, and drops it.
    pub(crate) fn remove(&self) {
        self.is_removed.set(true);
        let inner = self.inner.take();
        // Only here: what it has captured is foreign code to drop.
        drop(inner);
    }
}

/// Puts the callback back when it has run, also if it panics.
struct Running<'a> {
    inner: Option<Inner>,
    repeated: &'a Repeated,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.repeated.is_removed() {
            self.repeated.inner.replace(self.inner.take());
        }
    }
}
