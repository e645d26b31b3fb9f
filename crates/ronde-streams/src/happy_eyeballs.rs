//! Connecting to a host that has several addresses: RFC 8305, "Happy Eyeballs".
//!
//! Addresses of the two families alternate. Each attempt gets a head start, and then the next one runs
//! beside it; after a failure the next one starts at once. The first that succeeds wins. The others are
//! dropped, which closes their sockets.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ronde_context::decline;
use ronde_loop::{LoopHandle, Sleep, Source, sleep};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// What became of each address that was tried, in the order of the attempts.
pub(crate) type Attempts = Vec<(SocketAddr, io::Error)>;

/// How it is connected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// How long an attempt has the field to itself. `None`: until it has failed.
    pub(crate) delay: Option<Duration>,
    /// How many addresses of the first family are tried before one of the other; `0` leaves the order
    /// as it is.
    pub(crate) interleave: usize,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) nodelay: bool,
    pub(crate) keep_alive: bool,
}

/// Connects to the first of `addresses` that answers.
pub(crate) async fn connect(
    event_loop: &LoopHandle,
    addresses: Vec<SocketAddr>,
    options: Options,
) -> Result<(Source, SocketAddr), Attempts> {
    let attempt = |address| Box::pin(attempt(event_loop.clone(), address, options)) as Attempt;
    let mut race = Race::new(attempt, interleave(addresses, options.interleave), options.delay);
    poll_fn(|cx| race.poll(cx)).await
}

type Attempt = Pin<Box<dyn Future<Output = io::Result<Source>>>>;

struct Race<F> {
    attempt: F,
    addresses: Vec<SocketAddr>,
    /// How many of the addresses have been tried.
    started: usize,
    /// With the index of the address.
    running: Vec<(usize, Attempt)>,
    failed: Vec<(usize, io::Error)>,
    head_start: HeadStart,
    delay: Option<Duration>,
}

/// The time in which the latest attempt is left alone.
enum HeadStart {
    Over,
    Runs(Sleep),
    /// It lasts until the attempt has failed.
    UntilFailure,
}

impl<F: Fn(SocketAddr) -> Attempt> Race<F> {
    fn new(attempt: F, addresses: Vec<SocketAddr>, delay: Option<Duration>) -> Self {
        Self {
            attempt,
            addresses,
            started: 0,
            running: Vec::new(),
            failed: Vec::new(),
            head_start: HeadStart::Over,
            delay,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(Source, SocketAddr), Attempts>> {
        if decline(cx) {
            return Poll::Pending;
        }
        loop {
            if matches!(self.head_start, HeadStart::Over) {
                self.start_next();
            }
            match self.poll_attempts(cx) {
                Some(winner) => return Poll::Ready(Ok(winner)),
                None if self.is_lost() => return Poll::Ready(Err(self.take_attempts())),
                None => {}
            }
            let has_next = self.started < self.addresses.len();
            if !has_next || !self.may_start_next(cx) {
                return Poll::Pending;
            }
        }
    }

    /// Is the head start of the latest attempt over, or did an attempt fail?
    fn may_start_next(&mut self, cx: &mut Context<'_>) -> bool {
        if let HeadStart::Runs(timer) = &mut self.head_start
            && Pin::new(timer).poll(cx).is_ready()
        {
            self.head_start = HeadStart::Over;
        }
        matches!(self.head_start, HeadStart::Over)
    }

    fn start_next(&mut self) {
        let Some(address) = self.addresses.get(self.started) else { return };
        self.running.push((self.started, (self.attempt)(*address)));
        self.started += 1;
        let has_next = self.started < self.addresses.len();
        self.head_start = match self.delay {
            _ if !has_next => HeadStart::Over,
            Some(delay) => HeadStart::Runs(sleep(delay)),
            None => HeadStart::UntilFailure,
        };
    }

    /// Polls all that run, and returns the winner if there is one. A failure ends the head start.
    fn poll_attempts(&mut self, cx: &mut Context<'_>) -> Option<(Source, SocketAddr)> {
        let mut index = 0;
        while let Some((number, attempt)) = self.running.get_mut(index) {
            let number = *number;
            match attempt.as_mut().poll(cx) {
                Poll::Pending => index += 1,
                Poll::Ready(Ok(source)) => return Some((source, self.addresses[number])),
                Poll::Ready(Err(error)) => {
                    drop(self.running.swap_remove(index));
                    self.failed.push((number, error));
                    self.head_start = HeadStart::Over;
                }
            }
        }
        None
    }

    fn is_lost(&self) -> bool {
        self.failed.len() == self.addresses.len()
    }

    fn take_attempts(&mut self) -> Attempts {
        let mut failed = std::mem::take(&mut self.failed);
        failed.sort_by_key(|(number, _)| *number);
        failed.into_iter().map(|(number, error)| (self.addresses[number], error)).collect()
    }
}

/// Alternates between the families, beginning with `first_count` addresses of the family of the first
/// one; `0` leaves all as it is. The order within a family stays: it is the resolver's, by RFC 6724.
fn interleave(addresses: Vec<SocketAddr>, first_count: usize) -> Vec<SocketAddr> {
    let mut unique: Vec<SocketAddr> = Vec::with_capacity(addresses.len());
    for address in addresses {
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    if first_count == 0 {
        return unique;
    }
    let first_is_ipv6 = unique.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        unique.into_iter().partition(|address| address.is_ipv6() == first_is_ipv6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut mixed: Vec<_> = first.by_ref().take(first_count - 1).collect();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return mixed;
        }
        mixed.extend(pair.into_iter().flatten());
    }
}

async fn attempt(
    event_loop: LoopHandle,
    address: SocketAddr,
    options: Options,
) -> io::Result<Source> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(local) = options.local {
        socket.bind(&local.into())?;
    }
    socket.set_tcp_nodelay(options.nodelay)?;
    if options.keep_alive {
        socket.set_keepalive(true)?;
    }
    connect_socket(&event_loop, socket, &address.into()).await
}

/// Connects one socket to one address.
pub(crate) async fn connect_socket(
    event_loop: &LoopHandle,
    socket: Socket,
    address: &SockAddr,
) -> io::Result<Source> {
    let source = event_loop.register(socket)?;
    event_loop.sock_connect(&source, address.clone()).await?;
    Ok(source)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Instant;

    use ronde_loop::{EventLoop, SimulatedClock, get_running_loop};

    use super::*;

    /// What happens when, in milliseconds.
    #[derive(Clone)]
    struct Log {
        start: Instant,
        lines: Rc<RefCell<Vec<String>>>,
    }

    impl Log {
        fn push(&self, line: String) {
            let now = get_running_loop().unwrap().time() - self.start;
            self.lines.borrow_mut().push(format!("{} {line}", now.as_millis()));
        }
    }

    /// Logs when an attempt ends, however it ends.
    struct Ends(Log, u16);

    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.push(format!("{} ends", self.1));
        }
    }

    /// Races attempts that take so many milliseconds, and succeed or fail. The first has port 1.
    fn race(attempts: &'static [(u64, bool)]) -> (Result<u16, Vec<u16>>, Vec<String>) {
        race_with(attempts, Some(Duration::from_millis(250)))
    }

    fn race_with(
        attempts: &'static [(u64, bool)],
        delay: Option<Duration>,
    ) -> (Result<u16, Vec<u16>>, Vec<String>) {
        let event_loop = EventLoop::builder().clock(SimulatedClock::new()).build().unwrap();
        let log = Log { start: event_loop.time(), lines: Rc::default() };
        let addresses =
            (1..).zip(attempts).map(|(port, _)| ([127, 0, 0, 1], port).into()).collect();
        let attempt = {
            let log = log.clone();
            move |address: SocketAddr| -> Attempt {
                let log = log.clone();
                Box::pin(async move {
                    let (milliseconds, succeeds) = attempts[usize::from(address.port()) - 1];
                    log.push(format!("{} starts", address.port()));
                    let _ends = Ends(log, address.port());
                    sleep(Duration::from_millis(milliseconds)).await;
                    if !succeeds {
                        return Err(io::ErrorKind::ConnectionRefused.into());
                    }
                    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
                    get_running_loop().unwrap().register(socket)
                })
            }
        };
        let outcome = event_loop
            .run_until_complete(async move {
                let mut race = Race::new(attempt, addresses, delay);
                let outcome = poll_fn(|cx| race.poll(cx)).await;
                drop(race);
                match outcome {
                    Ok((_, winner)) => Ok(winner.port()),
                    Err(failed) => Err(failed.iter().map(|(address, _)| address.port()).collect()),
                }
            })
            .unwrap();
        (outcome, log.lines.take())
    }

    #[test]
    fn the_next_attempt_starts_after_the_delay_and_the_losers_are_dropped() {
        let (outcome, log) = race(&[(10_000, true), (600, true), (10_000, true), (1, true)]);
        assert_eq!(outcome, Ok(4));
        assert_eq!(
            log,
            [
                "0 1 starts",
                "250 2 starts",
                "500 3 starts",
                "750 4 starts",
                "751 4 ends",
                "751 1 ends",
                "751 2 ends",
                "751 3 ends",
            ]
        );
    }

    #[test]
    fn the_next_attempt_starts_at_once_after_a_failure() {
        let (outcome, log) = race(&[(100, false), (1000, false), (400, true)]);
        assert_eq!(outcome, Ok(3));
        let expected = [
            "0 1 starts",
            "100 1 ends",
            "100 2 starts",
            "350 3 starts",
            "750 3 ends",
            "750 2 ends",
        ];
        assert_eq!(log, expected);
    }

    #[test]
    fn an_early_attempt_can_still_win() {
        let (outcome, log) = race(&[(300, true), (1000, true)]);
        assert_eq!(outcome, Ok(1));
        assert_eq!(log, ["0 1 starts", "250 2 starts", "300 1 ends", "300 2 ends"]);
    }

    #[test]
    fn without_a_delay_the_next_attempt_starts_only_after_a_failure() {
        let (outcome, log) = race_with(&[(1000, false), (700, true), (1, true)], None);
        assert_eq!(outcome, Ok(2));
        assert_eq!(log, ["0 1 starts", "1000 1 ends", "1000 2 starts", "1700 2 ends"]);
    }

    #[test]
    fn all_failures_are_kept_in_the_order_of_the_attempts() {
        let (outcome, _) = race(&[(400, false), (20, false), (30, false)]);
        assert_eq!(outcome, Err(vec![1, 2, 3]));
        assert_eq!(race(&[]).0, Err(vec![]));
    }

    #[test]
    fn families_alternate_beginning_with_the_first() {
        let addresses = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        assert_eq!(
            interleave(addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "[::1]:1"]), 1),
            addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]),
        );
        assert_eq!(
            interleave(addresses(&["1.1.1.1:1", "2.2.2.2:1", "[::1]:1"]), 1),
            addresses(&["1.1.1.1:1", "[::1]:1", "2.2.2.2:1"]),
        );
        assert!(interleave(Vec::new(), 1).is_empty());
        assert!(interleave(Vec::new(), 3).is_empty());
    }

    #[test]
    fn the_first_family_can_get_more_and_the_order_can_be_left() {
        let addresses = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let given = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "[::1]:1", "1.1.1.1:1"]);
        assert_eq!(
            interleave(given.clone(), 2),
            addresses(&["[::1]:1", "[::2]:1", "1.1.1.1:1", "[::3]:1"]),
        );
        assert_eq!(
            interleave(given, 0),
            addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]),
        );
    }
}
