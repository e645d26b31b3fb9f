//! A dot for every task that is finished.
//!
//! A done callback runs when its task is done, however it ended. This one writes a dot, and the line
//! of dots grows while the main task waits.

use std::io::{self, Write as _};
use std::time::Duration;

use ronde::{TaskRef, create_task, sleep, wait};

async fn work() {
    sleep(Duration::from_secs_f64(fastrand::f64())).await;
}

fn dot(_finished: &TaskRef) {
    print!(".");
    // Without a line's end, the dot would wait in the output's buffer. A closed output is no
    // reason to stop working.
    let _ = io::stdout().flush();
}

#[ronde::main]
async fn main() {
    let tasks: Vec<_> = (0..20).map(|_| create_task(work())).collect();
    for task in &tasks {
        task.add_done_callback(dot);
    }
    wait(&tasks).await;
    println!("\nAll done");
}
