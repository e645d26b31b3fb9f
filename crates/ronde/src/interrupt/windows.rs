//! Ctrl-C as a console event, which arrives on a thread of its own.

use std::io;
use std::rc::Rc;
use std::sync::{Mutex, OnceLock, PoisonError};

use ronde_loop::{LoopHandle, Remote};

/// Where the first Ctrl-C goes. Without one, Ctrl-C ends the program.
static WATCH: Mutex<Option<Remote>> = Mutex::new(None);

thread_local! {
    static INTERRUPTED: std::cell::RefCell<Option<Rc<dyn Fn()>>> =
        const { std::cell::RefCell::new(None) };
}

pub(super) struct Watch(());

impl Watch {
    pub(super) fn start(
        event_loop: &LoopHandle,
        interrupted: impl Fn() + 'static,
    ) -> io::Result<Option<Self>> {
        static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();
        let installed =
            INSTALLED.get_or_init(|| ctrlc::set_handler(arrived).map_err(|e| e.to_string()));
        installed.clone().map_err(io::Error::other)?;
        let mut watch = WATCH.lock().unwrap_or_else(PoisonError::into_inner);
        if watch.is_some() {
            return Ok(None);
        }
        *watch = Some(event_loop.remote());
        INTERRUPTED.with(|slot| *slot.borrow_mut() = Some(Rc::new(interrupted)));
        Ok(Some(Self(())))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCH.lock().unwrap_or_else(PoisonError::into_inner).take();
        INTERRUPTED.with(|slot| slot.borrow_mut().take());
    }
}

fn arrived() {
    let Some(remote) = WATCH.lock().unwrap_or_else(PoisonError::into_inner).take() else {
        end_program()
    };
    let call = || {
        let interrupted = INTERRUPTED.with(|slot| slot.borrow().clone());
        if let Some(interrupted) = interrupted {
            interrupted();
        }
    };
    if remote.call_soon_threadsafe(call).is_err() {
        end_program();
    }
}

pub(crate) fn end_program() -> ! {
    std::process::exit(130)
}
