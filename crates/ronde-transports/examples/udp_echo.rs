//! Datagrams that are sent back, and one that nobody receives.
//!
//! ```text
//! cargo run -q --example udp_echo
//! ```

use std::io;

use ronde_loop::{EventLoop, Promise};
use ronde_transports::{
    DatagramAddr, DatagramProtocol, DatagramTransport, create_datagram_endpoint,
};

#[derive(Default)]
struct Echo {
    transport: Option<DatagramTransport>,
}

impl DatagramProtocol for Echo {
    fn connection_made(&mut self, transport: &DatagramTransport) {
        self.transport = Some(transport.clone());
    }

    fn datagram_received(&mut self, data: &[u8], from: &DatagramAddr) {
        println!("server: {} bytes from {from}", data.len());
        // It is not connected, so any address will do.
        self.transport.as_ref().unwrap().sendto(data, from).unwrap();
    }
}

/// Asks once, and keeps what comes of it.
struct Client {
    message: &'static str,
    answer: Promise<io::Result<String>>,
}

impl DatagramProtocol for Client {
    fn connection_made(&mut self, transport: &DatagramTransport) {
        transport.send(self.message).unwrap();
    }

    fn datagram_received(&mut self, data: &[u8], _from: &DatagramAddr) {
        let _ = self.answer.set_result(Ok(String::from_utf8_lossy(data).into_owned()));
    }

    fn error_received(&mut self, error: io::Error) {
        let _ = self.answer.set_result(Err(error));
    }
}

/// Sends a message, and waits for what comes of it.
async fn ask(message: &'static str, port: u16) -> io::Result<String> {
    let answer = Promise::new();
    let client = Client { message, answer: answer.clone() };
    let endpoint = create_datagram_endpoint(|| client).remote_addr("127.0.0.1", port);
    let (transport, _) = endpoint.await?;
    let answer = answer.await.expect("nobody cancels it");
    transport.close();
    answer
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    EventLoop::new()?.run_until_complete(async {
        let endpoint = create_datagram_endpoint(Echo::default).local_addr("127.0.0.1", 0);
        let (server, _) = endpoint.await?;
        let port = server.local_addr().unwrap().port();
        println!("client: {:?} came back", ask("Hello, World!", port).await?);

        server.close();
        server.wait_closed().await;
        let error = ask("Is anybody there?", port).await.unwrap_err();
        println!("client: {error}");
        Ok(())
    })?
}
