//! An event loop of one's own: two tasks play ping-pong over a pair of sockets.
//!
//! `strace -c` on this shows what a message costs: one read, one write, one `epoll_wait`.

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    let rounds = std::env::args().nth(1).and_then(|arg| arg.parse().ok()).unwrap_or(1_000);
    let played = unix::play(rounds)?;
    println!("{played} rounds");
    assert_eq!(played, rounds);
    Ok(())
}

#[cfg(unix)]
mod unix {
    use std::future::Future;
    use std::io;
    use std::os::unix::net::UnixStream;
    use std::pin::Pin;
    use std::rc::Rc;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Wake, Waker};

    use ronde_reactor::{Direction, Reactor, Source, default_poller};

    pub(super) fn play(rounds: u64) -> io::Result<u64> {
        let reactor = Rc::new(Reactor::new(default_poller()?));
        let (left, right) = UnixStream::pair()?;
        let left = Source::new(&reactor, left)?;
        let right = Source::new(&reactor, right)?;
        let mut played = 0;
        let serve = async {
            for _ in 0..rounds {
                send(&left, b"ping").await.unwrap();
                receive(&left).await.unwrap();
                played += 1;
            }
        };
        let answer = async {
            for _ in 0..rounds {
                receive(&right).await.unwrap();
                send(&right, b"pong").await.unwrap();
            }
        };
        run(&reactor, [Box::pin(serve), Box::pin(answer)])?;
        Ok(played)
    }

    /// The loop: polls the tasks that were woken, then waits for the next to be.
    fn run(
        reactor: &Reactor,
        tasks: [Pin<Box<dyn Future<Output = ()> + '_>>; 2],
    ) -> io::Result<()> {
        let mut tasks = Vec::from(tasks.map(|task| (task, Arc::new(Flag(AtomicBool::new(true))))));
        while !tasks.is_empty() {
            tasks.retain_mut(|(task, flag)| {
                let waker = Waker::from(Arc::clone(flag));
                let woken = flag.0.swap(false, Ordering::Relaxed);
                !(woken && task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready())
            });
            if tasks.iter().all(|(_, flag)| !flag.0.load(Ordering::Relaxed)) && !tasks.is_empty() {
                reactor.wait(None, &mut |listener| listener.call())?;
            }
        }
        Ok(())
    }

    async fn send(socket: &Source, message: &[u8; 4]) -> io::Result<usize> {
        socket.io(Direction::Write, |fd| Ok(rustix::io::write(fd, message)?)).await
    }

    async fn receive(socket: &Source) -> io::Result<usize> {
        let mut buffer = [0; 64];
        let received =
            socket.io(Direction::Read, |fd| Ok(rustix::io::read(fd, &mut buffer)?)).await?;
        // Short, so the socket is empty: the next read need not be tried.
        socket.clear_ready(Direction::Read);
        Ok(received)
    }

    /// Whether a task was woken.
    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}
