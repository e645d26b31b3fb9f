//! Operations that don't suspend: callbacks may have them too.

use ronde::Promise;

use crate::interp::Activation;
use crate::parse::{RaiseKind, Stmt, Test};
use crate::runtime::Thing;
use crate::trace::{current_name, names};
use crate::value::{Exc, Outcome, Value, shown};

impl Activation<'_> {
    /// Runs a statement that doesn't suspend.
    pub(crate) fn plain(&self, statement: &Stmt) -> Result<(), Exc> {
        match statement {
            Stmt::Log { msg } => self.line(&format!("log {msg}")),
            Stmt::Set { g, v } => self.rt.set_global(g, *v),
            Stmt::Add { g, v } => self.rt.set_global(g, self.rt.global(g) + v),
            Stmt::Get { g } => self.line(&format!("get {g} {}", self.rt.global(g))),
            Stmt::Raise { kind, code } => return Err(self.raise(*kind, *code)),
            Stmt::Current {} => self.line(&format!("current {}", current_name())),
            Stmt::AllTasks {} => self.all_tasks(),
            Stmt::Spawn { coro, var, name } => {
                self.spawn(coro, var.as_deref(), name.as_deref());
            }
            Stmt::TgSpawn { coro, var, name } => {
                return self.tg_spawn(coro, var.as_deref(), name.as_deref());
            }
            Stmt::Cancel { var, msg } => self.cancel(var, msg.as_deref()),
            Stmt::Done { var } => return self.query("done", var, |x| Ok(Some(x.done().into()))),
            Stmt::Cancelled { var } => {
                return self.query("cancelled", var, |x| Ok(Some(x.cancelled().into())));
            }
            Stmt::Result { var } => return self.query("result", var, |x| x.result().map(Some)),
            Stmt::Exception { var } => return self.query("exception", var, exception),
            Stmt::Cancelling { var } => {
                return self.query("cancelling", var, |x| match x {
                    Thing::Task(var) => Ok(Some(var.task.cancelling().into())),
                    Thing::Future(_) => Ok(None),
                });
            }
            Stmt::Uncancel { var } => {
                return self.query("uncancel", var, |x| match x {
                    Thing::Task(var) => Ok(Some(var.task.uncancel().into())),
                    Thing::Future(_) => Ok(None),
                });
            }
            Stmt::NewFuture { var } => self.new_future(var),
            Stmt::SetResult { var, v } => {
                return self
                    .settle("set_result", var, |x| x.set_result(Ok(Value::Int(*v))).is_ok());
            }
            Stmt::SetException { var, code } => {
                return self
                    .settle("set_exception", var, |x| x.set_exception(Exc::Error(*code)).is_ok());
            }
            Stmt::AddDoneCallback { var, msg, body } => self.add_done_callback(var, msg, body),
            Stmt::RemoveDoneCallback { var, msg } => self.remove_done_callback(var, msg),
            Stmt::CallSoon { callback } => self.call_soon(callback),
            Stmt::CallLater { ms, callback } => self.call_later(*ms, callback),
            Stmt::HandleCancel { handle } => self.handle_cancel(handle),
            Stmt::Reschedule { ms } => return self.reschedule(*ms),
            _ => {
                let used = self.use_primitive(statement);
                return used.unwrap_or_else(|| unreachable!("{statement:?} suspends"));
            }
        }
        Ok(())
    }

    /// Compares a global with a number, and says so.
    pub(crate) fn test(&self, test: &Test) -> bool {
        let Test { g, cmp, v } = test;
        let holds = cmp.holds(self.rt.global(g), *v);
        self.line(&format!("if {g} {cmp} {v} {holds}"));
        holds
    }

    /// Prints how an operation that doesn't suspend ended.
    pub(crate) fn report(&self, label: &str, result: Result<Value, Exc>) -> Result<(), Exc> {
        self.line(&format!("{label} {}", shown(&result)));
        result.map(drop)
    }

    fn new_future(&self, var: &str) {
        let future = self.rt.label_future(Promise::new());
        self.line(&format!("new_future {var} {}", future.name()));
        self.table(var).set(var, future);
    }

    fn raise(&self, kind: RaiseKind, code: i64) -> Exc {
        let error = match kind {
            RaiseKind::Error => Exc::Error(code),
            RaiseKind::Cancelled => Exc::Cancelled(Default::default()),
            RaiseKind::Timeout => Exc::Timeout,
        };
        self.line(&format!("raise {error}"));
        error
    }

    fn all_tasks(&self) {
        let tasks = self.rt.event_loop.all_tasks();
        self.line(&format!(
            "all_tasks {}",
            names(tasks.iter().map(|task| task.name().to_string()))
        ));
    }

    fn spawn(&self, coro: &str, var: Option<&str>, name: Option<&str>) {
        let task = self.rt.create_task(coro, name);
        self.line(&format!("spawn {coro} {}", task.task.name()));
        if let Some(var) = var {
            self.table(var).set(var, Thing::Task(task));
        }
    }

    fn cancel(&self, var: &str, message: Option<&str>) {
        let cancelled = self.get(var).map(|thing| thing.cancel(message));
        let cancelled = cancelled.map_or_else(|| "unset".to_owned(), |truth| truth.to_string());
        self.line(&format!("cancel {var} {cancelled}"));
    }

    /// Asks a task or future something; `None` if it has no such method.
    fn query(
        &self,
        what: &str,
        var: &str,
        ask: impl FnOnce(&Thing) -> Result<Option<Value>, Exc>,
    ) -> Result<(), Exc> {
        let label = format!("{what} {var}");
        match self.get(var).as_ref().map(ask).transpose() {
            Ok(None | Some(None)) => {
                self.line(&format!("{label} unset"));
                Ok(())
            }
            Ok(Some(Some(value))) => self.report(&label, Ok(value)),
            Err(error) => self.report(&label, Err(error)),
        }
    }

    /// Ends a future. `set` says whether it was pending.
    fn settle(
        &self,
        what: &str,
        var: &str,
        set: impl FnOnce(&Promise<Outcome>) -> bool,
    ) -> Result<(), Exc> {
        let label = format!("{what} {var}");
        let result = match self.get(var) {
            None => {
                self.line(&format!("{label} unset"));
                return Ok(());
            }
            // A task has no such method in ronde.
            Some(Thing::Task(_)) => Err(Exc::RuntimeError),
            Some(Thing::Future(var)) if set(&var.promise) => Ok(Value::Ok),
            Some(Thing::Future(_)) => Err(Exc::InvalidState),
        };
        self.report(&label, result)
    }
}

/// `Future.exception`: what was raised, as a value.
fn exception(thing: &Thing) -> Result<Option<Value>, Exc> {
    match thing.result() {
        Ok(_) => Ok(Some(Value::None)),
        Err(error) if !thing.done() || thing.cancelled() => Err(error),
        Err(error) => Ok(Some(Value::Exc(error))),
    }
}
