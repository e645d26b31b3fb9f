//! A server to try the client with.

use std::path::PathBuf;

use ronde::create_subprocess_exec;
use ronde::subprocess::{Process, SpawnError, Stdio};
use tempfile::TempDir;

/// A `redis-server` that keeps nothing and listens on a Unix socket in a folder of its own. Dropped, it is
/// killed.
pub(crate) struct Server {
    folder: TempDir,
    process: Process,
}

impl Server {
    /// Starts one, and waits until it is ready. `None` if it isn't installed.
    pub(crate) async fn start() -> Result<Option<Self>, Box<dyn std::error::Error>> {
        let folder = TempDir::new()?;
        let started = create_subprocess_exec("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(folder.path().join("redis"))
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .await;
        let process = match started {
            Err(SpawnError::NotFound { .. }) => return Ok(None),
            started => started?,
        };
        let output = process.stdout().ok_or("the output is piped")?;
        loop {
            let line = output.readline().await?;
            if line.is_empty() {
                return Err("redis-server has ended".into());
            }
            // "The server is now ready to accept connections at ..."
            if String::from_utf8_lossy(&line).contains("now ready to accept connections") {
                break;
            }
        }
        Ok(Some(Self { folder, process }))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("redis")
    }

    pub(crate) async fn stop(self) {
        // It may have ended by itself.
        let _ = self.process.terminate();
        self.process.wait().await;
    }
}
