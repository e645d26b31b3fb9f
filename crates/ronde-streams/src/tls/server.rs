//! The server's side.

use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

use super::client::{certificates, private_key};
use super::error::TlsError;
use super::{Session, provider};

/// How a server speaks TLS: above all, its certificate.
///
/// TLS 1.3 and 1.2 are spoken. Clones are cheap.
///
/// # In asyncio
///
/// `ssl.SSLContext(PROTOCOL_TLS_SERVER)` with `load_cert_chain`.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use ronde_streams::{TlsServerOptions, start_server};
///
/// let tls = TlsServerOptions::from_pem(std::fs::read("chain.pem")?, std::fs::read("key.pem")?)?;
/// let server = start_server(async |_, writer| writer.write("hello\n"), "", 8443).tls(tls).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TlsServerOptions {
    config: Arc<ServerConfig>,
}

impl TlsServerOptions {
    /// Uses a certificate and its key, both in PEM form. The chain begins with the certificate itself.
    ///
    /// # Errors
    ///
    /// [`TlsError::Options`] if one of them can't be read, or they don't belong together.
    pub fn from_pem(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificates(chain.as_ref())?, private_key(key.as_ref())?)
            .map_err(|error| TlsError::options_because("the certificate and its key", error))?;
        Ok(Self { config: Arc::new(config) })
    }

    /// Uses a configuration of rustls as it is: to ask for certificates of clients, say.
    #[must_use]
    pub fn from_config(config: Arc<ServerConfig>) -> Self {
        Self { config }
    }

    /// Speaks these protocols, the best one first. A client that offers only others is refused.
    #[must_use]
    #[doc(alias = "set_alpn_protocols")]
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        let config = Arc::make_mut(&mut self.config);
        config.alpn_protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    pub(crate) fn session(&self) -> Result<Session, TlsError> {
        Ok(Session::new(ServerConnection::new(self.config.clone())?))
    }
}
