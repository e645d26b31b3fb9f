//! Ctrl-C, with real signals: this program starts itself again, once per scenario.
//!
//! A scenario prints `ready` when it wants the signal. Whatever else it prints is compared.

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
    use std::future::pending;
    use std::io::{BufRead, BufReader, Read};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command, ExitStatus, Stdio};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use ronde::low_level::{self, SimulatedClock};
    use ronde::{
        CancelledError, RunError, Runner, catch_cancelled, create_task, current_task,
        get_running_loop, sleep, to_thread, yield_now,
    };
    use rustix::process::{Pid, Signal, kill_process};

    pub(super) const SCENARIO: &str = "RONDE_CTRL_C_SCENARIO";

    const SIGINT: i32 = 2;

    /// A scenario, what happens in the child, and what must come of it.
    struct Scenario {
        name: &'static str,
        play: fn(),
        /// How often the child asks for a signal.
        signals: usize,
        output: &'static [&'static str],
        end: End,
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum End {
        Exit(i32),
        Killed,
    }

    const SCENARIOS: &[Scenario] = &[
        Scenario {
            name: "the first signal cancels main, which cleans up, and run says so",
            play: cancels_main,
            signals: 1,
            output: &["main cleans up", "main is clean", "leftover cleans up", "Interrupted"],
            end: End::Exit(130),
        },
        Scenario {
            name: "a program under the attribute ends as one that was killed by the signal",
            play: attribute::main,
            signals: 1,
            output: &["main cleans up"],
            end: End::Killed,
        },
        Scenario {
            name: "a cancellation that main swallows is a normal end",
            play: swallowed,
            signals: 1,
            output: &["swallowed", "Ok(7)"],
            end: End::Exit(0),
        },
        Scenario {
            name: "a cancellation that main raises in the place of the signal's is the signal's",
            play: raised_anew,
            signals: 1,
            output: &["Interrupted"],
            end: End::Exit(0),
        },
        Scenario {
            name: "a cancellation that somebody else has asked for as well is no interrupt",
            play: cancelled_as_well,
            signals: 1,
            output: &["Cancelled(CancelledError())"],
            end: End::Exit(0),
        },
        Scenario {
            name: "the cancellation goes through the task that main waits for",
            play: through_a_task,
            signals: 1,
            output: &["child cleans up", "Interrupted"],
            end: End::Exit(0),
        },
        Scenario {
            name: "a second signal ends a program that is cleaning up",
            play: second_during_clean_up,
            signals: 2,
            output: &["main cleans up"],
            end: End::Killed,
        },
        Scenario {
            name: "a second signal ends a program that is busy and never looks",
            play: second_while_busy,
            signals: 2,
            output: &[],
            end: End::Killed,
        },
        Scenario {
            name: "after the run the signal does again what it does by default",
            play: after_the_run,
            signals: 1,
            output: &["the run is over"],
            end: End::Killed,
        },
        Scenario {
            name: "each run of a runner takes the signal anew",
            play: several_runs,
            signals: 2,
            output: &["Interrupted", "Interrupted", "3"],
            end: End::Exit(0),
        },
        Scenario {
            name: "off the main thread the signal is left alone",
            play: off_the_main_thread,
            signals: 1,
            output: &[],
            end: End::Killed,
        },
        Scenario {
            name: "a runner can be told to leave it alone",
            play: opted_out,
            signals: 1,
            output: &[],
            end: End::Killed,
        },
        Scenario {
            name: "a handler for the signal takes the place of the cancellation until it is removed",
            play: own_handler,
            signals: 4,
            output: &["handled", "handled", "elsewhere", "main cleans up", "Interrupted"],
            end: End::Exit(0),
        },
        #[cfg(target_os = "linux")]
        Scenario {
            name: "after a handler was removed the second signal still ends a busy program",
            play: busy_after_own_handler,
            signals: 3,
            output: &["handled"],
            end: End::Killed,
        },
        Scenario {
            name: "with a simulated clock nothing is waited for, so that a deadlock shows",
            play: deadlock,
            signals: 0,
            output: &["a deadlock"],
            end: End::Exit(0),
        },
    ];

    pub(super) fn play(name: &str) {
        (SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap().play)();
    }

    pub(super) fn check_all() {
        // Who starts this in the background may have the signal ignored, and children inherit that. They
        // don't inherit a handler: with one in here, the signal does to them what it does by default.
        let always = Arc::new(AtomicBool::new(true));
        signal_hook::flag::register_conditional_shutdown(SIGINT, 128 + SIGINT, always).unwrap();
        println!("\nrunning {} tests", SCENARIOS.len());
        for scenario in SCENARIOS {
            check(scenario);
            println!("test {} ... ok", scenario.name);
        }
        println!("\ntest result: ok. {} passed\n", SCENARIOS.len());
    }

    fn check(scenario: &Scenario) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(SCENARIO, scenario.name)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut output = Vec::new();
        for _ in 0..scenario.signals {
            wait_until_ready(&mut stdout, &mut output);
            interrupt(&child);
        }
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        output.extend(rest.lines().map(str::to_owned));
        let status = child.wait().unwrap();
        assert_eq!(output, scenario.output, "{}", scenario.name);
        assert_eq!(end_of(status), scenario.end, "{}: {status}", scenario.name);
    }

    fn wait_until_ready(stdout: &mut impl BufRead, output: &mut Vec<String>) {
        loop {
            let mut line = String::new();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "it ended early: {output:?}");
            match line.trim_end() {
                "ready" => return,
                line => output.push(line.to_owned()),
            }
        }
    }

    fn interrupt(child: &Child) {
        kill_process(Pid::from_child(child), Signal::INT).unwrap();
    }

    fn end_of(status: ExitStatus) -> End {
        match status.signal() {
            Some(signal) => {
                assert_eq!(signal, SIGINT);
                End::Killed
            }
            None => End::Exit(status.code().unwrap()),
        }
    }

    /// Longer than any signal takes to arrive: if it doesn't, the program ends nevertheless.
    async fn wait_for_the_signal() {
        println!("ready");
        sleep(Duration::from_secs(60)).await;
        println!("no signal came");
    }

    fn cancels_main() {
        let outcome = ronde::run(async {
            create_task(async {
                let caught = catch_cancelled(pending::<()>()).await;
                println!("leftover cleans up");
                caught.unwrap_err().raise::<()>().await;
            })
            .detach();
            if let Err(cancelled) = catch_cancelled(wait_for_the_signal()).await {
                println!("main cleans up");
                sleep(Duration::from_millis(1)).await;
                println!("main is clean");
                cancelled.raise::<()>().await;
            }
        });
        let error = outcome.unwrap_err();
        println!("{error:?}");
        std::process::exit(error.exit_code().into());
    }

    mod attribute {
        use super::{catch_cancelled, wait_for_the_signal};

        #[ronde::main]
        pub(super) async fn main() {
            if let Err(cancelled) = catch_cancelled(wait_for_the_signal()).await {
                println!("main cleans up");
                cancelled.raise::<()>().await;
            }
        }
    }

    fn swallowed() {
        let outcome = ronde::run(async {
            assert!(catch_cancelled(wait_for_the_signal()).await.is_err());
            println!("swallowed");
            yield_now().await;
            7
        });
        println!("{outcome:?}");
    }

    fn raised_anew() {
        let outcome = ronde::run(async {
            assert!(catch_cancelled(wait_for_the_signal()).await.is_err());
            CancelledError::default().raise::<()>().await;
        });
        println!("{:?}", outcome.unwrap_err());
    }

    fn cancelled_as_well() {
        let outcome = ronde::run(async {
            assert!(catch_cancelled(wait_for_the_signal()).await.is_err());
            current_task().unwrap().cancel();
            yield_now().await;
        });
        println!("{:?}", outcome.unwrap_err());
    }

    fn through_a_task() {
        let outcome = ronde::run(async {
            let child = create_task(async {
                if let Err(cancelled) = catch_cancelled(wait_for_the_signal()).await {
                    println!("child cleans up");
                    cancelled.raise::<()>().await;
                }
            });
            let _ = child.await;
            println!("never");
        });
        println!("{:?}", outcome.unwrap_err());
    }

    fn second_during_clean_up() {
        let _ = ronde::run(async {
            let _ = catch_cancelled(wait_for_the_signal()).await;
            println!("main cleans up");
            wait_for_the_signal().await;
        });
        println!("never");
    }

    fn second_while_busy() {
        // Two signals that are pending at once are one. The second is asked for when the first has
        // been taken.
        let taken = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGINT, taken.clone()).unwrap();
        let _ = ronde::run(async move {
            println!("ready");
            while !taken.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
            println!("ready");
            let end = Instant::now() + Duration::from_secs(60);
            while Instant::now() < end {
                std::hint::spin_loop();
            }
        });
        println!("never");
    }

    fn after_the_run() {
        ronde::run(yield_now()).unwrap();
        println!("the run is over");
        println!("ready");
        // Nothing is ever sent: the signal ends the wait, and the program.
        let (_sender, receiver) = std::sync::mpsc::channel::<()>();
        let _ = receiver.recv_timeout(Duration::from_secs(60));
        println!("never");
    }

    fn several_runs() {
        let runner = Runner::new().unwrap();
        for _ in 0..2 {
            let outcome = runner.run(wait_for_the_signal());
            assert!(matches!(outcome, Err(RunError::Interrupted)), "{outcome:?}");
            println!("{:?}", outcome.unwrap_err());
        }
        println!("{}", runner.run(async { 3 }).unwrap());
        runner.close().unwrap();
    }

    fn off_the_main_thread() {
        let thread = std::thread::spawn(|| ronde::run(wait_for_the_signal()));
        let _ = thread.join();
        println!("never");
    }

    fn opted_out() {
        let runner = Runner::builder().handle_ctrl_c(false).build().unwrap();
        let _ = runner.run(wait_for_the_signal());
        println!("never");
    }

    /// Handlers count for the whole program, whichever loop they belong to.
    fn own_handler() {
        let outcome = ronde::run(async {
            let event_loop = get_running_loop().unwrap();
            let mut signals = event_loop.signals([low_level::Signal::INT]).unwrap();
            event_loop.add_signal_handler(low_level::Signal::INT, || println!("handled")).unwrap();
            for _ in 0..2 {
                println!("ready");
                signals.recv().await;
                // The handler is queued by now.
                yield_now().await;
                yield_now().await;
            }
            drop(signals);
            event_loop.remove_signal_handler(low_level::Signal::INT);

            to_thread(|| {
                let handler = async {
                    let event_loop = get_running_loop().unwrap();
                    let mut signals = event_loop.signals([low_level::Signal::INT]).unwrap();
                    println!("ready");
                    signals.recv().await;
                    println!("elsewhere");
                };
                ronde::run(handler).unwrap();
            })
            .await
            .unwrap();

            if let Err(cancelled) = catch_cancelled(wait_for_the_signal()).await {
                println!("main cleans up");
                cancelled.raise::<()>().await;
            }
        });
        println!("{:?}", outcome.unwrap_err());
    }

    #[cfg(target_os = "linux")]
    fn busy_after_own_handler() {
        let _ = ronde::run(async {
            let event_loop = get_running_loop().unwrap();
            let mut signals = event_loop.signals([low_level::Signal::INT]).unwrap();
            println!("ready");
            signals.recv().await;
            println!("handled");
            drop(signals);
            // Whether the fallback was told shows in that the system does no longer call us.
            println!("ready");
            while !is_caught_no_longer() {
                std::hint::spin_loop();
            }
            println!("ready");
            let end = Instant::now() + Duration::from_secs(60);
            while Instant::now() < end {
                std::hint::spin_loop();
            }
        });
        println!("never");
    }

    /// Does the signal do what it does by default?
    #[cfg(target_os = "linux")]
    fn is_caught_no_longer() -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
        caught & (1 << (SIGINT - 1)) == 0
    }

    fn deadlock() {
        let runner = Runner::builder().clock(SimulatedClock::new()).build().unwrap();
        if let Err(RunError::Deadlock(_)) = runner.run(pending::<()>()) {
            println!("a deadlock");
        }
    }
}
