//! Signals, real ones: this program starts itself again, once per scenario, as signals go to a whole process.
//!
//! A scenario prints what is compared, and ends as it is expected to: by itself, or by a signal.

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
    use std::cell::Cell;
    use std::error::Error;
    use std::fs;
    use std::future::{pending, poll_fn};
    use std::os::unix::process::ExitStatusExt;
    use std::panic::catch_unwind;
    use std::pin::Pin;
    use std::process::Command;
    use std::rc::Rc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, mpsc};
    use std::task::{Context, Poll, Waker};
    use std::thread;
    use std::time::Duration;

    use futures_core::Stream;
    use ronde_context::{ContextVar, catch_cancelled};
    use ronde_loop::{
        EventLoop, LoopHandle, RunError, Signal, SignalHandlerError, SimulatedClock,
        get_running_loop, sleep, yield_now,
    };
    use rustix::process::{getpid, kill_process};
    use signal_hook::consts::{SIGTERM, SIGUSR1};

    pub(super) const SCENARIO: &str = "RONDE_SIGNALS_SCENARIO";

    struct Scenario {
        name: &'static str,
        play: fn(),
        output: &'static [&'static str],
        end: End,
        /// A signal that whoever starts it has ignored.
        ignored: Option<&'static str>,
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum End {
        Exit(i32),
        Killed(i32),
    }

    const fn scenario(
        name: &'static str,
        play: fn(),
        output: &'static [&'static str],
        end: End,
    ) -> Scenario {
        Scenario { name, play, output, end, ignored: None }
    }

    const OK: End = End::Exit(0);
    const TERM: End = End::Killed(SIGTERM);

    const SCENARIOS: &[Scenario] = &[
        scenario("a handler is called in the loop each time", each_time, &["1", "2", "3"], OK),
        scenario("a second handler replaces the first", replaced, &["second"], OK),
        scenario("a handler runs in the context of who added it", in_context, &["here"], OK),
        scenario("a handler may remove itself", removes_itself, &["once"], TERM),
        scenario("after its removal the signal kills", killed_after_removal, &["handled"], TERM),
        scenario(
            "after the loop is closed the signal kills",
            killed_after_close,
            &["handled"],
            TERM,
        ),
        scenario(
            "after the loop is dropped the signal kills",
            killed_after_drop,
            &["handled"],
            TERM,
        ),
        scenario(
            "after the tasks stop waiting the signal kills",
            killed_after_waiting,
            &["SIGTERM"],
            TERM,
        ),
        Scenario {
            ignored: Some("TERM"),
            ..scenario(
                "a signal that was ignored is ignored again",
                ignored,
                &["handled", "alive"],
                OK,
            )
        },
        scenario(
            "a signal that does nothing by default does nothing again",
            harmless,
            &["handled", "alive"],
            OK,
        ),
        scenario(
            "a removed handler is not called for what came before",
            removed_before,
            &["nothing"],
            OK,
        ),
        scenario(
            "a handler that panics is reported and stays",
            panics,
            &["reported", "reported"],
            OK,
        ),
        scenario(
            "loops in several threads handle the same signal",
            several_loops,
            &["3 loops", "2 loops", "1 loop"],
            TERM,
        ),
        scenario(
            "a real-time signal is handled as often as it came",
            real_time,
            &["3 times"],
            End::Killed(REAL_TIME),
        ),
        scenario(
            "handlers of the program that were there before are called and stay",
            before_ours,
            &["1 and 1", "2 and 1"],
            OK,
        ),
        scenario(
            "handlers of the program that came later are called and stay",
            after_ours,
            &["1 and 1", "2 and 1", "3 and 2", "4 and 2"],
            OK,
        ),
        scenario(
            "tasks wait for signals",
            tasks_wait,
            &["SIGHUP", "SIGUSR1", "SIGUSR1", "nothing more"],
            OK,
        ),
        scenario(
            "several wait for the same signal, beside a handler",
            several_wait,
            &["handler", "one: SIGUSR1", "two: SIGUSR1"],
            OK,
        ),
        scenario(
            "a wait that is dropped or cancelled takes no signal",
            dropped_wait,
            &["SIGUSR1", "SIGUSR1"],
            OK,
        ),
        scenario("signals are a stream", stream, &["SIGUSR1"], OK),
        scenario("signals that can't be handled are errors", errors, &["all refused"], TERM),
        scenario(
            "a closed loop takes no handlers",
            closed,
            &["panics", "panics", "panics", "false"],
            OK,
        ),
        scenario(
            "a loop with a simulated clock waits for signals and for nothing after",
            simulated,
            &["handled", "a deadlock"],
            OK,
        ),
        scenario("descriptors are used again", descriptors, &["no more than at first"], OK),
        scenario(
            "a fallback is told once, if nobody handles the signal",
            fallback,
            &["handler", "fallback"],
            TERM,
        ),
        scenario(
            "a fallback that is removed leaves nothing",
            removed_fallback,
            &["told", "not told"],
            TERM,
        ),
        scenario(
            "one loop has the fallback, and what it has told stays told",
            one_fallback,
            &["taken", "told", "handler", "free"],
            TERM,
        ),
    ];

    pub(super) fn play(name: &str) {
        (SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap().play)();
    }

    pub(super) fn check_all() {
        println!("\nrunning {} tests", SCENARIOS.len());
        for scenario in SCENARIOS {
            check(scenario);
            println!("test {} ... ok", scenario.name);
        }
        println!("\ntest result: ok. {} passed\n", SCENARIOS.len());
    }

    fn check(scenario: &Scenario) {
        let program = std::env::current_exe().unwrap();
        let mut command = match scenario.ignored {
            None => Command::new(program),
            Some(signal) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("trap '' {signal}; exec \"$0\"")]).arg(program);
                shell
            }
        };
        let output = command.env(SCENARIO, scenario.name).output().unwrap();
        let lines: Vec<_> = str::from_utf8(&output.stdout).unwrap().lines().collect();
        let end = match output.status.signal() {
            Some(signal) => End::Killed(signal),
            None => End::Exit(output.status.code().unwrap()),
        };
        assert!(
            lines == scenario.output && end == scenario.end,
            "{}: {lines:?}, {end:?}\n{}",
            scenario.name,
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn raise(signal: Signal) {
        raise_number(signal.number());
    }

    fn raise_number(number: i32) {
        match rustix::process::Signal::from_named_raw(number) {
            Some(signal) => kill_process(getpid(), signal).unwrap(),
            // rustix knows no real-time signals by name, but a shell does.
            None => {
                let status = Command::new("kill")
                    .args([format!("-{number}"), std::process::id().to_string()])
                    .status();
                assert!(status.unwrap().success());
            }
        }
    }

    /// It may arrive on any thread, so a little later. The program is expected to end by it.
    fn die_by(number: i32) {
        raise_number(number);
        // slow: only if the signal doesn't end the program.
        thread::sleep(Duration::from_secs(60));
        println!("alive");
    }

    /// Runs the loop until a handler stops it.
    fn stop() {
        get_running_loop().unwrap().stop();
    }

    fn prints(line: &'static str) -> impl FnMut() + 'static {
        move || {
            println!("{line}");
            stop();
        }
    }

    fn new_loop() -> EventLoop {
        EventLoop::new().unwrap()
    }

    fn handle_once(event_loop: &EventLoop, signal: Signal) {
        event_loop.add_signal_handler(signal, prints("handled")).unwrap();
        raise(signal);
        event_loop.run_forever().unwrap();
    }

    fn each_time() {
        let event_loop = new_loop();
        let mut count = 0;
        let handler = move || {
            count += 1;
            println!("{count}");
            stop();
        };
        event_loop.add_signal_handler(Signal::USR1, handler).unwrap();
        for _ in 0..3 {
            raise(Signal::USR1);
            event_loop.run_forever().unwrap();
        }
    }

    fn replaced() {
        let event_loop = new_loop();
        event_loop.add_signal_handler(Signal::USR1, || unreachable!()).unwrap();
        event_loop.add_signal_handler(Signal::USR1, prints("second")).unwrap();
        raise(Signal::USR1);
        event_loop.run_forever().unwrap();
        assert!(event_loop.remove_signal_handler(Signal::USR1));
        assert!(!event_loop.remove_signal_handler(Signal::USR1));
    }

    fn in_context() {
        static PLACE: ContextVar<&str> = ContextVar::new("place");
        let event_loop = new_loop();
        PLACE.set("here");
        let handler = || {
            println!("{}", PLACE.get().unwrap());
            stop();
        };
        event_loop.add_signal_handler(Signal::USR1, handler).unwrap();
        PLACE.set("there");
        raise(Signal::USR1);
        event_loop.run_forever().unwrap();
    }

    fn removes_itself() {
        let event_loop = new_loop();
        let handler = || {
            println!("once");
            assert!(get_running_loop().unwrap().remove_signal_handler(Signal::TERM));
            stop();
        };
        event_loop.add_signal_handler(Signal::TERM, handler).unwrap();
        raise(Signal::TERM);
        event_loop.run_forever().unwrap();
        die_by(SIGTERM);
    }

    fn killed_after_removal() {
        let event_loop = new_loop();
        handle_once(&event_loop, Signal::TERM);
        assert!(event_loop.remove_signal_handler(Signal::TERM));
        die_by(SIGTERM);
    }

    fn killed_after_close() {
        let event_loop = new_loop();
        handle_once(&event_loop, Signal::TERM);
        event_loop.close().unwrap();
        die_by(SIGTERM);
    }

    fn killed_after_drop() {
        let event_loop = new_loop();
        // A handle doesn't keep the loop open.
        let _handle = event_loop.handle();
        handle_once(&event_loop, Signal::TERM);
        drop(event_loop);
        die_by(SIGTERM);
    }

    fn killed_after_waiting() {
        let event_loop = new_loop();
        let mut signals = event_loop.signals([Signal::TERM, Signal::USR1]).unwrap();
        raise(Signal::TERM);
        let waits = async move { println!("{}", signals.recv().await) };
        event_loop.run_until_complete(waits).unwrap();
        die_by(SIGTERM);
    }

    fn ignored() {
        let event_loop = new_loop();
        handle_once(&event_loop, Signal::TERM);
        event_loop.remove_signal_handler(Signal::TERM);
        raise(Signal::TERM);
        println!("alive");
    }

    fn harmless() {
        let event_loop = new_loop();
        handle_once(&event_loop, Signal::WINCH);
        event_loop.remove_signal_handler(Signal::WINCH);
        raise(Signal::WINCH);
        println!("alive");
    }

    fn removed_before() {
        let event_loop = new_loop();
        let handler = || unreachable!("it is removed");
        event_loop.add_signal_handler(Signal::USR1, handler).unwrap();
        // It keeps the program from being killed.
        let other = new_loop();
        other.add_signal_handler(Signal::USR1, stop).unwrap();
        raise(Signal::USR1);
        other.run_forever().unwrap();
        event_loop.remove_signal_handler(Signal::USR1);
        event_loop.run_until_complete(sleep(Duration::from_millis(5))).unwrap();
        println!("nothing");
    }

    fn panics() {
        let event_loop = new_loop();
        event_loop.set_exception_handler(Some(Rc::new(|context| {
            assert!(context.to_string().contains("in a handler"), "{context}");
            println!("reported");
            stop();
        })));
        event_loop.add_signal_handler(Signal::USR1, || panic!("in a handler")).unwrap();
        for _ in 0..2 {
            raise(Signal::USR1);
            event_loop.run_forever().unwrap();
        }
    }

    /// Each has a thread of its own, and none of them is the main one.
    fn several_loops() {
        let (tell, told) = mpsc::channel();
        let start = || {
            let (ready, is_ready) = mpsc::channel();
            let tell = tell.clone();
            let thread = thread::spawn(move || {
                let event_loop = new_loop();
                event_loop
                    .add_signal_handler(Signal::TERM, move || tell.send(()).unwrap())
                    .unwrap();
                ready.send(event_loop.remote()).unwrap();
                event_loop.run_forever().unwrap();
                event_loop.close().unwrap();
            });
            (is_ready.recv().unwrap(), thread)
        };
        let mut loops: Vec<_> = (0..3).map(|_| start()).collect();
        while let Some((remote, thread)) = loops.pop() {
            let count = loops.len() + 1;
            raise(Signal::TERM);
            (0..count).for_each(|_| told.recv().unwrap());
            assert!(told.try_recv().is_err());
            println!("{count} {}", if count == 1 { "loop" } else { "loops" });
            remote.call_soon_threadsafe(stop).unwrap();
            thread.join().unwrap();
        }
        die_by(SIGTERM);
    }

    /// One that the threads of the C library don't use themselves.
    const REAL_TIME: i32 = 40;

    fn real_time() {
        let event_loop = new_loop();
        let count = Rc::new(Cell::new(0));
        let counter = count.clone();
        let handler = move || {
            counter.set(counter.get() + 1);
            if counter.get() == 3 {
                stop();
            }
        };
        event_loop.add_signal_handler(Signal::new(REAL_TIME), handler).unwrap();
        (0..3).for_each(|_| raise_number(REAL_TIME));
        event_loop.run_forever().unwrap();
        println!("{} times", count.get());
        event_loop.remove_signal_handler(Signal::new(REAL_TIME));
        die_by(REAL_TIME);
    }

    /// Counts a signal with a handler of the program's own.
    #[derive(Default)]
    struct Own {
        pipe: Option<(std::os::unix::net::UnixStream, Arc<AtomicUsize>)>,
    }

    impl Own {
        fn register() -> Self {
            let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
            signal_hook::low_level::pipe::register(SIGUSR1, theirs).unwrap();
            Self { pipe: Some((ours, Arc::default())) }
        }

        /// Waits until it was called once more.
        fn called(&self) -> usize {
            use std::io::Read;
            let (pipe, count) = self.pipe.as_ref().unwrap();
            (&*pipe).read_exact(&mut [0]).unwrap();
            count.fetch_add(1, Ordering::Relaxed) + 1
        }
    }

    fn counting(event_loop: &LoopHandle) -> Rc<Cell<usize>> {
        let count = Rc::new(Cell::new(0));
        let counter = count.clone();
        let handler = move || {
            counter.set(counter.get() + 1);
            stop();
        };
        event_loop.add_signal_handler(Signal::USR1, handler).unwrap();
        count
    }

    fn before_ours() {
        let own = Own::register();
        let event_loop = new_loop();
        let ours = counting(&event_loop);
        raise(Signal::USR1);
        event_loop.run_forever().unwrap();
        println!("{} and {}", own.called(), ours.get());
        event_loop.remove_signal_handler(Signal::USR1);
        raise(Signal::USR1);
        println!("{} and {}", own.called(), ours.get());
    }

    fn after_ours() {
        let event_loop = new_loop();
        let ours = counting(&event_loop);
        let own = Own::register();
        raise(Signal::USR1);
        event_loop.run_forever().unwrap();
        println!("{} and {}", own.called(), ours.get());
        event_loop.remove_signal_handler(Signal::USR1);
        raise(Signal::USR1);
        println!("{} and {}", own.called(), ours.get());

        // Once more: each is called once.
        let again = counting(&event_loop);
        raise(Signal::USR1);
        event_loop.run_forever().unwrap();
        event_loop.run_until_complete(sleep(Duration::from_millis(5))).unwrap();
        println!("{} and {}", own.called(), ours.get() + again.get());
        event_loop.close().unwrap();
        raise(Signal::USR1);
        println!("{} and {}", own.called(), ours.get() + again.get());
    }

    fn tasks_wait() {
        let event_loop = new_loop();
        let mut signals = event_loop.signals([Signal::USR1, Signal::HUP]).unwrap();
        assert_eq!(format!("{signals:?}"), "Signals { signals: [SIGUSR1, SIGHUP], .. }");
        event_loop
            .run_until_complete(async move {
                for signal in [Signal::HUP, Signal::USR1] {
                    raise(signal);
                    println!("{}", signals.recv().await);
                }
                // It is kept while nobody waits.
                raise(Signal::USR1);
                sleep(Duration::from_millis(5)).await;
                println!("{}", signals.recv_nowait().unwrap());
                assert_eq!(signals.recv_nowait(), None);
                println!("nothing more");
            })
            .unwrap();
    }

    fn several_wait() {
        let event_loop = new_loop();
        event_loop.add_signal_handler(Signal::USR1, || println!("handler")).unwrap();
        let mut one = event_loop.signals([Signal::USR1]).unwrap();
        let mut two = event_loop.signals([Signal::HUP, Signal::USR1]).unwrap();
        raise(Signal::USR1);
        event_loop
            .run_until_complete(async move {
                // The handler was queued before the tasks were woken.
                println!("one: {}", one.recv().await);
                println!("two: {}", two.recv().await);
            })
            .unwrap();
    }

    fn dropped_wait() {
        let event_loop = new_loop();
        let mut signals = event_loop.signals([Signal::USR1]).unwrap();
        {
            let mut waiting = std::pin::pin!(signals.recv());
            let cx = &mut Context::from_waker(Waker::noop());
            assert!(waiting.as_mut().poll(cx).is_pending());
        }
        raise(Signal::USR1);
        event_loop.run_until_complete(async { sleep(Duration::from_millis(5)).await }).unwrap();
        println!("{}", signals.recv_nowait().unwrap());

        let task = event_loop.create_task(async move {
            let caught = catch_cancelled(signals.recv()).await;
            assert!(caught.is_err(), "it is cancelled");
            println!("{}", signals.recv().await);
        });
        let cancels = async move {
            yield_now().await;
            assert_eq!(format!("{:?}", task.waiting_for().unwrap()), "a signal");
            raise(Signal::USR1);
            task.cancel();
            task.await.unwrap();
        };
        event_loop.run_until_complete(cancels).unwrap();
    }

    fn stream() {
        let event_loop = new_loop();
        let mut signals = event_loop.signals([Signal::USR1]).unwrap();
        raise(Signal::USR1);
        let next = poll_fn(move |cx| match Pin::new(&mut signals).poll_next(cx) {
            Poll::Ready(signal) => Poll::Ready(signal.unwrap()),
            Poll::Pending => Poll::Pending,
        });
        println!("{}", event_loop.run_until_complete(next).unwrap());
    }

    fn errors() {
        let event_loop = new_loop();
        let refused = |signal: Signal| {
            let error = event_loop.add_signal_handler(signal, || ()).unwrap_err();
            let same = event_loop.signals([Signal::TERM, signal]).unwrap_err();
            assert_eq!((error.signal(), same.signal()), (signal, signal));
            assert_eq!(error.to_string(), same.to_string());
            assert_eq!(event_loop.add_signal_fallback(signal, || ()).unwrap_err().signal(), signal);
            assert!(!event_loop.remove_signal_handler(signal));
            assert!(error.source().is_none());
            error
        };
        for number in [0, -1, 32, 65, 127, 128, 1000, i32::MAX, i32::MIN] {
            let error = refused(Signal::new(number));
            assert!(matches!(error, SignalHandlerError::Invalid { .. }), "{number}: {error}");
            assert_eq!(error.to_string(), format!("signal {number} doesn't exist"));
        }
        for signal in [Signal::KILL, Signal::STOP] {
            let error = refused(signal);
            assert!(matches!(error, SignalHandlerError::Uncatchable { .. }));
            assert_eq!(error.to_string(), format!("{signal} can't be caught"));
        }
        for number in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL] {
            let error = refused(Signal::new(number));
            assert!(matches!(error, SignalHandlerError::Fault { .. }));
            assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::InvalidInput);
        }
        println!("all refused");
        // What was listened for before the one that failed is listened for no more.
        die_by(SIGTERM);
    }

    fn closed() {
        let event_loop = new_loop();
        event_loop.close().unwrap();
        std::panic::set_hook(Box::new(|_| println!("panics")));
        let handle = std::panic::AssertUnwindSafe(event_loop.handle());
        assert!(catch_unwind(|| handle.add_signal_handler(Signal::USR1, || ())).is_err());
        assert!(catch_unwind(|| handle.signals([Signal::USR1])).is_err());
        assert!(catch_unwind(|| handle.add_signal_fallback(Signal::USR1, || ())).is_err());
        println!("{}", event_loop.remove_signal_handler(Signal::USR1));
    }

    fn simulated() {
        let event_loop = EventLoop::builder().clock(SimulatedClock::new()).build().unwrap();
        event_loop.add_signal_handler(Signal::USR1, prints("handled")).unwrap();
        let sender = thread::spawn(|| raise(Signal::USR1));
        event_loop.run_forever().unwrap();
        sender.join().unwrap();
        event_loop.remove_signal_handler(Signal::USR1);
        drop(event_loop.signals([Signal::USR1]).unwrap());
        drop(event_loop.add_signal_fallback(Signal::USR1, || ()).unwrap());
        if let Err(RunError::Deadlock(_)) = event_loop.run_until_complete(pending::<()>()) {
            println!("a deadlock");
        }
    }

    fn descriptors() {
        let count = || fs::read_dir("/dev/fd").unwrap().count();
        let use_signals = || {
            let event_loop = new_loop();
            event_loop.add_signal_handler(Signal::USR1, || ()).unwrap();
            event_loop.remove_signal_handler(Signal::USR1);
            event_loop.add_signal_handler(Signal::USR2, || ()).unwrap();
        };
        use_signals();
        let at_first = count();
        (0..20).for_each(|_| use_signals());
        assert_eq!(count(), at_first);
        println!("no more than at first");
    }

    fn fallback() {
        let event_loop = new_loop();
        let fallback = event_loop.add_signal_fallback(Signal::TERM, prints("fallback"));
        let _fallback = fallback.unwrap().unwrap();
        event_loop.add_signal_handler(Signal::TERM, prints("handler")).unwrap();
        raise(Signal::TERM);
        event_loop.run_forever().unwrap();
        event_loop.remove_signal_handler(Signal::TERM);
        raise(Signal::TERM);
        event_loop.run_forever().unwrap();
        die_by(SIGTERM);
    }

    fn removed_fallback() {
        let event_loop = new_loop();
        let fallback = event_loop.add_signal_fallback(Signal::TERM, prints("told")).unwrap();
        raise(Signal::TERM);
        event_loop.run_forever().unwrap();
        drop(fallback);
        let fallback = event_loop.add_signal_fallback(Signal::TERM, || unreachable!()).unwrap();
        drop(fallback);
        println!("not told");
        die_by(SIGTERM);
    }

    fn one_fallback() {
        let (one, two) = (new_loop(), new_loop());
        let fallback = one.add_signal_fallback(Signal::TERM, prints("told")).unwrap();
        assert!(two.add_signal_fallback(Signal::TERM, || ()).unwrap().is_none());
        println!("taken");
        raise(Signal::TERM);
        one.run_forever().unwrap();

        // It is spent, but a handler comes before it all the same.
        two.add_signal_handler(Signal::TERM, prints("handler")).unwrap();
        raise(Signal::TERM);
        two.run_forever().unwrap();
        drop(fallback);
        let fallback = two.add_signal_fallback(Signal::TERM, || unreachable!()).unwrap();
        assert!(fallback.is_some());
        println!("free");
        drop((fallback, two));
        die_by(SIGTERM);
    }
}
