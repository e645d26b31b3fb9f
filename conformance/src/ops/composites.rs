//! Operations on several tasks, and time limits.

use ronde_loop::Timeout;

use super::duration;
use crate::interp::{Activation, Run, Stop, catch};
use crate::parse::Stmt;
use crate::value::{Exc, Value};

impl Activation {
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

    pub(super) fn reschedule(&self, ms: Option<u64>) -> Result<(), Exc> {
        let limit = self.limit.as_ref().expect("`reschedule` is inside a `timeout` block");
        let when = ms.map(|ms| self.rt.event_loop.time() + duration(ms));
        let result = limit.reschedule(when).map(|()| Value::Ok).map_err(|_| Exc::RuntimeError);
        let ms = ms.map_or_else(|| "none".to_owned(), |ms| ms.to_string());
        self.report(&format!("reschedule {ms}"), result)
    }
}
