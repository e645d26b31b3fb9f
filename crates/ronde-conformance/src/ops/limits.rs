//! Time limits.

use std::future::Future;

use ronde::{Timeout, wait_for};

use super::duration;
use crate::interp::{Activation, Run, Stop, catch, coroutine};
use crate::parse::{Item, Stmt};
use crate::value::{Exc, Outcome, Value};

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

    /// As Python 3.12 and later do, a coroutine is awaited in the calling task.
    pub(crate) async fn wait_for(&self, item: &Item, ms: Option<u64>) -> Run {
        match item {
            Item::Coro(coro) => self.limited(ms, coroutine(self.rt.clone(), coro.clone())).await,
            Item::Var(var) => match self.get(var) {
                Some(thing) => self.limited(ms, thing.wait()).await,
                None => {
                    self.line("wait_for unset");
                    Ok(())
                }
            },
        }
    }

    async fn limited(&self, ms: Option<u64>, body: impl Future<Output = Outcome>) -> Run {
        let operation = async {
            match ms {
                None => body.await,
                Some(ms) => wait_for(body, duration(ms)).await.unwrap_or(Err(Exc::Timeout)),
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
