//! What the two sides have agreed on.

use std::fmt;

use bytes::Bytes;
use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, ProtocolVersion};

/// What the two sides of a TLS connection have agreed on. Made by
/// [`StreamWriter::tls`](crate::StreamWriter::tls).
#[derive(Clone)]
pub struct TlsInfo {
    version: Option<ProtocolVersion>,
    cipher_suite: Option<CipherSuite>,
    alpn: Option<Bytes>,
    peer_certificates: Vec<CertificateDer<'static>>,
    server_name: Option<String>,
}

impl TlsInfo {
    pub(super) fn of(connection: &rustls::Connection) -> Self {
        let server_name = match connection {
            rustls::Connection::Server(server) => server.server_name().map(str::to_owned),
            rustls::Connection::Client(_) => None,
        };
        Self {
            version: connection.protocol_version(),
            cipher_suite: connection.negotiated_cipher_suite().map(|suite| suite.suite()),
            alpn: connection.alpn_protocol().map(Bytes::copy_from_slice),
            peer_certificates: connection
                .peer_certificates()
                .unwrap_or_default()
                .iter()
                .map(|certificate| certificate.clone().into_owned())
                .collect(),
            server_name,
        }
    }

    /// The version of the protocol, such as `TLSv1_3`. `None` during the handshake.
    #[must_use]
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.version
    }

    /// The cipher suite. `None` during the handshake.
    #[must_use]
    #[doc(alias = "cipher")]
    pub fn cipher_suite(&self) -> Option<CipherSuite> {
        self.cipher_suite
    }

    /// The protocol that ALPN chose, such as `h2`. `None` if there is none.
    #[must_use]
    #[doc(alias = "selected_alpn_protocol")]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.alpn.as_deref()
    }

    /// The peer's certificate, and those that vouch for it, in DER form. Empty if it showed none,
    /// as most clients do.
    #[must_use]
    #[doc(alias = "getpeercert")]
    pub fn peer_certificates(&self) -> &[CertificateDer<'static>] {
        &self.peer_certificates
    }

    /// On a server's side, the name that the client asked for.
    #[must_use]
    #[doc(alias = "sni")]
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }
}

impl fmt::Debug for TlsInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsInfo")
            .field("version", &self.version)
            .field("cipher_suite", &self.cipher_suite)
            .field("alpn", &self.alpn)
            .field("peer_certificates", &self.peer_certificates.len())
            .field("server_name", &self.server_name)
            .finish()
    }
}
