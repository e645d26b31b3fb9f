//! What can go wrong with TLS, in plain words.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, OtherError};

use super::verifier::SelfSigned;

/// What was wrong with TLS.
///
/// The variants are the cases that a user can do something about; all else is
/// [`Protocol`](Self::Protocol) or [`Io`](Self::Io). Where rustls said more, it is the
/// [`source`](Error::source).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// The peer's certificate has expired.
    Expired(rustls::Error),
    /// The peer's certificate will be valid later only. Maybe a clock is wrong.
    NotValidYet(rustls::Error),
    /// The peer's certificate was made for another name.
    WrongName(rustls::Error),
    /// The peer's certificate is vouched for by itself only, and is not one that we trust.
    SelfSigned(rustls::Error),
    /// The peer's certificate is vouched for by somebody who is not one of our roots.
    UnknownIssuer(rustls::Error),
    /// The peer's certificate has been revoked.
    Revoked(rustls::Error),
    /// The peer's certificate is no good for another reason.
    BadCertificate(rustls::Error),
    /// The peer does not speak TLS.
    NotTls(rustls::Error),
    /// The peer refused, and said why.
    RefusedByPeer(rustls::Error),
    /// The peer ended the connection during the handshake.
    ClosedByPeer,
    /// The two sides have nothing in common, or one of them does not keep to the protocol.
    Protocol(rustls::Error),
    /// The connection failed during the handshake.
    Io(Arc<io::Error>),
    /// TLS was to begin, and the peer had sent something before that has not been read. It can't belong
    /// to TLS, for the peer has not heard of it yet: somebody on the way may have put it there.
    EarlyPlaintext {
        /// How many bytes those are.
        bytes: usize,
    },
    /// TLS is spoken on this connection already. The connection is as it was.
    AlreadyStarted,
    /// The options contradict each other, or a certificate or key can't be read.
    Options {
        /// What is wrong with which of them.
        message: String,
        /// What the system or rustls said.
        source: Option<Arc<dyn Error + Send + Sync>>,
    },
}

impl TlsError {
    pub(crate) fn options(message: impl Into<String>) -> Self {
        Self::Options { message: message.into(), source: None }
    }

    pub(crate) fn options_because(
        message: impl Into<String>,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self::Options { message: message.into(), source: Some(Arc::new(source)) }
    }

    /// Finds out why a handshake failed from the error that the connection gave.
    pub(crate) fn from_io(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::ClosedByPeer;
        }
        let mut cause = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
        while let Some(error) = cause {
            if let Some(tls) = error.downcast_ref::<Self>() {
                return tls.clone();
            }
            cause = error.source();
        }
        Self::Io(Arc::new(error))
    }

    fn rustls(&self) -> Option<&rustls::Error> {
        match self {
            Self::Expired(error)
            | Self::NotValidYet(error)
            | Self::WrongName(error)
            | Self::SelfSigned(error)
            | Self::UnknownIssuer(error)
            | Self::Revoked(error)
            | Self::BadCertificate(error)
            | Self::NotTls(error)
            | Self::RefusedByPeer(error)
            | Self::Protocol(error) => Some(error),
            Self::ClosedByPeer
            | Self::Io(_)
            | Self::EarlyPlaintext { .. }
            | Self::AlreadyStarted
            | Self::Options { .. } => None,
        }
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        use rustls::Error as E;
        match &error {
            E::InvalidCertificate(reason) => match reason {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    Self::Expired(error)
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    Self::NotValidYet(error)
                }
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => Self::WrongName(error),
                CertificateError::UnknownIssuer => Self::UnknownIssuer(error),
                CertificateError::Revoked => Self::Revoked(error),
                CertificateError::Other(other) if SelfSigned::is_in(other) => {
                    Self::SelfSigned(error)
                }
                _ => Self::BadCertificate(error),
            },
            // What isn't TLS fails in its first bytes, as a message of a kind that doesn't exist.
            E::InvalidMessage(_) => Self::NotTls(error),
            E::AlertReceived(_) => Self::RefusedByPeer(error),
            _ => Self::Protocol(error),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(_) => f.write_str("the certificate has expired"),
            Self::NotValidYet(_) => f.write_str("the certificate is not valid yet"),
            Self::WrongName(error) => {
                f.write_str("the certificate is for another name")?;
                write_names(f, error)
            }
            Self::SelfSigned(_) => {
                f.write_str("the certificate is self-signed, and not one of those that are trusted")
            }
            Self::UnknownIssuer(_) => {
                f.write_str("the certificate is from an issuer that we don't know")
            }
            Self::Revoked(_) => f.write_str("the certificate has been revoked"),
            Self::BadCertificate(error) => write!(f, "the certificate is no good: {error}"),
            Self::NotTls(_) => f.write_str("the peer does not speak TLS"),
            Self::RefusedByPeer(rustls::Error::AlertReceived(alert)) => {
                write!(f, "the peer refused: {}", alert_in_words(*alert))
            }
            Self::RefusedByPeer(error) => write!(f, "the peer refused: {error}"),
            Self::ClosedByPeer => f.write_str("the peer ended the connection during the handshake"),
            Self::Protocol(error) => error.fmt(f),
            Self::Io(error) => f.write_str(&crate::error::plain(error)),
            Self::EarlyPlaintext { bytes } => {
                write!(f, "{bytes} bytes that the peer sent before TLS began have not been read")
            }
            Self::AlreadyStarted => f.write_str("TLS is spoken on this connection already"),
            Self::Options { message, source: None } => f.write_str(message),
            Self::Options { message, source: Some(source) } => {
                match source.downcast_ref::<io::Error>() {
                    Some(error) => write!(f, "{message}: {}", crate::error::plain(error)),
                    None => write!(f, "{message}: {source}"),
                }
            }
        }
    }
}

/// `(example.org was asked for, it is for a.example and b.example)`, if rustls says so.
fn write_names(f: &mut fmt::Formatter<'_>, error: &rustls::Error) -> fmt::Result {
    let rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
        expected,
        presented,
    }) = error
    else {
        return Ok(());
    };
    let names: Vec<_> = presented.iter().map(|name| name_in_words(name)).collect();
    write!(f, ": {} was asked for, it is for {}", expected.to_str(), names.join(", "))
}

/// rustls gives names in the form of Rust's `Debug`: `DnsName("example.org")`.
fn name_in_words(name: &str) -> &str {
    name.split('"').nth(1).unwrap_or(name)
}

fn alert_in_words(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::HandshakeFailure => "no parameters in common".into(),
        AlertDescription::ProtocolVersion => "no version of TLS in common".into(),
        AlertDescription::NoApplicationProtocol => "no application protocol in common".into(),
        AlertDescription::UnknownCA => "it does not know who issued our certificate".into(),
        AlertDescription::BadCertificate => "it does not accept our certificate".into(),
        AlertDescription::CertificateExpired => "our certificate has expired".into(),
        AlertDescription::CertificateRequired => "it wants a certificate from us".into(),
        AlertDescription::UnrecognisedName => "it has no certificate for that name".into(),
        other => format!("{other:?}"),
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(&**error),
            Self::Options { source, .. } => source.as_ref().map(|source| &**source as _),
            _ => self.rustls().map(|error| error as _),
        }
    }
}

impl SelfSigned {
    fn is_in(other: &OtherError) -> bool {
        other.0.downcast_ref::<Self>().is_some()
    }
}
