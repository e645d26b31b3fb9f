//! What is left when a transport, or its loop, has ended: nothing.

mod support;

use std::cell::RefCell;
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::rc::{Rc, Weak};
use std::sync::{Arc, Mutex};

use ronde_loop::EventLoop;
use ronde_transports::{
    DatagramProtocol, DatagramTransport, Protocol, Transport, connect_accepted_socket,
    create_datagram_endpoint,
};
use support::{Record, Recorder, run, run_on, settle};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as Fields};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps the messages of warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN && metadata.target() == "ronde"
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push(message.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Fields<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn socket_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (ours, listener.accept().unwrap().0)
}

/// Has a handle to its own transport, as most protocols do: a ring.
struct Ring(Option<Transport>, Option<DatagramTransport>, #[expect(dead_code)] Rc<()>);

impl Ring {
    fn new() -> (Self, Weak<()>) {
        let alive = Rc::new(());
        let weak = Rc::downgrade(&alive);
        (Self(None, None, alive), weak)
    }
}

impl Protocol for Ring {
    fn connection_made(&mut self, transport: &Transport) {
        self.0 = Some(transport.clone());
    }
}

impl DatagramProtocol for Ring {
    fn connection_made(&mut self, transport: &DatagramTransport) {
        self.1 = Some(transport.clone());
    }
}

fn is_closed(mut socket: TcpStream) -> bool {
    matches!(io::Read::read(&mut socket, &mut [0]), Ok(0) | Err(_))
}

#[test]
fn a_protocol_that_has_its_transport_is_dropped_when_the_connection_is_lost() {
    run(async {
        let (ours, theirs) = socket_pair();
        let (ring, weak) = Ring::new();
        let (transport, handle) = connect_accepted_socket(|| ring, ours).await.unwrap();
        drop(handle);
        settle().await;
        assert_eq!(weak.strong_count(), 1);
        transport.close();
        transport.wait_closed().await;
        assert_eq!(weak.strong_count(), 0);
        assert!(is_closed(theirs));
    });
}

#[test]
fn the_loop_owns_what_reads_and_what_closes() {
    run(async {
        let (ours, mut theirs) = socket_pair();
        let record = Record::default();
        let recorder = Recorder(record.clone());
        connect_accepted_socket(|| recorder, ours).await.unwrap();
        settle().await;
        io::Write::write_all(&mut theirs, b"x").unwrap();
        support::until(|| record.received_bytes() == 1).await;

        let (ours, mut theirs) = socket_pair();
        let (transport, _) = connect_accepted_socket(|| Silent, ours).await.unwrap();
        transport.write(vec![b'x'; 12_000_000]);
        transport.close();
        drop(transport);
        let count = move || io::copy(&mut theirs, &mut io::sink()).unwrap();
        let event_loop = ronde_loop::get_running_loop().unwrap();
        let received = event_loop.run_in_executor(None, count).unwrap();
        assert_eq!(received.await.unwrap(), 12_000_000);
    });
}

struct Silent;
impl Protocol for Silent {}

#[test]
fn one_that_is_paused_and_forgotten_is_closed_and_in_debug_mode_warned_of() {
    let warnings = Warnings::default();
    let _logging = tracing::subscriber::set_default(warnings.clone());
    for debug in [false, true] {
        let event_loop = EventLoop::builder().debug(debug).build().unwrap();
        run_on(&event_loop, async {
            let (ours, theirs) = socket_pair();
            let (transport, _) = connect_accepted_socket(|| Silent, ours).await.unwrap();
            transport.pause_reading();
            transport.write("what was written is delivered");
            settle().await;
            drop(transport);
            let mut received = String::new();
            io::Read::read_to_string(&mut &theirs, &mut received).unwrap();
            assert_eq!(received, "what was written is delivered");
        });
        let expected: &[&str] =
            &["a transport that does not read was dropped while it was open: close it"];
        assert_eq!(warnings.take(), if debug { expected } else { &[] });
    }
}

#[test]
fn a_loop_that_is_closed_lets_go_of_everything_and_in_debug_mode_warns() {
    let warnings = Warnings::default();
    let _logging = tracing::subscriber::set_default(warnings.clone());
    for debug in [false, true] {
        let event_loop = EventLoop::builder().debug(debug).build().unwrap();
        let kept = Rc::new(RefCell::new(Vec::new()));
        let mut rings = Vec::new();
        let mut peers = Vec::new();
        for is_paused in [false, true] {
            let (ours, theirs) = socket_pair();
            let ((ring, weak), kept) = (Ring::new(), kept.clone());
            rings.push(weak);
            peers.push(theirs);
            run_on(&event_loop, async move {
                let (transport, _) = connect_accepted_socket(|| ring, ours).await.unwrap();
                if is_paused {
                    transport.pause_reading();
                }
                settle().await;
                kept.borrow_mut().push(transport);
            });
        }
        let (ring, weak) = Ring::new();
        rings.push(weak);
        let endpoint = run_on(&event_loop, async {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            create_datagram_endpoint(|| ring).socket(socket).await.unwrap().0
        });
        event_loop.close().unwrap();
        assert!(rings.iter().all(|ring| ring.strong_count() == 0));
        assert!(peers.into_iter().all(is_closed));
        let warned = warnings.take();
        assert_eq!(warned.len(), if debug { 3 } else { 0 }, "{warned:?}");
        assert!(warned.iter().all(|it| it.starts_with("a transport was open when its loop")));

        // They are of no use any more, and do no harm.
        for transport in kept.take() {
            assert!(transport.is_closing() && transport.protocol::<Ring>().is_none());
            transport.write("dropped");
            transport.pause_reading();
            transport.resume_reading();
            transport.set_protocol(Silent);
            transport.close();
            transport.abort();
        }
        endpoint.sendto("dropped", endpoint_address()).unwrap();
        endpoint.close();
        endpoint.abort();
    }
}

fn endpoint_address() -> std::net::SocketAddr {
    "127.0.0.1:9".parse().unwrap()
}

#[test]
fn writes_after_the_end_are_warned_of_from_the_fifth_on() {
    let warnings = Warnings::default();
    let _logging = tracing::subscriber::set_default(warnings.clone());
    run(async move {
        let (ours, _theirs) = socket_pair();
        let (transport, _) = connect_accepted_socket(|| Silent, ours).await.unwrap();
        transport.abort();
        transport.wait_closed().await;
        for _ in 0..4 {
            transport.write("x");
        }
        assert!(warnings.take().is_empty());
        transport.write("x");
        let [warning] = &warnings.take()[..] else { panic!("one warning") };
        assert!(warning.starts_with("a write to a connection that is closed or lost was dropped"));

        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (ring, _) = Ring::new();
        let (endpoint, _) = create_datagram_endpoint(|| ring).socket(socket).await.unwrap();
        endpoint.close();
        endpoint.wait_closed().await;
        for _ in 0..4 {
            endpoint.sendto("x", endpoint_address()).unwrap();
        }
        assert!(warnings.take().is_empty());
        endpoint.sendto("x", endpoint_address()).unwrap();
        assert_eq!(warnings.take(), ["a datagram for an endpoint that is closed was dropped"]);
    });
}
