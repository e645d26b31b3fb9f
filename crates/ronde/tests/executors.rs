//! `run_in_executor`: work in a pool of one's choice.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use ronde::low_level::{Job, JobExecutor};
use ronde::{
    JobError, SubmitError, ThreadPool, create_task, gather, run_in_executor, timeout, yield_now,
};

/// An executor that keeps its jobs until the test says what becomes of them.
#[derive(Debug, Default)]
struct Drawer(RefCell<VecDeque<Job>>);

impl JobExecutor for Drawer {
    fn submit(&self, job: Job) -> Result<(), SubmitError> {
        self.0.borrow_mut().push_back(job);
        Ok(())
    }
}

impl Drawer {
    fn run_next(&self) {
        let job = self.0.borrow_mut().pop_front().unwrap();
        job.run();
    }
}

#[ronde::test(simulated)]
async fn a_function_runs_in_the_pool_that_is_given() {
    let pool = ThreadPool::builder().max_workers(1).thread_name_prefix("mine").build().unwrap();
    let name = || thread::current().name().map(str::to_owned);
    assert_eq!(run_in_executor(&pool, name).await.unwrap().unwrap(), "mine_0");
    let pool = Rc::new(pool);
    assert_eq!(run_in_executor(&pool, name).await.unwrap().unwrap(), "mine_0");
    let pool: &dyn JobExecutor = &pool;
    assert_eq!(run_in_executor(pool, name).await.unwrap().unwrap(), "mine_0");
}

#[ronde::test(simulated)]
async fn an_executor_of_ones_own_takes_work_at_once() {
    let drawer = Drawer::default();
    let (first, second) = (run_in_executor(&drawer, || 1), run_in_executor(&drawer, || "two"));
    drawer.run_next();
    drawer.run_next();
    let (first, second) = gather((first, second)).await.unwrap();
    assert_eq!((first.unwrap(), second.unwrap()), (1, "two"));
}

#[ronde::test(simulated)]
async fn what_goes_wrong_is_an_error() {
    let pool = ThreadPool::builder().max_workers(1).build().unwrap();
    let outcome: Result<(), _> = run_in_executor(&pool, || panic!("no luck")).await;
    assert_eq!(outcome.unwrap_err().to_string(), "the job panicked: no luck");
    pool.shutdown().await;
    let error = run_in_executor(&pool, || ()).await.unwrap_err();
    assert!(matches!(error, JobError::Submit(SubmitError::ShutDown)));
}

#[ronde::test(simulated)]
async fn cancelling_before_the_start_removes_the_job() {
    let drawer = Rc::new(Drawer::default());
    let task = create_task(run_in_executor(&drawer, || panic!("it ran")));
    yield_now().await;
    task.cancel();
    let outcome: Result<Result<(), _>, _> = task.await;
    assert!(outcome.unwrap_err().is_cancelled());
    drawer.run_next();
}

#[ronde::test(simulated)]
async fn cancelling_after_the_start_lets_the_function_run_on_and_drops_its_result() {
    let pool = ThreadPool::builder().max_workers(1).build().unwrap();
    let (release, released) = mpsc::channel::<()>();
    let (begun, begins) = mpsc::channel();
    let (result, results) = mpsc::channel();
    let task = create_task(run_in_executor(&pool, move || {
        begun.send(()).unwrap();
        released.recv().unwrap();
        result.send("ran on").unwrap();
        result // dropped with the result
    }));
    begins.recv().unwrap();
    yield_now().await;
    task.cancel();
    assert!(task.await.unwrap_err().is_cancelled());
    release.send(()).unwrap();
    pool.shutdown().await;
    assert_eq!(results.iter().collect::<Vec<_>>(), ["ran on"]);
}

#[ronde::test]
async fn a_pool_s_shutdown_that_is_cancelled_can_be_awaited_again() {
    let pool = ThreadPool::builder().max_workers(1).build().unwrap();
    let (release, released) = mpsc::channel::<()>();
    let job = run_in_executor(&pool, move || released.recv().unwrap());
    let limit = std::time::Duration::from_millis(5);
    assert!(timeout(limit, pool.shutdown()).await.is_err());
    release.send(()).unwrap();
    pool.shutdown().await;
    job.await.unwrap();
}
