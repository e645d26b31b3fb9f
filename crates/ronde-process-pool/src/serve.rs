//! What a worker does.

use std::io::{self, Read, Write};
use std::process;
use std::sync::mpsc;
use std::thread;

use crate::registry::Registry;
use crate::sys::{self, Socket};
use crate::wire::{self, Kind, Reply};

/// The code that a worker ends with that could not begin.
const FAILED: i32 = 70;

/// Runs jobs until the program at the other end is gone.
pub(crate) fn serve(registry: &Registry) -> ! {
    match run(registry) {
        Ok(()) => process::exit(0),
        Err(error) => {
            // The program sees the code; the reason is for whoever looks for it.
            let _ = writeln!(io::stderr(), "a worker of a process pool: {error}");
            process::exit(FAILED);
        }
    }
}

fn run(registry: &Registry) -> io::Result<()> {
    sys::ignore_interrupts()?;
    let mut socket = sys::take_stdin()?;
    let requests = receive(socket.try_clone()?)?;
    let hello = wire::encode(&registry.names()).map_err(io::Error::other)?;
    send(&mut socket, &Reply::new(Kind::Hello, hello));
    for request in requests {
        let Some((index, arguments)) = wire::split_request(&request) else {
            return Err(io::Error::other("a request that names no function"));
        };
        send(&mut socket, &Reply::new(Kind::Begun, []));
        let reply = registry.call(index, arguments);
        // What the job has printed is out before its result is.
        let _ = io::stdout().flush();
        send(&mut socket, &reply);
    }
    Ok(())
}

/// Receives requests on a thread of its own, which sees at once when the program is gone: a worker must
/// not compute for hours what nobody wants any more.
fn receive(mut socket: Socket) -> io::Result<mpsc::Receiver<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("requests".to_owned()).spawn(move || {
        while let Ok(request) = read_frame(&mut socket) {
            // The receiver lives as long as the process.
            let _ = sender.send(request);
        }
        process::exit(0);
    })?;
    Ok(receiver)
}

fn read_frame(socket: &mut Socket) -> io::Result<Vec<u8>> {
    let mut head = [0; wire::HEAD];
    socket.read_exact(&mut head)?;
    let length = wire::length(&head).ok_or(io::ErrorKind::OutOfMemory)?;
    let mut frame = Vec::new();
    // Grows with what arrives, whatever the length says.
    let read = socket.take(length as u64).read_to_end(&mut frame)?;
    if read < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(frame) }
}

fn send(socket: &mut Socket, reply: &Reply) {
    if socket.write_all(&reply.to_frame()).is_err() {
        // Nobody listens any more.
        process::exit(0);
    }
}
