//! The main task waits for all tasks that run in the background, whoever started them.
//!
//! A program ends when its main coroutine does, and what still runs then is cancelled. To let the
//! others finish, wait for all tasks but the current one, until there are no others left.

use std::time::Duration;

use ronde::{NoRunningLoopError, all_tasks, create_task, current_task, sleep, wait};

/// Works for a while, and then starts a helper.
async fn work(number: u64) {
    sleep(Duration::from_millis(50 * number)).await;
    create_task(help(number)).detach(); // Nobody keeps this task: the loop does.
    println!("task {number} is done");
}

async fn help(number: u64) {
    sleep(Duration::from_millis(400)).await;
    println!("the helper of task {number} is done");
}

#[ronde::main]
async fn main() -> Result<(), NoRunningLoopError> {
    for number in 1..=3 {
        create_task(work(number)).detach();
    }

    loop {
        let mut others = all_tasks()?;
        others.retain(|task| Some(task) != current_task().as_ref());
        if others.is_empty() {
            break;
        }
        println!("main waits for {} tasks", others.len());
        wait(others).await;
    }
    println!("all tasks are done");
    Ok(())
}
