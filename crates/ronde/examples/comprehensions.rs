//! Comprehensions: lists, sets and maps of what async iterators give and tasks return.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ronde::{AsyncGenerator, AsyncIterator, await_all, create_task, generator, sleep};

fn words() -> AsyncGenerator<&'static str> {
    generator(async |y| {
        for word in ["to", "be", "or", "not", "to", "be"] {
            sleep(Duration::from_millis(1)).await;
            y.yield_(word).await;
        }
    })
}

async fn shout(word: &str) -> String {
    sleep(Duration::from_millis(1)).await;
    word.to_uppercase()
}

#[ronde::main]
async fn main() {
    // [word async for word in words() if len(word) > 2]
    let long: Vec<_> = words().filter(|word| word.len() > 2).collect().await;
    println!("long: {long:?}");

    // [await shout(word) async for word in words()]
    let loud: Vec<_> = words().map_async(shout).collect().await;
    println!("loud: {loud:?}");

    // {word async for word in words()}
    let set: BTreeSet<_> = words().collect().await;
    println!("set: {set:?}");

    // {word: len(word) async for word in words()}
    let lengths: BTreeMap<_, _> = words().map(|word| (word, word.len())).collect().await;
    println!("lengths: {lengths:?}");

    // [await task for task in tasks]
    let tasks: Vec<_> = (1..=5).map(|i| create_task(async move { i * i })).collect();
    let squares: Result<Vec<_>, _> = await_all(tasks).await.into_iter().collect();
    println!("squares: {:?}", squares.unwrap());
}
