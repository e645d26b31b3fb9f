//! The pool of threads: its size, names and end.

mod common;

use common::{SECOND, simulated, turn};
use ronde_loop::{
    EventLoop, JobError, JobExecutor, JobHandle, SubmitError, ThreadPool, ThreadPoolError,
    get_running_loop, timeout,
};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

fn pool(size: usize, prefix: &str) -> ThreadPool {
    ThreadPool::builder().max_workers(size).thread_name_prefix(prefix).build().unwrap()
}

/// A job that runs until it is told to end, and has begun.
async fn busy(pool: &ThreadPool) -> (JobHandle<()>, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel();
    let (begun, begins) = async_channel::bounded(1);
    let function = move || {
        begun.send_blocking(()).unwrap();
        released.recv().unwrap();
    };
    let job = get_running_loop().unwrap().run_in_executor(Some(pool), function).unwrap();
    begins.recv().await.unwrap();
    (job, release)
}

#[test]
fn a_pool_grows_to_its_size_and_no_further_and_its_threads_have_names() {
    let pool = pool(2, "worker");
    let event_loop = simulated();
    let (busy, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (send, names) = mpsc::channel();
    let jobs: Vec<_> = (0..50)
        .map(|_| {
            let (busy, most, send) = (busy.clone(), most.clone(), send.clone());
            let job = move || {
                most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::yield_now();
                busy.fetch_sub(1, Ordering::SeqCst);
                send.send(thread::current().name().unwrap().to_owned()).unwrap();
            };
            event_loop.run_in_executor(Some(&pool), job).unwrap()
        })
        .collect();
    assert!(pool.shutdown_blocking(None));
    drop((jobs, send));
    assert!(most.load(Ordering::SeqCst) <= 2);
    let names: HashSet<_> = names.iter().collect();
    assert!(names.iter().all(|name| name == "worker_0" || name == "worker_1"), "{names:?}");
}

#[test]
fn an_idle_thread_is_used_again() {
    let pool = pool(8, "again");
    let event_loop = simulated();
    for n in 0..20 {
        let name = || thread::current().name().map(str::to_owned);
        let job = event_loop.run_in_executor(Some(&pool), name).unwrap();
        assert_eq!(event_loop.run_until_complete(job).unwrap().unwrap().unwrap(), "again_0", "{n}");
        // The thread is soon idle again.
        while !format!("{pool:?}").contains("threads: 1, idle: 1") {
            thread::yield_now();
        }
    }
}

#[test]
fn the_default_pool_has_a_few_threads_more_than_there_are_processors() {
    let processors = thread::available_parallelism().unwrap().get();
    let size = (processors + 4).min(32);
    let shown = format!("ThreadPool {{ max_workers: {size}, threads: 0, idle: 0, queued: 0");
    assert!(format!("{:?}", ThreadPool::new()).starts_with(&shown));
    assert!(format!("{:?}", ThreadPool::default()).starts_with(&shown));

    let event_loop = simulated();
    let name = || thread::current().name().map(str::to_owned);
    let job = event_loop.run_in_executor(None, name).unwrap();
    assert_eq!(event_loop.run_until_complete(job).unwrap().unwrap().unwrap(), "ronde_0");
}

#[test]
fn a_pool_that_could_run_nothing_is_an_error() {
    let error = ThreadPool::builder().max_workers(0).build().unwrap_err();
    assert_eq!(error, ThreadPoolError::NoWorkers);
    assert_eq!(error.to_string(), "a thread pool needs one thread at least");
    let error = ThreadPool::builder().thread_name_prefix("a\0b").build().unwrap_err();
    assert_eq!(error.to_string(), "a thread's name has no zero byte: \"a\\0b\"");
}

#[test]
fn jobs_of_a_pool_of_one_run_in_order() {
    let pool = pool(1, "one");
    let event_loop = simulated();
    let (send, order) = mpsc::channel();
    let jobs: Vec<_> = (0..10)
        .map(|n| {
            let send = send.clone();
            event_loop.run_in_executor(Some(&pool), move || send.send(n).unwrap()).unwrap()
        })
        .collect();
    assert!(pool.shutdown_blocking(None));
    drop((jobs, send));
    assert_eq!(order.iter().collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_panic_fails_only_its_own_job() {
    let pool = pool(1, "panics");
    let event_loop = simulated();
    let bad = event_loop.run_in_executor(Some(&pool), || panic!("no luck")).unwrap();
    let good = event_loop.run_in_executor(Some(&pool), || 7).unwrap();
    let outcome: Result<(), _> = event_loop.run_until_complete(bad).unwrap();
    assert!(matches!(outcome, Err(JobError::Panicked(_))));
    assert_eq!(event_loop.run_until_complete(good).unwrap().unwrap(), 7);
}

#[test]
fn a_result_that_panics_when_it_is_dropped_costs_no_thread() {
    struct Result;
    impl Drop for Result {
        fn drop(&mut self) {
            panic!("on a thread of the pool");
        }
    }
    let (pool, event_loop) = (pool(1, "worker"), simulated());
    let (release, released) = mpsc::channel();
    let (begun, begins) = mpsc::channel();
    let function = move || {
        begun.send(()).unwrap();
        released.recv().unwrap();
        Result
    };
    let job = event_loop.run_in_executor(Some(&pool), function).unwrap();
    begins.recv().unwrap();
    // The result is nobody's now, so the thread drops it.
    drop(job);
    release.send(()).unwrap();
    let next = event_loop.run_in_executor(Some(&pool), || 42).unwrap();
    assert!(pool.shutdown_blocking(Some(20 * SECOND)), "the thread is gone");
    assert_eq!(event_loop.run_until_complete(next).unwrap().unwrap(), 42);
}

#[test]
fn a_job_that_is_cancelled_before_it_begins_never_runs() {
    let pool = pool(1, "cancel");
    simulated()
        .run_until_complete(async move {
            let (running, release) = busy(&pool).await;
            let event_loop = get_running_loop().unwrap();
            let held = Arc::new(());
            let function = {
                let held = held.clone();
                move || panic!("it ran, and still has {held:?}")
            };
            let queued: JobHandle<()> = event_loop.run_in_executor(Some(&pool), function).unwrap();
            let task = event_loop.create_task(queued);
            ronde_loop::yield_now().await;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
            assert_eq!(Arc::strong_count(&held), 1);
            release.send(()).unwrap();
            running.await.unwrap();
            pool.shutdown().await;
        })
        .unwrap();
}

#[test]
fn a_shutdown_waits_for_what_the_pool_was_given() {
    let pool = pool(2, "waits");
    let event_loop = simulated();
    let done = Arc::new(AtomicUsize::new(0));
    let jobs: Vec<_> = (0..20)
        .map(|_| {
            let done = done.clone();
            let count = move || done.fetch_add(1, Ordering::Relaxed);
            event_loop.run_in_executor(Some(&pool), count).unwrap()
        })
        .collect();
    event_loop
        .run_until_complete(async move {
            pool.shutdown().await;
            assert_eq!(done.load(Ordering::Relaxed), 20);
            // There is nothing left to wait for.
            pool.shutdown().await;
            assert!(pool.shutdown_blocking(Some(Duration::ZERO)));
            let refused = get_running_loop().unwrap().run_in_executor(Some(&pool), || ());
            assert!(matches!(refused, Err(SubmitError::ShutDown)));
            assert!(
                format!("{pool:?}").contains("threads: 0, idle: 0, queued: 0, shut_down: true")
            );
        })
        .unwrap();
    drop(jobs);
}

#[test]
fn the_loop_runs_during_a_shutdown_and_several_may_wait_for_it() {
    let pool = Rc::new(pool(1, "several"));
    simulated()
        .run_until_complete(async move {
            let (job, release) = busy(&pool).await;
            let event_loop = get_running_loop().unwrap();
            let wait = || {
                let pool = pool.clone();
                event_loop.create_task(async move { pool.shutdown().await })
            };
            let (first, second, third) = (wait(), wait(), wait());
            ronde_loop::yield_now().await;
            second.cancel();
            assert!(second.await.unwrap_err().is_cancelled());
            assert!(!first.done() && !third.done());
            release.send(()).unwrap();
            first.await.unwrap();
            third.await.unwrap();
            job.await.unwrap();
        })
        .unwrap();
}

#[test]
fn a_shutdown_within_a_time_limit() {
    let pool = pool(1, "limit");
    // With a real clock: a simulated one stands still while a job is out.
    EventLoop::new()
        .unwrap()
        .run_until_complete(async move {
            let (job, release) = busy(&pool).await;
            assert!(timeout(Duration::from_millis(5), pool.shutdown()).await.is_err());
            release.send(()).unwrap();
            timeout(60 * SECOND, pool.shutdown()).await.unwrap();
            job.await.unwrap();
        })
        .unwrap();
}

#[test]
fn queued_jobs_are_dropped_on_demand() {
    let pool = pool(1, "queued");
    simulated()
        .run_until_complete(async move {
            let (running, release) = busy(&pool).await;
            let event_loop = get_running_loop().unwrap();
            let queued: Vec<_> = (0..3)
                .map(|_| event_loop.run_in_executor(Some(&pool), || unreachable!()).unwrap())
                .collect();
            pool.close();
            assert_eq!(pool.cancel_queued(), 3);
            for job in queued {
                let outcome: Result<(), _> = job.await;
                assert!(matches!(outcome, Err(JobError::Dropped)), "{outcome:?}");
            }
            release.send(()).unwrap();
            pool.shutdown().await;
            running.await.unwrap();
            assert_eq!(pool.cancel_queued(), 0);
        })
        .unwrap();
}

#[test]
fn a_blocking_shutdown_waits_no_longer_than_its_limit() {
    let pool = pool(1, "slow");
    let event_loop = simulated();
    let (release, released) = mpsc::channel::<()>();
    let job = event_loop.run_in_executor(Some(&pool), move || released.recv().unwrap()).unwrap();
    let began = Instant::now();
    assert!(!pool.shutdown_blocking(Some(Duration::from_millis(5))));
    assert!(began.elapsed() >= Duration::from_millis(5));
    release.send(()).unwrap();
    assert!(pool.shutdown_blocking(None));
    event_loop.run_until_complete(job).unwrap().unwrap();
}

#[test]
fn a_pool_that_is_dropped_still_does_what_it_was_given() {
    let event_loop = simulated();
    let pool = pool(1, "dropped");
    let jobs: Vec<_> =
        (0..5).map(|n| event_loop.run_in_executor(Some(&pool), move || n).unwrap()).collect();
    drop(pool);
    for (n, job) in jobs.into_iter().enumerate() {
        assert_eq!(event_loop.run_until_complete(job).unwrap().unwrap(), n);
    }
    turn(&event_loop);
}

/// A thread needs room for its stack. Takes a process of its own: the limit holds for all of it.
#[cfg(target_os = "linux")]
#[test]
fn a_thread_that_cannot_be_started_is_an_error() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    const VARIABLE: &str = "RONDE_TEST_WITHOUT_ROOM";

    if std::env::var_os(VARIABLE).is_none() {
        let this = std::env::current_exe().unwrap();
        let output = std::process::Command::new(this)
            .args(["--exact", "a_thread_that_cannot_be_started_is_an_error"])
            .env(VARIABLE, "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let pool = pool(2, "none");
    let event_loop = simulated();
    let limit = |bytes| setrlimit(Resource::As, Rlimit { current: bytes, maximum: None });
    limit(Some(1)).unwrap();
    let refused = event_loop.run_in_executor(Some(&pool), || 7);
    limit(None).unwrap();
    let error = refused.unwrap_err();
    assert!(matches!(error, SubmitError::NoThread(_)), "{error}");
    // The pool is none the worse for it.
    let job = event_loop.run_in_executor(Some(&pool), || 7).unwrap();
    assert_eq!(event_loop.run_until_complete(job).unwrap().unwrap(), 7);
}
