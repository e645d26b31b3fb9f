//! Two things at once: the first program of the README.

use ronde::{gather, sleep};
use std::time::Duration;

async fn cook(dish: &str, seconds: u64) -> String {
    sleep(Duration::from_secs(seconds)).await;
    format!("{dish} is ready")
}

#[ronde::main]
async fn main() {
    let (soup, bread) = gather((cook("soup", 2), cook("bread", 1))).await.unwrap();
    println!("{soup}, {bread}"); // after two seconds, not three
}
