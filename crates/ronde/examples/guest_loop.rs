//! A loop as a guest: the main loop belongs to a user interface, and ronde's tasks run in between.

/// What a toolkit would have: a queue of key presses with a descriptor to wait on, and a screen.
#[cfg(unix)]
mod toolkit {
    use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
    use std::os::fd::BorrowedFd;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    pub(crate) struct Window {
        keys: PipeReader,
        keyboard: PipeWriter,
        pub(crate) screen: Vec<String>,
    }

    impl Window {
        pub(crate) fn open() -> io::Result<Self> {
            let (keys, keyboard) = io::pipe()?;
            Ok(Self { keys, keyboard, screen: Vec::new() })
        }

        /// Somebody presses a key.
        pub(crate) fn press(&mut self, key: u8) -> io::Result<()> {
            self.keyboard.write_all(&[key])
        }

        /// Waits for a key, for something at `other`, or for as long as `limit`. Gives the key.
        pub(crate) fn wait(
            &mut self,
            other: BorrowedFd<'_>,
            limit: Option<Duration>,
        ) -> io::Result<Option<u8>> {
            // Rounded up, as a wait that is over too early would be a turn for nothing.
            let limit = limit.map(|limit| Timespec {
                tv_sec: limit.as_secs().try_into().unwrap_or(i64::MAX),
                tv_nsec: limit.subsec_nanos().into(),
            });
            let mut waiting = [
                PollFd::new(&self.keys, PollFlags::IN),
                PollFd::from_borrowed_fd(other, PollFlags::IN),
            ];
            poll(&mut waiting, limit.as_ref())?;
            if waiting[0].revents().is_empty() {
                return Ok(None);
            }
            let mut key = [0];
            self.keys.read_exact(&mut key)?;
            Ok(Some(key[0]))
        }
    }
}

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Duration;

    use ronde::low_level::EventLoop;
    use ronde::{ReadError, StreamReader, StreamWriter, open_connection, sleep, start_server};

    let mut window = toolkit::Window::open()?;
    let guest = EventLoop::new()?;
    let news = Rc::new(RefCell::new(Vec::new()));

    // A server somewhere, which takes its time.
    let greet = async |reader: StreamReader, writer: StreamWriter| {
        let name = reader.readline().await?;
        sleep(Duration::from_millis(20)).await;
        writer.write(format!("hello, {}", String::from_utf8_lossy(&name)));
        Ok::<(), ReadError>(())
    };
    let serving = async move { start_server(greet, "127.0.0.1", 0).await };
    let server = guest.run_until_complete(serving)??;
    let port = server.local_addrs()[0].port();

    window.press(b'g')?;
    window.press(b'g')?;
    let mut asked = 0;
    loop {
        // quote: host
        // The toolkit's own main loop. It never waits while a task could go on.
        let key = window.wait(guest.waits_on().expect("a poller of Unix"), guest.next_wait())?;
        // end quote
        match key {
            Some(b'g') => {
                asked += 1;
                let (news, name) = (news.clone(), format!("guest {asked}"));
                guest
                    .create_task(async move {
                        let (reader, writer) = open_connection("127.0.0.1", port).await.unwrap();
                        writer.write(format!("{name}\n"));
                        let line = reader.readline().await.unwrap();
                        news.borrow_mut().push(line);
                    })
                    .detach();
            }
            Some(b'q') => break,
            _ => {}
        }
        guest.run_once(Some(Duration::ZERO))?;
        for line in news.take() {
            window.screen.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            if window.screen.len() == 2 {
                window.press(b'q')?;
            }
        }
    }

    server.close();
    window.screen.sort();
    println!("{}", window.screen.join("\n"));
    assert_eq!(window.screen, ["hello, guest 1", "hello, guest 2"]);
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    println!("a completion port can't be waited for beside other descriptors");
}
