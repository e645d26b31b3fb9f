//! The clients: one plain thread with blocking sockets, in a process of its own, the same for all servers.
//!
//! It writes one message on each connection, then reads the answers, and so on. So with one connection
//! the server answers one request at a time, and with many it finds many sockets ready at once.

use std::io::{BufRead as _, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use crate::serve::Service;

/// What clients do, and what with.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// Words with hyphens: it is an argument, and the first column of a table.
    pub(crate) name: &'static str,
    pub(crate) service: Service,
    /// How many connections there are; with none, each request has one of its own.
    pub(crate) connections: u32,
    /// The bytes of a request, and of its answer.
    pub(crate) bytes: usize,
    /// How many requests are written together.
    pub(crate) deep: u32,
    /// How many requests take some tenths of a second.
    pub(crate) count: u32,
}

#[rustfmt::skip]
pub(crate) const LOADS: &[Load] = &[
    Load { name: "echo-1", service: Service::Echo, connections: 1, bytes: 64, deep: 1, count: 20_000 },
    Load { name: "echo-64", service: Service::Echo, connections: 64, bytes: 64, deep: 1, count: 64_000 },
    Load { name: "echo-1000", service: Service::Echo, connections: 1000, bytes: 64, deep: 1, count: 80_000 },
    Load { name: "echo-64-of-16k", service: Service::Echo, connections: 64, bytes: 16 * 1024, deep: 1, count: 16_000 },
    Load { name: "connect", service: Service::Echo, connections: 0, bytes: 64, deep: 1, count: 6_000 },
    Load { name: "lines-64-deep", service: Service::Lines, connections: 1, bytes: 64, deep: 64, count: 128_000 },
    Load { name: "tls-1k", service: Service::Tls, connections: 16, bytes: 1024, deep: 1, count: 16_000 },
];

impl Load {
    /// The next number of requests that all connections have an equal part in.
    pub(crate) fn whole_rounds(&self, count: u32) -> u32 {
        count.next_multiple_of(self.connections.max(1) * self.deep)
    }
}

pub(crate) fn named(name: &str) -> Option<&'static Load> {
    LOADS.iter().find(|load| load.name == name)
}

/// Connects, says so, and works when a line arrives at the standard input; says how many nanoseconds
/// that took, and keeps its connections until another line arrives.
pub(crate) fn run(load: &Load, port: u16, count: u32) {
    let mut lines = std::io::stdin().lock().lines();
    let mut connections: Vec<_> =
        (0..load.connections).map(|_| connect(port, load.service)).collect();
    let mut messages = messages(load);
    if connections.is_empty() {
        alone(port, load, &mut messages, 1);
    } else {
        round(&mut connections, &mut messages);
    }
    println!("ready");
    lines.next();

    let start = Instant::now();
    if connections.is_empty() {
        alone(port, load, &mut messages, count);
    } else {
        for _ in 0..count / (load.connections * load.deep) {
            round(&mut connections, &mut messages);
        }
    }
    println!("{}", start.elapsed().as_nanos());
    lines.next();
}

/// What is written at once.
fn messages(load: &Load) -> Vec<u8> {
    let mut message = vec![b'x'; load.bytes];
    message[load.bytes - 1] = b'\n';
    message.repeat(load.deep as usize)
}

fn round(connections: &mut [Box<dyn Connection>], messages: &mut [u8]) {
    for connection in &mut *connections {
        connection.write_all(messages).expect("the server reads");
        connection.flush().expect("the server reads");
    }
    for connection in connections {
        connection.read_exact(messages).expect("the server answers");
    }
}

/// A connection for each request.
fn alone(port: u16, load: &Load, message: &mut [u8], count: u32) {
    for _ in 0..count {
        round(&mut [connect(port, load.service)], message);
    }
}

trait Connection: Read + Write {}

impl<T: Read + Write> Connection for T {}

fn connect(port: u16, service: Service) -> Box<dyn Connection> {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    stream.set_nodelay(true).expect("a socket of TCP");
    // Whoever waits for so long waits for ever.
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("the time is not zero");
    if service != Service::Tls {
        return Box::new(stream);
    }
    let config = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("it is a name");
    let session = ClientConnection::new(Arc::new(config), name).expect("the defaults fit");
    Box::new(StreamOwned::new(session, stream))
}

/// Trusts every server: they are all ours.
#[derive(Debug)]
struct Anyone;

impl Anyone {
    fn algorithms() -> WebPkiSupportedAlgorithms {
        rustls::crypto::ring::default_provider().signature_verification_algorithms
    }
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = Self::algorithms();
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = Self::algorithms();
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        Self::algorithms().supported_schemes()
    }
}
