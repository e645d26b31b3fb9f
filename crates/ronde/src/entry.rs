//! What `#[ronde::main]` and `#[ronde::test]` expand to calls of. Not for direct use.

use std::future::Future;

use ronde_loop::{RunError, SimulatedClock};

use crate::failures::FailurePolicy;
use crate::interrupt;
use crate::runner::Runner;

#[track_caller]
pub fn main<F>(main: F) -> F::Output
where
    F: Future + 'static,
    F::Output: 'static,
{
    end(crate::run(main))
}

#[track_caller]
pub fn strict_main<F>(main: F) -> F::Output
where
    F: Future + 'static,
    F::Output: 'static,
{
    let runner = Runner::builder().on_unobserved_failure(FailurePolicy::EndProgram).build();
    end(runner.and_then(|runner| runner.run_and_close(main)))
}

fn end<T>(outcome: Result<T, RunError>) -> T {
    match outcome {
        Ok(output) => output,
        Err(RunError::Interrupted) => interrupt::end_program(),
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(error.exit_code().into())
        }
    }
}

#[track_caller]
pub fn test<F>(test: F) -> F::Output
where
    F: Future + 'static,
    F::Output: 'static,
{
    let runner = Runner::builder().handle_ctrl_c(false).build();
    unwrap(runner.and_then(|runner| runner.run_and_close(test)))
}

#[track_caller]
pub fn simulated_test<F>(test: F) -> F::Output
where
    F: Future + 'static,
    F::Output: 'static,
{
    let runner = Runner::builder().handle_ctrl_c(false).clock(SimulatedClock::new()).build();
    unwrap(runner.and_then(|runner| runner.run_and_close(test)))
}

#[track_caller]
fn unwrap<T>(result: Result<T, RunError>) -> T {
    match result {
        Ok(output) => output,
        Err(error) => panic!("{error}"),
    }
}
