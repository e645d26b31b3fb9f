//! A task that starts when another is done.
//!
//! If one coroutine is to run after another, await both in a third: that is all it takes. If the
//! first is a task that somebody else has made, a done callback can start what follows.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ronde::{TaskError, create_task, sleep};

async fn download(name: &str) -> usize {
    println!("downloading {name}");
    sleep(Duration::from_millis(100)).await;
    1000 * name.len()
}

async fn unpack(bytes: usize) {
    println!("unpacking {bytes} bytes");
    sleep(Duration::from_millis(100)).await;
    println!("unpacked");
}

#[ronde::main]
async fn main() -> Result<(), TaskError> {
    // One after the other, in a task of their own. The second gets the first one's result.
    let both = create_task(async {
        let bytes = download("maps").await;
        unpack(bytes).await;
    });
    both.await?;

    // A follow-up of a task that is there already. The callback can't await, but it can create a
    // task. It leaves that task where it can be found, so that it can be awaited as well.
    let first = create_task(download("music"));
    let follow_up = Rc::new(RefCell::new(None));
    let found = follow_up.clone();
    first.add_done_callback(move |first| {
        if !first.cancelled() {
            println!("{} is done", first.name());
            *found.borrow_mut() = Some(create_task(unpack(5000)));
        }
    });
    let bytes = first.await?;
    println!("main got {bytes} bytes");
    let follow_up = follow_up.take();
    if let Some(follow_up) = follow_up {
        follow_up.await?;
    }
    Ok(())
}
