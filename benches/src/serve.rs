//! What the servers of all runtimes have in common: what they are asked for, and how they say where
//! they are and what they have worked.

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::scenario::cpu_nanos;

/// Bytes that are read at once.
pub(crate) const BUFFER: usize = 16 * 1024;

/// What a server does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// What arrives goes back.
    Echo,
    /// Each line goes back, with a call of its own.
    Lines,
    /// As `Echo`, through TLS.
    Tls,
}

impl Service {
    pub(crate) const ALL: &[Self] = &[Self::Echo, Self::Lines, Self::Tls];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Lines => "lines",
            Self::Tls => "tls",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|service| service.name() == name)
    }
}

#[cfg(feature = "peers")]
/// A socket that listens, at a port that the system chose. Runtimes make theirs of it.
pub(crate) fn listener() -> std::net::TcpListener {
    // The standard library's own number of waiting connections would do for 128.
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        None,
    )
    .expect("a socket");
    rustix::net::bind(&socket, &std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0))
        .expect("a port");
    rustix::net::listen(&socket, 1024).expect("to listen");
    let listener = std::net::TcpListener::from(socket);
    listener.set_nonblocking(true).expect("a socket may be nonblocking");
    announce(listener.local_addr().expect("it is bound").port());
    listener
}

/// Says at which port the server is, and from then on answers each line of the standard input with the
/// nanoseconds that this process has worked. Ends the process when the input ends.
///
/// The thread that does that waits while the server works.
pub(crate) fn announce(port: u16) {
    say(&port.to_string());
    std::thread::spawn(|| {
        for line in std::io::stdin().lock().lines() {
            if line.is_err() {
                break;
            }
            say(&format!("{:.0}", cpu_nanos()));
        }
        std::process::exit(0);
    });
}

fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    let written = writeln!(output, "{line}").and_then(|()| output.flush());
    if written.is_err() {
        std::process::exit(1); // nobody listens any more
    }
}

/// A certificate of its own for each server. Clients look at none.
pub(crate) fn tls() -> Arc<ServerConfig> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let chain = vec![CertificateDer::from(made.cert)];
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    Arc::new(config.expect("the key is the certificate's"))
}
