//! Context variables: values that tasks and callbacks inherit by copy.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::registers;

/// A variable whose value belongs to the [`Context`] that the code runs in.
///
/// Every task begins with a copy of the context that it was created in, and every callback runs in a
/// copy of the one that it was registered in. So a value that is set once, for a request, say, is
/// there in everything that is started on behalf of that request, and what is set there is seen
/// nowhere else. Outside of tasks and callbacks each thread has a context of its own.
///
/// Make it a `static`. Values are `Send` and `Sync`, since a context may be carried to another thread
/// (`to_thread` does so), and shared, not cloned, by the contexts that have them.
///
/// # In asyncio
///
/// `contextvars.ContextVar`.
///
/// # Examples
///
/// ```
/// use ronde_context::ContextVar;
///
/// static REQUEST: ContextVar<String> = ContextVar::new("request");
/// static DEPTH: ContextVar<u32> = ContextVar::with_default("depth", 0);
///
/// assert_eq!(REQUEST.get(), None);
/// REQUEST.set("GET /".to_owned());
/// assert_eq!(REQUEST.get().as_deref(), Some("GET /"));
///
/// assert_eq!(DEPTH.get(), Some(0));
/// let token = DEPTH.set(1);
/// assert_eq!(DEPTH.get(), Some(1));
/// DEPTH.reset(token)?;
/// assert_eq!(DEPTH.get(), Some(0));
/// # Ok::<(), ronde_context::ResetError>(())
/// ```
pub struct ContextVar<T> {
    name: &'static str,
    default: Option<T>,
    /// Zero until the variable is first used.
    id: AtomicU64,
}

type Value = Arc<dyn Any + Send + Sync>;

/// The values of a context. Copies share it until one of them changes.
///
/// A program has a handful of variables, so it is a list.
#[derive(Clone, Default)]
struct Values(Vec<Entry>);

#[derive(Clone)]
struct Entry {
    variable: u64,
    name: &'static str,
    value: Value,
}

impl Values {
    fn get(&self, variable: u64) -> Option<&Value> {
        self.0.iter().find(|entry| entry.variable == variable).map(|entry| &entry.value)
    }

    /// Changes or removes a value. Returns what was there, for the caller to drop.
    fn replace(
        &mut self,
        variable: u64,
        name: &'static str,
        value: Option<Value>,
    ) -> Option<Value> {
        let place = self.0.iter().position(|entry| entry.variable == variable);
        match (place, value) {
            (Some(place), Some(value)) => Some(mem::replace(&mut self.0[place].value, value)),
            (Some(place), None) => Some(self.0.remove(place).value),
            (None, Some(value)) => {
                self.0.push(Entry { variable, name, value });
                None
            }
            (None, None) => None,
        }
    }
}

/// A context as it lies about: in the thread, while code runs in it, or in a task.
struct Slot {
    /// Tells the context from its copies. Zero is the common case: no variable was ever set.
    id: Cell<u64>,
    /// Invariant: `None` if `id` is zero.
    values: Cell<Option<Arc<Values>>>,
}

impl Slot {
    const fn empty() -> Self {
        Self { id: Cell::new(0), values: Cell::new(None) }
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.id.get() == 0
    }

    /// This is done twice at every step of every task.
    #[inline]
    fn swap(&self, other: &Slot) {
        if !(self.is_empty() && other.is_empty()) {
            self.id.swap(&other.id);
            self.values.swap(&other.values);
        }
    }

    #[inline]
    fn copy(&self) -> Context {
        if self.is_empty() { Context::default() } else { self.copy_values() }
    }

    #[cold]
    fn copy_values(&self) -> Context {
        let values = self.values.take();
        let copy = values.clone();
        self.values.set(values);
        Context { id: registers::unique(), values: copy }
    }
}

thread_local! {
    // Never dropped, so that an access is a plain load and works while the thread ends; `Cleanup`
    // sees to the values.
    static CURRENT: ManuallyDrop<Slot> = const { ManuallyDrop::new(Slot::empty()) };
    static CLEANUP: Cleanup = const { Cleanup };
}

/// Drops the values of a thread's own context at the thread's end.
struct Cleanup;

impl Drop for Cleanup {
    fn drop(&mut self) {
        // Not inside `with`: destructors may use variables.
        let values = CURRENT.with(|current| current.values.take());
        drop(values);
    }
}

impl<T> ContextVar<T> {
    /// Makes a variable without a value. The name is for `Debug` and for errors.
    pub const fn new(name: &'static str) -> Self {
        Self { name, default: None, id: AtomicU64::new(0) }
    }

    /// Makes a variable that has a value wherever none is set.
    pub const fn with_default(name: &'static str, default: T) -> Self {
        Self { name, default: Some(default), id: AtomicU64::new(0) }
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    fn id(&self) -> u64 {
        let id = self.id.load(Ordering::Relaxed);
        if id != 0 {
            return id;
        }
        match self.id.compare_exchange(0, registers::unique(), Ordering::Relaxed, Ordering::Relaxed)
        {
            Ok(_) => self.id.load(Ordering::Relaxed),
            Err(another_threads) => another_threads,
        }
    }
}

impl<T: Send + Sync + 'static> ContextVar<T> {
    /// The value in the current context, or the default, or `None`.
    pub fn get(&self) -> Option<T>
    where
        T: Clone,
    {
        self.with(|value| value.cloned())
    }

    /// Calls `read` with the value in the current context, or the default, or `None`.
    ///
    /// ```
    /// # use ronde_context::ContextVar;
    /// static USER: ContextVar<String> = ContextVar::new("user");
    /// USER.set("Ada".to_owned());
    /// assert!(USER.with(|user| user.is_some_and(|user| user.starts_with('A'))));
    /// ```
    pub fn with<R>(&self, read: impl FnOnce(Option<&T>) -> R) -> R {
        let value = CURRENT.with(|current| {
            let values = current.values.take();
            let value = values.as_ref().and_then(|values| values.get(self.id())).cloned();
            current.values.set(values);
            value
        });
        // The value is held, and nothing is borrowed, while `read` runs: it may set the variable.
        read(
            value
                .as_deref()
                .and_then(<dyn Any + Send + Sync>::downcast_ref)
                .or(self.default.as_ref()),
        )
    }

    /// Sets the value in the current context. The token can take it back: see [`reset`](Self::reset).
    pub fn set(&self, value: T) -> Token<T> {
        let (context, old) = self.replace(Some(Arc::new(value)));
        Token { variable: self.id(), name: self.name, context, old, of: PhantomData }
    }

    /// Brings back what was there before the [`set`](Self::set) that gave `token`.
    ///
    /// # Errors
    ///
    /// [`ResetError`] if the token is of another variable, or was made in another context: in
    /// another task, say. Nothing is changed then.
    pub fn reset(&self, token: Token<T>) -> Result<(), ResetError> {
        if token.variable != self.id() {
            return Err(ResetError::OtherVariable { variable: self.name, token_of: token.name });
        }
        if CURRENT.with(|current| current.id.get()) != token.context {
            return Err(ResetError::OtherContext { variable: self.name });
        }
        self.replace(token.old);
        Ok(())
    }

    /// Returns the identity of the context and the old value.
    fn replace(&self, value: Option<Value>) -> (u64, Option<Value>) {
        let _ = CLEANUP.try_with(|_| ());
        let id = self.id();
        CURRENT.with(|current| {
            let mut values = current.values.take().unwrap_or_default();
            let old = Arc::make_mut(&mut values).replace(id, self.name, value);
            current.values.set(Some(values));
            if current.is_empty() {
                current.id.set(registers::unique());
            }
            (current.id.get(), old)
        })
    }
}

impl<T> fmt::Debug for ContextVar<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<ContextVar '{}'>", self.name)
    }
}

/// What a variable was before it was [set](ContextVar::set). Good for one
/// [`reset`](ContextVar::reset); dropping it changes nothing.
///
/// # In asyncio
///
/// `contextvars.Token`.
pub struct Token<T> {
    variable: u64,
    name: &'static str,
    /// The identity of the context in which the variable was set.
    context: u64,
    old: Option<Value>,
    of: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Token<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Token of '{}'>", self.name)
    }
}

/// A variable can't be brought back with this token.
///
/// # In asyncio
///
/// A `ValueError`. A token that was used already, a `RuntimeError` there, can't exist here.
///
/// # Examples
///
/// ```
/// use ronde_context::{ContextVar, copy_context};
///
/// static USER: ContextVar<&str> = ContextVar::new("user");
/// let token = copy_context().run(|| USER.set("Ada"));
/// let error = USER.reset(token).unwrap_err();
/// assert_eq!(error.to_string(), "the token of 'user' was made in another context");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResetError {
    /// The token was made by another variable.
    #[non_exhaustive]
    OtherVariable {
        /// The variable that was to be reset.
        variable: &'static str,
        /// The variable that made the token.
        token_of: &'static str,
    },
    /// The token was made in another context.
    #[non_exhaustive]
    OtherContext {
        /// The variable.
        variable: &'static str,
    },
}

impl fmt::Display for ResetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherVariable { variable, token_of } => {
                write!(f, "'{variable}' can't be reset with a token of '{token_of}'")
            }
            Self::OtherContext { variable } => {
                write!(f, "the token of '{variable}' was made in another context")
            }
        }
    }
}

impl std::error::Error for ResetError {}

/// A set of values of [variables](ContextVar), to run code in.
///
/// A copy of it, like that which a task gets, costs no more than a reference count: the values are
/// shared until one of the copies changes.
///
/// # In asyncio
///
/// `contextvars.Context`. Cloning it is `Context.copy`.
///
/// # Examples
///
/// ```
/// use ronde_context::{Context, ContextVar};
///
/// static USER: ContextVar<&str> = ContextVar::new("user");
///
/// let mut context = Context::new();
/// context.run(|| USER.set("Ada"));
/// assert_eq!(context.get(&USER), Some("Ada"));
/// assert_eq!(USER.get(), None);
/// assert_eq!(format!("{context:?}"), r#"Context {"user"}"#);
/// ```
#[derive(Default)]
pub struct Context {
    /// As in a [`Slot`].
    id: u64,
    values: Option<Arc<Values>>,
}

/// A copy of the current context.
///
/// # In asyncio
///
/// `contextvars.copy_context`.
#[inline]
pub fn copy_context() -> Context {
    CURRENT.with(|current| current.copy())
}

impl Context {
    /// Makes one without values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `f` in this context. What it sets stays in here, and is seen nowhere else.
    ///
    /// # Panics
    ///
    /// If `f` does.
    pub fn run<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let inside = ContextSlot::of(mem::take(self));
        let run = Run { context: self, outside: &inside };
        inside.enter();
        let result = f();
        drop(run);
        result
    }

    /// The value of a variable in this context, or its default, or `None`.
    pub fn get<T: Clone + Send + Sync + 'static>(&self, variable: &ContextVar<T>) -> Option<T> {
        let value = self.values.as_ref().and_then(|values| values.get(variable.id()));
        value.and_then(|value| value.downcast_ref()).or(variable.default.as_ref()).cloned()
    }

    /// Is the variable set in this context?
    pub fn contains<T>(&self, variable: &ContextVar<T>) -> bool {
        self.values.as_ref().is_some_and(|values| values.get(variable.id()).is_some())
    }

    /// The names of the variables that are set, in the order in which they were first set.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.values.iter().flat_map(|values| &values.0).map(|entry| entry.name)
    }

    /// How many variables are set.
    pub fn len(&self) -> usize {
        self.values.as_ref().map_or(0, |values| values.0.len())
    }

    /// Is no variable set?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Leaves the context again, also when what ran in it has panicked.
struct Run<'a> {
    context: &'a mut Context,
    outside: &'a ContextSlot,
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.outside.enter();
        *self.context =
            Context { id: self.outside.0.id.take(), values: self.outside.0.values.take() };
    }
}

impl Clone for Context {
    /// A copy, which is another context: tokens of the one are no good in the other.
    fn clone(&self) -> Self {
        let id = if self.id == 0 { 0 } else { registers::unique() };
        Self { id, values: self.values.clone() }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context ")?;
        f.debug_set().entries(self.names()).finish()
    }
}

/// The context of a task or a callback, for those who run them.
///
/// ```
/// use ronde_context::executor::ContextSlot;
/// use ronde_context::{Context, ContextVar};
///
/// static STEPS: ContextVar<u32> = ContextVar::with_default("steps", 0);
///
/// let slot = ContextSlot::of(Context::new());
/// for _ in 0..2 {
///     slot.enter();
///     STEPS.set(STEPS.get().unwrap() + 1);
///     slot.enter();
/// }
/// assert_eq!(slot.copy().get(&STEPS), Some(2));
/// assert_eq!(STEPS.get(), Some(0));
/// ```
pub struct ContextSlot(Slot);

impl ContextSlot {
    /// Holds `context`.
    #[inline]
    pub fn of(context: Context) -> Self {
        Self(Slot { id: Cell::new(context.id), values: Cell::new(context.values) })
    }

    /// Holds `context` from now on: not while it is entered.
    pub fn replace(&self, context: Context) {
        self.0.id.set(context.id);
        let _values = self.0.values.replace(context.values);
    }

    /// Exchanges what is in here and the thread's current context. So the second time it leaves
    /// again.
    #[inline]
    pub fn enter(&self) {
        CURRENT.with(|current| current.swap(&self.0));
    }

    /// A copy of what is in here: not while it is entered.
    pub fn copy(&self) -> Context {
        self.0.copy()
    }
}

impl fmt::Debug for ContextSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.copy().fmt(f)
    }
}
