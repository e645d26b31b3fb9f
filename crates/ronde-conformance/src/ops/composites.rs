//! Operations on several tasks.

use std::collections::HashSet;
use std::future::Future;

use ronde::{
    AsChild, Child, Promise, ReturnWhen, TaskError, as_completed, gather_all, shield,
    try_gather_all, wait,
};

use super::duration;
use crate::interp::{Activation, Run};
use crate::parse::{Item, When};
use crate::runtime::Thing;
use crate::trace::names;
use crate::value::{Exc, Outcome, Value};

impl Activation<'_> {
    pub(crate) async fn gather(
        &self,
        items: &[Item],
        return_exceptions: bool,
        into: Option<&str>,
    ) -> Run {
        let things = self.items(items);
        if return_exceptions {
            let gather = gather_all(things).return_exceptions();
            match into {
                Some(var) => {
                    let result = |result: Result<_, TaskError>| Ok(outcomes(result?));
                    self.keep_future("gather", var, gather.into_promise(result));
                }
                None => self.op("gather", async { Ok(outcomes(gather.await)) }).await?,
            }
        } else {
            let gather = try_gather_all(things);
            match into {
                Some(var) => {
                    let result = |result: Result<_, Exc>| result.map(Value::List);
                    self.keep_future("gather", var, gather.into_promise(result));
                }
                None => self.op("gather", gather).await?,
            }
        }
        Ok(())
    }

    pub(crate) async fn wait(&self, vars: &[String], ms: Option<u64>, when: When) -> Run {
        let mut things: Vec<_> = vars.iter().filter_map(|var| self.get(var)).collect();
        without_duplicates(&mut things);
        if things.is_empty() {
            self.line("wait unset");
            return Ok(());
        }
        let mut wait = wait(things).return_when(match when {
            When::AllCompleted => ReturnWhen::AllCompleted,
            When::FirstCompleted => ReturnWhen::FirstCompleted,
            When::FirstException => ReturnWhen::FirstException,
        });
        if let Some(ms) = ms {
            wait = wait.timeout(duration(ms));
        }
        let names = |things: Vec<Thing>| names(things.iter().map(Thing::name));
        let operation = async {
            let waited = wait.await;
            let (done, pending) = (names(waited.done), names(waited.pending));
            Ok(Value::Text(format!("done={done} pending={pending}")))
        };
        self.op("wait", operation).await
    }

    pub(crate) async fn shield(&self, item: &Item, into: Option<&str>) -> Run {
        let Some(thing) = self.items(std::slice::from_ref(item)).pop() else {
            self.line("shield unset");
            return Ok(());
        };
        match into {
            None => {
                let shielded = shield(thing);
                self.op("shield", async { shielded.await? }).await
            }
            Some(var) if thing.done() => {
                // There is nothing to shield: it is the task itself.
                self.line(&format!("shield {var} {}", thing.name()));
                self.table(var).set(var, thing);
                Ok(())
            }
            Some(var) => {
                self.keep_future("shield", var, shield(thing).into_promise(|result| result?));
                Ok(())
            }
        }
    }

    pub(crate) async fn as_completed(&self, items: &[Item], ms: Option<u64>) -> Run {
        let mut things = self.items(items);
        without_duplicates(&mut things);
        let mut finished = as_completed(things);
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
        next: impl Future<Output = Result<Option<Child<Outcome>>, Exc>>,
    ) -> Result<bool, crate::interp::Stop> {
        let operation = async {
            match next.await? {
                Some(child) => child.take_result()?,
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
    fn items(&self, items: &[Item]) -> Vec<Thing> {
        let things = items.iter().filter_map(|item| match item {
            Item::Coro(coro) => Some(Thing::Task(self.rt.create_task(coro, None))),
            Item::Var(var) => self.get(var),
        });
        things.collect()
    }

    /// Keeps the future of a `gather` or `shield` in a variable, to be awaited later.
    fn keep_future(&self, what: &str, var: &str, promise: Promise<Outcome>) {
        let future = self.rt.label_future(promise);
        self.line(&format!("{what} {var} {}", future.name()));
        self.table(var).set(var, future);
    }
}

/// What a `gather` that returns exceptions gives.
fn outcomes(outcomes: Vec<Result<Outcome, TaskError>>) -> Value {
    let value = |outcome: Result<Outcome, TaskError>| match outcome {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => Value::Exc(error),
        Err(error) => Value::Exc(error.into()),
    };
    Value::List(outcomes.into_iter().map(value).collect())
}

fn without_duplicates(things: &mut Vec<Thing>) {
    let mut seen = HashSet::new();
    things.retain(|thing| seen.insert(thing.as_child()));
}
