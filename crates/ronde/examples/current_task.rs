//! A coroutine asks which task it runs in.
//!
//! The program's main coroutine runs in a task as well. Tasks are called Task-1, Task-2 and so on
//! in the order of their creation, unless they are given a name.

#[ronde::main]
async fn main() {
    println!("main coroutine started");
    let task = ronde::current_task().expect("a coroutine runs in a task");
    println!("{task:?}");
}
