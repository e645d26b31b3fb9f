//! Runs a program, which prints, and waits for its end.

use ronde::create_subprocess_exec;
use ronde::subprocess::SpawnError;

#[ronde::main]
async fn main() -> Result<(), SpawnError> {
    // A program and its arguments. It has our standard output.
    let process = create_subprocess_exec("echo").arg("Hello World").await?;
    process.wait().await;
    println!("subprocess: {process:?}");
    Ok(())
}
