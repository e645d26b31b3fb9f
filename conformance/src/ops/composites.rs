//! Operations on several tasks.

use std::future::Future;
use std::rc::Rc;

use ronde::{ReturnWhen, as_completed, gather_all, shield, try_gather_all, wait};

use super::duration;
use super::kept::Kept;
use crate::interp::{Activation, Run};
use crate::parse::{Item, When};
use crate::runtime::{Shared, TaskVar, Thing};
use crate::trace::names;
use crate::value::{Exc, Outcome, Value};

impl Activation<'_> {
    pub(crate) async fn gather(
        &self,
        items: &[Item],
        return_exceptions: bool,
        into: Option<&str>,
    ) -> Run {
        let tasks = self.items(items).into_iter().map(Shared);
        if return_exceptions {
            let gather = gather_all(tasks).return_exceptions();
            match into {
                Some(var) => self.keep_future("gather", var, Kept::outcomes(gather)),
                None => self.op("gather", async { Ok(outcomes(gather.await)) }).await?,
            }
        } else {
            let gather = try_gather_all(tasks);
            match into {
                Some(var) => self.keep_future("gather", var, Kept::gather(gather)),
                None => self.op("gather", gather).await?,
            }
        }
        Ok(())
    }

    pub(crate) async fn wait(&self, vars: &[String], ms: Option<u64>, when: When) -> Run {
        let mut tasks = self.tasks(vars.iter().filter_map(|var| self.get(var)));
        without_duplicates(&mut tasks);
        if tasks.is_empty() {
            self.line("wait unset");
            return Ok(());
        }
        let mut wait = wait(tasks.into_iter().map(Shared)).return_when(match when {
            When::AllCompleted => ReturnWhen::AllCompleted,
            When::FirstCompleted => ReturnWhen::FirstCompleted,
            When::FirstException => ReturnWhen::FirstException,
        });
        if let Some(ms) = ms {
            wait = wait.timeout(duration(ms));
        }
        let names =
            |tasks: Vec<Shared>| names(tasks.iter().map(|var| var.0.task.name().to_string()));
        let operation = async {
            let waited = wait.await;
            let (done, pending) = (names(waited.done), names(waited.pending));
            Ok(Value::Text(format!("done={done} pending={pending}")))
        };
        self.op("wait", operation).await
    }

    pub(crate) async fn shield(&self, item: &Item, into: Option<&str>) -> Run {
        let Some(task) = self.items(std::slice::from_ref(item)).pop() else {
            self.line("shield unset");
            return Ok(());
        };
        match into {
            None => {
                let shielded = shield(Shared(task));
                self.op("shield", async { shielded.await? }).await
            }
            Some(var) if task.task.done() => {
                // There is nothing to shield: it is the task itself.
                self.line(&format!("shield {var} {}", task.task.name()));
                self.table(var).set(var, Thing::Task(task));
                Ok(())
            }
            Some(var) => {
                let shielded = shield(Shared(task));
                self.keep_future("shield", var, Kept::shield(shielded));
                Ok(())
            }
        }
    }

    pub(crate) async fn as_completed(&self, items: &[Item], ms: Option<u64>) -> Run {
        let mut tasks = self.items(items);
        without_duplicates(&mut tasks);
        let mut finished = as_completed(tasks.into_iter().map(Shared));
        let Some(ms) = ms else {
            while self.completed(async { Ok(finished.next().await) }).await? {}
            return Ok(());
        };
        let mut finished = finished.within(duration(ms));
        while self.completed(async { finished.next().await.map_err(|_| Exc::Timeout) }).await? {}
        Ok(())
    }

    /// One round of `as_completed`. An error of the user's doesn't end it.
    async fn completed(
        &self,
        next: impl Future<Output = Result<Option<ronde::Task<Outcome>>, Exc>>,
    ) -> Result<bool, crate::interp::Stop> {
        let operation = async {
            match next.await? {
                Some(task) => task.result()?,
                None => Ok(Value::Text("end".to_owned())),
            }
        };
        match self.op_value("as_completed", operation).await {
            Ok(Value::Text(_)) => Ok(false),
            Ok(_) | Err(Exc::Error(_)) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Starts the coroutines among `items`; what isn't set is left out.
    fn items(&self, items: &[Item]) -> Vec<Rc<TaskVar>> {
        let things = items.iter().filter_map(|item| match item {
            Item::Coro(coro) => Some(Thing::Task(self.rt.create_task(coro, None))),
            Item::Var(var) => self.get(var),
        });
        self.tasks(things)
    }

    fn tasks(&self, things: impl Iterator<Item = Thing>) -> Vec<Rc<TaskVar>> {
        let task = |thing| match thing {
            Thing::Task(task) => task,
            Thing::Future(_) | Thing::Kept(_) => unreachable!("`unsupported` sorts futures out"),
        };
        things.map(task).collect()
    }

    fn keep_future(&self, what: &str, var: &str, kept: Kept) {
        let kept = kept.labelled(self.rt.next_label());
        self.line(&format!("{what} {var} {}", kept.label));
        self.table(var).set(var, Thing::Kept(Rc::new(kept)));
    }
}

/// What a `gather` that returns exceptions gives.
pub(super) fn outcomes(outcomes: Vec<Result<Outcome, ronde::TaskError>>) -> Value {
    let value = |outcome: Result<Outcome, ronde::TaskError>| match outcome {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => Value::Exc(error),
        Err(error) => Value::Exc(error.into()),
    };
    Value::List(outcomes.into_iter().map(value).collect())
}

fn without_duplicates(tasks: &mut Vec<Rc<TaskVar>>) {
    let mut seen = Vec::new();
    tasks.retain(|var| {
        let id = var.task.id();
        let new = !seen.contains(&id);
        seen.push(id);
        new
    });
}
