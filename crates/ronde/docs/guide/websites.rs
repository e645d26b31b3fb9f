// What the chapter on streams has written when it goes on to check several sites: included by its
// later programs, so that each shows only what is new.

async fn site(status: &'static str, millis: u64) -> ronde::Server {
    ronde::start_server(answering(status, millis), "127.0.0.1", 0).await.unwrap()
}

/// A site that speaks TLS, and the certificate of the authority that vouches for it.
async fn tls_site(status: &'static str, millis: u64) -> (ronde::Server, String) {
    let mut params = rcgen::CertificateParams::new([]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "an authority of our own");
    let authority =
        rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap();

    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let tls = ronde::TlsServerOptions::from_pem(certificate.pem(), key.serialize_pem()).unwrap();

    let server = ronde::start_server(answering(status, millis), "127.0.0.1", 0).tls(tls);
    (server.await.unwrap(), authority.pem())
}

fn answering(
    status: &'static str,
    millis: u64,
) -> impl AsyncFn(ronde::StreamReader, ronde::StreamWriter) -> Result<(), ronde::ReadError> {
    async move |reader: ronde::StreamReader, writer: ronde::StreamWriter| {
        reader.readuntil("\r\n\r\n").await?;
        ronde::sleep(std::time::Duration::from_millis(millis)).await;
        writer.write(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"));
        Ok(())
    }
}

async fn get_status(host: &str, port: u16) -> Result<String, Box<dyn std::error::Error>> {
    let (reader, writer) = ronde::open_connection(host, port).await?;
    writer.write(format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
    let line = reader.readline().await?;
    let line = String::from_utf8_lossy(&line);
    let status = line.trim_end().strip_prefix("HTTP/1.1 ").ok_or("this is not HTTP/1.1")?;
    Ok(status.to_owned())
}
