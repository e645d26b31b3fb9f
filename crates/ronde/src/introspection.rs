//! What all the tasks are doing, of the running loop.

use ronde_loop::{NoRunningLoopError, WaitCycle, get_running_loop};

/// A table of all tasks of the running loop: what each is, and what it waits for. For people to read.
///
/// See [`LoopHandle::format_tasks`](crate::low_level::LoopHandle::format_tasks).
///
/// # Errors
///
/// [`NoRunningLoopError`] outside a running event loop.
///
/// # In asyncio
///
/// `python -m asyncio ps PID`, from inside the program.
///
/// # Examples
///
/// ```
/// # ronde::run(async {
/// let server = ronde::create_task(std::future::pending::<()>()).named("server");
/// ronde::yield_now().await;
/// let table = ronde::format_tasks().unwrap();
/// assert!(table.contains("server  suspended"), "{table}");
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
pub fn format_tasks() -> Result<String, NoRunningLoopError> {
    Ok(get_running_loop()?.format_tasks())
}

/// All tasks of the running loop as a tree: below each stands what it waits for.
///
/// See [`LoopHandle::format_task_tree`](crate::low_level::LoopHandle::format_task_tree).
///
/// # Errors
///
/// [`NoRunningLoopError`] outside a running event loop.
///
/// # In asyncio
///
/// `python -m asyncio pstree PID`, from inside the program.
///
/// # Examples
///
/// ```
/// use ronde::{create_task, gather, sleep, yield_now};
/// use std::time::Duration;
///
/// # ronde::run(async {
/// let nap = || create_task(sleep(Duration::from_secs(60)));
/// let both = create_task(gather((nap().named("one"), nap().named("two")))).named("both");
/// yield_now().await;
/// let tree = ronde::format_task_tree().unwrap();
/// let lines: Vec<_> = tree.lines().collect();
/// assert!(lines[1].starts_with("└── 'both' "), "{tree}");
/// assert!(lines[2].starts_with("    ├── 'one' "), "{tree}");
/// assert!(lines[3].ends_with(", waits for a timer"), "{tree}");
/// # both.cancel();
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
pub fn format_task_tree() -> Result<String, NoRunningLoopError> {
    Ok(get_running_loop()?.format_task_tree())
}

/// The circles of tasks of the running loop that wait for one another: none of them goes on unless
/// something breaks the circle, such as a timeout.
///
/// # Errors
///
/// [`NoRunningLoopError`] outside a running event loop.
///
/// # Examples
///
/// ```
/// use ronde::{Lock, create_task, yield_now};
/// use std::rc::Rc;
///
/// # ronde::run(async {
/// let (first, second) = (Rc::new(Lock::new("first")), Rc::new(Lock::new("second")));
/// let take_both = |one: &Rc<Lock<_>>, other: &Rc<Lock<_>>| {
///     let (one, other) = (one.clone(), other.clone());
///     create_task(async move {
///         let _one = one.acquire().await;
///         yield_now().await;
///         let _other = other.acquire().await;
///     })
/// };
/// let there = take_both(&first, &second).named("there");
/// let back = take_both(&second, &first).named("back");
/// yield_now().await;
/// yield_now().await;
///
/// let cycles = ronde::find_cycles().unwrap();
/// let names: Vec<_> = cycles[0].tasks().map(|task| task.name()).collect();
/// assert_eq!(names, ["there".into(), "back".into()]);
/// # there.cancel();
/// # back.cancel();
/// # })?;
/// # Ok::<(), ronde::RunError>(())
/// ```
pub fn find_cycles() -> Result<Vec<WaitCycle>, NoRunningLoopError> {
    Ok(get_running_loop()?.find_cycles())
}
