//! Ctrl-C as a signal.
//!
//! The loop's [fallback](LoopHandle::add_signal_fallback) for SIGINT is just what is needed: it is told of the first one,
//! and the second one ends the program, even if the loop never gets around to hearing of the first.
//! A handler that the program has for SIGINT comes before it, be it a loop's or another.

use std::io;

use ronde_loop::{LoopHandle, Signal, SignalFallback};
use signal_hook::consts::SIGINT;
use signal_hook::low_level;

pub(super) struct Watch {
    _fallback: SignalFallback,
}

impl Watch {
    pub(super) fn start(
        event_loop: &LoopHandle,
        interrupted: impl Fn() + 'static,
    ) -> io::Result<Option<Self>> {
        let fallback = event_loop.add_signal_fallback(Signal::INT, interrupted)?;
        Ok(fallback.map(|fallback| Self { _fallback: fallback }))
    }
}

/// Ends the program the way SIGINT would have, so that a shell sees what happened.
pub(crate) fn end_program() -> ! {
    // Returns only if the signal is blocked.
    let _ = low_level::emulate_default_handler(SIGINT);
    std::process::exit(130)
}
