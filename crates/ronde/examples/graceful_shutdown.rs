//! A server that ends without cutting its clients off.
//!
//! When it is told to stop, it accepts no more connections, gives those that there are a moment to
//! finish, and only then cuts off whoever is left. Without arguments it plays both sides, and tells
//! itself to stop. With a port, such as `7000`, it serves until Ctrl-C, which cancels the main task.

use std::error::Error;
use std::time::Duration;

use ronde::{
    ReadError, Server, StreamReader, StreamWriter, catch_cancelled, create_task, gather_all,
    open_connection, sleep, start_server, timeout,
};

/// How long clients have to finish after the server was told to stop.
const GRACE: Duration = Duration::from_millis(900);

/// Answers one request: a line with the number of milliseconds that the work is to take.
async fn answer(reader: StreamReader, writer: StreamWriter) -> Result<(), ReadError> {
    let request = reader.readline().await?;
    let request = String::from_utf8_lossy(&request);
    match request.trim().parse() {
        Ok(milliseconds) => {
            sleep(Duration::from_millis(milliseconds)).await;
            writer.write(format!("that took {milliseconds} ms\n"));
        }
        Err(error) => writer.write(format!("{}: {error}\n", request.trim())),
    }
    Ok(())
}

/// Serves until the task is cancelled, and ends in good order.
async fn serve(server: Server) {
    // The loop accepts connections by itself. All that is left to do is to wait for the end.
    let Err(cancelled) = catch_cancelled(std::future::pending::<()>()).await else { return };

    println!("no more clients; {} connections are open", server.connections());
    server.close();
    match timeout(GRACE, server.wait_closed()).await {
        Ok(()) => println!("all of them have finished"),
        Err(_) => {
            println!("time is up; connections that are cut off: {}", server.connections());
            server.abort_clients();
        }
    }
    cancelled.raise().await
}

#[ronde::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: Option<u16> = std::env::args().nth(1).map(|port| port.parse()).transpose()?;
    let server = start_server(answer, "localhost", port.unwrap_or(0)).await?;
    let address = server.local_addrs()[0];
    if port.is_some() {
        println!("listening on {address}");
        serve(server).await;
        return Ok(());
    }

    let serving = create_task(serve(server));
    let clients = create_task(gather_all([100, 700, 60_000].map(|work| ask(address.port(), work))));
    sleep(Duration::from_millis(400)).await;
    serving.cancel();
    for answer in clients.await?? {
        answer?;
    }
    assert!(serving.await.is_err_and(|error| error.is_cancelled()));
    println!("the server has ended");
    Ok(())
}

/// Asks the server for so many milliseconds of work.
async fn ask(port: u16, work: u64) -> Result<(), Box<dyn Error>> {
    let (reader, writer) = open_connection("localhost", port).await?;
    writer.write(format!("{work}\n"));
    match reader.readline().await {
        Ok(answer) if !answer.is_empty() => {
            println!("client {work}: {}", String::from_utf8_lossy(&answer).trim_end());
        }
        _ => println!("client {work}: no answer"),
    }
    Ok(())
}
