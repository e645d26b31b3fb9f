//! A server with an event loop per core, all on one port, that tell each other what they learn.
//!
//! Each loop has a socket of its own for the port (`SO_REUSEPORT`), among which the system divides the
//! connections, and a notebook of its own, which needs no lock. What a client has one loop write down, that
//! loop sends to all of them, and answers when they have it: every client reads the same, whoever serves it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use ronde::low_level::Remote;
use ronde::low_level::socket2::{Domain, Socket, Type};
use ronde::{Event, StartServer, StreamReader, StreamWriter};
use ronde::{get_running_loop, run_coroutine_threadsafe};

type AnyError = Box<dyn Error + Send + Sync>;

thread_local! {
    /// What belongs to the loop of this thread.
    static NOTEBOOK: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static LOOPS: RefCell<Vec<Remote>> = const { RefCell::new(Vec::new()) };
    static CLOSES: &'static Event = Box::leak(Box::default());
}

/// A listening socket that shares its port with others like it.
fn listen(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(128)?;
    Ok(socket)
}

async fn serve(number: usize, socket: Socket, ready: Sender<Remote>) -> Result<(), AnyError> {
    let handler = async move |reader, writer| answer(number, reader, writer).await;
    let server = StartServer::from_listener(handler, socket).await?;
    ready.send(get_running_loop()?.remote())?;
    CLOSES.with(|closes| closes.wait()).await;
    server.close();
    server.wait_closed().await;
    Ok(())
}

/// An empty line asks for the notebook, any other is to be noted.
async fn answer(number: usize, reader: StreamReader, writer: StreamWriter) -> Result<(), AnyError> {
    let line = String::from_utf8_lossy(&reader.readline().await?).trim().to_owned();
    if line.is_empty() {
        let notes = NOTEBOOK.with_borrow(|notes| notes.join(", "));
        writer.write(format!("{number}:{notes}\n"));
        return Ok(());
    }
    let send = |remote: &Remote| {
        let line = line.clone();
        run_coroutine_threadsafe(remote, || async { NOTEBOOK.with_borrow_mut(|it| it.push(line)) })
    };
    let sent: Vec<_> = LOOPS.with_borrow(|loops| loops.iter().map(send).collect());
    for message in sent {
        message?.await?;
    }
    writer.write(format!("{number}:noted\n"));
    Ok(())
}

/// Who has answered, and what.
fn ask(address: SocketAddr, request: &str) -> Result<(usize, String), AnyError> {
    let mut connection = TcpStream::connect(address)?;
    writeln!(connection, "{request}")?;
    let mut line = String::new();
    BufReader::new(connection).read_line(&mut line)?;
    let (number, answer) = line.trim_end().split_once(':').ok_or("no answer")?;
    Ok((number.parse()?, answer.to_owned()))
}

fn main() -> Result<(), AnyError> {
    let count = thread::available_parallelism()?.get().max(2);
    let mut sockets = vec![listen(([127, 0, 0, 1], 0).into())?];
    let address = sockets[0].local_addr()?.as_socket().ok_or("it has an address")?;
    while sockets.len() < count {
        sockets.push(listen(address)?);
    }
    let (ready, is_ready) = channel();
    let start = |(number, socket)| {
        let ready = ready.clone();
        thread::spawn(move || ronde::run(serve(number, socket, ready)))
    };
    let threads: Vec<_> = sockets.into_iter().enumerate().map(start).collect();
    let loops: Vec<Remote> = is_ready.iter().take(count).collect();
    for remote in &loops {
        let all = loops.clone();
        remote.call_soon_threadsafe(|| LOOPS.set(all))?;
    }

    assert_eq!(ask(address, "milk")?.1, "noted");
    assert_eq!(ask(address, "bread")?.1, "noted");
    let answers: Vec<_> = (0..64).map(|_| ask(address, "")).collect::<Result<_, _>>()?;
    assert!(answers.iter().all(|(_, notes)| notes == "milk, bread"));
    let served: BTreeSet<_> = answers.iter().map(|(number, _)| number).collect();
    // Other systems give all connections to one of the sockets.
    assert!(served.len() > 1 || !cfg!(target_os = "linux"));
    println!("64 clients of several loops have read: {}", answers[0].1);

    for remote in &loops {
        remote.call_soon_threadsafe(|| CLOSES.with(|closes| closes.set()))?;
    }
    for thread in threads {
        thread.join().map_err(|_| "a loop panicked")???;
    }
    Ok(())
}
