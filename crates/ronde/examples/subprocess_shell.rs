//! Runs a command of the shell, which prints, and waits for its end.

use ronde::create_subprocess_shell;
use ronde::subprocess::SpawnError;

#[ronde::main]
async fn main() -> Result<(), SpawnError> {
    // The shell takes the command apart. It has our standard output.
    let process = create_subprocess_shell("echo Hello World").await?;
    process.wait().await;
    println!("subprocess: {process:?}");
    Ok(())
}
