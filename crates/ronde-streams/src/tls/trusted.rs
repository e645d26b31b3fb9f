//! Certificates that are trusted for themselves, whoever has issued them.

use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error};

use super::der;

/// The certificates that a program has listed as trusted.
///
/// A certificate that is on the list, byte for byte, needs nobody who vouches for it: whoever listed it
/// does. OpenSSL sees it in the same way. rustls does not if the certificate may issue others, as those
/// that `openssl req -x509` makes: for it, that is an authority and nothing else. That the server has the
/// key is shown by its signature in the handshake, as ever.
#[derive(Debug)]
pub(super) struct Trusted(pub(super) Vec<CertificateDer<'static>>);

impl Trusted {
    /// `None` if the certificate is not on the list; else whether it is good for that name now.
    pub(super) fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Option<Result<(), Error>> {
        self.0.contains(certificate).then(|| {
            let parsed = ParsedCertificate::try_from(certificate)?;
            let (from, to) = der::validity(certificate).ok_or(CertificateError::BadEncoding)?;
            if now.as_secs() < from {
                return Err(CertificateError::NotValidYet.into());
            }
            if now.as_secs() > to {
                return Err(CertificateError::Expired.into());
            }
            verify_server_name(&parsed, server_name)
        })
    }
}
