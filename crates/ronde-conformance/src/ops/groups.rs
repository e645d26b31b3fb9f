//! Task groups.

use std::rc::Rc;

use ronde::{FailureCause, TaskFailure, TaskGroup, TaskGroupError, try_task_group};

use crate::interp::{Activation, Run, Stop, catch};
use crate::parse::Stmt;
use crate::runtime::{Runtime, Thing};
use crate::value::Exc;

impl Activation<'_> {
    pub(crate) async fn task_group(&self, body: &[Stmt]) -> Run {
        let run = catch(async {
            let ended = try_task_group(async |group| {
                let inside = Activation { group: Some(group), ..self.clone() };
                match inside.body(body).await {
                    Err(Stop::Raise(error)) => Err(error),
                    run => Ok(run),
                }
            });
            match ended.await {
                Ok(run) => run,
                Err(error) => Err(Stop::Raise(as_exception(&self.rt, error))),
            }
        })
        .await;
        match &run {
            Ok(()) => self.line("task_group ok"),
            Err(Stop::Raise(error)) => self.line(&format!("task_group !{error}")),
            Err(Stop::Return(_) | Stop::Break) => {}
        }
        run
    }

    pub(super) fn tg_spawn(
        &self,
        coro: &str,
        var: Option<&str>,
        name: Option<&str>,
    ) -> Result<(), Exc> {
        let group: &TaskGroup = self.group.as_ref().expect("`tg_spawn` is inside a `task_group`");
        let label = format!("tg_spawn {coro}");
        let create = |future| group.task_builder().create_task(future);
        match self.rt.create_task_with(coro, name, create) {
            Ok(task) => {
                self.line(&format!("{label} {}", task.task.name()));
                if let Some(var) = var {
                    self.table(var).set(var, Thing::Task(task));
                }
                Ok(())
            }
            Err(_refused) => {
                self.line(&format!("{label} !{}", Exc::RuntimeError));
                Err(Exc::RuntimeError)
            }
        }
    }
}

fn as_exception(rt: &Rc<Runtime>, error: TaskGroupError) -> Exc {
    let exception = |failure: TaskFailure| match failure.cause() {
        // The error is still with the task.
        FailureCause::Err { .. } => rt.exception_of(failure.id()),
        _ => failure.downcast::<Exc>().unwrap_or_else(|failure| panic!("{failure}")),
    };
    let mut exceptions: Vec<_> = error.into_iter().map(exception).collect();
    exceptions.sort_by_key(Exc::to_string);
    Exc::Group(exceptions)
}
