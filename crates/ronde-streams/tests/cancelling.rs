//! Every wait, cancelled while it is pending, and done again without loss.

mod support;

use std::cell::RefCell;
use std::future::Future;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use ronde_context::catch_cancelled;
use ronde_loop::{
    EventLoop, Job, JobExecutor, SimulatedClock, SubmitError, get_running_loop, timeout, yield_now,
};
#[cfg(unix)]
use ronde_streams::open_unix_connection;
use ronde_streams::{ReadError, Server, StreamReader, StreamWriter, open_connection, start_server};
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

/// A server whose handler says goodbye at the end of its stream, and one connection to it.
async fn served() -> (Server, support::Halves) {
    let handler = async |reader: StreamReader, writer: StreamWriter| {
        reader.read_to_end().await.map(drop)?;
        yield_now().await;
        writer.write("goodbye");
        Ok::<(), ReadError>(())
    };
    let server = start_server(handler, "127.0.0.1", 0).await.unwrap();
    let client = connect(&server).await.unwrap();
    while server.connections() == 0 {
        yield_now().await;
    }
    (server, client)
}

#[test]
fn serve_forever_closes_the_server_and_its_clients_when_cancelled_and_waits_for_the_handlers() {
    run(async {
        let (server, (reader, _writer)) = served().await;
        let handlers: Vec<_> = get_running_loop().unwrap().all_tasks();
        let serving = spawn({
            let server = server.clone();
            async move { server.serve_forever().await }
        });
        settle().await;
        serving.cancel();
        assert!(serving.await.unwrap_err().is_cancelled());
        assert!(!server.is_serving());
        assert!(handlers.iter().filter(|task| !task.done()).count() == 1, "only this task is left");
        assert!(reader.read_to_end().await.unwrap().is_empty());
    });
}

#[test]
fn a_scope_that_is_cancelled_closes_the_server_and_waits() {
    run(async {
        let (server, (reader, _writer)) = served().await;
        let dropped = Rc::new(());
        let serving = spawn({
            let (server, held) = (server.clone(), dropped.clone());
            async move {
                let body = async move |_: &Server| {
                    let _held = held;
                    std::future::pending::<()>().await
                };
                server.serve(body).await
            }
        });
        settle().await;
        assert!(server.is_serving());
        serving.cancel();
        assert!(serving.await.unwrap_err().is_cancelled());
        assert_eq!(Rc::strong_count(&dropped), 1, "the body is dropped");
        assert_eq!((server.is_serving(), server.connections()), (false, 0));
        assert!(reader.read_to_end().await.unwrap().is_empty());
    });
}

#[test]
fn a_shutdown_that_is_given_up_leaves_the_connections_and_can_be_done_again() {
    run(async {
        let (server, (reader, writer)) = served().await;
        let shutdown = |grace| {
            let server = server.clone();
            async move { server.shutdown(grace).await }
        };
        cancel(shutdown(Duration::from_secs(1000)), || {}).await;
        assert!(!server.is_serving());
        writer.write_eof();
        assert_eq!(reader.read_to_end().await.unwrap(), "goodbye");
        assert_eq!(server.shutdown(Duration::from_secs(1000)).await, 0);
    });
}

#[test]
fn readuntil_any_loses_nothing() {
    run(async {
        cancel_read(|reader| async move { reader.readuntil_any(["\n\n", ";"]).await.map(drop) })
            .await;
    });
}

#[cfg(unix)]
#[test]
fn a_connection_to_a_unix_socket_whose_queue_is_full_can_be_given_up() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let listener = listener.unwrap();
        listener.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
        listener.listen(0).unwrap();
        let first = ronde_streams::open_unix_connection(&path).await.unwrap();
        let connecting = path.clone();
        cancel(async move { open_unix_connection(connecting).await.is_ok() }, || {}).await;
        // One that waits gets the place when there is one.
        let waiting = spawn(async move { open_unix_connection(path).await });
        settle().await;
        assert!(!waiting.done());
        let (accepted, _) = listener.accept().unwrap();
        let (_reader, writer) = waiting.await.unwrap().unwrap();
        writer.write("x");
        drop((first, accepted));
        let (mut accepted, _) = listener.accept().unwrap();
        assert_eq!(std::io::Read::read(&mut accepted, &mut [0; 8]).unwrap(), 1);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_connection_to_a_port_whose_queue_is_full_can_be_given_up_and_leaves_nothing() {
    run(async {
        let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let listener = listener.unwrap();
        listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let first = std::net::TcpStream::connect(address).unwrap();
        let connecting = async move { open_connection("127.0.0.1", address.port()).await.is_ok() };
        cancel(connecting, || {}).await;

        let accept = || listener.accept().unwrap().1.as_socket().unwrap();
        assert_eq!(accept(), first.local_addr().unwrap());
        let (_reader, writer) = open_connection("127.0.0.1", address.port()).await.unwrap();
        assert_eq!(Some(accept()), writer.local_addr(), "nobody was in between");
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
