//! Tasks and timers.

use std::time::{Duration, Instant};

use crate::{Bench, tokio_run};

pub(crate) const BENCHES: &[Bench] = &[
    Bench { name: "spawn and join", count: 200_000, ronde: ronde_spawn, tokio: tokio_spawn },
    Bench { name: "spawn 1000, join all", count: 200_000, ronde: ronde_many, tokio: tokio_many },
    Bench { name: "yield, 1 task", count: 1_000_000, ronde: ronde_yield, tokio: tokio_yield },
    Bench { name: "yield, 100 tasks", count: 1_000_000, ronde: ronde_yields, tokio: tokio_yields },
    Bench {
        name: "timer created and dropped",
        count: 500_000,
        ronde: ronde_timer,
        tokio: tokio_timer,
    },
    Bench {
        name: "timeout around a ready task",
        count: 300_000,
        ronde: ronde_timeout,
        tokio: tokio_timeout,
    },
];

fn ronde_spawn(count: u32) -> Duration {
    ronde::run(async move {
        let start = Instant::now();
        for n in 0..count {
            assert_eq!(ronde::create_task(async move { n }).await.unwrap(), n);
        }
        start.elapsed()
    })
    .unwrap()
}

fn tokio_spawn(count: u32) -> Duration {
    tokio_run(async move {
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async move {
                let start = Instant::now();
                for n in 0..count {
                    assert_eq!(tokio::task::spawn(async move { n }).await.unwrap(), n);
                }
                start.elapsed()
            })
            .await
    })
}

fn ronde_many(count: u32) -> Duration {
    ronde::run(async move {
        let start = Instant::now();
        for _ in 0..count / 1000 {
            let tasks: Vec<_> = (0..1000).map(|n| ronde::create_task(async move { n })).collect();
            for task in tasks {
                task.await.unwrap();
            }
        }
        start.elapsed()
    })
    .unwrap()
}

fn tokio_many(count: u32) -> Duration {
    tokio_run(async move {
        let start = Instant::now();
        for _ in 0..count / 1000 {
            let tasks: Vec<_> = (0..1000).map(|n| tokio::task::spawn(async move { n })).collect();
            for task in tasks {
                task.await.unwrap();
            }
        }
        start.elapsed()
    })
}

fn ronde_yield(count: u32) -> Duration {
    ronde::run(async move {
        let start = Instant::now();
        for _ in 0..count {
            ronde::yield_now().await;
        }
        start.elapsed()
    })
    .unwrap()
}

fn tokio_yield(count: u32) -> Duration {
    tokio_run(async move {
        tokio::task::spawn(async move {
            let start = Instant::now();
            for _ in 0..count {
                tokio::task::yield_now().await;
            }
            start.elapsed()
        })
        .await
        .unwrap()
    })
}

fn ronde_yields(count: u32) -> Duration {
    ronde::run(async move {
        let start = Instant::now();
        let tasks = (0..100).map(|_| async move {
            for _ in 0..count / 100 {
                ronde::yield_now().await;
            }
        });
        for task in tasks.map(ronde::create_task).collect::<Vec<_>>() {
            task.await.unwrap();
        }
        start.elapsed()
    })
    .unwrap()
}

fn tokio_yields(count: u32) -> Duration {
    tokio_run(async move {
        let start = Instant::now();
        let tasks = (0..100).map(|_| async move {
            for _ in 0..count / 100 {
                tokio::task::yield_now().await;
            }
        });
        for task in tasks.map(tokio::task::spawn).collect::<Vec<_>>() {
            task.await.unwrap();
        }
        start.elapsed()
    })
}

const LONG: Duration = Duration::from_secs(60);

fn ronde_timer(count: u32) -> Duration {
    ronde::run(async move {
        let start = Instant::now();
        for _ in 0..count {
            let mut sleep = std::pin::pin!(ronde::sleep(LONG));
            poll_once(sleep.as_mut()).await;
        }
        start.elapsed()
    })
    .unwrap()
}

fn tokio_timer(count: u32) -> Duration {
    tokio_run(async move {
        let start = Instant::now();
        for _ in 0..count {
            let mut sleep = std::pin::pin!(tokio::time::sleep(LONG));
            poll_once(sleep.as_mut()).await;
        }
        start.elapsed()
    })
}

/// Polls a timer that must not be ready, which registers it.
async fn poll_once<F: Future<Output = ()>>(mut future: std::pin::Pin<&mut F>) {
    std::future::poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
}

fn ronde_timeout(count: u32) -> Duration {
    ronde::run(async move {
        let start = Instant::now();
        for _ in 0..count {
            ronde::timeout(LONG, ronde::yield_now()).await.unwrap();
        }
        start.elapsed()
    })
    .unwrap()
}

fn tokio_timeout(count: u32) -> Duration {
    tokio_run(async move {
        tokio::task::spawn(async move {
            let start = Instant::now();
            for _ in 0..count {
                tokio::time::timeout(LONG, tokio::task::yield_now()).await.unwrap();
            }
            start.elapsed()
        })
        .await
        .unwrap()
    })
}
