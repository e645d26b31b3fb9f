//! Callbacks, and what is done with them.

use std::panic::resume_unwind;

use super::duration;
use crate::interp::Activation;
use crate::parse::{Body, Callback, Stmt};
use crate::runtime::AnyHandle;
use crate::value::shown;

impl Activation<'_> {
    pub(super) fn call_soon(&self, callback: &Callback) {
        let handle = self.rt.event_loop.call_soon(self.callback(callback));
        self.keep(callback, AnyHandle::Soon(handle));
        self.line(&format!("call_soon {}", callback.msg));
    }

    pub(super) fn call_later(&self, ms: u64, callback: &Callback) {
        let handle = self.rt.event_loop.call_later(duration(ms), self.callback(callback));
        self.keep(callback, AnyHandle::Later(handle));
        self.line(&format!("call_later {ms} {}", callback.msg));
    }

    pub(super) fn handle_cancel(&self, name: &str) {
        let handle = self.table(name).handle(name);
        if let Some(handle) = &handle {
            handle.cancel();
        }
        let outcome = if handle.is_some() { "ok" } else { "unset" };
        self.line(&format!("handle_cancel {name} {outcome}"));
    }

    pub(super) fn add_done_callback(&self, var: &str, msg: &str, body: &Body) {
        let Some(thing) = self.get(var) else {
            return self.line(&format!("add_done_callback {var} {msg} unset"));
        };
        let (activation, body) = (self.for_callback(), body.clone());
        let (done, text) = (thing.clone(), format!("done_callback {msg}"));
        let id = thing.add_done_callback(move || {
            activation.line(&format!("{text} {} {}", done.name(), shown(&done.outcome())));
            activation.run_callback(&body);
        });
        thing.callbacks().borrow_mut().push((msg.to_owned(), id));
        self.line(&format!("add_done_callback {var} {msg} ok"));
    }

    pub(super) fn remove_done_callback(&self, var: &str, msg: &str) {
        let Some(thing) = self.get(var) else {
            return self.line(&format!("remove_done_callback {var} {msg} unset"));
        };
        let mut callbacks = thing.callbacks().take();
        let mut removed = 0;
        callbacks.retain(|(message, id)| {
            let matches = message == msg;
            removed += u32::from(matches && thing.remove_done_callback(*id));
            !matches
        });
        thing.callbacks().replace(callbacks);
        self.line(&format!("remove_done_callback {var} {msg} {removed}"));
    }

    fn callback(&self, callback: &Callback) -> impl FnOnce() + use<> {
        let (activation, body) = (self.for_callback(), callback.body.clone());
        let text = format!("callback {}", callback.msg);
        move || {
            activation.line(&text);
            activation.run_callback(&body);
        }
    }

    fn keep(&self, callback: &Callback, handle: AnyHandle) {
        if let Some(name) = &callback.handle {
            self.table(name).set_handle(name, handle);
        }
    }

    /// Runs the statements of a callback. What they raise becomes a panic, which is how a callback
    /// fails in ronde; the loop's exception handler prints it.
    fn run_callback(&self, body: &[Stmt]) {
        for statement in body {
            if let Err(error) = self.plain(statement) {
                resume_unwind(Box::new(error.to_string()));
            }
        }
    }
}
