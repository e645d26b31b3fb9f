//! A `gather` or a `shield` that is kept in a variable, to be awaited later.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ronde::CancelledError;

use super::composites::outcomes;
use crate::runtime::Shared;
use crate::value::{Exc, Outcome, Value};

type Gather = ronde::TryGather<Vec<Shared>>;
type GatherOutcomes = ronde::GatherOutcomes<Vec<Shared>>;
type Shield = ronde::Shield<Outcome>;

/// A future of asyncio that is no promise in ronde.
///
/// One task at a time can await it.
pub(crate) struct Kept {
    pub(crate) label: String,
    is_shield: bool,
    state: RefCell<State>,
}

enum State {
    Gather(Gather),
    Outcomes(GatherOutcomes),
    Shield(Shield),
    Over(Outcome),
}

impl Kept {
    fn new(state: State) -> Self {
        let is_shield = matches!(state, State::Shield(_));
        Self { label: String::new(), is_shield, state: RefCell::new(state) }
    }

    pub(super) fn gather(gather: Gather) -> Self {
        Self::new(State::Gather(gather))
    }

    pub(super) fn outcomes(gather: GatherOutcomes) -> Self {
        Self::new(State::Outcomes(gather))
    }

    pub(super) fn shield(shield: Shield) -> Self {
        Self::new(State::Shield(shield))
    }

    pub(super) fn labelled(self, label: String) -> Self {
        Self { label, ..self }
    }

    pub(crate) fn done(&self) -> bool {
        match &*self.state.borrow() {
            State::Gather(gather) => gather.done(),
            State::Outcomes(gather) => gather.done(),
            State::Shield(shield) => shield.done(),
            State::Over(_) => true,
        }
    }

    pub(crate) fn cancelled(&self) -> bool {
        match &*self.state.borrow() {
            State::Shield(shield) => shield.cancelled(),
            // In asyncio its cancellation is an exception that was set.
            State::Gather(_) | State::Outcomes(_) => false,
            State::Over(outcome) => self.is_shield && matches!(outcome, Err(Exc::Cancelled(_))),
        }
    }

    pub(crate) fn cancel(&self) -> bool {
        match &*self.state.borrow() {
            State::Gather(gather) => gather.cancel(),
            State::Outcomes(gather) => gather.cancel(),
            State::Shield(shield) => shield.cancel(),
            State::Over(_) => false,
        }
    }

    pub(crate) async fn wait(&self) -> Outcome {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let mut state = self.state.borrow_mut();
        let outcome = match &mut *state {
            State::Gather(gather) => ready!(Pin::new(gather).poll(cx)).map(Value::List),
            State::Outcomes(gather) => {
                let values = outcomes(ready!(Pin::new(&mut *gather).poll(cx)));
                // asyncio raises here; ronde gives what became of each child.
                if gather.cancelled() {
                    Err(Exc::Cancelled(CancelledError::default()))
                } else {
                    Ok(values)
                }
            }
            State::Shield(shield) => ready!(Pin::new(shield).poll(cx))?,
            State::Over(outcome) => outcome.clone(),
        };
        *state = State::Over(outcome.clone());
        Poll::Ready(outcome)
    }
}
