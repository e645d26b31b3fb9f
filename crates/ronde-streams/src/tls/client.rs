//! The client's side.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use ronde_loop::LoopHandle;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::error::TlsError;
use super::trusted::Trusted;
use super::verifier::Verifier;
use super::{Session, provider};

/// How a client speaks TLS.
///
/// By default it trusts what the platform trusts, or Mozilla's list if the platform has none, and
/// expects a certificate for the host that it connects to. TLS 1.3 and 1.2 are spoken.
///
/// To load the roots is work; it is done once, on another thread. Clones share the result, so keep
/// the options for many connections. Default roots are loaded once in a process.
///
/// # In asyncio
///
/// `ssl.create_default_context`. There is no `check_hostname = False`; with
/// [`from_config`](Self::from_config) anything is possible.
///
/// # Examples
///
/// ```
/// use ronde_streams::{TlsOptions, open_connection};
///
/// let tls = TlsOptions::new().alpn(["h2", "http/1.1"]);
/// let connecting = open_connection("example.org", 443).tls(tls);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
#[doc(alias = "SSLContext")]
pub struct TlsOptions {
    roots: Vec<Roots>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
    server_name: Option<String>,
    alpn: Vec<Vec<u8>>,
    config: Option<Arc<ClientConfig>>,
    /// What the above comes to. Clones share it, a change starts anew.
    built: Arc<OnceLock<Arc<ClientConfig>>>,
}

#[derive(Clone, Debug)]
enum Roots {
    Pem(Vec<u8>),
    File(PathBuf),
}

impl TlsOptions {
    /// Starts with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses a configuration of rustls as it is. Of the other options only the
    /// [server name](Self::server_name) and [ALPN](Self::alpn), if given, apply.
    pub fn from_config(config: Arc<ClientConfig>) -> Self {
        Self { config: Some(config), ..Self::default() }
    }

    /// Trusts these certificates, in PEM form, instead of the platform's. May be called repeatedly.
    ///
    /// They are those of authorities, or of servers: a server whose own certificate is listed needs
    /// nobody who vouches for it, a self-signed one say.
    pub fn root_certificates_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(Roots::Pem(pem.into()));
        self.changed()
    }

    /// Trusts the certificates in this PEM file instead of the platform's, as
    /// [`root_certificates_pem`](Self::root_certificates_pem). May be called repeatedly.
    ///
    /// It is read when it is needed, on another thread.
    pub fn cafile(mut self, path: impl Into<PathBuf>) -> Self {
        self.roots.push(Roots::File(path.into()));
        self.changed()
    }

    /// Shows the server a certificate of our own, if it asks for one. Both in PEM form; the chain
    /// begins with the certificate itself.
    pub fn identity_pem(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Some((chain.into(), key.into()));
        self.changed()
    }

    /// Expects a certificate for this name or address instead of the host's.
    #[doc(alias = "server_hostname")]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Offers these protocols, the best one first. [`TlsInfo::alpn`](crate::TlsInfo::alpn) tells
    /// what the server chose.
    #[doc(alias = "set_alpn_protocols")]
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self.changed()
    }

    fn changed(self) -> Self {
        Self { built: Arc::default(), ..self }
    }

    /// Loads what is needed for connections to `host`, and checks it.
    pub(crate) async fn prepare(
        &self,
        event_loop: &LoopHandle,
        host: Option<&str>,
    ) -> Result<Prepared, TlsError> {
        let name = self.server_name.as_deref().or(host).ok_or_else(|| {
            TlsError::options(
                "nothing says which name the certificate must be for: give a server name",
            )
        })?;
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let name = ServerName::try_from(name.to_owned()).map_err(|error| {
            TlsError::options_because(format!("{name:?} can't be a server's name"), error)
        })?;
        Ok(Prepared { config: self.config(event_loop).await?, name })
    }

    async fn config(&self, event_loop: &LoopHandle) -> Result<Arc<ClientConfig>, TlsError> {
        if let Some(built) = self.built.get() {
            return Ok(built.clone());
        }
        let options = self.clone();
        let job = event_loop.run_in_executor(None, move || options.build()).map_err(|error| {
            TlsError::options_because("loading certificates on another thread", error)
        })?;
        let built = job.await.map_err(|error| {
            TlsError::options_because("loading certificates on another thread", error)
        })??;
        // If another connection was faster, all use its result.
        Ok(self.built.get_or_init(|| built).clone())
    }

    /// Reads files, and takes milliseconds: not for the loop's thread.
    fn build(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let config = match &self.config {
            Some(config) => config.clone(),
            None if self.roots.is_empty() && self.identity.is_none() => default_config()?,
            None => Arc::new(self.build_own()?),
        };
        if self.alpn.is_empty() {
            return Ok(config);
        }
        let mut config = (*config).clone();
        config.alpn_protocols.clone_from(&self.alpn);
        Ok(Arc::new(config))
    }

    fn build_own(&self) -> Result<ClientConfig, TlsError> {
        let mut roots = RootCertStore::empty();
        let mut trusted = Vec::new();
        for source in &self.roots {
            for certificate in source.load()? {
                roots.add(certificate.clone()).map_err(|error| {
                    TlsError::options_because("a root certificate is no good", error)
                })?;
                trusted.push(certificate);
            }
        }
        if self.roots.is_empty() {
            roots = default_roots();
        }
        let builder = verifying(roots, trusted)?;
        match &self.identity {
            None => Ok(builder.with_no_client_auth()),
            Some((chain, key)) => {
                Ok(builder.with_client_auth_cert(certificates(chain)?, private_key(key)?)?)
            }
        }
    }
}

impl Roots {
    fn load(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        match self {
            Self::Pem(pem) => certificates(pem),
            Self::File(path) => {
                let file = path.display();
                let pem = std::fs::read(path).map_err(|error| {
                    TlsError::options_because(format!("reading certificates from {file}"), error)
                })?;
                certificates_in(&pem, &file.to_string())
            }
        }
    }
}

/// The certificates in a PEM text, of which there must be at least one.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    certificates_in(pem, "the PEM text")
}

fn certificates_in(pem: &[u8], place: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| {
        TlsError::options_because(format!("a certificate in {place} can't be read"), error)
    })?;
    if certificates.is_empty() {
        return Err(TlsError::options(format!("there is no certificate in {place}")));
    }
    Ok(certificates)
}

/// All that a client needs to know before it connects.
pub(crate) struct Prepared {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Prepared {
    /// Makes the client's side of one connection.
    pub(crate) fn connect(self) -> Result<Session, TlsError> {
        Ok(Session::new(ClientConnection::new(self.config, self.name)?))
    }
}

pub(super) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|error| TlsError::options_because("the private key can't be read", error))
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn verifying(
    roots: RootCertStore,
    trusted: Vec<CertificateDer<'static>>,
) -> Result<Builder, TlsError> {
    let provider = provider();
    let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| TlsError::options_because("the root certificates", error))?;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { webpki, trusted: Trusted(trusted) })))
}

/// Made once in a process.
fn default_config() -> Result<Arc<ClientConfig>, TlsError> {
    static DEFAULT: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = DEFAULT.get() {
        return Ok(config.clone());
    }
    let config = Arc::new(verifying(default_roots(), Vec::new())?.with_no_client_auth());
    Ok(DEFAULT.get_or_init(|| config).clone())
}

/// What the platform trusts, or Mozilla's list if it has none.
fn default_roots() -> RootCertStore {
    let native = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Stores contain certificates that nobody can use any more; one of them is no reason to fail.
    let (added, _ignored) = roots.add_parsable_certificates(native.certs);
    if added == 0 {
        for error in native.errors {
            tracing::debug!(target: "ronde", %error, "loading the platform's root certificates");
        }
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}
