//! With the simulated clock time moves when nothing else can, and a program that is stuck says so.

mod common;

use common::{Log, SECOND, simulated, simulated_with};
use ronde_loop::{
    Clock, Direction, EventLoop, Job, JobExecutor, Promise, RunError, SimulatedClock, SubmitError,
    get_running_loop, sleep, yield_now,
};
use std::cell::RefCell;
use std::future::pending;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

#[test]
fn time_jumps_from_deadline_to_deadline() {
    let log = Log::default();
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    let began = Instant::now();
    for hours in [3_u32, 1, 2] {
        let (log, clock) = (log.clone(), clock.clone());
        let sleeper = async move {
            sleep(hours * 3600 * SECOND).await;
            log.push(clock.elapsed().as_secs() / 3600);
        };
        event_loop.create_task(sleeper).detach();
    }
    event_loop.run_until_complete(sleep(86_400 * SECOND)).unwrap();
    assert_eq!(log.take(), ["1", "2", "3"]);
    assert_eq!(clock.elapsed(), 86_400 * SECOND);
    assert!(began.elapsed() < 60 * SECOND);
}

#[test]
fn a_computation_that_takes_long_is_played_by_advancing_the_clock() {
    let log = Log::default();
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    event_loop.call_later(SECOND, log.pushes("1"));
    event_loop.call_later(3 * SECOND, log.pushes("3"));
    event_loop.call_later(2 * SECOND, log.pushes("2"));
    event_loop
        .run_until_complete({
            let (log, clock) = (log.clone(), clock.clone());
            async move {
                clock.advance(2 * SECOND);
                yield_now().await; // the timers are queued behind this step,
                log.push("main");
                yield_now().await; // and run before this one
                log.push(format!("{:?}", clock.elapsed()));
            }
        })
        .unwrap();
    assert_eq!(log.take(), ["main", "1", "2", "2s"]);
}

#[test]
fn the_loops_time_is_the_clocks() {
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    let start = event_loop.time();
    event_loop.run_until_complete(sleep(SECOND)).unwrap();
    assert_eq!(event_loop.time(), start + SECOND);
    clock.advance(SECOND);
    assert_eq!(event_loop.time(), start + 2 * SECOND);
}

#[test]
fn a_job_on_another_thread_ends_before_time_moves() {
    let log = Log::default();
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    event_loop.call_later(SECOND, log.pushes("timer"));
    event_loop
        .run_until_complete({
            let (log, clock) = (log.clone(), clock.clone());
            async move {
                let job = get_running_loop().unwrap().run_in_executor(None, || {
                    // Long enough for a loop that doesn't wait to jump ahead.
                    for _ in 0..100 {
                        std::thread::yield_now();
                    }
                });
                job.unwrap().await.unwrap();
                log.push(format!("job after {:?}", clock.elapsed()));
                sleep(2 * SECOND).await;
            }
        })
        .unwrap();
    assert_eq!(log.take(), ["job after 0ns", "timer"]);
}

#[test]
fn a_job_whose_result_nobody_wants_does_not_hold_time_up_for_ever() {
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    let (release, released) = std::sync::mpsc::channel::<()>();
    event_loop
        .run_until_complete(async move {
            let event_loop = get_running_loop().unwrap();
            let (begun, begins) = async_channel::bounded(1);
            let job = event_loop
                .run_in_executor(None, move || {
                    begun.send_blocking(()).unwrap();
                    released.recv().unwrap();
                })
                .unwrap();
            begins.recv().await.unwrap();
            drop(job);
            release.send(()).unwrap();
            sleep(SECOND).await;
        })
        .unwrap();
    assert_eq!(clock.elapsed(), SECOND);
}

#[test]
fn time_stands_still_while_somebody_holds_the_clock() {
    let clock = SimulatedClock::new();
    let event_loop = simulated_with(&clock);
    event_loop.call_later(SECOND, || unreachable!());
    event_loop
        .run_until_complete({
            let clock = clock.clone();
            async move {
                let event_loop = get_running_loop().unwrap();
                let hold = event_loop.hold_clock();
                assert_eq!(format!("{hold:?}"), "ClockHold");
                let (send, receive) = async_channel::bounded(1);
                let other = std::thread::spawn(move || {
                    // Long enough for a loop that doesn't wait to jump ahead.
                    for _ in 0..100 {
                        std::thread::yield_now();
                    }
                    send.send_blocking(()).unwrap();
                });
                receive.recv().await.unwrap();
                assert_eq!(clock.elapsed(), std::time::Duration::ZERO);
                other.join().unwrap();
            }
        })
        .unwrap();
}

#[test]
fn sockets_that_are_ready_go_before_a_jump() {
    let log = Log::default();
    let event_loop = simulated();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (receiver, _) = listener.accept().unwrap();
    let socket = receiver.try_clone().unwrap();
    let source = event_loop.register(receiver).unwrap();
    let readable = log.clone();
    let callback = move || {
        readable.push("readable");
        // What stays readable is told again and again on some systems.
        assert_eq!((&socket).read(&mut [0]).unwrap(), 1);
    };
    source.set_callback(Direction::Read, Some(Rc::new(callback))).unwrap();
    event_loop.call_later(SECOND, log.pushes("timer"));
    sender.write_all(b"x").unwrap();

    event_loop.run_until_complete(sleep(2 * SECOND)).unwrap();
    assert_eq!(log.take(), ["readable", "timer"]);
}

#[test]
fn a_deadlock_names_the_tasks_and_what_each_waits_for() {
    let event_loop = simulated();
    let other = event_loop.create_task(pending::<()>()).named("stuck");
    let other_line = line!() - 1;
    let promise = Promise::<()>::new();
    let waiter = event_loop.create_task(async move { promise.await.is_ok() }).named("waiter");
    let main = event_loop.create_task(async move { other.await.is_ok() }).named("main");

    let error = event_loop.run_until_complete(&main).unwrap_err();
    let RunError::Deadlock(deadlock) = &error else { panic!("{error:?}") };
    let tasks: Vec<_> = deadlock
        .tasks
        .iter()
        .map(|task| (task.name.as_str(), task.waiting_for.as_deref()))
        .collect();
    assert_eq!(
        tasks,
        [("stuck", None), ("waiter", Some("<Promise pending>")), ("main", Some("<Task 'stuck'>"))]
    );
    assert!(deadlock.tasks[0].created_at.contains(&format!("{}:{other_line}:", file!())));

    let text = error.to_string();
    assert!(text.starts_with("deadlock: "), "{text}");
    assert!(text.contains("\n  stuck (created at "), "{text}");
    assert!(text.contains("waits for something unknown"), "{text}");
    assert!(text.contains("waits for <Task 'stuck'>"), "{text}");
    assert_eq!(error.exit_code(), 1);
    assert!(!waiter.done());
}

#[test]
fn after_a_deadlock_the_loop_can_be_helped_and_run_again() {
    let event_loop = simulated();
    let promise = Promise::new();
    let main = event_loop.create_task({
        let promise = promise.clone();
        async move { promise.await.unwrap() }
    });
    assert!(matches!(event_loop.run_until_complete(&main), Err(RunError::Deadlock(_))));
    promise.set_result(7).unwrap();
    assert_eq!(event_loop.run_until_complete(main).unwrap(), 7);
}

#[test]
fn an_empty_loop_that_runs_for_ever_is_stuck_too() {
    let Err(RunError::Deadlock(deadlock)) = simulated().run_forever() else { panic!() };
    assert!(deadlock.tasks.is_empty());
}

#[test]
fn a_program_runs_the_same_way_each_time() {
    let run = || {
        let log = Log::default();
        let clock = SimulatedClock::new();
        let event_loop = simulated_with(&clock);
        for n in 0..50_u64 {
            let (log, clock) = (log.clone(), clock.clone());
            let worker = async move {
                for round in 0..4 {
                    sleep(Duration::from_millis(n * 7 % 11 * round)).await;
                    log.push(format!("{n} {round} {:?}", clock.elapsed()));
                }
            };
            event_loop.create_task(worker).detach();
        }
        event_loop.run_until_complete(sleep(60 * SECOND)).unwrap();
        log.take()
    };
    let first = run();
    assert_eq!(first.len(), 200);
    assert_eq!(first, run());
}

#[test]
fn what_is_outside_is_waited_for_and_holds_no_timer_up() {
    use std::sync::{Arc, Mutex, mpsc};
    use std::task::{Poll, Waker};

    let event_loop = simulated_with(&SimulatedClock::new());
    let (asked, question) = mpsc::channel::<()>();
    // What another thread knows, and whom it wakes.
    let shared = Arc::new(Mutex::new((None, None::<Waker>)));
    let thread = std::thread::spawn({
        let shared = shared.clone();
        move || {
            question.recv().unwrap();
            let (answer, waker) = &mut *shared.lock().unwrap();
            *answer = Some(42);
            waker.take().inspect(Waker::wake_by_ref);
        }
    });
    let answer = event_loop.run_until_complete(async move {
        let _wait = get_running_loop().unwrap().wait_outside();
        // Time moves, as it does when a socket is silent.
        sleep(3600 * SECOND).await;
        let mut asked = Some(asked);
        std::future::poll_fn(|cx| {
            let (answer, waker) = &mut *shared.lock().unwrap();
            *waker = Some(cx.waker().clone());
            if let Some(asked) = asked.take() {
                asked.send(()).unwrap();
            }
            answer.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    });
    assert_eq!(answer.unwrap(), 42);
    thread.join().unwrap();
}

/// A clock with which something happens when the loop has just seen that nothing is ready.
#[derive(Clone, Default)]
struct Meddling(SimulatedClock, Rc<RefCell<Option<Meddle>>>);

type Meddle = Box<dyn FnOnce()>;

impl std::fmt::Debug for Meddling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meddling")
    }
}

impl Clock for Meddling {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn is_simulated(&self) -> bool {
        let meddle = self.1.take();
        meddle.into_iter().for_each(|meddle| meddle());
        true
    }

    fn advance_to(&self, when: Instant) {
        self.0.advance_to(when);
    }
}

#[derive(Debug, Default)]
struct Drawer(RefCell<Vec<Job>>);

impl JobExecutor for Drawer {
    fn submit(&self, job: Job) -> Result<(), SubmitError> {
        self.0.borrow_mut().push(job);
        Ok(())
    }
}

#[test]
fn a_job_that_ends_just_before_the_loop_looks_for_jobs_is_no_deadlock() {
    let clock = Meddling::default();
    let drawer = Rc::new(Drawer::default());
    let builder = EventLoop::builder().clock(clock.clone()).executor(drawer.clone());
    let event_loop = builder.build().unwrap();
    let answer = event_loop.run_until_complete(async move {
        let job = get_running_loop().unwrap().run_in_executor(None, || 42).unwrap();
        let queued = drawer.0.take().pop().unwrap();
        let end = move || std::thread::spawn(|| queued.run()).join().unwrap();
        clock.1.replace(Some(Box::new(end)));
        job.await.unwrap()
    });
    assert_eq!(answer.unwrap(), 42);
}
