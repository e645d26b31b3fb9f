//! What a task or a callback inherits from the code that creates it.

use ronde_context::executor::ContextSlot;
use ronde_context::{Context, copy_context};
use tracing::Span;
use tracing::level_filters::LevelFilter;

/// The span that the caller is in. `None`, at the cost of two loads, if nobody traces.
#[inline]
pub(crate) fn current_span() -> Option<Box<Span>> {
    if tracing::dispatcher::has_been_set() { traced_span() } else { None }
}

#[cold]
fn traced_span() -> Option<Box<Span>> {
    if LevelFilter::current() == LevelFilter::OFF {
        return None;
    }
    let span = Span::current();
    (!span.is_none()).then(|| Box::new(span))
}

/// Enters a span without a guard, which would cost those who have none.
#[cold]
pub(crate) fn enter_span(span: &Span) {
    span.with_subscriber(|(id, dispatch)| dispatch.enter(id));
}

#[cold]
pub(crate) fn exit_span(span: &Span) {
    span.with_subscriber(|(id, dispatch)| dispatch.exit(id));
}

/// The context and the span of a callback.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    /// `None` is the common case: there is nothing to inherit.
    something: Option<Box<Something>>,
}

#[derive(Debug)]
struct Something {
    context: Context,
    span: Option<Box<Span>>,
}

impl Inherited {
    /// What the caller runs in, as a copy.
    #[inline]
    pub(crate) fn from_caller() -> Self {
        let (context, span) = (copy_context(), current_span());
        if context.is_empty() && span.is_none() {
            return Self::default();
        }
        Self { something: Some(Box::new(Something { context, span })) }
    }

    /// A copy of the context.
    pub(crate) fn context(&self) -> Context {
        self.something.as_ref().map_or_else(Context::new, |something| something.context.clone())
    }

    #[inline]
    pub(crate) fn run<R>(self, f: impl FnOnce() -> R) -> R {
        match self.something {
            // A context of its own all the same: what it sets is seen nowhere else.
            None => Entered::run(Context::new(), f),
            Some(something) => {
                let Something { context, span } = *something;
                let _span = span.as_ref().map(|span| span.enter());
                Entered::run(context, f)
            }
        }
    }
}

/// While it lives, a context is the current one. Also if what runs in it panics.
struct Entered(ContextSlot);

impl Entered {
    #[inline]
    fn run<R>(context: Context, f: impl FnOnce() -> R) -> R {
        let entered = Self(ContextSlot::of(context));
        entered.0.enter();
        f()
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        self.0.enter();
    }
}
