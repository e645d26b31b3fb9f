//! An async iterator: a type with an `async fn next`.

use std::time::Duration;

use ronde::{AsyncIterator, sleep};

/// Counts to ten, slowly.
struct CountToTen {
    count: u32,
}

impl AsyncIterator for CountToTen {
    type Item = u32;

    async fn next(&mut self) -> Option<u32> {
        if self.count == 10 {
            return None;
        }
        sleep(Duration::from_millis(10)).await;
        self.count += 1;
        Some(self.count)
    }
}

#[ronde::main]
async fn main() {
    let mut numbers = CountToTen { count: 0 };
    while let Some(number) = numbers.next().await {
        println!("{number}");
    }
}
