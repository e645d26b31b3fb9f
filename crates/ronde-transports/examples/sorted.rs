//! Has a child process sort some lines, and tells what happens to it.
//!
//! ```text
//! cargo run -q --example sorted
//! ```

use std::io;

use ronde_loop::EventLoop;
use ronde_transports::{Pipe, SubprocessProtocol, SubprocessTransport, subprocess_exec};

#[derive(Default)]
struct Sort {
    transport: Option<SubprocessTransport>,
    output: String,
}

impl SubprocessProtocol for Sort {
    fn connection_made(&mut self, transport: &SubprocessTransport) {
        println!("process {} is started", transport.pid());
        let stdin = transport.pipe_transport(Pipe::Stdin).expect("it is a pipe");
        stdin.writelines(["pear\n", "apple\n", "plum\n"]);
        stdin.write_eof();
        self.transport = Some(transport.clone());
    }

    fn pipe_data_received(&mut self, pipe: Pipe, data: &[u8]) {
        match pipe {
            Pipe::Stdout => self.output.push_str(&String::from_utf8_lossy(data)),
            other => println!("{other}: {}", String::from_utf8_lossy(data)),
        }
    }

    // Which of these comes first is not defined. `connection_lost` comes last.
    fn pipe_connection_lost(&mut self, pipe: Pipe, _error: Option<io::Error>) {
        println!("its {pipe} is closed");
    }

    fn process_exited(&mut self) {
        let returncode = self.transport.as_ref().unwrap().returncode();
        println!("it has ended: {}", returncode.expect("it has"));
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if !cfg!(unix) {
        println!("there are no pipes to children on this system");
        return Ok(());
    }
    EventLoop::new()?.run_until_complete(async {
        let (transport, sort) = subprocess_exec(Sort::default, "sort").await?;
        transport.wait_closed().await;
        print!("{}", sort.with(|sort| sort.output.clone()));
        Ok(())
    })?
}
