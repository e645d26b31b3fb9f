//! What kind of thing is waited for: plain data, for reports.

use std::fmt;
use std::time::Instant;

/// What kind of thing a task waits for, and what is known of it. Made by [`Wait::kind`](crate::Wait::kind).
///
/// It is plain data, which may be kept and sent to other threads. `Display` says it in a few words.
///
/// # Examples
///
/// ```
/// use ronde_context::{IoDirection, Wait, WaitKind};
///
/// let wait = Wait::Descriptor { number: 7, direction: IoDirection::Read };
/// assert_eq!(wait.kind(), WaitKind::Descriptor { number: 7, direction: IoDirection::Read });
/// assert_eq!(wait.kind().to_string(), "descriptor 7 to be readable");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitKind {
    /// Another task: [`Wait::target`](crate::Wait::target) leads there.
    Task,
    /// A promise, which somebody is to set. `gather` and its like wait for one, too.
    Promise,
    /// A lock. Who holds it is among [`Wait::waits_on`](crate::Wait::waits_on).
    Lock,
    /// To be notified at a condition.
    Condition,
    /// An event to be set.
    Event,
    /// Slots of a semaphore.
    Semaphore,
    /// Others to come to a barrier, or to leave it.
    Barrier,
    /// An item of a queue.
    QueueGet,
    /// Room in a queue.
    QueuePut,
    /// The end of the work in a queue.
    QueueJoin,
    /// A time to come, by the loop's clock.
    Timer {
        /// When it is over.
        deadline: Instant,
    },
    /// A descriptor or socket.
    Descriptor {
        /// Its number.
        number: u64,
        /// What it is to be ready for.
        direction: IoDirection,
    },
    /// A function that runs, or is to run, in an executor: on another thread, as a rule.
    Thread {
        /// The type of the function, which names where it was written.
        function: &'static str,
    },
    /// Something else, in the words of whoever waits for it.
    Other(&'static str),
    /// More than one thing, as under `join!`.
    Several,
}

/// What a descriptor is waited for to be ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IoDirection {
    /// Reading, receiving, accepting.
    Read,
    /// Writing, sending, connecting.
    Write,
}

impl fmt::Display for WaitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::Task => "a task",
            Self::Promise => "a promise",
            Self::Lock => "a lock",
            Self::Condition => "a condition",
            Self::Event => "an event",
            Self::Semaphore => "a semaphore",
            Self::Barrier => "a barrier",
            Self::QueueGet => "an item of a queue",
            Self::QueuePut => "room in a queue",
            Self::QueueJoin => "the end of the work in a queue",
            Self::Timer { .. } => "a timer",
            Self::Descriptor { number, direction } => {
                return write!(f, "descriptor {number} to be {direction}");
            }
            Self::Thread { function } => {
                let function = function.trim_end_matches("::{{closure}}");
                return write!(f, "a job in an executor, from {function}");
            }
            Self::Other(words) => words,
            Self::Several => "several things",
        };
        f.write_str(words)
    }
}

impl fmt::Display for IoDirection {
    /// `readable` or `writable`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "readable",
            Self::Write => "writable",
        })
    }
}
