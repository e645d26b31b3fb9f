//! Signals, by number and by name.

use std::fmt;

/// A signal: a number that a process is told something with.
///
/// There is a constant for each signal that programs send to others. Windows has none of them.
///
/// # In asyncio
///
/// `signal.Signals`.
///
/// # Examples
///
/// ```
/// use ronde_signal::Signal;
///
/// assert_eq!(Signal::TERM.number(), 15);
/// assert_eq!(Signal::TERM.to_string(), "SIGTERM");
/// assert_eq!(Signal::new(9), Signal::KILL);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(i32);

// These four have the same numbers everywhere.
impl Signal {
    /// The terminal is gone; by custom also "read your configuration again".
    pub const HUP: Self = Self(1);
    /// Ctrl-C.
    pub const INT: Self = Self(2);
    /// Ends the process at once. It can't be caught.
    pub const KILL: Self = Self(9);
    /// Asks the process to end.
    pub const TERM: Self = Self(15);

    /// The signal with this number, which may be one that the system doesn't have.
    #[must_use]
    pub const fn new(number: i32) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }
}

#[cfg(unix)]
impl Signal {
    /// Ctrl-\: ends the process and leaves a core dump.
    pub const QUIT: Self = Self(rustix::process::Signal::QUIT.as_raw());
    /// Free for programs to give a meaning to.
    pub const USR1: Self = Self(rustix::process::Signal::USR1.as_raw());
    /// Free for programs to give a meaning to.
    pub const USR2: Self = Self(rustix::process::Signal::USR2.as_raw());
    /// Halts the process, until [`CONT`](Self::CONT). It can't be caught.
    pub const STOP: Self = Self(rustix::process::Signal::STOP.as_raw());
    /// Lets a process that was stopped go on.
    pub const CONT: Self = Self(rustix::process::Signal::CONT.as_raw());
    /// Ctrl-Z: stops the process, if it doesn't catch it.
    pub const TSTP: Self = Self(rustix::process::Signal::TSTP.as_raw());
    /// The terminal has another size.
    pub const WINCH: Self = Self(rustix::process::Signal::WINCH.as_raw());
    /// The process aborted itself.
    pub const ABRT: Self = Self(rustix::process::Signal::ABORT.as_raw());
    /// The process used memory that isn't its own.
    pub const SEGV: Self = Self(rustix::process::Signal::SEGV.as_raw());
    /// A child has ended, or was stopped.
    pub const CHLD: Self = Self(rustix::process::Signal::CHILD.as_raw());
    /// A timer has run down: see alarm(2).
    pub const ALRM: Self = Self(rustix::process::Signal::ALARM.as_raw());
    /// The process wrote to a pipe that nobody reads.
    pub const PIPE: Self = Self(rustix::process::Signal::PIPE.as_raw());
}

impl Signal {
    const NAMES: &[(Self, &str)] = &[
        (Self::HUP, "SIGHUP"),
        (Self::INT, "SIGINT"),
        (Self::KILL, "SIGKILL"),
        (Self::TERM, "SIGTERM"),
        #[cfg(unix)]
        (Self::QUIT, "SIGQUIT"),
        #[cfg(unix)]
        (Self::USR1, "SIGUSR1"),
        #[cfg(unix)]
        (Self::USR2, "SIGUSR2"),
        #[cfg(unix)]
        (Self::STOP, "SIGSTOP"),
        #[cfg(unix)]
        (Self::CONT, "SIGCONT"),
        #[cfg(unix)]
        (Self::TSTP, "SIGTSTP"),
        #[cfg(unix)]
        (Self::WINCH, "SIGWINCH"),
        #[cfg(unix)]
        (Self::ABRT, "SIGABRT"),
        #[cfg(unix)]
        (Self::SEGV, "SIGSEGV"),
        #[cfg(unix)]
        (Self::CHLD, "SIGCHLD"),
        #[cfg(unix)]
        (Self::ALRM, "SIGALRM"),
        #[cfg(unix)]
        (Self::PIPE, "SIGPIPE"),
    ];
}

/// `SIGTERM`, or `signal 42` for one without a constant here.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(signal, _)| signal == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
