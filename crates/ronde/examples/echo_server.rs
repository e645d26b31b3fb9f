//! A TCP echo server. Without arguments it asks itself a few times and ends; with an address to
//! listen on, such as `127.0.0.1:7000`, it serves until Ctrl-C.

use std::error::Error;
use std::net::SocketAddr;

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

async fn ask(server: SocketAddr, number: usize) -> Result<String, ReadError> {
    let connected = open_connection(server.ip().to_string(), server.port()).await;
    let (reader, writer) = connected.map_err(std::io::Error::other)?;
    writer.write(format!("message {number}\n"));
    let answer = reader.readline().await?;
    writer.close();
    Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
}

#[ronde::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listen: Option<SocketAddr> = std::env::args().nth(1).map(|a| a.parse()).transpose()?;
    let (host, port) = listen.map_or_else(Default::default, |a| (a.ip().to_string(), a.port()));
    let host = if host.is_empty() { "127.0.0.1".to_owned() } else { host };
    let server = start_server(echo, host, port).await?;
    if listen.is_some() {
        println!("listening on {:?}", server.local_addrs());
        server.serve_forever().await?;
        return Ok(());
    }
    let address = server.local_addrs()[0];
    for answer in gather_all((1..=3).map(|number| ask(address, number))).await? {
        println!("{}", answer?);
    }
    server.close();
    server.wait_closed().await;
    Ok(())
}
