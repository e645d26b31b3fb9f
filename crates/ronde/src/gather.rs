//! Several tasks at once, and all their results.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use ronde_context::{CancelStep, CancelledError};
use ronde_loop::{Child, ChildRef, IntoChild, JoinPromise, Promise, TaskError};

use crate::watch::Watch;

/// Runs several things at once and waits for all of them.
///
/// `set` is a tuple, an array or a `Vec` of futures, tasks and promises; for an iterator there is
/// [`gather_all`]. Futures become tasks, here and now, in order; tasks and promises stay as they are. The result
/// has the same shape and order as `set`.
///
/// A child *fails* if it panics or is cancelled. The first failure ends the gathering at once;
/// **the other children go on running**. An `Err` that a child returns is a value like any other
/// here: where it should end the gathering, use [`try_gather`]. To have all outcomes, failures
/// included, use [`return_exceptions`](Gather::return_exceptions).
///
/// # Errors
///
/// The failure of the first child that failed.
///
/// # Panics
///
/// Outside a running event loop.
///
/// # Cancel safety
///
/// **Data lost**: the results of futures and of tasks that were moved in. Those of tasks given as
/// `&Task` stay with the tasks. Cancelling the task that waits cancels all children that aren't done,
/// and the cancellation goes on when the first of them is over (with `return_exceptions`, all of
/// them). Dropping the future leaves the children running.
///
/// # In asyncio
///
/// `asyncio.gather`.
///
/// # Examples
///
/// ```
/// use ronde::{gather, yield_now};
///
/// # ronde::run(async {
/// let (one, two) = gather((
///     async { 1 },
///     async {
///         yield_now().await;
///         "two"
///     },
/// ))
/// .await
/// .unwrap();
/// assert_eq!((one, two), (1, "two"));
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
#[track_caller]
pub fn gather<S: GatherSet>(set: S) -> Gather<S> {
    Gather::begin(set, FailOn::Panic)
}

/// [`gather`] for an iterator of futures or tasks of one type.
///
/// # Errors
///
/// As [`gather`].
///
/// # Panics
///
/// Outside a running event loop.
///
/// # Cancel safety
///
/// **Data lost**, as [`gather`].
///
/// # Examples
///
/// ```
/// # ronde::run(async {
/// let squares = ronde::gather_all((1..4).map(|n| async move { n * n })).await.unwrap();
/// assert_eq!(squares, [1, 4, 9]);
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
#[track_caller]
pub fn gather_all<I>(items: I) -> Gather<Vec<I::Item>>
where
    I: IntoIterator,
    I::Item: IntoChild,
{
    gather(items.into_iter().collect::<Vec<_>>())
}

/// As [`gather`], for children that return a `Result`: an `Err` is a failure too, and the values are
/// what is in the `Ok`s.
///
/// # Errors
///
/// The `Err` of the first child that failed; its panic or cancellation as a [`TaskError`] that
/// became an `E`.
///
/// # Panics
///
/// Outside a running event loop.
///
/// # Cancel safety
///
/// **Data lost**, as [`gather`].
///
/// # In asyncio
///
/// `asyncio.gather`.
///
/// # Examples
///
/// ```
/// use std::io;
///
/// async fn read(name: &'static str) -> io::Result<usize> {
///     if name.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(name.len()) }
/// }
///
/// # ronde::run(async {
/// assert_eq!(ronde::try_gather((read("a"), read("bc"))).await?, (1, 2));
/// let error = ronde::try_gather((read("a"), read(""))).await.unwrap_err();
/// assert_eq!(error.kind(), io::ErrorKind::NotFound);
/// # Ok::<(), io::Error>(())
/// # })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn try_gather<S: TryGatherSet>(set: S) -> TryGather<S> {
    TryGather { gather: Gather::begin(set, FailOn::PanicAndErr) }
}

/// [`try_gather`] for an iterator of futures or tasks of one type.
///
/// # Errors
///
/// As [`try_gather`].
///
/// # Panics
///
/// Outside a running event loop.
///
/// # Cancel safety
///
/// **Data lost**, as [`gather`].
#[track_caller]
pub fn try_gather_all<I, T, E>(items: I) -> TryGather<Vec<I::Item>>
where
    I: IntoIterator,
    I::Item: IntoChild<Value = Result<T, E>>,
    T: 'static,
    E: From<TaskError> + 'static,
{
    try_gather(items.into_iter().collect::<Vec<_>>())
}

/// What can be gathered: tuples of up to twelve, arrays, and `Vec`s of futures, tasks and promises.
pub trait GatherSet: Sized {
    /// The tasks and promises, with the types of their results.
    type Children;
    /// The results.
    type Values;
    /// The results, or why there is none.
    type Outcomes;

    /// Starts what isn't running yet.
    #[track_caller]
    fn start(self) -> Self::Children;

    /// The same without their types.
    fn references(children: &Self::Children) -> Vec<ChildRef>;

    /// Takes the results out.
    ///
    /// # Errors
    ///
    /// The first that there is in order.
    fn values(children: &Self::Children) -> Result<Self::Values, TaskError>;

    /// Takes the results out, failures included.
    fn outcomes(children: &Self::Children) -> Self::Outcomes;
}

/// What can be gathered if an `Err` is to be a failure.
pub trait TryGatherSet: GatherSet {
    /// What is in the `Ok`s.
    type Oks;
    /// What is in the `Err`s.
    type Error: From<TaskError>;

    /// Takes the results out.
    ///
    /// # Errors
    ///
    /// The first that there is, beginning with child number `first`.
    fn oks(children: &Self::Children, first: usize) -> Result<Self::Oks, Self::Error>;
}

/// What the callbacks of the children and the future share.
struct Gathering {
    verdict: Promise<Verdict>,
    left: Cell<usize>,
    fail_on: Cell<FailOn>,
    cancelled: Rc<RefCell<Option<CancelledError>>>,
    /// What is done with the verdict at once, if the gathering has become a promise.
    settle: RefCell<Option<Box<dyn FnOnce()>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FailOn {
    /// `return_exceptions`.
    Nothing,
    Panic,
    PanicAndErr,
}

#[derive(Clone, Copy, Debug)]
enum Verdict {
    AllDone,
    /// This child failed.
    Failed(usize),
}

impl Gathering {
    fn new(children: &[ChildRef], fail_on: FailOn) -> Rc<Self> {
        let cancelled = Rc::new(RefCell::new(None));
        let all: Rc<[ChildRef]> = children.into();
        let verdict = {
            let (cancelled, children) = (cancelled.clone(), all.clone());
            Promise::with_cancel(move |error| {
                if children.iter().all(ChildRef::done) {
                    // Their callbacks are on the way: the verdict stands.
                    return CancelStep::Refused;
                }
                *cancelled.borrow_mut() = Some(error.clone());
                CancelStep::ForwardAll(children.iter().map(ChildRef::to_awaited).collect())
            })
        };
        verdict.set_waits_on(move || all.iter().map(ChildRef::to_awaited).collect());
        let left = Cell::new(children.len());
        let settle = RefCell::default();
        Rc::new(Self { verdict, left, fail_on: Cell::new(fail_on), cancelled, settle })
    }

    /// Called for each child, in the turn after its end.
    fn child_done(&self, index: usize, child: &ChildRef) {
        self.left.set(self.left.get() - 1);
        if self.verdict.done() {
            return;
        }
        if !child.cancelled() {
            // Whatever becomes of the gathering, it has looked.
            let _ = child.exception();
        }
        let failed = match self.fail_on.get() {
            FailOn::Nothing => false,
            FailOn::Panic => child.cancelled() || child.panicked(),
            FailOn::PanicAndErr => child.cancelled() || child.failed(),
        };
        if !failed && self.left.get() > 0 {
            return;
        }
        // Cancelled as one, it ends cancelled, even if every child swallowed the cancellation.
        // Only what else a child failed with comes first.
        let cancelled = self.cancelled.borrow_mut().take();
        if let Some(error) = cancelled
            && (!failed || child.cancelled())
        {
            self.verdict.set_cancelled(error);
        } else {
            let verdict = if failed { Verdict::Failed(index) } else { Verdict::AllDone };
            self.verdict.set_result(verdict).expect("the verdict was pending");
        }
        let settle = self.settle.take();
        if let Some(settle) = settle {
            settle();
        }
    }
}

/// The future of [`gather`].
#[must_use = "the children run, but nobody waits for them"]
pub struct Gather<S: GatherSet> {
    parts: Parts<S::Children>,
    join: JoinPromise<Verdict, ()>,
}

/// What is needed to see the result.
struct Parts<C> {
    children: C,
    references: Vec<ChildRef>,
    gathering: Rc<Gathering>,
    _watch: Watch,
}

impl<C> Parts<C> {
    /// The result. There must be a verdict.
    fn values<S: GatherSet<Children = C>>(&self) -> Result<S::Values, TaskError> {
        match self.gathering.verdict.result()? {
            Verdict::AllDone => S::values(&self.children),
            Verdict::Failed(index) => Err(failure_of(&self.references[index])),
        }
    }

    fn oks<S: TryGatherSet<Children = C>>(&self) -> Result<S::Oks, S::Error> {
        let first = match self.gathering.verdict.result()? {
            Verdict::AllDone => 0,
            Verdict::Failed(index) => index,
        };
        S::oks(&self.children, first)
    }

    fn outcomes<S: GatherSet<Children = C>>(&self) -> Result<S::Outcomes, TaskError> {
        self.gathering.verdict.result().map(|_| S::outcomes(&self.children))
    }
}

impl<C: 'static> Parts<C> {
    /// A promise of what `look` finds when there is a verdict.
    fn into_promise<R: 'static>(self, look: impl FnOnce(&Self) -> R + 'static) -> Promise<R> {
        let gathering = self.gathering.clone();
        let verdict = gathering.verdict.to_awaited();
        let children = self.references.clone();
        let promise = Promise::with_cancel(move |_| {
            if children.iter().all(ChildRef::done) {
                return CancelStep::Refused;
            }
            CancelStep::Forward(verdict.clone())
        });
        let settle = {
            let promise = promise.clone();
            move || {
                let cancelled = self.gathering.verdict.to_awaited().take_cancelled();
                let value = look(&self);
                // It is pending, unless somebody has set it by hand.
                let _ = match cancelled {
                    Some(error) => promise.set_result_as(error, value),
                    None => promise.set_result(value),
                };
            }
        };
        if gathering.verdict.done() {
            settle();
        } else {
            *gathering.settle.borrow_mut() = Some(Box::new(settle));
        }
        promise
    }
}

impl<S: GatherSet> Gather<S> {
    #[track_caller]
    fn begin(set: S, fail_on: FailOn) -> Self {
        Self::of(set.start(), fail_on)
    }

    fn of(children: S::Children, fail_on: FailOn) -> Self {
        let references = S::references(&children);
        let gathering = Gathering::new(&references, fail_on);
        let places = references.iter().cloned().enumerate();
        let (done, running): (Vec<_>, Vec<_>) = places.partition(|(_, child)| child.done());
        let watch = {
            let gathering = gathering.clone();
            let done = move |index, child: &ChildRef| gathering.child_done(index, child);
            Watch::start_some(running, done)
        };
        // What is done needs no turn of the loop to say so.
        done.iter().for_each(|(index, child)| gathering.child_done(*index, child));
        if references.is_empty() {
            gathering.verdict.set_result(Verdict::AllDone).expect("nobody has set it");
        }
        let join = gathering.verdict.wait_done();
        Self { parts: Parts { children, references, gathering, _watch: watch }, join }
    }

    /// Waits for all children, whatever becomes of them, and gives each one's outcome.
    ///
    /// # In asyncio
    ///
    /// `gather(..., return_exceptions=True)`.
    ///
    /// # Examples
    ///
    /// ```
    /// # ronde::run(async {
    /// let (good, bad) = ronde::gather((async { 1 }, async { panic!("no") }))
    ///     .return_exceptions()
    ///     .await;
    /// assert_eq!(good.unwrap(), 1);
    /// let _: ronde::TaskError = bad.map(|()| ()).unwrap_err();
    /// # })?;
    /// # Ok::<(), ronde::RunError>(())
    /// ```
    pub fn return_exceptions(self) -> GatherOutcomes<S> {
        let gathering = &self.parts.gathering;
        if gathering.verdict.done() {
            // A child that had failed beforehand has decided already.
            return GatherOutcomes { gather: Self::of(self.parts.children, FailOn::Nothing) };
        }
        gathering.fail_on.set(FailOn::Nothing);
        GatherOutcomes { gather: self }
    }

    /// Cancels all children that aren't done. Returns false if all are, or if it has its result already,
    /// as after a failure.
    pub fn cancel(&self) -> bool {
        self.parts.gathering.verdict.cancel()
    }

    /// Is the result there?
    pub fn done(&self) -> bool {
        self.parts.gathering.verdict.done()
    }

    /// Was it cancelled as one, by [`cancel`](Self::cancel) or with a task that waited for it, and has it
    /// ended because of that?
    pub fn cancelled(&self) -> bool {
        self.parts.gathering.verdict.cancelled()
    }

    /// The children, in order.
    pub fn children(&self) -> &[ChildRef] {
        &self.parts.references
    }

    /// Makes a promise of it, of what `map` makes of the result.
    ///
    /// A promise can be awaited by several tasks, be given to another `gather` or to `wait`, and have
    /// done callbacks. Cancelling it cancels the children, as cancelling this does. It is there until the
    /// children are done, whether anybody keeps it or not: over promises that are never set, for ever.
    ///
    /// # In asyncio
    ///
    /// What `asyncio.gather` returns. Cancelled, it ends with the `CancelledError` as an exception like
    /// any other, and so does this: [`Promise::cancelled`] is false.
    ///
    /// # Examples
    ///
    /// ```
    /// # ronde::run(async {
    /// let both = ronde::gather((async { 1 }, async { 2 })).into_promise(|sum| sum.map(|(a, b)| a + b));
    /// both.add_done_callback(|both| assert_eq!(both.result().unwrap().unwrap(), 3));
    /// assert_eq!((&both).await.unwrap().unwrap(), 3);
    /// # })?;
    /// # Ok::<(), ronde::RunError>(())
    /// ```
    pub fn into_promise<R: 'static>(
        self,
        map: impl FnOnce(Result<S::Values, TaskError>) -> R + 'static,
    ) -> Promise<R>
    where
        S::Children: 'static,
    {
        self.parts.into_promise(|parts| map(parts.values::<S>()))
    }

    fn poll_verdict(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.join).poll(cx).map(drop)
    }
}

impl<S: GatherSet> Unpin for Gather<S> {}

impl<S: GatherSet> Future for Gather<S> {
    type Output = Result<S::Values, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(self.poll_verdict(cx));
        Poll::Ready(self.parts.values::<S>())
    }
}

/// What a child that panicked or was cancelled ended with.
fn failure_of(child: &ChildRef) -> TaskError {
    match child.exception() {
        Ok(Some(panic)) => TaskError::Panicked(panic),
        Ok(None) => unreachable!("a failed child has a failure"),
        Err(error) => error,
    }
}

impl<S: GatherSet> fmt::Debug for Gather<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather").field("children", &self.parts.references).finish_non_exhaustive()
    }
}

/// The future of [`Gather::return_exceptions`].
#[must_use = "the children run, but nobody waits for them"]
#[derive(Debug)]
pub struct GatherOutcomes<S: GatherSet> {
    gather: Gather<S>,
}

impl<S: GatherSet> GatherOutcomes<S> {
    /// Cancels all children that aren't done. Returns false if all are, or if it has its result already,
    /// as after a failure.
    pub fn cancel(&self) -> bool {
        self.gather.cancel()
    }

    /// Is the result there?
    pub fn done(&self) -> bool {
        self.gather.done()
    }

    /// Was it cancelled as one, by [`cancel`](Self::cancel) or with a task that waited for it, and has it
    /// ended because of that?
    pub fn cancelled(&self) -> bool {
        self.gather.cancelled()
    }

    /// The children, in order.
    pub fn children(&self) -> &[ChildRef] {
        self.gather.children()
    }

    /// Makes a promise of it, as [`Gather::into_promise`] does.
    ///
    /// `map` is given the outcomes; or, as in asyncio, the cancellation, if it was cancelled as one.
    pub fn into_promise<R: 'static>(
        self,
        map: impl FnOnce(Result<S::Outcomes, TaskError>) -> R + 'static,
    ) -> Promise<R>
    where
        S::Children: 'static,
    {
        self.gather.parts.into_promise(|parts| map(parts.outcomes::<S>()))
    }
}

impl<S: GatherSet> Future for GatherOutcomes<S> {
    type Output = S::Outcomes;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<S::Outcomes> {
        ready!(self.gather.poll_verdict(cx));
        debug_assert!(self.gather.children().iter().all(ChildRef::done));
        Poll::Ready(S::outcomes(&self.gather.parts.children))
    }
}

/// The future of [`try_gather`].
#[must_use = "the children run, but nobody waits for them"]
#[derive(Debug)]
pub struct TryGather<S: TryGatherSet> {
    gather: Gather<S>,
}

impl<S: TryGatherSet> TryGather<S> {
    /// Cancels all children that aren't done. Returns false if all are, or if it has its result already,
    /// as after a failure.
    pub fn cancel(&self) -> bool {
        self.gather.cancel()
    }

    /// Is the result there?
    pub fn done(&self) -> bool {
        self.gather.done()
    }

    /// Was it cancelled as one, by [`cancel`](Self::cancel) or with a task that waited for it, and has it
    /// ended because of that?
    pub fn cancelled(&self) -> bool {
        self.gather.cancelled()
    }

    /// The children, in order.
    pub fn children(&self) -> &[ChildRef] {
        self.gather.children()
    }

    /// Makes a promise of it, as [`Gather::into_promise`] does.
    pub fn into_promise<R: 'static>(
        self,
        map: impl FnOnce(Result<S::Oks, S::Error>) -> R + 'static,
    ) -> Promise<R>
    where
        S::Children: 'static,
    {
        self.gather.parts.into_promise(|parts| map(parts.oks::<S>()))
    }
}

impl<S: TryGatherSet> Future for TryGather<S> {
    type Output = Result<S::Oks, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(self.gather.poll_verdict(cx));
        Poll::Ready(self.gather.parts.oks::<S>())
    }
}

impl<A: IntoChild> GatherSet for Vec<A> {
    type Children = Vec<Child<A::Value>>;
    type Values = Vec<A::Value>;
    type Outcomes = Vec<Result<A::Value, TaskError>>;

    #[track_caller]
    fn start(self) -> Self::Children {
        let mut children = Vec::with_capacity(self.len());
        for item in self {
            children.push(item.into_child());
        }
        children
    }

    fn references(children: &Self::Children) -> Vec<ChildRef> {
        children.iter().map(|child| child.as_ref().clone()).collect()
    }

    fn values(children: &Self::Children) -> Result<Self::Values, TaskError> {
        children.iter().map(Child::take_result).collect()
    }

    fn outcomes(children: &Self::Children) -> Self::Outcomes {
        children.iter().map(Child::take_result).collect()
    }
}

impl<A, T, E> TryGatherSet for Vec<A>
where
    A: IntoChild<Value = Result<T, E>>,
    T: 'static,
    E: From<TaskError> + 'static,
{
    type Oks = Vec<T>;
    type Error = E;

    fn oks(children: &Self::Children, first: usize) -> Result<Vec<T>, E> {
        children[first.min(children.len())..].iter().map(|child| child.take_result()?).collect()
    }
}

impl<A: IntoChild, const N: usize> GatherSet for [A; N] {
    type Children = Vec<Child<A::Value>>;
    type Values = [A::Value; N];
    type Outcomes = [Result<A::Value, TaskError>; N];

    #[track_caller]
    fn start(self) -> Self::Children {
        Vec::from(self).start()
    }

    fn references(children: &Self::Children) -> Vec<ChildRef> {
        <Vec<A> as GatherSet>::references(children)
    }

    fn values(children: &Self::Children) -> Result<Self::Values, TaskError> {
        <Vec<A> as GatherSet>::values(children).map(exactly)
    }

    fn outcomes(children: &Self::Children) -> Self::Outcomes {
        exactly(<Vec<A> as GatherSet>::outcomes(children))
    }
}

impl<A, T, E, const N: usize> TryGatherSet for [A; N]
where
    A: IntoChild<Value = Result<T, E>>,
    T: 'static,
    E: From<TaskError> + 'static,
{
    type Oks = [T; N];
    type Error = E;

    fn oks(children: &Self::Children, first: usize) -> Result<[T; N], E> {
        <Vec<A> as TryGatherSet>::oks(children, first).map(exactly)
    }
}

fn exactly<T, const N: usize>(values: Vec<T>) -> [T; N] {
    values.try_into().unwrap_or_else(|_| unreachable!("there are as many results as children"))
}

macro_rules! gather_tuple {
    ($($item:ident $value:ident $index:tt),+) => {
        impl<$($item: IntoChild),+> GatherSet for ($($item,)+) {
            type Children = ($(Child<$item::Value>,)+);
            type Values = ($($item::Value,)+);
            type Outcomes = ($(Result<$item::Value, TaskError>,)+);

            #[track_caller]
            fn start(self) -> Self::Children {
                ($(self.$index.into_child(),)+)
            }

            fn references(children: &Self::Children) -> Vec<ChildRef> {
                vec![$(children.$index.as_ref().clone()),+]
            }

            fn values(children: &Self::Children) -> Result<Self::Values, TaskError> {
                Ok(($(children.$index.take_result()?,)+))
            }

            fn outcomes(children: &Self::Children) -> Self::Outcomes {
                ($(children.$index.take_result(),)+)
            }
        }

        impl<$($item, $value,)+ Error> TryGatherSet for ($($item,)+)
        where
            $($item: IntoChild<Value = Result<$value, Error>>, $value: 'static,)+
            Error: From<TaskError> + 'static,
        {
            type Oks = ($($value,)+);
            type Error = Error;

            fn oks(children: &Self::Children, first: usize) -> Result<Self::Oks, Error> {
                $(if first == $index && let Err(error) = failed(&children.$index) {
                    return Err(error);
                })+
                Ok(($(children.$index.take_result()??,)+))
            }
        }
    };
}

/// Takes the failure out of a child that failed, and leaves any other as it is.
fn failed<T, E>(child: &Child<Result<T, E>>) -> Result<(), E>
where
    T: 'static,
    E: From<TaskError> + 'static,
{
    if child.failed() || child.cancelled() { child.take_result()?.map(drop) } else { Ok(()) }
}

gather_tuple!(A VA 0);
gather_tuple!(A VA 0, B VB 1);
gather_tuple!(A VA 0, B VB 1, C VC 2);
gather_tuple!(A VA 0, B VB 1, C VC 2, D VD 3);
gather_tuple!(A VA 0, B VB 1, C VC 2, D VD 3, E VE 4);
gather_tuple!(A VA 0, B VB 1, C VC 2, D VD 3, E VE 4, F VF 5);
gather_tuple!(A VA 0, B VB 1, C VC 2, D VD 3, E VE 4, F VF 5, G VG 6);
gather_tuple!(A VA 0, B VB 1, C VC 2, D VD 3, E VE 4, F VF 5, G VG 6, H VH 7);
gather_tuple!(A VA 0, B VB 1, C VC 2, D VD 3, E VE 4, F VF 5, G VG 6, H VH 7, I VI 8);
gather_tuple!(A VA 0, B VB 1, C VC 2, D VD 3, E VE 4, F VF 5, G VG 6, H VH 7, I VI 8, J VJ 9);
gather_tuple!(
    A VA 0, B VB 1, C VC 2, D VD 3, E VE 4, F VF 5, G VG 6, H VH 7, I VI 8, J VJ 9, K VK 10
);
gather_tuple!(
    A VA 0, B VB 1, C VC 2, D VD 3, E VE 4, F VF 5, G VG 6, H VH 7, I VI 8, J VJ 9, K VK 10, L VL 11
);
