//! Names of hosts become addresses.

mod common;

use common::{simulated, turn};
use ronde_loop::{EventLoop, Job, JobExecutor, SimulatedClock, SubmitError, get_running_loop};
use std::cell::RefCell;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

fn resolve(event_loop: &EventLoop, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    let host = host.to_owned();
    event_loop
        .run_until_complete(
            async move { get_running_loop().unwrap().getaddrinfo(&host, port).await },
        )
        .unwrap()
}

fn shut_executor_down(event_loop: &EventLoop) {
    let handle = event_loop.handle();
    let shutdown = async move { handle.shutdown_default_executor(None).await };
    event_loop.run_until_complete(shutdown).unwrap().unwrap();
}

#[test]
fn an_address_in_text_form_is_not_looked_up() {
    let event_loop = simulated();
    // Nothing could look it up.
    shut_executor_down(&event_loop);
    let v4 = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 80));
    assert_eq!(resolve(&event_loop, "192.0.2.1", 80).unwrap(), [v4]);
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 443));
    assert_eq!(resolve(&event_loop, "::1", 443).unwrap(), [v6]);
    assert_eq!(resolve(&event_loop, "[::1]", 443).unwrap(), [v6]);
}

#[test]
fn localhost_is_this_host() {
    let found = resolve(&simulated(), "localhost", 80).unwrap();
    assert!(!found.is_empty());
    assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 80));
}

#[test]
fn a_name_that_cannot_exist_is_an_error() {
    // RFC 6761 reserves it.
    assert!(resolve(&simulated(), "nowhere.invalid", 80).is_err());
    assert!(resolve(&simulated(), "", 80).is_err());
    assert!(resolve(&simulated(), "a name with spaces", 80).is_err());
}

#[test]
fn without_an_executor_a_name_is_an_error_and_not_a_panic() {
    let event_loop = simulated();
    shut_executor_down(&event_loop);
    let error = resolve(&event_loop, "localhost", 80).unwrap_err();
    assert_eq!(error.to_string(), "the executor has been shut down");
}

/// Keeps jobs until the test does them.
#[derive(Debug, Default)]
struct Held(RefCell<Vec<Job>>);

impl JobExecutor for Held {
    fn submit(&self, job: Job) -> Result<(), SubmitError> {
        self.0.borrow_mut().push(job);
        Ok(())
    }
}

#[test]
fn a_look_up_that_is_cancelled_can_be_done_again() {
    let held = Rc::new(Held::default());
    let builder = EventLoop::builder().clock(SimulatedClock::new());
    let event_loop = builder.executor(held.clone()).build().unwrap();
    let look_up = async || get_running_loop().unwrap().getaddrinfo("localhost", 80).await;
    let task = event_loop.create_task(look_up());
    turn(&event_loop);
    task.cancel();
    turn(&event_loop);
    assert!(task.cancelled());

    let again = event_loop.create_task(look_up());
    turn(&event_loop);
    let jobs = held.0.take();
    assert_eq!(jobs.len(), 2);
    jobs.into_iter().for_each(Job::run);
    let found = event_loop.run_until_complete(again).unwrap().unwrap();
    assert!(found.iter().all(|address| address.port() == 80) && !found.is_empty());
}
