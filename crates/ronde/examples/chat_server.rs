//! A chat: what one client writes, all the others get.
//!
//! Without arguments two guests visit the server, and it ends. With a port, such as `7000`, it serves
//! until Ctrl-C: visit it with `nc localhost 7000`. All connections are served by one thread, so
//! the list of guests needs no lock.

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;

use ronde::{ReadError, StreamReader, StreamWriter, open_connection, start_server};

/// A guest who doesn't read is shown the door when this much is waiting for them.
const MOST_BYTES_WAITING: usize = 1024 * 1024;

#[derive(Default)]
struct Room {
    guests: RefCell<Vec<Guest>>,
}

struct Guest {
    name: String,
    writer: Rc<StreamWriter>,
}

impl Room {
    /// Sends a line to all but the one whom it is from. Writing never waits, so neither does this.
    fn tell_others(&self, from: &str, line: &str) {
        for guest in self.guests.borrow().iter().filter(|guest| guest.name != from) {
            guest.writer.write(line);
            if guest.writer.write_buffer_size() > MOST_BYTES_WAITING {
                guest.writer.abort(); // Their own task notices, and lets them go.
            }
        }
    }

    /// Lets a guest in, unless another one has their name.
    fn enter(&self, guest: Guest) -> bool {
        let mut guests = self.guests.borrow_mut();
        let is_free = guests.iter().all(|other| other.name != guest.name);
        if is_free {
            guests.push(guest);
        }
        is_free
    }

    fn leave(&self, name: &str) {
        self.guests.borrow_mut().retain(|guest| guest.name != name);
    }

    /// What the server does for a guest, from the question for their name to their leave.
    async fn welcome(&self, reader: StreamReader, writer: StreamWriter) -> Result<(), ReadError> {
        writer.write("Your name?\n");
        let Some(name) = read_line(&reader).await? else { return Ok(()) };
        let writer = Rc::new(writer);
        if !self.enter(Guest { name: name.clone(), writer: writer.clone() }) {
            writer.write("Somebody here has that name already.\n");
            return Ok(());
        }
        writer.write(format!("Welcome, {name}.\n"));
        self.tell_others(&name, &format!("{name} has come\n"));

        let said = self.pass_on(&name, &reader).await;
        self.leave(&name);
        self.tell_others(&name, &format!("{name} has left\n"));
        said
    }

    async fn pass_on(&self, name: &str, reader: &StreamReader) -> Result<(), ReadError> {
        while let Some(line) = read_line(reader).await? {
            self.tell_others(name, &format!("{name}: {line}\n"));
        }
        Ok(())
    }
}

/// The next line, or `None` when the other side has closed.
async fn read_line(reader: &StreamReader) -> Result<Option<String>, ReadError> {
    let line = reader.readline().await?;
    let text = String::from_utf8_lossy(&line);
    Ok((!line.is_empty()).then(|| text.trim_end().to_owned()))
}

#[ronde::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: Option<u16> = std::env::args().nth(1).map(|port| port.parse()).transpose()?;
    let room = Rc::new(Room::default());
    let serve = async move |reader, writer| room.welcome(reader, writer).await;
    let server = start_server(serve, "localhost", port.unwrap_or(0)).await?;
    let address = server.local_addrs()[0];
    if port.is_some() {
        println!("listening on {address}");
        server.serve_forever().await?;
        return Ok(());
    }

    let (anna_hears, anna) = visit(address.port(), "Anna").await?;
    let (otto_hears, otto) = visit(address.port(), "Otto").await?;
    println!("Anna reads: {}", read_line(&anna_hears).await?.unwrap_or_default());
    anna.write("Good morning!\n");
    println!("Otto reads: {}", read_line(&otto_hears).await?.unwrap_or_default());
    otto.write("Is it?\n");
    println!("Anna reads: {}", read_line(&anna_hears).await?.unwrap_or_default());
    anna.close();
    println!("Otto reads: {}", read_line(&otto_hears).await?.unwrap_or_default());
    otto.close();

    server.close();
    server.wait_closed().await;
    Ok(())
}

/// Enters the chat as a client.
async fn visit(port: u16, name: &str) -> Result<(StreamReader, StreamWriter), Box<dyn Error>> {
    let (reader, writer) = open_connection("localhost", port).await?;
    read_line(&reader).await?; // the question for the name
    writer.write(format!("{name}\n"));
    println!("{name} reads: {}", read_line(&reader).await?.unwrap_or_default());
    Ok((reader, writer))
}
