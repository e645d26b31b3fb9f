//! Servers, as a program writes them with streams.

use std::io;

use ronde::{StartServer, StreamReader, StreamWriter, TlsServerOptions};

use crate::serve::{BUFFER, Service, announce, tls};

pub(crate) fn serve(service: Service) {
    ronde::run(async move {
        match service {
            Service::Echo => forever(ronde::start_server(echo, "127.0.0.1", 0)).await,
            Service::Lines => forever(ronde::start_server(lines, "127.0.0.1", 0)).await,
            Service::Tls => {
                let tls = TlsServerOptions::from_config(tls());
                forever(ronde::start_server(echo, "127.0.0.1", 0).tls(tls)).await;
            }
        }
    })
    .unwrap();
}

async fn echo(reader: StreamReader, writer: StreamWriter) {
    // A client that goes away is no failure of the server's.
    let _ = try_echo(reader, writer).await;
}

async fn try_echo(reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    loop {
        let message = reader.read(BUFFER).await?;
        if message.is_empty() {
            return Ok(());
        }
        writer.write(&message);
        writer.drain().await?;
    }
}

async fn lines(reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    loop {
        let line = reader.readline().await?;
        if line.is_empty() {
            return Ok(());
        }
        writer.write(&line);
        writer.drain().await?;
    }
}

async fn forever<H, R>(start: StartServer<H>)
where
    H: AsyncFn(StreamReader, StreamWriter) -> R + 'static,
    R: 'static,
{
    let server = start.backlog(1024).await.unwrap();
    announce(server.local_addrs()[0].port());
    server.serve_forever().await.unwrap();
}
