//! Time limits.

use ronde::{Timeout, wait_for};

use super::duration;
use crate::interp::{Activation, Run, Stop, catch, coroutine};
use crate::parse::{Item, Stmt};
use crate::runtime::Thing;
use crate::value::{Exc, Value};

impl Activation<'_> {
    pub(crate) async fn timeout(&self, ms: Option<u64>, body: &[Stmt]) -> Run {
        let limit = ms.map_or_else(Timeout::never, |ms| Timeout::after(duration(ms)));
        let inside = Activation { limit: Some(limit.clone()), ..self.clone() };
        let run = catch(async {
            match limit.run(inside.body(body)).await {
                Ok(run) => run,
                Err(_) => Err(Stop::Raise(Exc::Timeout)),
            }
        })
        .await;
        let expired = limit.expired();
        match &run {
            Ok(()) => self.line(&format!("timeout ok expired={expired}")),
            Err(Stop::Raise(error)) => self.line(&format!("timeout !{error} expired={expired}")),
            Err(Stop::Return(_) | Stop::Break) => {}
        }
        run
    }

    /// As Python 3.11 does, a coroutine becomes a task, unless there is no limit.
    pub(crate) async fn wait_for(&self, item: &Item, ms: Option<u64>) -> Run {
        let thing = match (item, ms) {
            (Item::Coro(coro), None) => {
                return self.op("wait_for", coroutine(self.rt.clone(), coro.clone())).await;
            }
            (Item::Coro(coro), Some(_)) => Thing::Task(self.rt.create_task(coro, None)),
            (Item::Var(var), _) => match self.get(var) {
                Some(thing) => thing,
                None => {
                    self.line("wait_for unset");
                    return Ok(());
                }
            },
        };
        let operation = async {
            match ms {
                None => thing.wait().await,
                Some(ms) => wait_for(thing.wait(), duration(ms)).await.unwrap_or(Err(Exc::Timeout)),
            }
        };
        self.op("wait_for", operation).await
    }

    pub(super) fn reschedule(&self, ms: Option<u64>) -> Result<(), Exc> {
        let limit = self.limit.as_ref().expect("`reschedule` is inside a `timeout` block");
        let when = ms.map(|ms| self.rt.event_loop.time() + duration(ms));
        let result = limit.reschedule(when).map(|()| Value::Ok).map_err(|_| Exc::RuntimeError);
        let ms = ms.map_or_else(|| "none".to_owned(), |ms| ms.to_string());
        self.report(&format!("reschedule {ms}"), result)
    }
}
