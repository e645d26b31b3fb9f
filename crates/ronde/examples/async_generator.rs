//! An async generator: a body that yields values with `.await`.

use std::time::Duration;

use ronde::{generator, sleep};

#[ronde::main]
async fn main() {
    let mut numbers = generator(async |y| {
        for number in 0..10 {
            sleep(Duration::from_millis(10)).await;
            y.yield_(number).await;
        }
    });
    while let Some(number) = numbers.next().await {
        println!("{number}");
    }
}
