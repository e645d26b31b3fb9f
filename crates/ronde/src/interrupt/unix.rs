//! Ctrl-C as a signal.
//!
//! The signal's actions are installed once per process and stay, because a signal's default action
//! can't be brought back: they consult a flag instead. While the flag is set, SIGINT does what it
//! does by default, that is, it ends the process. A [`Watch`] clears the flag; the first SIGINT sets
//! it again and writes to a socket that the watch's loop reads. So the second one ends the program,
//! even if the loop never gets around to reading.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use ronde_loop::{Direction, LoopHandle, Source};
use signal_hook::consts::SIGINT;
use signal_hook::{flag, low_level};

struct Installed {
    by_default: Arc<AtomicBool>,
    /// Receives a byte per signal.
    arrivals: UnixStream,
    watched: AtomicBool,
}

fn installed() -> io::Result<&'static Installed> {
    static INSTALLED: OnceLock<Installed> = OnceLock::new();
    if let Some(installed) = INSTALLED.get() {
        return Ok(installed);
    }
    let by_default = Arc::new(AtomicBool::new(true));
    let (arrivals, sender) = UnixStream::pair()?;
    arrivals.set_nonblocking(true)?;
    // They run in this order.
    flag::register_conditional_default(SIGINT, by_default.clone())?;
    low_level::pipe::register(SIGINT, sender)?;
    flag::register(SIGINT, by_default.clone())?;
    // Two threads that get here at once have each installed actions. Both sets consult a flag that
    // is set until it is watched, so the one that isn't kept would end the program at the first
    // signal: only the main thread gets here.
    Ok(INSTALLED.get_or_init(|| Installed {
        by_default,
        arrivals,
        watched: AtomicBool::new(false),
    }))
}

pub(super) struct Watch {
    installed: &'static Installed,
    _source: Source,
}

impl Watch {
    pub(super) fn start(
        event_loop: &LoopHandle,
        interrupted: impl Fn() + 'static,
    ) -> io::Result<Option<Self>> {
        let installed = installed()?;
        if installed.watched.swap(true, Ordering::AcqRel) {
            return Ok(None);
        }
        let source = listen(event_loop, installed, interrupted);
        if source.is_err() {
            installed.watched.store(false, Ordering::Release);
        }
        installed.by_default.store(false, Ordering::Release);
        Ok(Some(Self { installed, _source: source? }))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.installed.by_default.store(true, Ordering::Release);
        self.installed.watched.store(false, Ordering::Release);
    }
}

fn listen(
    event_loop: &LoopHandle,
    installed: &'static Installed,
    interrupted: impl Fn() + 'static,
) -> io::Result<Source> {
    take_arrivals(installed);
    let source = event_loop.register(OwnedFd::from(installed.arrivals.try_clone()?))?;
    let callback = move || {
        if take_arrivals(installed) {
            interrupted();
        }
    };
    source.set_callback(Direction::Read, Some(Rc::new(callback)))?;
    Ok(source)
}

/// Empties the socket. Was there anything in it?
fn take_arrivals(installed: &Installed) -> bool {
    let mut bytes = [0; 16];
    let mut any = false;
    while matches!((&installed.arrivals).read(&mut bytes), Ok(count) if count > 0) {
        any = true;
    }
    any
}

/// Ends the program the way SIGINT would have, so that a shell sees what happened.
pub(crate) fn end_program() -> ! {
    // Returns only if the signal is blocked.
    let _ = low_level::emulate_default_handler(SIGINT);
    std::process::exit(130)
}
