//! A generator that never ends by itself, and has something to clean up.

use ronde::{AsyncGenerator, catch_cancelled, generator, sleep};

use super::{Log, SECOND};

/// Yields 1, 2, 3, ... for ever; if it is closed or cancelled it cleans up for a second.
pub(crate) fn numbers(log: &Log) -> AsyncGenerator<u32> {
    let log = log.clone();
    generator(async move |y| {
        let body = catch_cancelled(async {
            for number in 1.. {
                y.yield_(number).await;
                log.push(format!("after {number}"));
            }
        });
        let error = body.await.unwrap_err();
        log.push(format!("clean-up after {:?}", error.origin()));
        sleep(SECOND).await;
        log.push("cleaned up");
        error.raise::<()>().await;
    })
}
