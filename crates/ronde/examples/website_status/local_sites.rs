//! Ten sites of the program's own: eight that answer, each in its way and its time, and two that don't.

use std::error::Error;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use ronde::{ReadError, Server, StreamReader, StreamWriter, TlsServerOptions, sleep, start_server};
use url::Url;

/// All sites are on this machine, and nobody else can reach them.
const HOST: &str = "127.0.0.1";

/// A site that answers.
struct Site {
    scheme: &'static str,
    path: &'static str,
    /// From the status on, with headers if need be.
    reply: &'static str,
    delay: Duration,
}

const SITES: [Site; 8] = [
    Site::new("http", "/", "200 OK", 50),
    Site::new("http", "/empty", "204 No Content", 100),
    Site::new("http", "/old", "301 Moved Permanently\r\nLocation: /new", 150),
    Site::new("http", "/missing", "404 Not Found", 200),
    Site::new("http", "/busy", "503 Service Unavailable", 250),
    Site::new("https", "/", "200 OK", 300),
    Site::new("https", "/broken", "500 Internal Server Error", 200),
    Site::new("https", "/teapot", "418 I'm a teapot", 100),
];

impl Site {
    const fn new(
        scheme: &'static str,
        path: &'static str,
        reply: &'static str,
        millis: u64,
    ) -> Self {
        Self { scheme, path, reply, delay: Duration::from_millis(millis) }
    }

    async fn serve(&'static self, tls: &TlsServerOptions) -> Result<Server, Box<dyn Error>> {
        let server =
            start_server(async |reader, writer| self.answer(reader, writer).await, HOST, 0);
        let server = if self.scheme == "https" { server.tls(tls.clone()) } else { server };
        Ok(server.await?)
    }

    async fn answer(&self, reader: StreamReader, writer: StreamWriter) -> Result<(), ReadError> {
        reader.readuntil("\r\n\r\n").await?;
        sleep(self.delay).await;
        let reply = self.reply;
        writer.write(format!("HTTP/1.1 {reply}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
        Ok(())
    }
}

/// Accepts, listens, and says nothing until the other side gives up.
async fn keep_silent(reader: StreamReader, _writer: StreamWriter) {
    // Whatever comes, even a failure, is no reason to speak.
    let _ = reader.read_to_end().await;
}

/// The sites, which serve until they are closed.
pub(crate) struct LocalSites {
    servers: Vec<Server>,
    urls: Vec<Url>,
    certificate_authority: String,
}

impl LocalSites {
    /// Starts them all. What speaks TLS has a certificate from an authority that is made here as well.
    pub(crate) async fn start() -> Result<Self, Box<dyn Error>> {
        let authority = make_authority()?;
        let tls = make_identity(&authority)?;
        let mut sites =
            Self { servers: Vec::new(), urls: Vec::new(), certificate_authority: authority.pem() };
        for site in &SITES {
            sites.add(site.scheme, site.path, site.serve(&tls).await?)?;
        }
        sites.add("http", "/silent", start_server(keep_silent, HOST, 0).await?)?;
        sites.add("http", "/refused", start_server(keep_silent, HOST, 0).await?)?;
        if let Some(last) = sites.servers.last() {
            // Nobody listens on its port any more.
            last.close();
        }
        Ok(sites)
    }

    fn add(&mut self, scheme: &str, path: &str, server: Server) -> Result<(), Box<dyn Error>> {
        let address = *server.local_addrs().first().ok_or("a server has no address")?;
        self.urls.push(Url::parse(&format!("{scheme}://{address}{path}"))?);
        self.servers.push(server);
        Ok(())
    }

    pub(crate) fn urls(&self) -> &[Url] {
        &self.urls
    }

    /// The authority's certificate, in PEM form.
    pub(crate) fn certificate_authority(&self) -> &str {
        &self.certificate_authority
    }

    pub(crate) async fn close(self) {
        for server in &self.servers {
            server.close();
        }
        for server in &self.servers {
            server.wait_closed().await;
        }
    }
}

fn make_authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::new([])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "the authority of website_status");
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn make_identity(
    authority: &CertifiedIssuer<'_, KeyPair>,
) -> Result<TlsServerOptions, Box<dyn Error>> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new([HOST.to_owned()])?.signed_by(&key, authority)?;
    Ok(TlsServerOptions::from_pem(certificate.pem(), key.serialize_pem())?)
}
