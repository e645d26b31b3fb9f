//! Runs bodies of statements.
//!
//! How Python's exceptions are mapped: every exception is an [`Exc`] in the `Err` of a `Result`, and
//! so is a cancellation, but only within one statement. Where it leaves the statement it is raised,
//! with [`CancelledError::raise`](ronde::CancelledError::raise), and whoever must see it go
//! by catches it: a traced operation, a `try` that handles it, a `finally`.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use ronde::{TaskGroup, Timeout, Yielder, catch_cancelled, sleep, yield_now};

use crate::ops::duration;
use crate::parse::{Handler, Stmt};
use crate::runtime::{Runtime, Thing, Variables};
use crate::value::{Exc, Outcome, Value, shown};

/// How a statement ended.
pub(crate) type Run = Result<(), Stop>;

/// Why the statements that follow don't run.
#[derive(Debug)]
pub(crate) enum Stop {
    Raise(Exc),
    Return(i64),
    Break,
}

impl From<Exc> for Stop {
    fn from(error: Exc) -> Self {
        Stop::Raise(error)
    }
}

/// A coroutine (or an inline call of one, or a callback) that is running.
#[derive(Clone)]
pub(crate) struct Activation<'a> {
    pub(crate) rt: Rc<Runtime>,
    pub(crate) variables: Rc<Variables>,
    /// The innermost enclosing `timeout` block.
    pub(crate) limit: Option<Timeout>,
    /// The innermost enclosing `task_group` block.
    pub(crate) group: Option<TaskGroup>,
    /// In a generator, what yields. It is taken while it does.
    pub(crate) yielder: Option<&'a Cell<Option<&'a mut Yielder<i64>>>>,
}

/// Runs a coroutine from its beginning.
pub(crate) async fn coroutine(rt: Rc<Runtime>, name: String) -> Outcome {
    let body = rt.code.coroutines[&name].clone();
    let activation = Activation::new(rt);
    match activation.body(&body).await {
        Ok(()) => Ok(Value::Int(0)),
        Err(Stop::Return(value)) => Ok(Value::Int(value)),
        Err(Stop::Raise(error)) => Err(error),
        Err(Stop::Break) => unreachable!("a `break` is inside a loop"),
    }
}

impl Activation<'_> {
    /// One with no variables yet.
    pub(crate) fn new(rt: Rc<Runtime>) -> Self {
        Self { rt, variables: Rc::default(), limit: None, group: None, yielder: None }
    }

    /// What a callback runs in, which may outlive the coroutine.
    pub(crate) fn for_callback(&self) -> Activation<'static> {
        let Self { rt, variables, limit, group, yielder: _ } = self.clone();
        Activation { rt, variables, limit, group, yielder: None }
    }

    /// Runs statements in sequence.
    pub(crate) fn body<'a>(
        &'a self,
        statements: &'a [Stmt],
    ) -> Pin<Box<dyn Future<Output = Run> + 'a>> {
        Box::pin(async move {
            for statement in statements {
                match self.statement(statement).await {
                    Err(Stop::Raise(Exc::Cancelled(error))) => error.raise().await,
                    run => run?,
                }
            }
            Ok(())
        })
    }

    async fn statement(&self, statement: &Stmt) -> Run {
        match statement {
            Stmt::If { test, then, otherwise } => {
                let holds = self.test(test);
                self.body(if holds { then } else { otherwise }).await
            }
            Stmt::Repeat { n, body } => self.repeat(*n, body).await,
            Stmt::Break {} => {
                self.line("break");
                Err(Stop::Break)
            }
            Stmt::Return { v } => {
                self.line(&format!("return {v}"));
                Err(Stop::Return(*v))
            }
            Stmt::Try { body, handlers, finally } => {
                // As in the translation to Python: without handlers, there is a `finally`.
                let finally = finally.as_deref().or(handlers.is_empty().then_some(&[][..]));
                self.try_(body, handlers, finally).await
            }
            Stmt::Sleep { ms } => {
                let body = without_result(sleep(duration(*ms)));
                self.op(&format!("sleep {ms}"), body).await
            }
            Stmt::Yield {} => self.op("yield", without_result(yield_now())).await,
            Stmt::Call { coro } => {
                let body = coroutine(self.rt.clone(), coro.clone());
                self.op(&format!("call {coro}"), body).await
            }
            Stmt::Await { var } => self.await_(var).await,
            Stmt::Gather { items, return_exceptions, into } => {
                self.gather(items, *return_exceptions, into.as_deref()).await
            }
            Stmt::Wait { vars, timeout, when } => self.wait(vars, *timeout, *when).await,
            Stmt::WaitFor { item, timeout } => self.wait_for(item, *timeout).await,
            Stmt::Shield { item, into } => self.shield(item, into.as_deref()).await,
            Stmt::AsCompleted { items, timeout } => self.as_completed(items, *timeout).await,
            Stmt::Timeout { ms, body } => self.timeout(*ms, body).await,
            Stmt::GenYield { v } => self.gen_yield(*v).await,
            Stmt::AsyncFor { generator, body, limit, aclose } => {
                self.async_for(generator, body, *limit, *aclose).await
            }
            Stmt::With { mgr, body } => self.with(mgr, body).await,
            Stmt::TaskGroup { body } => self.task_group(body).await,
            _ => match self.wait_for_primitive(statement).await {
                Some(run) => run,
                None => Ok(self.plain(statement)?),
            },
        }
    }

    async fn repeat(&self, n: u32, body: &[Stmt]) -> Run {
        for _ in 0..n {
            match self.body(body).await {
                Err(Stop::Break) => break,
                run => run?,
            }
        }
        Ok(())
    }

    async fn try_(&self, body: &[Stmt], handlers: &[Handler], finally: Option<&[Stmt]>) -> Run {
        let guarded = self.try_except(body, handlers);
        let Some(finally) = finally else { return guarded.await };
        let run = catch(guarded).await;
        self.line("finally");
        self.body(finally).await?;
        run
    }

    async fn try_except(&self, body: &[Stmt], handlers: &[Handler]) -> Run {
        let body = self.body(body);
        let run = if handlers.iter().any(|handler| handler.matches("Cancelled")) {
            catch(body).await
        } else {
            body.await
        };
        let Err(Stop::Raise(error)) = run else { return run };
        let matching = handlers.iter().find(|handler| handler.matches(error.kind()));
        let Some(handler) = matching else { return Err(error.into()) };
        self.line(&format!("caught {error}"));
        self.body(&handler.body).await?;
        if handler.reraise {
            self.line("reraise");
            return Err(error.into());
        }
        Ok(())
    }

    async fn await_(&self, var: &str) -> Run {
        let label = format!("await {var}");
        match self.get(var) {
            Some(thing) => self.op(&label, async { thing.wait().await }).await,
            None => {
                self.line(&format!("{label} unset"));
                Ok(())
            }
        }
    }

    /// Awaits an operation and prints how it ended.
    pub(crate) async fn op<T: Into<Value>>(
        &self,
        label: &str,
        operation: impl Future<Output = Result<T, Exc>>,
    ) -> Run {
        self.op_value(label, operation).await?;
        Ok(())
    }

    /// As [`op`](Self::op), and gives its value.
    pub(crate) async fn op_value<T: Into<Value>>(
        &self,
        label: &str,
        operation: impl Future<Output = Result<T, Exc>>,
    ) -> Outcome {
        let caught = catch_cancelled(operation).await;
        let result = caught.map_err(Exc::Cancelled).and_then(|result| result).map(T::into);
        self.line(&format!("{label} {}", shown(&result)));
        result
    }

    pub(crate) fn line(&self, text: &str) {
        self.rt.trace.line(text);
    }

    pub(crate) fn get(&self, name: &str) -> Option<Thing> {
        match name {
            "self" => self.rt.current(),
            _ => self.table(name).get(name),
        }
    }

    /// The variables that `name` is one of.
    pub(crate) fn table(&self, name: &str) -> &Variables {
        if name.starts_with('$') { &self.rt.slots } else { &self.variables }
    }
}

/// Catches a cancellation, to be handled like other exceptions.
pub(crate) async fn catch(body: impl Future<Output = Run>) -> Run {
    catch_cancelled(body).await.map_err(Exc::Cancelled)?
}

/// An operation that gives no value and raises nothing but a cancellation.
async fn without_result(operation: impl Future<Output = ()>) -> Outcome {
    operation.await;
    Ok(Value::Ok)
}
