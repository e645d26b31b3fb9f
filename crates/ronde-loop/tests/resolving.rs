//! Names of hosts become addresses, and addresses names.

mod common;

use common::{simulated, turn};
use ronde_loop::socket2::{Protocol, Type};
use ronde_loop::{
    AddrInfo, AddrInfoRequest, AddressFamily, EventLoop, GetAddrInfo, Job, JobExecutor, LoopHandle,
    NameInfo, NameInfoRequest, ResolveError, ResolveErrorKind, ResolveFuture, Resolver, Service,
    SimulatedClock, SubmitError, SystemResolver, get_running_loop,
};
use std::cell::RefCell;
use std::error::Error;
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

fn resolve(event_loop: &EventLoop, host: &str, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
    let found = event_loop.getaddrinfo(host, port).addresses();
    event_loop.run_until_complete(found).unwrap()
}

fn look_up(ask: impl FnOnce(&LoopHandle) -> GetAddrInfo) -> Result<Vec<AddrInfo>, ResolveError> {
    let event_loop = simulated();
    let asked = ask(&event_loop);
    event_loop.run_until_complete(async { asked.await }).unwrap()
}

/// Refuses all jobs, or keeps them until the test does them.
#[derive(Debug, Default)]
struct Held {
    jobs: RefCell<Vec<Job>>,
    refuses: bool,
}

impl JobExecutor for Held {
    fn submit(&self, job: Job) -> Result<(), SubmitError> {
        if self.refuses {
            return Err(SubmitError::ShutDown);
        }
        self.jobs.borrow_mut().push(job);
        Ok(())
    }
}

fn with_held(refuses: bool) -> (EventLoop, Rc<Held>) {
    let held = Rc::new(Held { refuses, ..Held::default() });
    let resolver = Rc::new(SystemResolver::on(held.clone()));
    let builder = EventLoop::builder().clock(SimulatedClock::new()).resolver(resolver);
    (builder.build().unwrap(), held)
}

#[test]
fn an_address_in_text_form_is_not_looked_up() {
    // Nothing could look it up.
    let (event_loop, _) = with_held(true);
    let v4 = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 80));
    assert_eq!(resolve(&event_loop, "192.0.2.1", 80).unwrap(), [v4]);
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 443));
    assert_eq!(resolve(&event_loop, "::1", 443).unwrap(), [v6]);
    assert_eq!(resolve(&event_loop, "[::1]", 443).unwrap(), [v6]);
}

#[test]
fn an_address_in_text_form_gives_what_the_system_would() {
    let address: SocketAddr = "192.0.2.1:80".parse().unwrap();
    let entry = |socket_type, protocol| AddrInfo::new(address, socket_type, protocol);
    let found = look_up(|it| it.getaddrinfo("192.0.2.1", 80)).unwrap();
    assert_eq!(found[0], entry(Type::STREAM, Protocol::TCP));
    assert_eq!(found[1], entry(Type::DGRAM, Protocol::UDP));
    assert_eq!(found[2].socket_type, Type::RAW);
    // The service by name goes to the system, which says the same.
    let found_by_system = look_up(|it| it.getaddrinfo("192.0.2.1", 0).service("80")).unwrap();
    #[cfg(target_os = "linux")]
    assert_eq!(found, found_by_system);
    let _ = found_by_system;

    let stream = |it: &LoopHandle| it.getaddrinfo("192.0.2.1", 80).socket_type(Type::STREAM);
    assert_eq!(look_up(stream).unwrap(), [entry(Type::STREAM, Protocol::TCP)]);
    let udp = |it: &LoopHandle| it.getaddrinfo("192.0.2.1", 80).protocol(Protocol::UDP);
    assert_eq!(look_up(udp).unwrap(), [entry(Type::DGRAM, Protocol::UDP)]);

    let v6 = |it: &LoopHandle| it.getaddrinfo("192.0.2.1", 80).family(AddressFamily::V6);
    assert!(look_up(v6).is_err());
    let mapped = look_up(|it| v6(it).v4_mapped(true).socket_type(Type::STREAM));
    #[cfg(target_os = "linux")]
    assert_eq!(mapped.unwrap()[0].address, "[::ffff:192.0.2.1]:80".parse().unwrap());
    #[cfg(not(target_os = "linux"))]
    let _ = mapped;
}

#[test]
fn localhost_is_this_host() {
    let found = resolve(&simulated(), "localhost", 80).unwrap();
    assert!(!found.is_empty());
    assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 80));
}

#[test]
fn options_choose_among_the_answers() {
    let found = look_up(|it| {
        it.getaddrinfo("localhost", 80).family(AddressFamily::V4).socket_type(Type::DGRAM)
    });
    let expected = AddrInfo::new(([127, 0, 0, 1], 80).into(), Type::DGRAM, Protocol::UDP);
    assert_eq!(found.unwrap(), [expected]);

    let named = look_up(|it| it.getaddrinfo("localhost", 0).canonical_name(true)).unwrap();
    assert!(named[0].canonical_name.is_some());
    assert!(named[1..].iter().all(|entry| entry.canonical_name.is_none()));
    let all = look_up(|it| it.getaddrinfo("localhost", 0).address_config(true).all(true));
    assert!(!all.unwrap().is_empty());
}

#[test]
fn a_service_has_a_name() {
    let http = look_up(|it| it.getaddrinfo("127.0.0.1", 0).service("http"));
    // Not every machine knows names of services.
    match http {
        Ok(found) => assert_eq!(found[0].address.port(), 80),
        Err(error) => assert!(matches!(
            error.kind(),
            ResolveErrorKind::UnknownService | ResolveErrorKind::NotFound
        )),
    }
    let error = look_up(|it| it.getaddrinfo("127.0.0.1", 0).service("http").numeric_service(true));
    assert!(error.is_err());
    let unknown = look_up(|it| it.getaddrinfo(None, 0).service("no-such-service")).unwrap_err();
    assert!(unknown.to_string().starts_with("looking up the service no-such-service: "));
    assert!(unknown.source().is_some());
}

#[test]
fn no_host_is_this_machine() {
    let found = look_up(|it| it.getaddrinfo(None, 80).socket_type(Type::STREAM)).unwrap();
    assert!(found.iter().all(|entry| entry.address.ip().is_loopback()));
    let found = look_up(|it| it.getaddrinfo(None, 80).passive(true)).unwrap();
    assert!(found.iter().all(|entry| entry.address.ip().is_unspecified()));
}

#[test]
fn a_name_that_cannot_exist_is_an_error() {
    // RFC 6761 reserves it.
    assert!(resolve(&simulated(), "nowhere.invalid", 80).is_err());
    assert!(resolve(&simulated(), "", 80).is_err());
    assert!(resolve(&simulated(), "a name with spaces", 80).is_err());
    assert!(resolve(&simulated(), "a name with a \0", 80).is_err());
    assert!(resolve(&simulated(), "b\u{fc}cher.invalid", 80).is_err());
    let error = look_up(|it| it.getaddrinfo("localhost", 80).numeric_host(true)).unwrap_err();
    assert_eq!(error.kind(), ResolveErrorKind::NotFound);
    assert!(error.to_string().starts_with("looking up localhost: "), "{error}");
    let error = io::Error::from(error);
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(!error.to_string().contains("localhost"), "{error}");
}

#[test]
fn options_that_do_not_go_together_are_an_error() {
    let error = look_up(|it| {
        it.getaddrinfo("localhost", 80).socket_type(Type::STREAM).protocol(Protocol::UDP)
    });
    assert_eq!(error.unwrap_err().kind(), ResolveErrorKind::InvalidRequest);
}

#[test]
fn an_address_has_a_name() {
    let event_loop = simulated();
    let ask = event_loop.getnameinfo(([127, 0, 0, 1], 80));
    let name = event_loop.run_until_complete(async { ask.await }).unwrap().unwrap();
    assert!(!name.host.is_empty() && !name.service.is_empty());

    let ask = event_loop.getnameinfo((Ipv6Addr::LOCALHOST, 8)).numeric_host(true);
    let ask = ask.numeric_service(true).datagram(true).short_local_name(true);
    let name = event_loop.run_until_complete(async { ask.await }).unwrap().unwrap();
    assert_eq!(name, NameInfo { host: "::1".into(), service: "8".into() });

    // RFC 5737 reserves it for documentation.
    let ask = event_loop.getnameinfo(([192, 0, 2, 1], 80)).name_required(true);
    let error = event_loop.run_until_complete(async { ask.await }).unwrap().unwrap_err();
    assert!(error.to_string().starts_with("looking up 192.0.2.1:80: "), "{error}");
}

#[test]
fn blocking_work_does_not_keep_names_from_being_resolved() {
    let event_loop = EventLoop::new().unwrap();
    let handle = event_loop.handle();
    event_loop
        .run_until_complete(async move {
            let (release, held) = std::sync::mpsc::channel::<()>();
            let held = std::sync::Arc::new(std::sync::Mutex::new(held));
            let jobs: Vec<_> = (0..100)
                .map(|_| {
                    let held = held.clone();
                    // Each waits until it is released.
                    handle.run_in_executor(None, move || held.lock().unwrap().recv().is_err())
                })
                .collect::<Result<_, _>>()
                .unwrap();
            assert!(!handle.getaddrinfo("localhost", 80).await.unwrap().is_empty());
            drop(release);
            for job in jobs {
                assert!(job.await.unwrap());
            }
        })
        .unwrap();
}

#[test]
fn without_threads_a_name_is_an_error_and_not_a_panic() {
    let (event_loop, _) = with_held(true);
    let error = resolve(&event_loop, "localhost", 80).unwrap_err();
    assert_eq!(error.kind(), ResolveErrorKind::Unavailable);
    assert_eq!(error.to_string(), "looking up localhost: the executor has been shut down");
}

#[test]
fn a_closed_loop_resolves_nothing() {
    let closed = simulated();
    closed.close().unwrap();
    let (names, addresses) =
        (closed.getaddrinfo("localhost", 80), closed.getnameinfo(([127, 0, 0, 1], 80)));
    simulated()
        .run_until_complete(async move {
            let error = names.await.unwrap_err();
            assert_eq!(error.to_string(), "looking up localhost: the event loop is closed");
            assert_eq!(addresses.await.unwrap_err().kind(), ResolveErrorKind::Unavailable);
        })
        .unwrap();
}

#[test]
fn a_job_that_is_dropped_is_an_error() {
    let (event_loop, held) = with_held(false);
    let task = event_loop.create_task(event_loop.getaddrinfo("localhost", 80).addresses());
    turn(&event_loop);
    held.jobs.take();
    let error = event_loop.run_until_complete(task).unwrap().unwrap_err();
    assert_eq!(error.kind(), ResolveErrorKind::Other);
}

#[test]
fn a_look_up_that_is_cancelled_or_dropped_can_be_made_again() {
    let (event_loop, held) = with_held(false);
    let look_up = || event_loop.getaddrinfo("localhost", 80).addresses();
    let task = event_loop.create_task(look_up());
    turn(&event_loop);
    task.cancel();
    turn(&event_loop);
    assert!(task.cancelled());
    let dropped = event_loop.create_task({
        let (addresses, names) = (look_up(), event_loop.getnameinfo(([127, 0, 0, 1], 80)));
        async move {
            let mut futures = (Box::pin(addresses), names.into_future());
            let cx = &mut std::task::Context::from_waker(std::task::Waker::noop());
            assert!(futures.0.as_mut().poll(cx).is_pending());
            assert!(futures.1.as_mut().poll(cx).is_pending());
        }
    });
    event_loop.run_until_complete(dropped).unwrap();

    let again = event_loop.create_task(look_up());
    turn(&event_loop);
    let jobs = held.jobs.take();
    assert_eq!(jobs.len(), 4);
    jobs.into_iter().for_each(Job::run);
    let found = event_loop.run_until_complete(again).unwrap().unwrap();
    assert!(found.iter().all(|address| address.port() == 80) && !found.is_empty());
}

/// Writes down what it is asked, and never answers.
#[derive(Debug, Default)]
struct Silent(RefCell<Vec<AddrInfoRequest>>);

impl Resolver for Silent {
    fn getaddrinfo<'a>(
        &'a self,
        event_loop: &'a LoopHandle,
        request: AddrInfoRequest,
    ) -> ResolveFuture<'a, Vec<AddrInfo>> {
        assert_eq!(*event_loop, get_running_loop().unwrap());
        self.0.borrow_mut().push(request);
        Box::pin(pending())
    }

    fn getnameinfo<'a>(
        &'a self,
        _event_loop: &'a LoopHandle,
        _request: NameInfoRequest,
    ) -> ResolveFuture<'a, NameInfo> {
        Box::pin(pending())
    }
}

#[test]
fn a_resolver_of_ones_own_is_asked_what_the_program_asks() {
    let silent = Rc::new(Silent::default());
    let event_loop = EventLoop::builder().resolver(silent.clone()).build().unwrap();
    let asked = event_loop
        .getaddrinfo("db", 0)
        .service("sql")
        .family(AddressFamily::V6)
        .passive(true)
        .canonical_name(true);
    let task = event_loop.create_task(async { asked.await });
    let names = event_loop.getnameinfo(([127, 0, 0, 1], 80));
    let other = event_loop.create_task(async { names.await });
    turn(&event_loop);
    assert!(!task.done() && !other.done());
    let requests = silent.0.take();
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    assert_eq!(request.host.as_deref(), Some("db"));
    assert_eq!(request.service, Service::Name("sql".into()));
    assert_eq!(request.family, Some(AddressFamily::V6));
    assert!(request.flags.passive && request.flags.canonical_name && !request.flags.all);
    // The loop lets go of it in the end.
    drop((task, other));
    event_loop.close().unwrap();
    assert_eq!(Rc::strong_count(&silent), 1);
}
