//! The smallest program: a coroutine and a loop to run it on.
//!
//! Calling an `async fn` runs nothing yet: it makes a future. `ronde::run` makes an event loop, runs
//! the future on it to its end, closes the loop, and returns what the future returned.
//! `#[ronde::main]`, which the other examples use, is short for that.

use ronde::RunError;

async fn greeting() -> &'static str {
    println!("hello from a coroutine");
    "and it returned this"
}

fn main() -> Result<(), RunError> {
    let coroutine = greeting();
    println!("nothing has run yet");
    let returned = ronde::run(coroutine)?;
    println!("{returned}");
    Ok(())
}
