//! A TCP echo server: every client gets back what it sends.
//!
//! Without arguments it asks itself a few times, and ends. With a port, such as `7000`, it serves
//! until Ctrl-C.

use std::error::Error;

use ronde::{ReadError, StreamReader, StreamWriter, gather_all, open_connection, start_server};

async fn echo(reader: StreamReader, writer: StreamWriter) -> Result<(), ReadError> {
    loop {
        let message = reader.read(4096).await?;
        if message.is_empty() {
            return Ok(());
        }
        writer.write(&message);
        writer.drain().await?;
    }
}

async fn ask(port: u16, number: usize) -> Result<String, Box<dyn Error>> {
    let (reader, writer) = open_connection("localhost", port).await?;
    writer.write(format!("message {number}\n"));
    let answer = reader.readline().await?;
    writer.close();
    Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
}

#[ronde::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: Option<u16> = std::env::args().nth(1).map(|port| port.parse()).transpose()?;
    let server = start_server(echo, "localhost", port.unwrap_or(0)).await?;
    let address = server.local_addrs()[0];
    if port.is_some() {
        println!("listening on {address}");
        server.serve_forever().await?;
        return Ok(());
    }

    for answer in gather_all((1..=3).map(|number| ask(address.port(), number))).await? {
        println!("{}", answer?);
    }
    server.close();
    server.wait_closed().await;
    Ok(())
}
