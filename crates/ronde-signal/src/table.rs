//! What is installed for each signal, and who hears of it.
//!
//! ```text
//!          a listener                a fallback              a signal
//!   Idle ------------> Claimed   Idle ------------> Armed ------------> Firing ----> Spent
//! ```
//!
//! The state is what the handler goes by. The handler alone goes from `Armed` to `Firing`, where it tells the
//! fallback and has the signal do what it does by default, and on to `Spent`. All other changes are made under
//! the lock of the table. Listeners come first: whatever the state was, it is `Claimed` as long as there are any, and
//! then `Armed` or `Spent` as it was before. Nobody leaves `Firing` but the handler: who wants to wait for its
//! end spins, and if it is on the same thread, it has ended before.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{io, ptr, thread};

use crate::mailbox::{self, Mailbox, SIGNALS};
use crate::sys::{self, Added, Disposition, Replaced};
use crate::{Signal, SignalHandlerError};

/// What the handler does with a signal.
struct Slot {
    state: AtomicU8,
    /// Ours was added to a handler of the program's. One that was installed at an earlier time, and that
    /// others may still call, does nothing then.
    is_added: AtomicBool,
}

const IDLE: u8 = 0;
const CLAIMED: u8 = 1;
const ARMED: u8 = 2;
const FIRING: u8 = 3;
const SPENT: u8 = 4;

static SLOTS: [Slot; SIGNALS] =
    [const { Slot { state: AtomicU8::new(IDLE), is_added: AtomicBool::new(false) } }; SIGNALS];

/// The handler that is installed in the place of no other.
pub(crate) fn handle(signal: i32) {
    let Some((number, slot)) = slot_of(signal) else { return };
    if !slot.is_added.load(Ordering::SeqCst) {
        slot.arrived(signal, number);
    }
}

/// The handler that is added to another.
pub(crate) fn handle_added(signal: i32) {
    if let Some((number, slot)) = slot_of(signal) {
        slot.arrived(signal, number);
    }
}

fn slot_of(signal: i32) -> Option<(usize, &'static Slot)> {
    let number = usize::try_from(signal).ok()?;
    Some((number, SLOTS.get(number)?))
}

impl Slot {
    fn arrived(&self, signal: i32, number: usize) {
        match self.state.load(Ordering::SeqCst) {
            CLAIMED => mailbox::tell_all(number),
            ARMED if self.change(ARMED, FIRING) => {
                mailbox::tell_fallback(number);
                sys::bring_default_back(signal);
                self.state.store(SPENT, Ordering::SeqCst);
            }
            // Others have a handler as well, so the default could not be brought back.
            SPENT => sys::do_default(signal),
            _ => {}
        }
    }

    fn change(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// The state, when the handler is through with it.
    fn settled(&self) -> u8 {
        loop {
            match self.state.load(Ordering::SeqCst) {
                FIRING => thread::yield_now(),
                state => return state,
            }
        }
    }

    /// Changes the state, and returns what it was.
    fn settle(&self, to: u8) -> u8 {
        loop {
            let state = self.settled();
            if self.change(state, to) {
                return state;
            }
        }
    }
}

/// What is known about a signal.
#[derive(Default)]
struct Entry {
    listeners: usize,
    fallback: Option<&'static Mailbox>,
    /// There is a fallback, and it has been told.
    is_spent: bool,
    installed: Installed,
    /// Somebody has replaced ours, and may call it still. It has replaced this.
    under: Option<Replaced>,
}

#[derive(Default)]
enum Installed {
    #[default]
    No,
    /// In the place of no handler.
    Alone(Replaced),
    Added(Added),
}

/// Whatever changes is changed under this lock.
#[derive(Default)]
pub(crate) struct Table {
    entries: BTreeMap<usize, Entry>,
}

static TABLE: Mutex<Table> = Mutex::new(Table { entries: BTreeMap::new() });

pub(crate) fn lock() -> MutexGuard<'static, Table> {
    // No foreign code runs under the lock, so a poisoned one is as good as any.
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Table {
    /// The mailbox is told of `signal` from here on. Was it not before?
    pub(crate) fn listen(
        &mut self,
        mailbox: &'static Mailbox,
        signal: Signal,
    ) -> Result<bool, SignalHandlerError> {
        let (number, slot) = check(signal)?;
        if mailbox.wants(number) {
            return Ok(false);
        }
        let entry = self.entries.entry(number).or_default();
        mailbox.want(number, true);
        entry.listeners += 1;
        // First the state: no signal finds the handler without something to do.
        entry.is_spent |= slot.settle(CLAIMED) == SPENT;
        if let Err(source) = entry.install(signal, slot) {
            self.stop_listening(mailbox, signal);
            return Err(SignalHandlerError::Io { signal, source });
        }
        Ok(true)
    }

    /// The mailbox is no longer told of `signal`. Was it before?
    pub(crate) fn stop_listening(&mut self, mailbox: &'static Mailbox, signal: Signal) -> bool {
        let Some((number, slot)) = slot_of(signal.number()) else { return false };
        let Some(entry) = self.entries.get_mut(&number) else { return false };
        if !mailbox.wants(number) {
            return false;
        }
        entry.listeners -= 1;
        if entry.listeners == 0 {
            entry.is_no_longer_claimed(signal, slot);
        }
        // At last: until here, a signal was one for this mailbox.
        mailbox.want(number, false);
        true
    }

    /// The mailbox is told of `signal` once, if nobody listens for it. `false` says that another is.
    pub(crate) fn set_fallback(
        &mut self,
        mailbox: &'static Mailbox,
        signal: Signal,
    ) -> Result<bool, SignalHandlerError> {
        let (number, slot) = check(signal)?;
        let entry = self.entries.entry(number).or_default();
        if entry.fallback.is_some() {
            return Ok(false);
        }
        entry.fallback = Some(mailbox);
        mailbox.set_fallback(number, true);
        if entry.listeners == 0 {
            slot.settle(ARMED);
            if let Err(source) = entry.install(signal, slot) {
                self.remove_fallback(mailbox, signal);
                return Err(SignalHandlerError::Io { signal, source });
            }
        }
        Ok(true)
    }

    pub(crate) fn remove_fallback(&mut self, mailbox: &'static Mailbox, signal: Signal) {
        let Some((number, slot)) = slot_of(signal.number()) else { return };
        let Some(entry) = self.entries.get_mut(&number) else { return };
        if !entry.fallback.is_some_and(|fallback| ptr::eq(fallback, mailbox)) {
            return;
        }
        entry.fallback = None;
        if entry.listeners == 0 {
            entry.uninstall(signal, slot);
        }
        entry.is_spent = false;
        mailbox.set_fallback(number, false);
    }
}

impl Entry {
    /// Sees to it that the handler is called.
    fn install(&mut self, signal: Signal, slot: &Slot) -> io::Result<()> {
        let number = signal.number();
        let disposition = sys::disposition(number)?;
        match (&self.installed, disposition) {
            (Installed::Added(_), _) => {}
            // Others that have come since may call ours, or don't want to.
            (Installed::Alone(_), Disposition::Ours | Disposition::Others) => {}
            // The fallback was told, or the program has changed it back.
            (Installed::Alone(_), Disposition::NoHandler) => {
                // What is restored in the end is what was there at first.
                let _changed = sys::install(number)?;
            }
            (Installed::No, Disposition::NoHandler) => {
                self.installed = Installed::Alone(sys::install(number)?);
            }
            // Who had replaced ours has brought it back.
            (Installed::No, Disposition::Ours) => {
                let replaced = self.under.take().unwrap_or_else(Replaced::default_action);
                self.installed = Installed::Alone(replaced);
            }
            (Installed::No, Disposition::Others) => {
                slot.is_added.store(true, Ordering::SeqCst);
                match sys::add(number) {
                    Ok(added) => self.installed = Installed::Added(added),
                    Err(error) => {
                        slot.is_added.store(false, Ordering::SeqCst);
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// The last listener stops.
    fn is_no_longer_claimed(&mut self, signal: Signal, slot: &Slot) {
        if self.fallback.is_none() {
            self.uninstall(signal, slot);
        } else if self.is_spent {
            sys::bring_default_back(signal.number());
            slot.state.store(SPENT, Ordering::SeqCst);
        } else {
            slot.state.store(ARMED, Ordering::SeqCst);
        }
    }

    /// The signal does again what it did before.
    fn uninstall(&mut self, signal: Signal, slot: &Slot) {
        loop {
            let state = slot.settled();
            self.restore(signal.number(), self.is_spent || state == SPENT);
            // Only now: until here, a signal was one for us. If it was told to the fallback in the meantime,
            // its default was brought back in the place of what we have just restored.
            if slot.change(state, IDLE) {
                break;
            }
        }
        if let Installed::Added(added) = std::mem::take(&mut self.installed) {
            added.remove();
            slot.is_added.store(false, Ordering::SeqCst);
        }
    }

    fn restore(&mut self, number: i32, is_spent: bool) {
        let Installed::Alone(replaced) = &self.installed else { return };
        match sys::disposition(number) {
            // It can't fail: the system has accepted the same before.
            Ok(Disposition::Ours) => drop(sys::restore(number, replaced)),
            Ok(Disposition::NoHandler) if is_spent => drop(sys::restore(number, replaced)),
            Ok(Disposition::Others) => self.under = Some(replaced.clone()),
            // The program has changed it back itself.
            _ => {}
        }
    }
}

/// Can this signal be listened for?
fn check(signal: Signal) -> Result<(usize, &'static Slot), SignalHandlerError> {
    const FAULTS: [i32; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL];
    let number = signal.number();
    if [libc::SIGKILL, libc::SIGSTOP].contains(&number) {
        return Err(SignalHandlerError::Uncatchable { signal });
    }
    if FAULTS.contains(&number) {
        return Err(SignalHandlerError::Fault { signal });
    }
    match (slot_of(number), sys::disposition(number)) {
        (Some(found), Ok(_)) => Ok(found),
        _ => Err(SignalHandlerError::Invalid { signal }),
    }
}
