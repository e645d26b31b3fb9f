//! What a task waits for, and what that waits for, to the end.

use std::collections::HashSet;
use std::fmt;

use ronde_context::Wait;

use super::reference::TaskRef;
use crate::current;

/// The chain of tasks that a task waits for, and what the last of them waits for. Made by
/// [`TaskRef::get_stack`].
///
/// `Display` writes it as asyncio's `print_stack` does, on several lines:
///
/// ```text
/// Stack for <Task pending name='outer' ...> (most recent call last):
///   'outer' in app::outer, created at src/main.rs:7:5
///   'inner' in app::inner, created at src/main.rs:12:9
///   waits for a timer
/// ```
///
/// It is a picture of one moment, and holds on to its tasks.
#[derive(Clone, Debug)]
pub struct TaskStack {
    of: TaskRef,
    tasks: Vec<TaskRef>,
    end: StackEnd,
}

/// Where a [`TaskStack`] ends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StackEnd {
    /// The last task waits for this, which is no task: a timer, a lock, a promise, several things.
    WaitsFor(String),
    /// The last task is the one that runs right now.
    Running,
    /// The last task is about to run, or it waits for something that doesn't say so.
    Unknown,
    /// The last task waits for one that was in the stack before: none of them will ever go on.
    Cycle(TaskRef),
    /// The last task is done. If it is the one that was asked, the stack is empty.
    Done,
}

impl TaskStack {
    /// The tasks, beginning with the one that was asked. Each waits for the next.
    pub fn tasks(&self) -> &[TaskRef] {
        &self.tasks
    }

    /// What comes after the last of them.
    pub fn end(&self) -> &StackEnd {
        &self.end
    }

    fn of(task: &TaskRef) -> Self {
        let (of, mut tasks, mut seen) = (task.clone(), Vec::new(), HashSet::new());
        let mut last = task.clone();
        let end = loop {
            if !seen.insert(last.clone()) {
                break StackEnd::Cycle(last);
            }
            let wait = last.waiting_for();
            let done = last.done();
            if !(done && tasks.is_empty()) {
                tasks.push(last.clone());
            }
            let next = wait.as_ref().and_then(Wait::target).and_then(|next| next.clone().task());
            let next = next.and_then(|next| next.downcast_ref::<TaskRef>().cloned());
            match (next, wait) {
                (Some(next), _) => last = next,
                (None, Some(wait)) => break StackEnd::WaitsFor(format!("{wait:?}")),
                (None, None) if done => break StackEnd::Done,
                (None, None) if current::is_current_task(|current| *current == last) => {
                    break StackEnd::Running;
                }
                (None, None) => break StackEnd::Unknown,
            }
        };
        Self { of, tasks, end }
    }
}

impl TaskRef {
    /// What the task waits for: the chain of tasks, and what the last of them waits for.
    ///
    /// A future has no frames that one could walk, so this goes from task to task: what a coroutine calls
    /// with a plain `.await` is a part of its task.
    ///
    /// # In asyncio
    ///
    /// `Task.get_stack`, and, with `Display`, `Task.print_stack`. Those show the frames of the one task,
    /// or the traceback of its failure, which is in the [panic](Self::exception)'s message here.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_executor::{Executor, StackEnd};
    ///
    /// let executor = Executor::new(|| {});
    /// let inner = executor.spawn(std::future::pending::<()>()).named("inner");
    /// let outer = executor.spawn(async move { inner.await }).named("outer");
    /// executor.run_batch();
    ///
    /// let stack = outer.get_stack();
    /// assert_eq!(&*stack.tasks()[1].name(), "inner");
    /// assert_eq!(*stack.end(), StackEnd::Unknown);
    /// println!("{stack}");
    /// ```
    pub fn get_stack(&self) -> TaskStack {
        TaskStack::of(self)
    }
}

impl fmt::Display for TaskStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tasks.is_empty() {
            return write!(f, "No stack for {:?}", self.of);
        }
        write!(f, "Stack for {:?} (most recent call last):", self.of)?;
        for task in &self.tasks {
            let (name, coroutine, created_at) = (task.name(), task.coroutine(), task.created_at());
            write!(f, "\n  '{name}' in {coroutine}, created at {created_at}")?;
        }
        match &self.end {
            StackEnd::WaitsFor(what) => write!(f, "\n  waits for {what}"),
            StackEnd::Running => f.write_str("\n  runs right now"),
            StackEnd::Unknown => f.write_str("\n  is about to run, or waits for something unknown"),
            StackEnd::Cycle(task) => write!(f, "\n  waits for '{}' again: a deadlock", task.name()),
            StackEnd::Done => f.write_str("\n  is done"),
        }
    }
}
