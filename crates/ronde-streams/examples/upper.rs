//! A filter: it writes what it reads in capitals, and counts the lines.
//!
//! ```text
//! printf 'one\ntwo\n' | cargo run -q --example upper
//! ```

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use ronde_loop::EventLoop;
    use ronde_streams::{stderr, stdin, stdout};

    EventLoop::new()?.run_until_complete(async {
        let (input, output, report) = (stdin()?, stdout()?, stderr()?);
        let mut lines = input.lines();
        let mut count = 0;
        while let Some(line) = lines.next().await {
            output.write(line?.to_ascii_uppercase());
            output.drain().await?;
            count += 1;
        }
        output.flush().await?;
        report.write(format!("{count} lines\n"));
        report.flush().await?;
        Ok(())
    })?
}

#[cfg(not(unix))]
fn main() {
    eprintln!("standard streams can be read and written by a loop on Unix only");
}
