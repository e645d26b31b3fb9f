//! Context managers whose exit is awaited, whatever happens to the body.

mod error;
mod manager;
mod outcome;
mod run;
mod stack;

pub use self::error::{ExitStackError, OnItsWay, WithError};
pub use self::manager::{
    Aclosing, AsyncContextManager, ContextManager, ExitVerdict, Swallow, aclosing, context_manager,
};
pub use self::outcome::{BodyError, BodyOutcome};
pub use self::run::{async_with, try_async_with};
pub use self::stack::{ExitStack, exit_stack, try_exit_stack};
