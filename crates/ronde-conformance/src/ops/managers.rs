//! Context managers.

use std::rc::Rc;

use ronde::{AsyncContextManager, BodyOutcome, Swallow, try_async_with};

use crate::interp::{Activation, Run, Stop, catch};
use crate::parse::{Manager, Stmt};
use crate::runtime::Runtime;
use crate::value::Exc;

/// A manager of the program's, about to be entered.
struct Traced {
    rt: Rc<Runtime>,
    name: String,
    manager: Rc<Manager>,
}

impl Traced {
    fn line(&self, text: &str) {
        self.rt.trace.line(&format!("{text} {}", self.name));
    }

    async fn run(&self, statements: &[Stmt]) -> Result<(), Exc> {
        match Activation::new(self.rt.clone()).body(statements).await {
            Err(Stop::Raise(error)) => Err(error),
            // There is no `return` and no free `break` in here.
            _ => Ok(()),
        }
    }
}

impl AsyncContextManager for Traced {
    type Resource = ();
    type Error = Exc;
    type Exit = Swallow;

    async fn enter(&mut self) -> Result<(), Exc> {
        self.line("enter");
        self.run(&self.manager.enter).await?;
        self.line("entered");
        Ok(())
    }

    async fn exit(self, (): (), outcome: BodyOutcome<'_>) -> Result<Swallow, Exc> {
        let error = match outcome {
            BodyOutcome::Failed(error) => error.downcast_ref::<Exc>().cloned(),
            BodyOutcome::Cancelled(error) => Some(Exc::Cancelled(error.clone())),
            _ => None,
        };
        let how = error.as_ref().map_or_else(|| "ok".to_owned(), |error| format!("!{error}"));
        self.rt.trace.line(&format!("exit {} {how}", self.name));
        self.run(&self.manager.exit).await?;
        let suppress = &self.manager.suppress;
        let swallow = error
            .is_some_and(|error| suppress.iter().any(|kind| kind == "Any" || kind == error.kind()));
        self.line(if swallow { "suppress" } else { "exited" });
        Ok(Swallow(swallow))
    }
}

impl Activation<'_> {
    pub(crate) async fn with(&self, name: &str, body: &[Stmt]) -> Run {
        let manager = Traced {
            rt: self.rt.clone(),
            name: name.to_owned(),
            manager: self.rt.code.managers[name].clone(),
        };
        let run = catch(async {
            let body = async |(): &mut ()| match self.body(body).await {
                Err(Stop::Raise(error)) => Err(error),
                run => Ok(run),
            };
            match try_async_with(manager, body).await {
                Ok(None) => Ok(()),
                Ok(Some(Ok(run))) => run,
                Ok(Some(Err(error))) => Err(error.into()),
                Err(error) => Err(error.into_error().into()),
            }
        })
        .await;
        match &run {
            Ok(()) => self.line(&format!("with {name} ok")),
            Err(Stop::Raise(error)) => self.line(&format!("with {name} !{error}")),
            Err(Stop::Return(_) | Stop::Break) => {}
        }
        run
    }
}
