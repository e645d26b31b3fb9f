//! A server that echoes what it is sent, and a client that stops when it has said everything.
//!
//! ```text
//! cargo run -q --example protocol_echo
//! ```

use std::io;

use ronde_loop::{EventLoop, Promise};
use ronde_transports::{Protocol, Transport, create_connection, create_server};

/// Sends back what comes, and no faster than the peer takes it.
#[derive(Default)]
struct Echo {
    transport: Option<Transport>,
}

impl Protocol for Echo {
    fn connection_made(&mut self, transport: &Transport) {
        println!("server: connection from {}", transport.peer_addr().unwrap());
        self.transport = Some(transport.clone());
    }

    fn data_received(&mut self, data: &[u8]) {
        self.transport.as_ref().unwrap().write(data);
    }

    // A peer that sends without reading is not read from until it does.
    fn pause_writing(&mut self) {
        self.transport.as_ref().unwrap().pause_reading();
    }

    fn resume_writing(&mut self) {
        self.transport.as_ref().unwrap().resume_reading();
    }

    fn connection_lost(&mut self, _error: Option<io::Error>) {
        println!("server: connection closed");
    }
}

/// Says something, and ends when it has come back.
struct Client {
    transport: Option<Transport>,
    message: &'static str,
    echo: String,
    done: Promise<String>,
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(self.message);
        self.transport = Some(transport.clone());
    }

    fn data_received(&mut self, data: &[u8]) {
        self.echo.push_str(&String::from_utf8_lossy(data));
        if self.echo.len() >= self.message.len() {
            self.transport.as_ref().unwrap().close();
        }
    }

    fn connection_lost(&mut self, _error: Option<io::Error>) {
        let _ = self.done.set_result(std::mem::take(&mut self.echo));
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    EventLoop::new()?.run_until_complete(async {
        let server = create_server(Echo::default, "127.0.0.1", 0).await?;
        let port = server.local_addrs()[0].port();

        let done = Promise::new();
        let client = Client {
            transport: None,
            message: "Hello, World!",
            echo: String::new(),
            done: done.clone(),
        };
        create_connection(|| client, "127.0.0.1", port).await?;
        println!("client: {:?} came back", done.await?);

        server.close();
        server.wait_closed().await;
        Ok(())
    })?
}
