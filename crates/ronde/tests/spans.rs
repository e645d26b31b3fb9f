//! Tasks and callbacks run inside the `tracing` span that they were created in.

mod common;

use common::{SECOND, run};
use ronde::{create_task, get_running_loop, sleep, task_builder, yield_now};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use tracing::subscriber::with_default;
use tracing::{info, info_span};

/// What a subscriber writes, event by event: the spans around it, and its message.
#[derive(Clone, Default)]
struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output {
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }
}

#[test]
fn tasks_and_callbacks_run_in_the_span_they_were_created_in() {
    let output = Output::default();
    let writer = output.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .with_level(false)
        .with_target(false)
        .without_time()
        .finish();
    with_default(subscriber, || {
        run(async {
            let event_loop = get_running_loop().unwrap();
            let task = info_span!("request").in_scope(|| {
                event_loop.call_soon(|| info!("callback"));
                event_loop.call_later(SECOND, || info!("timer"));
                let task = create_task(async {
                    yield_now().await;
                    info!("second step");
                    info_span!("inner").in_scope(|| create_task(async { info!("child") })).await
                });
                task.add_done_callback(|_| info!("done"));
                task_builder().eager().create_task(async {
                    info_span!("eager").in_scope(|| info!("first step"));
                    yield_now().await;
                    info!("later");
                });
                task
            });
            info!("outside");
            task.await.unwrap().unwrap();
            info!("still outside");
            sleep(2 * SECOND).await;
        });
    });
    let request = |line: &str| line.starts_with("request:");
    let (inside, outside): (Vec<_>, Vec<_>) = output.lines().into_iter().partition(|l| request(l));
    assert_eq!(outside, ["outside", "still outside"]);
    assert_eq!(
        inside,
        [
            // Eagerly, so inside the creator's span, which is its own as well.
            "request:eager: first step",
            "request: callback",
            "request: later",
            "request: second step",
            "request:inner: child",
            "request: done",
            "request: timer",
        ]
    );
}
