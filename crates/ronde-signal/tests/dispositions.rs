//! What signals do before, during and after, with real ones: this program starts itself again, once per scenario.

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() {
    match std::env::var(unix::SCENARIO) {
        Ok(name) => unix::play(&name),
        Err(_) => unix::check_all(),
    }
}

#[cfg(unix)]
mod unix {
    use std::os::fd::AsFd;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    use ronde_signal::{Arrival, Listener, Signal};
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::process::{getpid, kill_process};

    pub(super) const SCENARIO: &str = "RONDE_DISPOSITIONS_SCENARIO";

    /// A name, what happens in the child, and the signal that it must end by, if any.
    type Scenario = (&'static str, fn(), Option<Signal>);

    const SCENARIOS: &[Scenario] = &[
        ("the descriptor is readable until somebody looks", readable, None),
        ("a signal is told to all who listen, and counted", all_are_told, None),
        ("who doesn't listen isn't told", not_told, None),
        ("when the last one stops the signal kills", stops, Some(Signal::USR1)),
        ("when the last one is dropped the signal kills", dropped, Some(Signal::USR1)),
        ("a listener that comes later hears nothing of earlier", later, None),
        ("what is ignored is ignored again, also after a fallback was told", ignored_again, None),
        ("a fallback is told of the first, and the second kills", fallback, Some(Signal::INT)),
        ("no signal is lost and none kills while others come and go", coming_and_going, None),
        ("a listener that comes as the fallback is told is not overruled", overruled, None),
    ];

    pub(super) fn play(name: &str) {
        (SCENARIOS.iter().find(|scenario| scenario.0 == name).unwrap().1)();
    }

    pub(super) fn check_all() {
        println!("\nrunning {} tests", SCENARIOS.len());
        for (name, _, end) in SCENARIOS {
            // The shell has one signal ignored, which the program inherits.
            let status = Command::new("sh")
                .args(["-c", "trap '' USR2; exec \"$0\""])
                .arg(std::env::current_exe().unwrap())
                .env(SCENARIO, name)
                .status()
                .unwrap();
            assert_eq!(status.signal(), end.map(Signal::number), "{name}: {status}");
            assert!(end.is_some() || status.success(), "{name}: {status}");
            println!("test {name} ... ok");
        }
        println!("\ntest result: ok. {} passed\n", SCENARIOS.len());
    }

    fn raise(signal: Signal) {
        let signal = rustix::process::Signal::from_named_raw(signal.number()).unwrap();
        kill_process(getpid(), signal).unwrap();
    }

    fn die() -> ! {
        // slow: only if the signal doesn't end the program.
        thread::sleep(Duration::from_secs(60));
        std::process::exit(1)
    }

    fn wait(listener: &Listener) -> Vec<Arrival> {
        poll(&mut [PollFd::new(&listener.as_fd(), PollFlags::IN)], None).unwrap();
        listener.take()
    }

    fn once(signal: Signal) -> Vec<Arrival> {
        vec![Arrival { signal, count: 1 }]
    }

    fn readable() {
        let listener = Listener::new().unwrap();
        assert!(listener.listen(Signal::USR1).unwrap());
        assert!(!listener.listen(Signal::USR1).unwrap(), "again");
        assert_eq!(format!("{listener:?}"), "Listener { signals: [SIGUSR1] }");
        for _ in 0..3 {
            raise(Signal::USR1);
            assert_eq!(wait(&listener), once(Signal::USR1));
            let readable = poll(
                &mut [PollFd::new(&listener.as_fd(), PollFlags::IN)],
                Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 }),
            );
            assert_eq!(readable.unwrap(), 0);
            assert!(listener.take().is_empty());
        }
    }

    fn all_are_told() {
        let (one, two) = (Listener::new().unwrap(), Listener::new().unwrap());
        one.listen(Signal::USR1).unwrap();
        two.listen(Signal::USR1).unwrap();
        two.listen(Signal::HUP).unwrap();
        for count in 1..=3 {
            raise(Signal::USR1);
            assert_eq!(wait(&one), once(Signal::USR1));
            raise(Signal::HUP);
            let _ = count;
        }
        let expected = [Signal::HUP, Signal::USR1].map(|signal| Arrival { signal, count: 3 });
        assert_eq!(wait(&two), expected);
    }

    fn not_told() {
        let (one, two) = (Listener::new().unwrap(), Listener::new().unwrap());
        one.listen(Signal::USR1).unwrap();
        two.listen(Signal::HUP).unwrap();
        raise(Signal::USR1);
        assert_eq!(wait(&one), once(Signal::USR1));
        assert!(two.take().is_empty());
        assert!(!two.stop_listening(Signal::USR1));
    }

    fn stops() {
        let (one, two) = (Listener::new().unwrap(), Listener::new().unwrap());
        one.listen(Signal::USR1).unwrap();
        two.listen(Signal::USR1).unwrap();
        one.stop_listening(Signal::USR1);
        raise(Signal::USR1);
        assert_eq!(wait(&two), once(Signal::USR1));
        assert!(one.take().is_empty());
        two.stop_listening(Signal::USR1);
        raise(Signal::USR1);
        die();
    }

    fn dropped() {
        let listener = Listener::new().unwrap();
        listener.listen(Signal::USR1).unwrap();
        drop(listener);
        raise(Signal::USR1);
        die();
    }

    fn later() {
        let (one, other) = (Listener::new().unwrap(), Listener::new().unwrap());
        one.listen(Signal::USR1).unwrap();
        other.listen(Signal::USR1).unwrap();
        raise(Signal::USR1);
        assert_eq!(wait(&other), once(Signal::USR1));
        // The next one has the descriptor that the first one had.
        drop(one);
        let next = Listener::new().unwrap();
        next.listen(Signal::USR1).unwrap();
        assert!(next.take().is_empty());
        raise(Signal::USR1);
        assert_eq!(wait(&next), once(Signal::USR1));
    }

    fn ignored_again() {
        let listener = Listener::new().unwrap();
        listener.listen(Signal::USR2).unwrap();
        raise(Signal::USR2);
        assert_eq!(wait(&listener), once(Signal::USR2));
        listener.stop_listening(Signal::USR2);
        raise(Signal::USR2);

        assert!(listener.set_fallback(Signal::USR2).unwrap());
        raise(Signal::USR2);
        assert!(wait(&listener).is_empty());
        assert!(listener.take_fallback(Signal::USR2));
        assert!(!listener.take_fallback(Signal::USR2));
        listener.remove_fallback(Signal::USR2);
        raise(Signal::USR2);
    }

    fn fallback() {
        let listener = Listener::new().unwrap();
        assert!(listener.set_fallback(Signal::INT).unwrap());
        assert!(!listener.set_fallback(Signal::INT).unwrap(), "again");
        raise(Signal::INT);
        assert!(wait(&listener).is_empty());
        assert!(listener.take_fallback(Signal::INT));
        raise(Signal::INT);
        die();
    }

    fn coming_and_going() {
        let steady = Listener::new().unwrap();
        steady.listen(Signal::USR1).unwrap();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        let listener = Listener::new().unwrap();
                        listener.listen(Signal::USR1).unwrap();
                        let _ = listener.take();
                        listener.stop_listening(Signal::USR1);
                    }
                });
            }
            // One by one, for the system makes one of several that are pending.
            for _ in 0..2_000 {
                raise(Signal::USR1);
                assert_eq!(wait(&steady), once(Signal::USR1));
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }

    fn overruled() {
        let (fallback, listener) = (Listener::new().unwrap(), Listener::new().unwrap());
        for _ in 0..2_000 {
            assert!(fallback.set_fallback(Signal::USR1).unwrap());
            thread::scope(|scope| {
                scope.spawn(|| raise(Signal::USR1));
                listener.listen(Signal::USR1).unwrap();
            });
            // It was told to one of the two, and the next one is told to the listener in any case.
            let told = |listener: &Listener| listener.take().len();
            while told(&listener) == 0 && !fallback.take_fallback(Signal::USR1) {
                thread::yield_now();
            }
            raise(Signal::USR1);
            while told(&listener) == 0 {
                thread::yield_now();
            }
            fallback.remove_fallback(Signal::USR1);
            listener.stop_listening(Signal::USR1);
        }
    }
}
