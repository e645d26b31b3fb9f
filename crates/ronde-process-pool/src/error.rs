//! What can go wrong with a pool of processes.

use std::fmt;
use std::io;
use std::time::Duration;

use ronde_process::{ReturnCode, SpawnError};

/// Why a pool can't be made, or a job has no result.
///
/// A job that fails leaves the pool and all other jobs as they were.
///
/// # In asyncio
///
/// `BrokenProcessPool`, which fails all jobs that are pending and leaves the pool of no use;
/// `PicklingError`, `RuntimeError`, or what the function raised.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProcessPoolError {
    /// A pool was asked for that has no workers, or whose workers do no job.
    NoWorkers,
    /// A pool was asked for in a process that is a worker itself. If it is not a job that does so,
    /// `main` doesn't call [`serve_if_worker`](crate::Registry::serve_if_worker), or not first.
    InsideWorker,
    /// The pool was shut down.
    ShutDown,
    /// The function isn't in the [`Registry`](crate::Registry) that the pool was made with.
    NotRegistered {
        /// The function's path.
        function: &'static str,
    },
    /// The arguments could not be encoded here, or decoded in the worker.
    Arguments {
        /// The function's path.
        function: &'static str,
        /// What is wrong with them.
        problem: String,
    },
    /// The result could not be encoded in the worker, or decoded here.
    Result {
        /// The function's path.
        function: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The function panicked. The worker lives on.
    Panicked {
        /// The function's path.
        function: &'static str,
        /// What the panic said.
        message: String,
    },
    /// The worker ended while it ran the function. Another takes its place.
    Crashed {
        /// The function's path.
        function: &'static str,
        /// How the worker ended.
        returncode: ReturnCode,
    },
    /// It is not known which program this is, so no worker can be started from it.
    Program(io::Error),
    /// The socket between this program and a worker could not be made.
    Socket(io::Error),
    /// A worker's program could not be started.
    Spawn(SpawnError),
    /// A worker that was started ended before it was ready. Perhaps `main` doesn't call
    /// [`serve_if_worker`](crate::Registry::serve_if_worker), or not first.
    EndedEarly {
        /// How it ended.
        returncode: ReturnCode,
    },
    /// A worker that was started wasn't ready in time. Perhaps `main` doesn't call
    /// [`serve_if_worker`](crate::Registry::serve_if_worker), or not first.
    NotReady {
        /// How long it was waited for.
        waited: Duration,
    },
    /// A worker that was started has other functions than the pool: it is another program, or registers
    /// other functions there.
    OtherFunctions {
        /// The functions' paths, as far as they could be understood.
        functions: Vec<String>,
    },
}

const HINT: &str = "does `main` call `serve_if_worker` before all else?";

impl fmt::Display for ProcessPoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorkers => {
                f.write_str("a process pool needs one worker at least, that does one job at least")
            }
            Self::InsideWorker => {
                write!(f, "a worker of a process pool can't have a process pool: {HINT}")
            }
            Self::ShutDown => f.write_str("the process pool has been shut down"),
            Self::NotRegistered { function } => {
                write!(f, "{function} isn't registered with the process pool")
            }
            Self::Arguments { function, problem } => {
                write!(f, "the arguments of {function}: {problem}")
            }
            Self::Result { function, problem } => write!(f, "the result of {function}: {problem}"),
            Self::Panicked { function, message } => write!(f, "{function} panicked: {message}"),
            Self::Crashed { function, returncode } => {
                write!(f, "the worker ended while it ran {function}: {returncode}")
            }
            Self::Program(error) => write!(f, "looking for this program's file: {error}"),
            Self::Socket(error) => write!(f, "making the socket to a worker: {error}"),
            Self::Spawn(error) => write!(f, "{error}"),
            Self::EndedEarly { returncode } => {
                write!(f, "a worker ended before it was ready ({returncode}): {HINT}")
            }
            Self::NotReady { waited } => {
                write!(f, "a worker wasn't ready after {waited:?}: {HINT}")
            }
            Self::OtherFunctions { functions } => {
                write!(f, "a worker has other functions than the pool: {}", functions.join(", "))
            }
        }
    }
}

impl std::error::Error for ProcessPoolError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Program(error) | Self::Socket(error) => Some(error),
            Self::Spawn(error) => Some(error),
            _ => None,
        }
    }
}
