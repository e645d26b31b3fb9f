//! Programs that everybody knows, on the other side of the connection.

#[path = "support/certificates.rs"]
mod certificates;
mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use certificates::authority;
use ronde_loop::get_running_loop;
use ronde_streams::{StreamReader, StreamWriter, TlsOptions, open_connection, start_server};
use support::run;

/// Ends a child when the test is over.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(program: &str, arguments: &[&str]) -> Running {
    let child = Command::new(program)
        .args(arguments)
        .env("PYTHONUNBUFFERED", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    Running(child.unwrap_or_else(|error| panic!("this test needs {program}: {error}")))
}

/// The number behind the last `:` or `port ` of the first line that has one.
fn port_in_output(child: &mut Running, marker: &str) -> u16 {
    let mut output = BufReader::new(child.0.stdout.as_mut().unwrap());
    let mut line = String::new();
    loop {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "it ended without telling its port");
        if let Some((_, rest)) = line.split_once(marker) {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            return digits.parse().unwrap();
        }
    }
}

fn write(path: &Path, text: &str) -> String {
    std::fs::write(path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_file_comes_from_pythons_http_server() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let body: String = (0..200_000).map(|number| format!("{number}\n")).collect();
        write(&directory.path().join("numbers.txt"), &body);
        let root = directory.path().to_str().unwrap();
        let mut server =
            start("python3", &["-m", "http.server", "0", "-b", "127.0.0.1", "-d", root]);
        let port = port_in_output(&mut server, " port ");

        let (reader, writer) = open_connection("127.0.0.1", port).await.unwrap();
        writer.write("GET /numbers.txt HTTP/1.0\r\nHost: localhost\r\n\r\n");
        let head = reader.readuntil("\r\n\r\n").await.unwrap();
        let head = String::from_utf8(head.to_vec()).unwrap();
        assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{head}");
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
        assert_eq!(reader.read_to_end().await.unwrap(), body);
        writer.close();
        writer.wait_closed().await.unwrap();
    });
}

#[test]
fn python_fetches_from_a_server_of_ours() {
    run(async {
        let server = start_server(
            async |reader: StreamReader, writer: StreamWriter| {
                reader.readuntil("\r\n\r\n").await.unwrap();
                writer.write("HTTP/1.0 200 OK\r\nContent-Length: 1000000\r\n\r\n");
                writer.write(vec![b'x'; 1_000_000]);
            },
            "127.0.0.1",
            0,
        )
        .await
        .unwrap();
        let address = server.local_addrs()[0];
        let script = format!(
            "import urllib.request as r; print(len(r.urlopen('http://{address}/').read()))"
        );
        let fetching = get_running_loop().unwrap().run_in_executor(None, move || {
            Command::new("python3").args(["-c", &script]).output().expect("this test needs python3")
        });
        let output = fetching.unwrap().await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "1000000\n", "{output:?}");
    });
}

#[test]
fn openssls_server_answers_over_tls() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let pem = authority().certify("localhost");
        let chain = write(&directory.path().join("chain.pem"), &pem.chain);
        let key = write(&directory.path().join("key.pem"), &pem.key);
        for version in ["-tls1_3", "-tls1_2"] {
            let mut server = start(
                "openssl",
                &[
                    "s_server",
                    "-accept",
                    "127.0.0.1:0",
                    "-cert",
                    &chain,
                    "-key",
                    &key,
                    "-rev",
                    version,
                ],
            );
            let port = port_in_output(&mut server, "ACCEPT 127.0.0.1:");
            let connecting = open_connection("localhost", port).tls(authority().client());
            let (reader, writer) = connecting.await.unwrap();
            let info = writer.tls().unwrap();
            let expected = if version == "-tls1_3" { "TLSv1_3" } else { "TLSv1_2" };
            assert_eq!(format!("{:?}", info.version().unwrap()), expected);
            for word in ["hello", "streams"] {
                writer.write(format!("{word}\n"));
                let reversed: String = word.chars().rev().collect();
                assert_eq!(reader.readline().await.unwrap(), format!("{reversed}\n"));
            }
            writer.close();
            writer.wait_closed().await.unwrap();
        }
    });
}

#[test]
fn openssls_client_is_answered_over_tls() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let roots = write(&directory.path().join("roots.pem"), &authority().pem);
        let server = start_server(
            async |reader: StreamReader, writer: StreamWriter| {
                while let Some(Ok(line)) = reader.lines().next().await {
                    writer.write(line.to_ascii_uppercase());
                }
            },
            "127.0.0.1",
            0,
        )
        .tls(authority().certify("localhost").server())
        .await
        .unwrap();
        let address = server.local_addrs()[0].to_string();
        for version in ["-tls1_3", "-tls1_2"] {
            let mut client = start(
                "openssl",
                &[
                    "s_client",
                    "-connect",
                    &address,
                    "-servername",
                    "localhost",
                    "-CAfile",
                    &roots,
                    "-verify_return_error",
                    "-verify_hostname",
                    "localhost",
                    "-quiet",
                    version,
                ],
            );
            client.0.stdin.as_mut().unwrap().write_all(b"hello\nworld\n").unwrap();
            let answer = get_running_loop().unwrap().run_in_executor(None, move || {
                let mut output = BufReader::new(client.0.stdout.take().unwrap());
                let mut lines = String::new();
                output.read_line(&mut lines).unwrap();
                output.read_line(&mut lines).unwrap();
                lines
            });
            assert_eq!(answer.unwrap().await.unwrap(), "HELLO\nWORLD\n");
        }
    });
}

#[test]
fn openssls_own_certificate_is_trusted_when_it_is_listed() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let [chain, key] = ["chain.pem", "key.pem"].map(|name| directory.path().join(name));
        let [chain, key] = [&chain, &key].map(|path| path.to_str().unwrap());
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
            .args(["-keyout", key, "-out", chain])
            .output()
            .expect("this test needs openssl");
        assert!(made.status.success(), "{made:?}");
        let accept = ["s_server", "-accept", "127.0.0.1:0", "-rev", "-cert", chain, "-key", key];
        let mut server = start("openssl", &accept);
        let port = port_in_output(&mut server, "ACCEPT 127.0.0.1:");

        let stranger = open_connection("localhost", port).tls(authority().client());
        let error = stranger.await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "TLS with localhost: the certificate is self-signed, and not one of those that are trusted"
        );
        let tls = TlsOptions::new().cafile(chain);
        let (reader, writer) = open_connection("localhost", port).tls(tls).await.unwrap();
        writer.write("hello\n");
        assert_eq!(reader.readline().await.unwrap(), "olleh\n");
    });
}

#[test]
fn a_connection_to_pythons_asyncio_ends_on_both_sides_whoever_begins() {
    const SERVER: &str = "
import asyncio, ssl, sys
async def handle(reader, writer):
    while line := await reader.readline():
        if line == b'end\\n':
            break
        writer.write(line.upper())
    writer.close()
    await writer.wait_closed()
    print('closed well', flush=True)
async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server = await asyncio.start_server(handle, '127.0.0.1', 0, ssl=context)
    print('port', server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
";
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let pem = authority().certify("localhost");
        let chain = write(&directory.path().join("chain.pem"), &pem.chain);
        let key = write(&directory.path().join("key.pem"), &pem.key);
        let mut server = start("python3", &["-c", SERVER, &chain, &key]);
        let mut output = BufReader::new(server.0.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("port ").unwrap().parse().unwrap();
        for we_begin in [true, false] {
            let tls = authority().client();
            let (reader, writer) = open_connection("localhost", port).tls(tls).await.unwrap();
            writer.write("hello\n");
            assert_eq!(reader.readline().await.unwrap(), "HELLO\n");
            if !we_begin {
                writer.write("end\n");
                assert!(reader.read_to_end().await.unwrap().is_empty());
            }
            writer.close();
            // Well below the limit of either side.
            let closing =
                ronde_loop::timeout(std::time::Duration::from_secs(10), writer.wait_closed());
            closing.await.unwrap().unwrap();
            line.clear();
            output.read_line(&mut line).unwrap();
            assert_eq!(line, "closed well\n");
        }
    });
}
