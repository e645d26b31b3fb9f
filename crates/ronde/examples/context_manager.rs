//! A context manager: what it enters is exited, and both are awaited.

use std::convert::Infallible;
use std::time::Duration;

use ronde::{AsyncContextManager, BodyOutcome, async_with, sleep};

struct Room;

impl AsyncContextManager for Room {
    /// What the body gets. Here it needs nothing.
    type Resource = ();
    /// Entering and exiting can't fail.
    type Error = Infallible;
    /// A failure of the body goes on after the exit.
    type Exit = ();

    async fn enter(&mut self) -> Result<(), Infallible> {
        println!(">entering the context manager");
        sleep(Duration::from_millis(10)).await;
        Ok(())
    }

    async fn exit(self, (): (), _: BodyOutcome<'_>) -> Result<(), Infallible> {
        println!(">exiting the context manager");
        sleep(Duration::from_millis(10)).await;
        Ok(())
    }
}

#[ronde::main]
async fn main() {
    // `Ok` is all there can be: this manager's error is `Infallible`.
    let Ok(()) = async_with(Room, async |_| {
        println!("within the manager");
    })
    .await;
}
