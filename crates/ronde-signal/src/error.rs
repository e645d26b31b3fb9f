//! What can go wrong.

use std::fmt;
use std::io;

use crate::Signal;

/// Why a signal can't be listened for.
///
/// # Examples
///
/// ```
/// use ronde_signal::{Listener, Signal, SignalHandlerError};
///
/// let listener = Listener::new()?;
/// let error = listener.listen(Signal::KILL).unwrap_err();
/// assert!(matches!(error, SignalHandlerError::Uncatchable { .. }));
/// assert_eq!(error.to_string(), "SIGKILL can't be caught");
///
/// let error = listener.listen(Signal::new(1000)).unwrap_err();
/// assert_eq!(error.to_string(), "signal 1000 doesn't exist");
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum SignalHandlerError {
    /// The system has no signal of this number, or keeps it for itself.
    Invalid {
        /// The signal.
        signal: Signal,
    },
    /// The signal can't be caught: it is SIGKILL or SIGSTOP.
    Uncatchable {
        /// The signal.
        signal: Signal,
    },
    /// The signal tells a thread of a fault of its own, such as SIGSEGV. A thread that goes on runs into
    /// the fault again, before any loop could hear of it.
    Fault {
        /// The signal.
        signal: Signal,
    },
    /// The system refused something.
    Io {
        /// The signal.
        signal: Signal,
        /// What the system said.
        source: io::Error,
    },
}

impl SignalHandlerError {
    /// The signal.
    #[must_use]
    pub fn signal(&self) -> Signal {
        match self {
            Self::Invalid { signal }
            | Self::Uncatchable { signal }
            | Self::Fault { signal }
            | Self::Io { signal, .. } => *signal,
        }
    }
}

impl fmt::Display for SignalHandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { signal } => write!(f, "{signal} doesn't exist"),
            Self::Uncatchable { signal } => write!(f, "{signal} can't be caught"),
            Self::Fault { signal } => write!(
                f,
                "{signal} tells a thread of a fault of its own, and can't be left to an event loop"
            ),
            Self::Io { signal, source } => write!(f, "listening for {signal}: {source}"),
        }
    }
}

impl std::error::Error for SignalHandlerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<SignalHandlerError> for io::Error {
    fn from(error: SignalHandlerError) -> Self {
        let kind = match &error {
            SignalHandlerError::Io { source, .. } => source.kind(),
            _ => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}
