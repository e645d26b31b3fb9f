//! An event loop that is made, looked at, and closed.
//!
//! Programs seldom do this by hand: `ronde::run` makes a loop, and closes it. Whoever writes a
//! framework finds the loop's own interface under `ronde::low_level`.

use ronde::RunError;
use ronde::low_level::EventLoop;

fn main() -> Result<(), RunError> {
    let event_loop = EventLoop::new()?;
    println!("{event_loop:?}");
    event_loop.close()
}
