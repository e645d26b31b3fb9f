//! The call graph of a task: where it is, and everything that waits for it.

use std::collections::HashSet;
use std::fmt;
use std::panic::Location;

use super::AwaitedBy;
use crate::executor::{Executor, Shared};
use crate::task::{TaskRef, TaskState};

/// A task, what it is suspended in, and, each with the same, the tasks that wait for it. Made by
/// [`TaskRef::call_graph`].
///
/// `Display` writes it as asyncio's `format_call_graph` does:
///
/// ```text
/// * Task(name='query', id=3)
///   + Call stack:
///   |   app::query, created at src/main.rs:31:17, waits for descriptor 7 to be readable
///   + Awaited by:
///     * Task(name='request', id=2)
///       + Call stack:
///       |   app::request, created at src/main.rs:12:9, waits for <Task 'query'>
/// ```
///
/// It is a picture of one moment, and holds on to its tasks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FutureCallGraph {
    /// The task.
    pub future: TaskRef,
    /// What it is in: one entry for its coroutine, or none if it is done. (A coroutine that is awaited
    /// within another one leaves no trace of its own.)
    pub call_stack: Vec<FrameCallGraphEntry>,
    /// The tasks that wait for it: that await it, alone or among others, or want a lock that it holds.
    /// One that is in the graph already, as in a circle, is not gone into again, nor is one that some
    /// hundreds of others lie between: there the list is empty.
    pub awaited_by: Vec<FutureCallGraph>,
}

/// Chains of tasks may be longer than a thread's stack can follow.
const MAX_DEPTH: usize = 300;

/// A coroutine in a [`FutureCallGraph`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FrameCallGraphEntry {
    /// Its type, which names the function that it comes from.
    pub coroutine: &'static str,
    /// Where the task was created that runs it.
    pub created_at: &'static Location<'static>,
    /// What it waits for, if that says so.
    pub waiting_for: Option<String>,
    /// How far it is.
    pub state: TaskState,
}

impl FutureCallGraph {
    fn of(
        task: &TaskRef,
        awaited_by: &AwaitedBy,
        seen: &mut HashSet<TaskRef>,
        depth: usize,
    ) -> Self {
        let mut graph = Self {
            future: task.clone(),
            call_stack: FrameCallGraphEntry::of(task).into_iter().collect(),
            awaited_by: Vec::new(),
        };
        if depth < MAX_DEPTH && seen.insert(task.clone()) {
            let waiters = awaited_by.get(task).iter();
            let of = |waiter| Self::of(waiter, awaited_by, seen, depth + 1);
            graph.awaited_by = waiters.map(of).collect();
        }
        graph
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, indent: &str) -> fmt::Result {
        let task = &self.future;
        write!(f, "{indent}* Task(name='{}', id={})", task.name(), task.id())?;
        if !self.call_stack.is_empty() {
            write!(f, "\n{indent}  + Call stack:")?;
        }
        for frame in &self.call_stack {
            write!(f, "\n{indent}  |   {frame}")?;
        }
        if !self.awaited_by.is_empty() {
            write!(f, "\n{indent}  + Awaited by:")?;
        }
        for waiter in &self.awaited_by {
            writeln!(f)?;
            waiter.write(f, &format!("{indent}    "))?;
        }
        Ok(())
    }
}

impl FrameCallGraphEntry {
    fn of(task: &TaskRef) -> Option<Self> {
        (!task.done()).then(|| Self {
            coroutine: task.coroutine(),
            created_at: task.created_at(),
            waiting_for: task.waiting_for().map(|wait| format!("{wait:?}")),
            state: task.state(),
        })
    }
}

impl fmt::Display for FrameCallGraphEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, created at {}", self.coroutine, self.created_at)?;
        match (&self.waiting_for, self.state) {
            (Some(wait), _) => write!(f, ", waits for {wait}"),
            (None, TaskState::Running) => f.write_str(", runs right now"),
            (None, TaskState::New) => f.write_str(", has not begun"),
            (None, _) => f.write_str(", is about to run, or waits for something unknown"),
        }
    }
}

impl fmt::Display for FutureCallGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, "")
    }
}

impl TaskRef {
    /// The task, and everything that waits for it.
    ///
    /// Where [`get_stack`](Self::get_stack) goes down, to what the task waits for, this goes up. It looks
    /// at every task of the executor.
    ///
    /// # In asyncio
    ///
    /// `asyncio.capture_call_graph`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use ronde_executor::{Executor, TaskRef};
    /// let executor = Executor::new(|| {});
    /// let inner = executor.spawn(std::future::pending::<()>()).named("inner");
    /// let reference = TaskRef::from(&inner);
    /// let outer = executor.spawn(async move { inner.await }).named("outer");
    /// executor.run_batch();
    ///
    /// let graph = reference.call_graph();
    /// assert_eq!(graph.awaited_by[0].future, *outer);
    /// println!("{graph}");
    /// ```
    pub fn call_graph(&self) -> FutureCallGraph {
        let tasks = match self.header().executor.upgrade() {
            Some(shared) => all_tasks(shared),
            None => Vec::new(),
        };
        FutureCallGraph::of(self, &AwaitedBy::of(&tasks), &mut HashSet::new(), 0)
    }
}

fn all_tasks(shared: std::rc::Rc<Shared>) -> Vec<TaskRef> {
    let executor = Executor { shared };
    executor.all_tasks()
}
