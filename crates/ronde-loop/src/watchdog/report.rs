//! What a watchdog reports.

use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use ronde_executor::{RunningEntry, TaskId};

/// A loop stands still: the report of a [`StallWatchdog`](crate::StallWatchdog).
///
/// `Display` says all of it in a line.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stall {
    /// What the loop is in. The first one is what it has called; what follows was started inside of that,
    /// as the first step of an eager task. It is never empty.
    pub entries: Vec<BlockedEntry>,
    /// For how long at least.
    pub blocked_for: Duration,
    /// What the system says of the thread.
    pub thread: BlockedThread,
}

/// A callback, or a step of a task, that blocks its loop.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockedEntry {
    /// A step of a task.
    #[non_exhaustive]
    Task {
        /// Its number.
        id: TaskId,
        /// Its name.
        name: String,
        /// The type of its coroutine, which names the function that it comes from.
        coroutine: &'static str,
        /// Where it was created.
        created_at: &'static Location<'static>,
        /// The task that created it.
        parent: Option<TaskId>,
    },
    /// A callback.
    #[non_exhaustive]
    Callback {
        /// Where it was registered, if that is known.
        created_at: Option<&'static Location<'static>>,
    },
}

/// What the system says of a blocked thread.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockedThread {
    /// It uses the processor, or waits for its turn at it: a long computation, or a loop without end.
    Running,
    /// It sleeps in the kernel: in a call that waits for something.
    #[non_exhaustive]
    Sleeping {
        /// The number of the system call, if it could be found out.
        system_call: Option<u64>,
        /// The kernel's function that it sleeps in, if the kernel tells.
        kernel_function: Option<String>,
    },
    /// It was stopped, by a signal or a debugger.
    Stopped,
    /// It isn't known: the system is not Linux, or didn't tell.
    Unknown,
}

impl BlockedEntry {
    pub(super) fn of(entry: RunningEntry<'_>) -> Self {
        match entry {
            RunningEntry::Task(task) => Self::Task {
                id: task.id(),
                name: Rc::<str>::as_ref(&task.name()).to_owned(),
                coroutine: task.coroutine(),
                created_at: task.created_at(),
                parent: task.parent(),
            },
            RunningEntry::Callback { created_at, .. } => Self::Callback { created_at },
            _ => Self::Callback { created_at: None },
        }
    }
}

impl fmt::Display for BlockedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task { name, coroutine, created_at, .. } => {
                write!(f, "task '{name}' ({coroutine}, created at {created_at})")
            }
            Self::Callback { created_at: Some(location) } => {
                write!(f, "the callback created at {location}")
            }
            Self::Callback { created_at: None } => f.write_str("a callback"),
        }
    }
}

impl fmt::Display for BlockedThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("uses the processor"),
            Self::Sleeping { system_call, kernel_function } => {
                f.write_str("sleeps in the kernel")?;
                if let Some(number) = system_call {
                    write!(f, ", in system call {number}")?;
                }
                match kernel_function {
                    Some(name) => write!(f, " ({name})"),
                    None => Ok(()),
                }
            }
            Self::Stopped => f.write_str("is stopped"),
            Self::Unknown => f.write_str("is in a state that the system doesn't tell"),
        }
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entries, blocked_for, thread } = self;
        for (index, entry) in entries.iter().enumerate() {
            let joint = if index == 0 { "" } else { ", and in it " };
            write!(f, "{joint}{entry}")?;
        }
        write!(f, " has blocked the loop for {blocked_for:.1?}; its thread {thread}")
    }
}
