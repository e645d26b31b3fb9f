//! Locks, semaphores, queues and task groups.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{Bench, tokio_run};

pub(crate) const BENCHES: &[Bench] = &[
    Bench { name: "lock, free", count: 1_000_000, ronde: ronde_lock, tokio: tokio_lock },
    Bench { name: "lock, 10 tasks", count: 300_000, ronde: ronde_locks, tokio: tokio_locks },
    Bench {
        name: "semaphore, 100 tasks",
        count: 300_000,
        ronde: ronde_semaphore,
        tokio: tokio_semaphore,
    },
    Bench { name: "queue of 16", count: 500_000, ronde: ronde_queue, tokio: tokio_queue },
    Bench { name: "group of 100 tasks", count: 200_000, ronde: ronde_group, tokio: tokio_group },
];

fn ronde_lock(count: u32) -> Duration {
    ronde::run(async move {
        let lock = ronde::Lock::new(0);
        let start = Instant::now();
        for _ in 0..count {
            *lock.acquire().await += 1;
        }
        start.elapsed()
    })
    .unwrap()
}

fn tokio_lock(count: u32) -> Duration {
    tokio_run(async move {
        let lock = tokio::sync::Mutex::new(0);
        let start = Instant::now();
        for _ in 0..count {
            *lock.lock().await += 1;
        }
        start.elapsed()
    })
}

/// Each holds the lock over a yield, so that all the others wait.
fn ronde_locks(count: u32) -> Duration {
    ronde::run(async move {
        let lock = Rc::new(ronde::Lock::new(0));
        let start = Instant::now();
        let tasks = (0..10).map(|_| {
            let lock = lock.clone();
            async move {
                for _ in 0..count / 10 {
                    let mut number = lock.acquire().await;
                    ronde::yield_now().await;
                    *number += 1;
                }
            }
        });
        ronde::gather_all(tasks).await.unwrap();
        start.elapsed()
    })
    .unwrap()
}

fn tokio_locks(count: u32) -> Duration {
    tokio_run(async move {
        let lock = Arc::new(tokio::sync::Mutex::new(0));
        let start = Instant::now();
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let lock = lock.clone();
                tokio::task::spawn(async move {
                    for _ in 0..count / 10 {
                        let mut number = lock.lock().await;
                        tokio::task::yield_now().await;
                        *number += 1;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        start.elapsed()
    })
}

/// Ten of them at a time.
fn ronde_semaphore(count: u32) -> Duration {
    ronde::run(async move {
        let semaphore = Rc::new(ronde::Semaphore::new(10));
        let start = Instant::now();
        let tasks = (0..100).map(|_| {
            let semaphore = semaphore.clone();
            async move {
                for _ in 0..count / 100 {
                    let _permit = semaphore.acquire().await;
                    ronde::yield_now().await;
                }
            }
        });
        ronde::gather_all(tasks).await.unwrap();
        start.elapsed()
    })
    .unwrap()
}

fn tokio_semaphore(count: u32) -> Duration {
    tokio_run(async move {
        let semaphore = Arc::new(tokio::sync::Semaphore::new(10));
        let start = Instant::now();
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let semaphore = semaphore.clone();
                tokio::task::spawn(async move {
                    for _ in 0..count / 100 {
                        let _permit = semaphore.acquire().await.unwrap();
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        start.elapsed()
    })
}

fn ronde_queue(count: u32) -> Duration {
    ronde::run(async move {
        let queue = Rc::new(ronde::Queue::new(16));
        let start = Instant::now();
        let producer = {
            let queue = queue.clone();
            ronde::create_task(async move {
                for number in 0..count {
                    queue.put(number).await.unwrap();
                }
            })
        };
        for number in 0..count {
            assert_eq!(queue.get().await.unwrap(), number);
        }
        producer.await.unwrap();
        start.elapsed()
    })
    .unwrap()
}

fn tokio_queue(count: u32) -> Duration {
    tokio_run(async move {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(16);
        let start = Instant::now();
        let producer = tokio::task::spawn(async move {
            for number in 0..count {
                sender.send(number).await.unwrap();
            }
        });
        for number in 0..count {
            assert_eq!(receiver.recv().await.unwrap(), number);
        }
        producer.await.unwrap();
        start.elapsed()
    })
}

fn ronde_group(count: u32) -> Duration {
    ronde::run(async move {
        let start = Instant::now();
        for _ in 0..count / 100 {
            ronde::task_group(async |group| {
                for _ in 0..100 {
                    group.create_task(ronde::yield_now());
                }
            })
            .await
            .unwrap();
        }
        start.elapsed()
    })
    .unwrap()
}

fn tokio_group(count: u32) -> Duration {
    tokio_run(async move {
        let start = Instant::now();
        for _ in 0..count / 100 {
            let mut set = tokio::task::JoinSet::new();
            for _ in 0..100 {
                set.spawn(tokio::task::yield_now());
            }
            while let Some(joined) = set.join_next().await {
                joined.unwrap();
            }
        }
        start.elapsed()
    })
}
