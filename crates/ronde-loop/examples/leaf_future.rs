//! A leaf future of one's own: a task waits for a bell that another thread rings.
//!
//! A leaf waits for something real, a pipe here. What it takes to behave like the loop's own is three steps.

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use ronde_loop::EventLoop;
    use std::io::Write;

    let event_loop = EventLoop::new()?;
    let (bell, mut button) = unix::Bell::new(&event_loop)?;
    let listener = event_loop.create_task(async move {
        let mut rings = 0;
        while rings < 3 {
            rings += bell.rung().await?;
            println!("it rang {rings} times");
        }
        std::io::Result::Ok(rings)
    });
    event_loop.run_until_complete(async { ronde_loop::yield_now().await })?;
    println!("the task waits for {:?}", listener.waiting_for().ok_or("nothing")?);

    let ringer = std::thread::spawn(move || (0..3).try_for_each(|_| button.write_all(&[0])));
    assert_eq!(event_loop.run_until_complete(listener)??, 3);
    ringer.join().map_err(|_| "the other thread panicked")??;
    Ok(())
}

#[cfg(unix)]
mod unix {
    use std::future::Future;
    use std::io::{self, PipeWriter};
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use ronde_loop::{Direction, LoopHandle, Source, Wait, decline, waiting_for};

    /// Rings when somebody writes to its button, in whichever thread.
    pub(super) struct Bell {
        // Registered once, for as long as it lives, and closed with it.
        source: Source,
    }

    impl Bell {
        pub(super) fn new(event_loop: &LoopHandle) -> io::Result<(Self, PipeWriter)> {
            let (reader, button) = io::pipe()?;
            Ok((Self { source: event_loop.register(reader)? }, button))
        }

        /// Waits until it has rung, and tells how often.
        pub(super) fn rung(&self) -> Rung<'_> {
            Rung { bell: self }
        }
    }

    pub(super) struct Rung<'a> {
        bell: &'a Bell,
    }

    impl Future for Rung<'_> {
        type Output = io::Result<usize>;

        // quote: poll
        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            // First: while a cancellation is being delivered, take nothing. This future is about to be dropped,
            // and what it took would be lost.
            if decline(cx) {
                return Poll::Pending;
            }
            // Second: try, and only if there is nothing have the task woken when there may be. What
            // is taken is returned in this very poll.
            let mut rings = [0; 64];
            let polled = self
                .bell
                .source
                .poll_io(Direction::Read, cx, |pipe| Ok(rustix::io::read(pipe, &mut rings)?));
            // Third: say what is waited for, so that a hang can be explained.
            if polled.is_pending() {
                waiting_for(Wait::Leaf("a bell"));
            }
            polled
        }
        // end quote
    }
}
