//! Blocking work in executors: results, failures, and what a cancellation can still prevent.

mod common;

use common::{Log, SECOND, simulated, turn};
use ronde_loop::{EventLoop, Job, JobError, JobExecutor, SubmitError, get_running_loop, yield_now};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::panic_any;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

/// An executor that keeps its jobs until the test says what becomes of them.
#[derive(Debug, Default)]
struct Drawer {
    jobs: RefCell<VecDeque<Job>>,
    closed: Cell<usize>,
}

impl Drawer {
    fn next(&self) -> Job {
        self.jobs.borrow_mut().pop_front().unwrap()
    }
}

impl JobExecutor for Drawer {
    fn submit(&self, job: Job) -> Result<(), SubmitError> {
        self.jobs.borrow_mut().push_back(job);
        Ok(())
    }

    fn close(&self) {
        self.closed.set(self.closed.get() + 1);
    }
}

fn shut_down(event_loop: &EventLoop) {
    let handle = event_loop.handle();
    let shutdown = async move { handle.shutdown_default_executor(None).await };
    event_loop.run_until_complete(shutdown).unwrap().unwrap();
}

/// An executor that accepts nothing.
#[derive(Debug)]
struct Refuses(fn() -> SubmitError);

impl JobExecutor for Refuses {
    fn submit(&self, _: Job) -> Result<(), SubmitError> {
        Err((self.0)())
    }
}

#[test]
fn a_job_runs_on_another_thread_and_its_result_comes_back() {
    let event_loop = EventLoop::new().unwrap();
    let home = thread::current().id();
    let there = event_loop.run_until_complete(async {
        let event_loop = get_running_loop().unwrap();
        event_loop.run_in_executor(None, || thread::current().id()).unwrap().await.unwrap()
    });
    assert_ne!(there.unwrap(), home);
}

#[test]
fn several_jobs_run_at_the_same_time() {
    let event_loop = EventLoop::new().unwrap();
    event_loop
        .run_until_complete(async {
            let event_loop = get_running_loop().unwrap();
            let barrier = Arc::new(Barrier::new(3));
            let jobs: Vec<_> = (0..3)
                .map(|n| {
                    let barrier = barrier.clone();
                    let meet = move || {
                        barrier.wait();
                        n
                    };
                    event_loop.run_in_executor(None, meet).unwrap()
                })
                .collect();
            let mut results = Vec::new();
            for job in jobs {
                results.push(job.await.unwrap());
            }
            assert_eq!(results, [0, 1, 2]);
        })
        .unwrap();
}

#[test]
fn a_job_that_panics_gives_its_panic_to_whoever_waits() {
    let event_loop = EventLoop::new().unwrap();
    event_loop
        .run_until_complete(async {
            let event_loop = get_running_loop().unwrap();
            let job = event_loop.run_in_executor(None, || panic!("no {}", "luck")).unwrap();
            let Err(JobError::Panicked(panic)) = job.await else { panic!() };
            assert_eq!(panic.message(), "no luck");

            let job = event_loop.run_in_executor(None, || panic_any(7_u8)).unwrap();
            let outcome: Result<(), _> = job.await;
            let error = outcome.unwrap_err();
            assert_eq!(error.to_string(), "the job panicked: a payload that is not text");
            // The thread has taken no harm.
            let job = event_loop.run_in_executor(None, || 7).unwrap();
            assert_eq!(job.await.unwrap(), 7);
        })
        .unwrap();
}

#[test]
fn a_job_that_is_cancelled_before_it_begins_is_removed_and_what_it_holds_is_dropped() {
    let drawer = Rc::new(Drawer::default());
    let event_loop = EventLoop::builder().executor(drawer.clone()).build().unwrap();
    let held = Arc::new(());
    let job = {
        let held = held.clone();
        event_loop.run_in_executor(None, move || drop(held)).unwrap()
    };
    assert_eq!(format!("{job:?}"), "<JobHandle queued>");
    let task = event_loop.create_task(job);
    turn(&event_loop);
    assert_eq!(Arc::strong_count(&held), 2);
    task.cancel();
    turn(&event_loop);
    assert!(task.cancelled());
    assert_eq!(Arc::strong_count(&held), 1);
    // The executor hasn't noticed yet. It does no harm.
    drawer.next().run();
}

#[test]
fn a_job_that_has_begun_runs_on_when_it_is_cancelled_and_its_result_is_dropped() {
    let event_loop = simulated();
    let (release, released) = mpsc::channel::<()>();
    let (over, is_over) = mpsc::channel();
    event_loop
        .run_until_complete(async move {
            let (begun, begins) = async_channel::bounded(1);
            let job = get_running_loop().unwrap().run_in_executor(None, move || {
                begun.send_blocking(()).unwrap();
                released.recv().unwrap();
                over.send("ran on").unwrap();
                over // dropped with the result
            });
            let task = get_running_loop().unwrap().create_task(job.unwrap());
            begins.recv().await.unwrap();
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
            release.send(()).unwrap();
        })
        .unwrap();
    assert_eq!(is_over.iter().collect::<Vec<_>>(), ["ran on"]);
}

#[test]
fn an_executor_of_ones_own_gets_the_jobs() {
    let drawer = Rc::new(Drawer::default());
    let event_loop = simulated();
    let given = event_loop.run_in_executor(Some(&*drawer), || 1).unwrap();
    event_loop.set_default_executor(drawer.clone());
    let default = event_loop.run_in_executor(None, || 2).unwrap();
    assert_eq!(drawer.jobs.borrow().len(), 2);

    let other = thread::spawn({
        let job = drawer.next();
        move || job.run()
    });
    other.join().unwrap();
    drawer.next().run();
    let results = event_loop.run_until_complete(async { (given.await, default.await) }).unwrap();
    assert_eq!((results.0.unwrap(), results.1.unwrap()), (1, 2));
}

#[test]
fn whoever_waits_hears_of_a_job_that_the_executor_drops() {
    let drawer = Rc::new(Drawer::default());
    let event_loop = simulated();
    let waiting =
        event_loop.create_task(event_loop.run_in_executor(Some(&*drawer), || ()).unwrap());
    turn(&event_loop);
    drop(drawer.next());
    let outcome = event_loop.run_until_complete(waiting).unwrap();
    assert!(matches!(outcome, Err(JobError::Dropped)), "{outcome:?}");

    // Also one who only comes to wait afterwards.
    let job = event_loop.run_in_executor(Some(&*drawer), || ()).unwrap();
    drop(drawer.next());
    let outcome = event_loop.run_until_complete(job).unwrap();
    let error = outcome.unwrap_err();
    assert_eq!(error.to_string(), "the executor dropped the job without running it");
    assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::Other);
}

#[test]
fn an_executor_that_refuses_says_so_at_once() {
    let event_loop = simulated();
    let held = Arc::new(());
    let function = {
        let held = held.clone();
        move || drop(held)
    };
    let refused = event_loop.run_in_executor(Some(&Refuses(|| SubmitError::ShutDown)), function);
    let error = refused.unwrap_err();
    assert!(matches!(error, SubmitError::ShutDown));
    assert_eq!(error.to_string(), "the executor has been shut down");
    assert_eq!(Arc::strong_count(&held), 1);
    let no_thread = Refuses(|| SubmitError::NoThread(std::io::ErrorKind::WouldBlock.into()));
    let error = event_loop.run_in_executor(Some(&no_thread), || ()).unwrap_err();
    assert!(error.to_string().starts_with("starting a thread for a job: "), "{error}");
    // No job is out that would hold the simulated time up.
    event_loop.run_until_complete(ronde_loop::sleep(SECOND)).unwrap();
}

#[test]
fn the_handle_moves_between_tasks_and_wakes_the_one_that_waits() {
    let log = Log::default();
    let drawer = Rc::new(Drawer::default());
    let event_loop = simulated();
    let job = event_loop.run_in_executor(Some(&*drawer), || 7).unwrap();
    let shared = Rc::new(RefCell::new(Some(job)));
    let first = event_loop.create_task({
        let shared = shared.clone();
        async move {
            let mut job = shared.take().unwrap();
            assert!(futures_lite::future::poll_once(&mut job).await.is_none());
            *shared.borrow_mut() = Some(job);
        }
    });
    turn(&event_loop);
    assert!(first.done());
    let second = event_loop.create_task({
        let log = log.clone();
        async move {
            let job = shared.take().unwrap();
            log.push(job.await.unwrap());
        }
    });
    turn(&event_loop);
    drawer.next().run();
    event_loop.run_until_complete(second).unwrap();
    assert_eq!(log.take(), ["7"]);
}

#[test]
fn closing_the_loop_tells_its_executor() {
    let drawer = Rc::new(Drawer::default());
    let event_loop = EventLoop::builder().executor(drawer.clone()).build().unwrap();
    shut_down(&event_loop);
    assert_eq!(drawer.closed.get(), 1);
    event_loop.close().unwrap();
    assert_eq!(drawer.closed.get(), 2);
}

#[test]
fn after_its_shutdown_the_default_executor_refuses() {
    for used in [false, true] {
        let event_loop = simulated();
        if used {
            let job = event_loop.run_in_executor(None, || ()).unwrap();
            event_loop.run_until_complete(job).unwrap().unwrap();
        }
        shut_down(&event_loop);
        let refused = event_loop.run_in_executor(None, || ());
        assert!(matches!(refused, Err(SubmitError::ShutDown)), "{used}");
        // Nor does another take its place.
        event_loop.set_default_executor(Rc::new(Drawer::default()));
        assert!(event_loop.run_in_executor(None, || ()).is_err());
        shut_down(&event_loop);
    }
}

#[test]
fn a_shutdown_waits_for_the_jobs_that_are_out() {
    let event_loop = simulated();
    let done = Arc::new(AtomicUsize::new(0));
    let jobs: Vec<_> = (0..20)
        .map(|_| {
            let done = done.clone();
            let count = move || done.fetch_add(1, Ordering::Relaxed);
            event_loop.run_in_executor(None, count).unwrap()
        })
        .collect();
    shut_down(&event_loop);
    assert_eq!(done.load(Ordering::Relaxed), 20);
    drop(jobs);
}

#[test]
fn a_shutdown_waits_for_a_function_that_runs_on_after_its_cancellation() {
    let event_loop = simulated();
    let (release, released) = mpsc::channel::<()>();
    let (over, is_over) = mpsc::channel();
    event_loop
        .run_until_complete(async move {
            let event_loop = get_running_loop().unwrap();
            let (begun, begins) = async_channel::bounded(1);
            let job = event_loop.run_in_executor(None, move || {
                begun.send_blocking(()).unwrap();
                released.recv().unwrap();
                over.send(()).unwrap();
            });
            begins.recv().await.unwrap();
            drop(job);
            let mut shutdown = Box::pin(event_loop.shutdown_default_executor(None));
            assert!(futures_lite::future::poll_once(&mut shutdown).await.is_none());
            release.send(()).unwrap();
            shutdown.await.unwrap();
            assert!(is_over.try_recv().is_ok());
        })
        .unwrap();
}

#[test]
fn a_shutdown_does_not_wait_for_jobs_in_other_executors() {
    let drawer = Drawer::default();
    let event_loop = EventLoop::new().unwrap();
    let job = event_loop.run_in_executor(Some(&drawer), || 7).unwrap();
    shut_down(&event_loop);
    drawer.next().run();
    assert_eq!(event_loop.run_until_complete(job).unwrap().unwrap(), 7);
}

#[test]
fn the_loop_runs_while_its_executor_is_shut_down() {
    let event_loop = EventLoop::new().unwrap();
    let (release, released) = mpsc::channel::<()>();
    let job = event_loop.run_in_executor(None, move || released.recv().unwrap()).unwrap();
    event_loop
        .create_task(async move {
            for _ in 0..10 {
                yield_now().await;
            }
            release.send(()).unwrap();
        })
        .detach();
    shut_down(&event_loop);
    event_loop.run_until_complete(job).unwrap().unwrap();
}

#[test]
fn a_shutdown_waits_no_longer_than_its_limit() {
    let drawer = Rc::new(Drawer::default());
    let event_loop = EventLoop::builder().executor(drawer.clone()).build().unwrap();
    let job = event_loop.run_in_executor(None, || 7).unwrap();
    let began = Instant::now();
    event_loop
        .run_until_complete(async {
            let event_loop = get_running_loop().unwrap();
            let limit = Duration::from_millis(5);
            event_loop.shutdown_default_executor(limit).await.unwrap_err();
        })
        .unwrap();
    assert!(began.elapsed() >= Duration::from_millis(5));
    drawer.next().run();
    assert_eq!(event_loop.run_until_complete(job).unwrap().unwrap(), 7);
}

#[test]
fn a_shutdown_that_is_cancelled_leaves_the_jobs_and_can_be_awaited_again() {
    let drawer = Rc::new(Drawer::default());
    let event_loop = EventLoop::builder().executor(drawer.clone()).build().unwrap();
    let job = event_loop.run_in_executor(None, || 7).unwrap();
    let handle = event_loop.handle();
    let task = event_loop.create_task(async move { handle.shutdown_default_executor(None).await });
    turn(&event_loop);
    task.cancel();
    turn(&event_loop);
    assert!(task.cancelled());
    assert!(event_loop.run_in_executor(None, || ()).is_err());

    drawer.next().run();
    assert_eq!(event_loop.run_until_complete(job).unwrap().unwrap(), 7);
    shut_down(&event_loop);
}
