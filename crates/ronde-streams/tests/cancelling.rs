//! Every wait, cancelled while it is pending, and done again without loss.

mod support;

use std::cell::RefCell;
use std::future::Future;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use ronde_context::catch_cancelled;
use ronde_loop::{
    EventLoop, Job, JobExecutor, SimulatedClock, SubmitError, get_running_loop, timeout,
};
use ronde_streams::{StreamReader, open_connection, start_server};
use support::{connect, half_pair, pair, run, settle, spawn};

/// Starts a wait in a task, lets `meanwhile` happen, cancels the task and sees it cancelled.
async fn cancel<F: Future + 'static>(wait: F, meanwhile: impl FnOnce())
where
    F::Output: 'static,
{
    let task = spawn(wait);
    settle().await;
    assert!(!task.done(), "it must wait");
    meanwhile();
    assert!(task.cancel());
    assert!(task.await.is_err_and(|error| error.is_cancelled()));
}

/// Bytes arrive together with the cancellation: the read takes none of them.
async fn cancel_read<F: Future + 'static>(read: impl FnOnce(Rc<StreamReader>) -> F)
where
    F::Output: 'static,
{
    let ((reader, _w), theirs) = half_pair().await;
    let reader = Rc::new(reader);
    (&theirs).write_all(b"first ").unwrap();
    let reading = read(reader.clone());
    cancel(reading, || (&theirs).write_all(b"second\nthird").unwrap()).await;
    assert_eq!(reader.readline().await.unwrap(), "first second\n");
    drop(theirs);
    assert_eq!(reader.read_to_end().await.unwrap(), "third");
}

#[test]
fn reads_lose_nothing() {
    run(async {
        cancel_read(|reader| async move { reader.readline().await.map(drop) }).await;
        cancel_read(|reader| async move { reader.readexactly(100).await.map(drop) }).await;
        cancel_read(|reader| async move { reader.readuntil("\n\n").await.map(drop) }).await;
        cancel_read(|reader| async move { reader.read_to_end().await.map(drop) }).await;
        cancel_read(|reader| async move { reader.buffer_to_end().await.map(drop) }).await;
        cancel_read(|reader| async move { reader.lines().next().await.is_some() }).await;
    });
}

#[test]
fn a_read_that_is_cancelled_when_its_bytes_arrive_leaves_them() {
    run(async {
        let ((reader, _w), theirs) = half_pair().await;
        let reader = Rc::new(reader);
        let wait = {
            let reader = reader.clone();
            async move { reader.read(100).await.map(drop) }
        };
        cancel(wait, || (&theirs).write_all(b"here").unwrap()).await;
        assert_eq!(reader.read(100).await.unwrap(), "here");
    });
}

#[test]
fn a_handler_inside_the_task_can_go_on_with_the_same_read() {
    run(async {
        let ((reader, _w), theirs) = half_pair().await;
        (&theirs).write_all(b"half").unwrap();
        let task = spawn(async move {
            catch_cancelled(reader.readexactly(8)).await.unwrap_err();
            reader.readexactly(8).await.unwrap()
        });
        settle().await;
        task.cancel();
        settle().await;
        (&theirs).write_all(b" way").unwrap();
        assert_eq!(task.await.unwrap(), "half way");
    });
}

#[test]
fn a_timeout_around_a_read_can_be_repeated() {
    let event_loop = EventLoop::builder().clock(SimulatedClock::new()).build().unwrap();
    support::run_on(&event_loop, async {
        let reader = Rc::new(StreamReader::new());
        reader.feed_data(b"so far");
        for _ in 0..3 {
            assert!(timeout(Duration::from_secs(5), reader.readline()).await.is_err());
        }
        reader.feed_data(b", so good\n");
        assert_eq!(reader.readline().await.unwrap(), "so far, so good\n");
    });
}

#[test]
fn drain_flush_and_wait_closed_lose_nothing() {
    const MUCH: usize = 32 * 1024 * 1024;
    run(async {
        let ((_r, writer), (reader, _w)) = pair().await;
        let writer = Rc::new(writer);
        writer.write(vec![b'x'; MUCH]);
        let wait = |what: u8| {
            let writer = writer.clone();
            async move {
                match what {
                    0 => writer.drain().await,
                    1 => writer.flush().await,
                    _ => writer.wait_closed().await,
                }
            }
        };
        for what in 0..3 {
            cancel(wait(what), || {}).await;
        }
        writer.close();
        cancel(wait(2), || {}).await;
        assert_eq!(reader.read_to_end().await.unwrap().len(), MUCH);
        writer.wait_closed().await.unwrap();
    });
}

#[test]
fn waiting_for_a_server_to_end_can_be_done_again() {
    run(async {
        let server =
            start_server(async |reader, _writer| reader.read(1).await.map(drop), "127.0.0.1", 0)
                .await
                .unwrap();
        let (_reader, writer) = connect(&server).await.unwrap();
        let wait = {
            let server = server.clone();
            async move { server.wait_closed().await }
        };
        cancel(wait, || server.close()).await;
        writer.write("x");
        server.wait_closed().await;
        assert_eq!(server.connections(), 0);
    });
}

#[test]
fn serve_forever_closes_the_server_when_cancelled_and_waits_for_its_connections() {
    run(async {
        let server =
            start_server(async |reader, _writer| reader.read(1).await.map(drop), "127.0.0.1", 0)
                .await
                .unwrap();
        let (_reader, writer) = connect(&server).await.unwrap();
        settle().await;
        while server.connections() == 0 {
            ronde_loop::yield_now().await;
        }
        let serving = spawn({
            let server = server.clone();
            async move { server.serve_forever().await }
        });
        settle().await;
        serving.cancel();
        settle().await;
        assert!(!server.is_serving());
        assert!(!serving.done(), "a connection is still open");
        writer.close();
        assert!(serving.await.unwrap_err().is_cancelled());
    });
}

/// Keeps jobs until it is told to run them.
#[derive(Debug, Default)]
struct Held(RefCell<Vec<Job>>);

impl JobExecutor for Held {
    fn submit(&self, job: Job) -> Result<(), SubmitError> {
        self.0.borrow_mut().push(job);
        Ok(())
    }
}

#[test]
fn a_start_or_an_opening_that_is_given_up_during_the_look_up_of_a_name_leaves_nothing() {
    let held = Rc::new(Held::default());
    let event_loop = EventLoop::builder().executor(held.clone()).build().unwrap();
    support::run_on(&event_loop, async move {
        let start = async { start_server(async |_, _| {}, "localhost", 0).await.is_ok() };
        cancel(start, || {}).await;
        cancel(async { open_connection("localhost", 1).await.is_ok() }, || {}).await;
        held.0.take().into_iter().for_each(Job::run);
        settle().await;
        assert_eq!(get_running_loop().unwrap().all_tasks().len(), 1);
    });
}
