//! Who listens.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::mailbox::{Mailbox, SIGNALS};
use crate::{Signal, SignalHandlerError, table};

/// Is told of signals, through a descriptor that becomes readable.
///
/// Any thread may have one, and any number of them may listen for the same signal: each is told. Dropping it
/// ends its listening.
///
/// The descriptor belongs to the process for good: a listener that comes later has it next.
///
/// # Examples
///
/// See the [crate's documentation](crate).
pub struct Listener {
    mailbox: &'static Mailbox,
}

impl Listener {
    /// Makes a listener that listens for nothing yet.
    ///
    /// # Errors
    ///
    /// If the system has no descriptors left.
    ///
    /// # Examples
    ///
    /// See [`SignalHandlerError`].
    pub fn new() -> io::Result<Self> {
        let _lock = table::lock();
        Ok(Self { mailbox: Mailbox::take()? })
    }

    /// Listens for `signal` from here on. Was it not listened for before?
    ///
    /// As long as somebody listens, the signal doesn't do what it does by default.
    ///
    /// # Errors
    ///
    /// [`SignalHandlerError`] if the signal doesn't exist, can't be caught, or is none for a loop.
    ///
    /// # Examples
    ///
    /// See the [crate's documentation](crate).
    pub fn listen(&self, signal: Signal) -> Result<bool, SignalHandlerError> {
        table::lock().listen(self.mailbox, signal)
    }

    /// No longer listens for `signal`. Was it listened for?
    ///
    /// If nobody else listens, the signal does again what it did before.
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_signal::{Listener, Signal};
    ///
    /// let listener = Listener::new()?;
    /// listener.listen(Signal::USR2)?;
    /// assert!(listener.stop_listening(Signal::USR2));
    /// assert!(!listener.stop_listening(Signal::USR2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stop_listening(&self, signal: Signal) -> bool {
        table::lock().stop_listening(self.mailbox, signal)
    }

    /// Is told of `signal` once, should it arrive while nobody listens for it. Returns `false`, and isn't told,
    /// if another listener is the fallback already.
    ///
    /// After that, the signal does what it does by default, whether or not the listener has looked. So the second one
    /// ends a program that doesn't react to the first. When the fallback is removed, the signal does again what it
    /// did before.
    ///
    /// # Errors
    ///
    /// As [`listen`](Self::listen).
    ///
    /// # Examples
    ///
    /// ```
    /// use ronde_signal::{Listener, Signal};
    /// # use rustix::process::{getpid, kill_process};
    ///
    /// let (one, two) = (Listener::new()?, Listener::new()?);
    /// assert!(one.set_fallback(Signal::QUIT)?);
    /// assert!(!two.set_fallback(Signal::QUIT)?);
    ///
    /// two.listen(Signal::QUIT)?;
    /// kill_process(getpid(), rustix::process::Signal::QUIT)?;
    /// while two.take().is_empty() {}
    /// assert!(!one.take_fallback(Signal::QUIT), "somebody listens");
    ///
    /// two.stop_listening(Signal::QUIT);
    /// kill_process(getpid(), rustix::process::Signal::QUIT)?;
    /// while !one.take_fallback(Signal::QUIT) {}
    /// one.remove_fallback(Signal::QUIT);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_fallback(&self, signal: Signal) -> Result<bool, SignalHandlerError> {
        table::lock().set_fallback(self.mailbox, signal)
    }

    /// Is no longer the fallback for `signal`, if it was.
    ///
    /// # Examples
    ///
    /// See [`set_fallback`](Self::set_fallback).
    pub fn remove_fallback(&self, signal: Signal) {
        table::lock().remove_fallback(self.mailbox, signal);
    }

    /// Tells what has arrived since the last time, in the order of the signals' numbers. Never waits.
    ///
    /// To be called when the descriptor is readable, which it isn't any more afterwards.
    ///
    /// # Examples
    ///
    /// See the [crate's documentation](crate).
    #[must_use]
    pub fn take(&self) -> Vec<Arrival> {
        self.mailbox.look();
        let arrival = |number| {
            let count = self.mailbox.take_count(number);
            // A `SIGNALS`th signal doesn't exist, so the number fits.
            (count > 0).then(|| Arrival { signal: Signal::new(number as i32), count })
        };
        (1..SIGNALS).filter_map(arrival).collect()
    }

    /// Has `signal` arrived as one that nobody listened for? Tells it once. To be called after
    /// [`take`](Self::take).
    ///
    /// # Examples
    ///
    /// See [`set_fallback`](Self::set_fallback).
    #[must_use]
    pub fn take_fallback(&self, signal: Signal) -> bool {
        let number = usize::try_from(signal.number()).unwrap_or(usize::MAX);
        number < SIGNALS && self.mailbox.take_fallen_back(number)
    }
}

/// What becomes readable when there is something to [`take`](Listener::take). It is not to be read from.
impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.mailbox.ears()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut table = table::lock();
        for number in 1..SIGNALS {
            let signal = Signal::new(number as i32);
            table.stop_listening(self.mailbox, signal);
            table.remove_fallback(self.mailbox, signal);
        }
        self.mailbox.give_back();
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signals = (1..SIGNALS).filter(|number| self.mailbox.wants(*number));
        let signals: Vec<_> = signals.map(|number| Signal::new(number as i32)).collect();
        f.debug_struct("Listener").field("signals", &signals).finish()
    }
}

/// A signal that has arrived. From [`Listener::take`].
///
/// # Examples
///
/// See the [crate's documentation](crate).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arrival {
    /// The signal.
    pub signal: Signal,
    /// How often. The system makes one of several that arrive together, unless they are real-time signals.
    pub count: u32,
}
