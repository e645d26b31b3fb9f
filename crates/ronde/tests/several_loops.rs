//! Several loops in several threads, that share the work and send each other messages.
#![cfg(unix)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use ronde::low_level::Remote;
use ronde::{
    Event, ReadError, Server, StartServer, StreamReader, StreamWriter, create_task, from_socket,
    gather_all, get_running_loop, run_coroutine_threadsafe, start_server,
};

const LOOPS: usize = 4;

thread_local! {
    static NOTES: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    static ENDS: &'static Event = Box::leak(Box::default());
}

/// A loop in a thread of its own, which runs until it is told to end.
struct Worker {
    remote: Remote,
    thread: JoinHandle<()>,
}

impl Worker {
    fn start<R: 'static>(setup: impl AsyncFnOnce() -> R + Send + 'static) -> Self {
        let (ready, is_ready) = mpsc::channel();
        let thread = thread::spawn(move || {
            let main = async move {
                let set_up = setup().await;
                ready.send(get_running_loop().unwrap().remote()).unwrap();
                ENDS.with(|ends| ends.wait()).await;
                drop(set_up);
            };
            ronde::run(main).unwrap();
        });
        Self { remote: is_ready.recv().unwrap(), thread }
    }

    fn end(self) {
        self.remote.call_soon_threadsafe(|| ENDS.with(|ends| ends.set())).unwrap();
        self.thread.join().unwrap();
    }
}

/// Tells each client which loop it is served by, and echoes one line.
async fn greet(number: usize, reader: StreamReader, writer: StreamWriter) -> Result<(), ReadError> {
    let line = reader.readline().await?;
    writer.write(format!("{number} "));
    writer.write(line);
    Ok(())
}

fn ask(address: SocketAddr, line: &str) -> (usize, String) {
    let mut connection = TcpStream::connect(address).unwrap();
    writeln!(connection, "{line}").unwrap();
    let mut answer = String::new();
    BufReader::new(connection).read_line(&mut answer).unwrap();
    let (number, line) = answer.trim_end().split_once(' ').unwrap();
    (number.parse().unwrap(), line.to_owned())
}

async fn serve(number: usize, port: u16) -> Server {
    let handler = async move |reader, writer| greet(number, reader, writer).await;
    start_server(handler, "127.0.0.1", port).reuse_port(true).await.unwrap()
}

fn start_servers() -> (SocketAddr, Vec<Worker>) {
    let (bound, is_bound) = mpsc::channel();
    let mut workers = vec![Worker::start(async move || {
        let server = serve(0, 0).await;
        bound.send(server.local_addrs()[0]).unwrap();
        server
    })];
    let address = is_bound.recv().unwrap();
    for number in 1..LOOPS {
        workers.push(Worker::start(async move || serve(number, address.port()).await));
    }
    (address, workers)
}

#[test]
fn loops_on_one_port_share_the_connections() {
    let (address, workers) = start_servers();
    let mut served = BTreeSet::new();
    for client in 0..200 {
        let (number, line) = ask(address, &format!("client {client}"));
        assert_eq!(line, format!("client {client}"));
        served.insert(number);
    }
    if cfg!(target_os = "linux") {
        assert_eq!(served.len(), LOOPS, "{served:?}");
    }
    workers.into_iter().for_each(Worker::end);
}

#[test]
fn a_loop_that_ends_leaves_the_port_to_the_others() {
    let (address, mut workers) = start_servers();
    while let Some(worker) = workers.pop() {
        worker.end();
        if workers.is_empty() {
            break;
        }
        for client in 0..20 {
            let (number, _) = ask(address, &format!("client {client}"));
            assert!(number < workers.len(), "{number}");
        }
    }
}

#[test]
fn one_loop_accepts_and_hands_the_connections_to_the_others() {
    let (told, tells) = mpsc::channel();
    let workers: Vec<_> = (0..LOOPS).map(|_| Worker::start(async || ())).collect();
    let remotes: Vec<_> = workers.iter().map(|worker| worker.remote.clone()).collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = Worker::start(async move || {
        create_task(async move {
            let event_loop = get_running_loop().unwrap();
            let listener = event_loop.register(listener).unwrap();
            for number in (0..LOOPS).cycle() {
                let (connection, _) = event_loop.sock_accept(&listener).await.unwrap();
                let told = told.clone();
                // The socket is sent; what reads and writes it is made where it arrives.
                let hand_over = move || {
                    told.send(thread::current().id()).unwrap();
                    create_task(async move {
                        let (reader, writer) = from_socket(connection).await.unwrap();
                        greet(number, reader, writer).await.unwrap();
                    })
                    .detach();
                };
                remotes[number].call_soon_threadsafe(hand_over).unwrap();
            }
        })
    });
    for client in 0..3 * LOOPS {
        let (number, line) = ask(address, "hello");
        assert_eq!((number, &*line), (client % LOOPS, "hello"));
        assert_eq!(tells.recv().unwrap(), workers[number].thread.thread().id());
    }
    accepting.end();
    workers.into_iter().for_each(Worker::end);
}

#[test]
fn messages_reach_the_loop_that_they_are_for_in_order() {
    let workers: Vec<_> = (0..LOOPS).map(|_| Worker::start(async || ())).collect();
    let remotes: Vec<_> = workers.iter().map(|worker| worker.remote.clone()).collect();
    // Each sends numbers to each, itself too.
    let sends = remotes.iter().enumerate().map(|(from, remote)| {
        let remotes = remotes.clone();
        let send = move || async move {
            for number in 0..100 {
                for to in &remotes {
                    let note = move || NOTES.with_borrow_mut(|it| it.push(from * 1000 + number));
                    to.call_soon_threadsafe(note).unwrap();
                }
            }
        };
        run_coroutine_threadsafe(remote, send).unwrap()
    });
    sends.collect::<Vec<_>>().into_iter().for_each(|sent| sent.result(None).unwrap());
    for remote in &remotes {
        // It comes after all that was sent before.
        let read = run_coroutine_threadsafe(remote, || async { NOTES.take() });
        let notes = read.unwrap().result(None).unwrap();
        assert_eq!(notes.len(), LOOPS * 100);
        for from in 0..LOOPS {
            let of_one: Vec<_> = notes.iter().filter(|note| *note / 1000 == from).collect();
            assert!(of_one.is_sorted(), "{of_one:?}");
        }
    }
    workers.into_iter().for_each(Worker::end);
}

#[test]
fn a_task_awaits_tasks_of_other_loops() {
    let workers: Vec<_> = (0..LOOPS).map(|_| Worker::start(async || ())).collect();
    let remotes: Vec<_> = workers.iter().map(|worker| worker.remote.clone()).collect();
    let main = async move {
        let ask = |remote: &Remote| {
            let asked = run_coroutine_threadsafe(remote, || async {
                // What a task has need not be `Send`.
                let local = Rc::new(Cell::new(thread::current().id()));
                ronde::yield_now().await;
                local.get()
            });
            async move { asked.unwrap().await.unwrap() }
        };
        gather_all(remotes.iter().map(ask)).await.unwrap()
    };
    let threads = ronde::run(main).unwrap();
    let expected: Vec<_> = workers.iter().map(|it| it.thread.thread().id()).collect();
    assert_eq!(threads, expected);
    workers.into_iter().for_each(Worker::end);
}

#[test]
fn a_loop_whose_main_task_panics_leaves_the_others_alone() {
    let steady = Worker::start(async || ());
    let failing = thread::spawn(|| ronde::run(async { panic!("on purpose") }));
    assert!(failing.join().is_err());
    let answer = run_coroutine_threadsafe(&steady.remote, || async { 42 });
    assert_eq!(answer.unwrap().result(None).unwrap(), 42);
    steady.end();
}

#[test]
fn a_message_to_a_loop_that_has_ended_is_an_error() {
    let worker = Worker::start(async || ());
    let remote = worker.remote.clone();
    worker.end();
    assert!(remote.call_soon_threadsafe(|| ()).is_err());
    assert!(run_coroutine_threadsafe(&remote, || async {}).is_err());
}

#[test]
fn a_listener_that_is_handed_over_serves_on_the_other_loop() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Who connects before somebody serves is served then.
    let mut early = TcpStream::connect(address).unwrap();
    early.write_all(b"early\n").unwrap();
    let worker = Worker::start(async move || {
        let handler = async |reader, writer| greet(7, reader, writer).await;
        StartServer::from_listener(handler, listener).await.unwrap()
    });
    let mut answer = String::new();
    early.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "7 early\n");
    assert_eq!(ask(address, "late"), (7, "late".to_owned()));
    worker.end();
}
