//! Unix: `sigaction(2)`, and the handler.
//!
//! A handler may be called in the middle of anything that the program does, so it may do very little: see
//! signal-safety(7). Ours reads and writes atomics, writes a byte with `write(2)`, and calls `sigaction(2)`.
//! It doesn't allocate, take a lock, or panic, and leaves `errno` as it was.
#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::ptr;

use libc::{c_int, sigaction};
use signal_hook::SigId;

use crate::table;

/// What happens when a signal arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// Its default action, or nothing.
    NoHandler,
    Ours,
    /// Somebody else's handler is called.
    Others,
}

/// What ours has replaced: the default action, or that the signal is ignored.
#[derive(Clone)]
pub(crate) struct Replaced(sigaction);

impl Replaced {
    pub(crate) fn default_action() -> Self {
        Self(action(libc::SIG_DFL, 0))
    }
}

/// What ours was added to is not known; only that it was added.
pub(crate) struct Added(SigId);

/// Fails if there is no such signal.
pub(crate) fn disposition(signal: c_int) -> io::Result<Disposition> {
    let handler = exchange(signal, None)?.sa_sigaction;
    Ok(if handler == ours() {
        Disposition::Ours
    } else if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
        Disposition::NoHandler
    } else {
        Disposition::Others
    })
}

/// Installs the handler, in the place of no other.
pub(crate) fn install(signal: c_int) -> io::Result<Replaced> {
    // System calls that can be are begun again; others end early, and see to it themselves.
    exchange(signal, Some(&action(ours(), libc::SA_RESTART))).map(Replaced)
}

pub(crate) fn restore(signal: c_int, replaced: &Replaced) -> io::Result<()> {
    exchange(signal, Some(&replaced.0)).map(drop)
}

/// Has the signal do what it does by default, if the handler is ours. The handler calls this.
pub(crate) fn bring_default_back(signal: c_int) {
    if matches!(disposition(signal), Ok(Disposition::Ours)) {
        // It can't fail: the system has accepted a handler for this signal.
        let _ = exchange(signal, Some(&action(libc::SIG_DFL, 0)));
    }
}

/// Does what the signal does by default. The handler calls this.
pub(crate) fn do_default(signal: c_int) {
    // It fails for a signal that it doesn't know, a real-time one. There is nobody to tell.
    let _ = signal_hook::low_level::emulate_default_handler(signal);
}

/// Adds the handler to somebody else's.
pub(crate) fn add(signal: c_int) -> io::Result<Added> {
    // SAFETY: `register` asks that the action may be called from a signal handler. What `handle_added` does is
    // what the module's documentation lists.
    let id =
        unsafe { signal_hook::low_level::register(signal, move || table::handle_added(signal)) };
    id.map(Added)
}

impl Added {
    pub(crate) fn remove(self) {
        signal_hook::low_level::unregister(self.0);
    }
}

extern "C" fn handle(signal: c_int) {
    // Where a system call sets it, the code that was interrupted must not see that.
    let errno = errno::errno();
    table::handle(signal);
    errno::set_errno(errno);
}

/// The handler as the system has it.
fn ours() -> usize {
    handle as extern "C" fn(c_int) as usize
}

fn action(handler: usize, flags: c_int) -> sigaction {
    // SAFETY: it is a plain C structure of integers, and a pointer that may be null.
    let mut action: sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags as _;
    // SAFETY: the pointer is to a valid set, which is overwritten.
    unsafe { libc::sigemptyset(&mut action.sa_mask) };
    action
}

/// Sets what happens when the signal arrives, if something is given, and returns what did before.
fn exchange(signal: c_int, new: Option<&sigaction>) -> io::Result<sigaction> {
    let new = new.map_or(ptr::null(), ptr::from_ref);
    let mut old = action(libc::SIG_DFL, 0);
    // SAFETY: both pointers are valid for the call, or null where that is allowed. What is set is either the default,
    // or to ignore the signal, as found before, or `handle`: a function of the right type, which doesn't
    // ask for more arguments (`SA_SIGINFO`), and may be called at any time: see above.
    let outcome = unsafe { libc::sigaction(signal, new, &mut old) };
    if outcome == 0 { Ok(old) } else { Err(io::Error::last_os_error()) }
}
