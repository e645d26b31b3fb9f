//! A server that answers each line in capitals, and a client that tries it.

use std::error::Error;

use ronde_loop::EventLoop;
use ronde_streams::{ReadError, StreamReader, StreamWriter, open_connection, start_server};

async fn shout(reader: StreamReader, writer: StreamWriter) -> Result<(), ReadError> {
    let mut lines = reader.lines();
    while let Some(line) = lines.next().await {
        writer.write(line?.to_ascii_uppercase());
        writer.drain().await?;
    }
    Ok(())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let server = start_server(shout, "127.0.0.1", 0).await?;
    let port = server.local_addrs()[0].port();

    let (reader, writer) = open_connection("127.0.0.1", port).await?;
    writer.writelines(["hello\n", "is anybody there?\n"]);
    writer.write_eof();
    let answer = reader.read_to_end().await?;
    print!("{}", String::from_utf8_lossy(&answer));
    assert_eq!(answer, "HELLO\nIS ANYBODY THERE?\n");

    writer.close();
    server.close();
    server.wait_closed().await;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    EventLoop::new()?.run_until_complete(run())?
}
