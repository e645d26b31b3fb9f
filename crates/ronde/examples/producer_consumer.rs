//! A cook and two waiters, with a counter between them on which three plates have room.
//!
//! A queue is that counter. Whoever puts something into a full queue waits for room, and whoever
//! takes from an empty one waits for an item. `join` waits until all that was put has been dealt
//! with, and after `shutdown` there is nothing more to wait for.

use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use ronde::{Queue, QueueShutDown, create_task, sleep};

async fn cook(counter: Rc<Queue<String>>) -> Result<(), QueueShutDown<String>> {
    for dish in ["soup", "bread", "fish", "rice", "cake", "tea"] {
        counter.put(dish.to_owned()).await?;
        println!("the {dish} is on the counter, with {} in all", counter.qsize());
    }
    Ok(())
}

async fn serve(waiter: &str, counter: Rc<Queue<String>>) {
    // An item is dealt with when it is dropped: at the end of the loop's body.
    while let Ok(dish) = counter.get_item().await {
        sleep(Duration::from_millis(100)).await;
        println!("{waiter} has served the {}", *dish);
    }
    println!("{waiter} goes home");
}

#[ronde::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let counter = Rc::new(Queue::new(3));
    let anna = create_task(serve("Anna", counter.clone()));
    let otto = create_task(serve("Otto", counter.clone()));

    create_task(cook(counter.clone())).await??;
    println!("the cook is done");
    counter.join().await;
    println!("all guests have eaten");
    counter.shutdown(false);
    anna.await?;
    otto.await?;
    Ok(())
}
