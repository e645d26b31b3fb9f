//! What all transports of byte streams have in common, whatever they are made of.

#[path = "support/certificates.rs"]
mod certificates;
mod support;

use std::io::ErrorKind;
use std::net::TcpListener;

use certificates::authority;
use ronde_streams::Server;
use ronde_transports::{
    Buffered, Transport, connect_accepted_socket, create_connection, create_server,
};
#[cfg(unix)]
use ronde_transports::{create_unix_connection, create_unix_server};
use support::{
    BufferedRecorder, End, Record, Recorder, Reports, pattern, run, settle, spawn, until,
};

/// More than all the buffers between two ends take.
const MUCH: usize = 12_000_000;

/// Two ends of a connection, and what must live as long.
type Pair = (End, End);

/// What not every transport can do.
#[derive(Clone, Copy)]
struct Abilities {
    /// Can one direction end while the other goes on?
    half_close: bool,
}

const ALL: Abilities = Abilities { half_close: true };
const OVER_TLS: Abilities = Abilities { half_close: false };

/// Holds a transport to everything that all transports promise.
fn check_transport(abilities: Abilities, make_pair: impl AsyncFn() -> Pair + 'static) {
    run(async move {
        check_the_beginning(make_pair().await).await;
        check_bytes_both_ways(make_pair().await).await;
        check_reading_pauses(make_pair().await).await;
        check_writing_pauses(make_pair().await).await;
        check_close_delivers(make_pair().await).await;
        check_abort_does_not_deliver(make_pair().await).await;
        check_the_end_of_the_input(make_pair().await).await;
        check_keeping_open(make_pair().await, abilities).await;
        check_after_the_end(make_pair().await).await;
        check_methods_inside_of_methods(make_pair().await).await;
        check_switching_protocols(make_pair().await).await;
        check_a_panic(make_pair().await, make_pair().await).await;
        check_a_lost_peer(make_pair().await).await;
        check_water_marks(make_pair().await).await;
    });
}

async fn check_the_beginning((ours, theirs): Pair) {
    assert_eq!(ours.record.log(), ["made"]);
    assert_eq!(theirs.record.log(), ["made"]);
    for transport in [&ours.transport, &theirs.transport] {
        assert!(!transport.is_closing());
        assert!(transport.is_reading());
        assert!(transport.can_write_eof());
        assert_eq!(transport.write_buffer_size(), 0);
        assert_eq!(transport.get_loop(), ronde_loop::get_running_loop().unwrap());
        assert!(format!("{transport:?}").starts_with("<Transport open"), "{transport:?}");
    }
}

async fn check_bytes_both_ways((ours, theirs): Pair) {
    let data = pattern(1_000_000);
    let (first, second) = data.split_at(400_000);
    ours.transport.write(first);
    theirs.transport.writelines([first, second]);
    settle().await;
    ours.transport.writelines(second.chunks(1000));
    ours.transport.write([]);
    until(|| ours.record.received_bytes() + theirs.record.received_bytes() == 2 * data.len()).await;
    assert!(ours.record.received() == data && theirs.record.received() == data);
    assert_eq!(ours.transport.write_buffer_size(), 0);
}

async fn check_reading_pauses((ours, theirs): Pair) {
    // Also of what has arrived already: all but the first bytes is not delivered.
    theirs.record.on_data(|transport, _| transport.pause_reading());
    ours.transport.write(vec![b'x'; MUCH]);
    until(|| theirs.record.received_bytes() > 0).await;
    let before = theirs.record.received_bytes();
    settle().await;
    assert_eq!(theirs.record.received_bytes(), before);
    assert!(!theirs.transport.is_reading());
    assert!(ours.transport.write_buffer_size() > 0, "the peer is held up");
    theirs.transport.pause_reading();
    theirs.record.on_data(|_, _| {});
    theirs.transport.resume_reading();
    theirs.transport.resume_reading();
    assert!(theirs.transport.is_reading());
    until(|| theirs.record.received_bytes() == MUCH).await;

    // Paused and resumed at once is as if it had never been.
    theirs.transport.pause_reading();
    theirs.transport.resume_reading();
    ours.transport.write("more");
    until(|| theirs.record.received_bytes() == MUCH + 4).await;
}

async fn check_writing_pauses((ours, theirs): Pair) {
    ours.transport.set_write_buffer_limits(1000, 100).unwrap();
    for round in 1..=3 {
        theirs.transport.pause_reading();
        settle().await;
        ours.transport.write(vec![b'x'; MUCH]);
        assert_eq!(ours.record.count("pause"), round - 1, "not called inside of write");
        until(|| ours.record.count("pause") == round).await;
        ours.transport.write(vec![b'x'; 1000]);
        settle().await;
        assert_eq!(ours.record.count("resume"), round - 1);
        theirs.transport.resume_reading();
        until(|| ours.record.count("resume") == round).await;
        assert!(ours.transport.write_buffer_size() <= 100);
    }
    let log = ours.record.log();
    assert_eq!(log, ["made", "pause", "resume", "pause", "resume", "pause", "resume"]);
    ours.transport.drain().await.unwrap();
    until(|| theirs.record.received_bytes() == 3 * (MUCH + 1000)).await;
}

async fn check_close_delivers((ours, theirs): Pair) {
    ours.transport.write(pattern(MUCH));
    let unsent = ours.transport.write_buffer_size();
    assert!(unsent > 0, "there is something left to send");
    ours.transport.close();
    ours.transport.close();
    assert!(ours.transport.is_closing() && !ours.transport.is_reading());
    assert!(!ours.record.is_lost(), "not called inside of close");
    ours.record.lost().await;
    theirs.record.lost().await;
    assert!(theirs.record.received() == pattern(MUCH));
    assert_eq!(ours.record.log().last().unwrap(), "lost");
    assert_eq!(theirs.record.log().first().unwrap(), "made");
    assert_eq!(theirs.record.count("eof"), 1);
    assert_eq!(theirs.record.log().iter().filter(|line| line.starts_with("lost")).count(), 1);
    assert!(ours.transport.protocol::<Recorder>().is_none());
    ours.transport.wait_closed().await;
}

async fn check_abort_does_not_deliver((ours, theirs): Pair) {
    theirs.transport.pause_reading();
    ours.transport.write(vec![b'x'; MUCH]);
    settle().await;
    ours.transport.abort();
    ours.transport.abort();
    assert!(ours.transport.is_closing());
    assert!(!ours.record.is_lost(), "not called inside of abort");
    assert_eq!(ours.transport.write_buffer_size(), 0);
    ours.transport.wait_closed().await;
    assert_eq!(ours.record.log().last().unwrap(), "lost");
    theirs.transport.resume_reading();
    theirs.record.lost().await;
    assert!(theirs.record.received_bytes() < MUCH);
    settle().await;
    assert_eq!(ours.record.count("lost"), 1);
}

async fn check_the_end_of_the_input((ours, theirs): Pair) {
    ours.transport.write("that's all");
    ours.transport.write_eof();
    theirs.record.lost().await;
    assert_eq!(theirs.record.received(), b"that's all");
    assert_eq!(theirs.record.log(), ["made", "eof", "lost"]);
    ours.record.lost().await;
    assert_eq!(ours.record.log(), ["made", "eof", "lost"]);
}

async fn check_keeping_open((ours, theirs): Pair, abilities: Abilities) {
    theirs.record.keep_open();
    ours.transport.write_eof();
    if !abilities.half_close {
        theirs.record.lost().await;
        assert_eq!(theirs.record.log(), ["made", "eof", "lost"]);
        return;
    }
    until(|| theirs.record.count("eof") == 1).await;
    settle().await;
    assert!(!theirs.transport.is_closing());
    theirs.transport.write(pattern(100_000));
    until(|| ours.record.received_bytes() == 100_000).await;
    assert!(!ours.record.is_lost() && !theirs.record.is_lost());
    theirs.transport.close();
    theirs.record.lost().await;
    ours.record.lost().await;
    assert_eq!(theirs.record.log(), ["made", "eof", "lost"]);
}

async fn check_after_the_end((ours, theirs): Pair) {
    ours.transport.close();
    ours.record.lost().await;
    for _ in 0..10 {
        ours.transport.write("into the void");
        ours.transport.writelines(["into", "the", "void"]);
    }
    ours.transport.write_eof();
    ours.transport.pause_reading();
    ours.transport.resume_reading();
    ours.transport.close();
    ours.transport.abort();
    assert!(ours.transport.is_closing() && !ours.transport.is_reading());
    assert!(ours.transport.local_addr().is_none() && ours.transport.with_socket(|_| ()).is_none());
    assert!(format!("{:?}", ours.transport).starts_with("<Transport lost"));
    theirs.record.lost().await;
    assert_eq!(ours.record.count("lost"), 1);
    assert_eq!(theirs.record.received_bytes(), 0);
}

async fn check_methods_inside_of_methods((ours, theirs): Pair) {
    let record = theirs.record.clone();
    theirs.record.on_data(move |transport, _| {
        transport.set_write_buffer_limits(1000, 100).unwrap();
        transport.write(vec![b'x'; MUCH]);
        assert_eq!(record.count("pause"), 0, "not called inside of data_received");
        transport.pause_reading();
        transport.resume_reading();
        transport.pause_reading();
        transport.close();
        assert!(!record.is_lost());
        record.push("closed");
    });
    ours.transport.write("go");
    theirs.record.lost().await;
    ours.record.lost().await;
    assert_eq!(ours.record.received_bytes(), MUCH);
    let log = theirs.record.log();
    assert_eq!(log[..2], ["made", "closed"]);
    assert_eq!(log.last().unwrap(), "lost");
}

async fn check_switching_protocols((ours, theirs): Pair) {
    let (second, third) = (Record::default(), Record::default());
    for record in [&second, &third] {
        record.push("made");
    }
    let (next, last) = (second.clone(), third.clone());
    theirs.record.on_data(move |transport, _| {
        transport.set_protocol(Buffered(BufferedRecorder::new(next.clone())));
        assert!(transport.protocol::<BufferedRecorder>().is_some());
        assert!(transport.protocol::<Recorder>().is_none());
    });
    ours.transport.write(pattern(100_000));
    until(|| theirs.record.received_bytes() + second.received_bytes() == 100_000).await;
    assert!([theirs.record.received(), second.received()].concat() == pattern(100_000));
    let handle = theirs.transport.set_protocol(Recorder(last));
    ours.transport.write("the last of it");
    ours.transport.close();
    third.lost().await;
    assert_eq!(third.received(), b"the last of it");
    handle.with(|recorder| assert_eq!(recorder.0.log(), ["made", "eof", "lost"]));
    assert!(!second.is_lost() && !theirs.record.is_lost());
    // It is too late for another one, and no handle of ours is needed.
    theirs.transport.set_protocol(Recorder(Record::default()));
    assert!(theirs.transport.protocol::<Recorder>().is_none());
}

async fn check_a_panic((ours, theirs): Pair, (others, friends): Pair) {
    let reports = Reports::collect();
    theirs.record.on_data(|_, _| panic!("no luck"));
    ours.transport.write("go");
    theirs.record.lost().await;
    let [report] = &reports.take()[..] else { panic!("one report") };
    assert!(report.starts_with("a protocol has failed in `"), "{report}");
    assert!(report.contains("no luck"), "{report}");
    assert!(theirs.record.error().unwrap().to_string().starts_with("the protocol panicked in"));
    assert_eq!(theirs.record.log(), ["made", "lost with an error"]);
    ours.record.lost().await;
    // The loop and other connections go on.
    others.transport.write("hello");
    until(|| friends.record.received() == b"hello").await;
}

async fn check_a_lost_peer((ours, theirs): Pair) {
    // What has arrived and isn't read makes the end of this socket a reset.
    theirs.transport.pause_reading();
    ours.transport.write(vec![b'x'; MUCH]);
    settle().await;
    theirs.transport.abort();
    ours.record.lost().await;
    let kind = ours.record.error().map(|error| error.kind());
    assert!(matches!(kind, Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)), "{kind:?}");
    assert_eq!(theirs.record.log(), ["made", "lost"]);
    assert_eq!(ours.record.log(), ["made", "pause", "lost with an error"]);
}

async fn check_water_marks((ours, _theirs): Pair) {
    let transport = &ours.transport;
    assert_eq!(transport.write_buffer_limits(), (64 * 1024, 16 * 1024));
    transport.set_write_buffer_limits(1000, None).unwrap();
    assert_eq!(transport.write_buffer_limits(), (1000, 250));
    transport.set_write_buffer_limits(None, 1000).unwrap();
    assert_eq!(transport.write_buffer_limits(), (4000, 1000));
    transport.set_write_buffer_limits(0, None).unwrap();
    assert_eq!(transport.write_buffer_limits(), (0, 0));
    let error = transport.set_write_buffer_limits(1, 2).unwrap_err();
    assert_eq!((error.high, error.low), (1, 2));
    assert_eq!(transport.write_buffer_limits(), (0, 0));
    transport.set_write_buffer_limits(None, None).unwrap();
    assert_eq!(transport.write_buffer_limits(), (64 * 1024, 16 * 1024));
}

fn port(server: &Server) -> u16 {
    server.local_addrs()[0].port()
}

fn recorder(record: &Record) -> impl Fn() -> Recorder + use<> {
    let record = record.clone();
    move || Recorder(record.clone())
}

/// Checks that what the creating function returns is what its protocol was made with.
async fn ends(created: Transport, ours: Record, theirs: Record) -> Pair {
    assert_eq!(ours.log().first().unwrap(), "made", "before the function returns");
    let pair = (End::of(ours).await, End::of(theirs).await);
    assert!(pair.0.transport == created && pair.0.transport != pair.1.transport);
    pair
}

async fn tcp_pair() -> Pair {
    let (ours, theirs) = (Record::default(), Record::default());
    let server = create_server(recorder(&theirs), "127.0.0.1", 0).await.unwrap();
    let (transport, _) =
        create_connection(recorder(&ours), "127.0.0.1", port(&server)).await.unwrap();
    let pair = ends(transport, ours, theirs).await;
    server.close();
    pair
}

fn socket_pair() -> (std::net::TcpStream, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (ours, listener.accept().unwrap().0)
}

async fn accepted_pair() -> Pair {
    let (ours, theirs) = (Record::default(), Record::default());
    let (client, accepted) = socket_pair();
    let (transport, _) = connect_accepted_socket(recorder(&ours), client).await.unwrap();
    connect_accepted_socket(recorder(&theirs), accepted).await.unwrap();
    ends(transport, ours, theirs).await
}

async fn buffered_pair() -> Pair {
    let (ours, theirs) = (Record::default(), Record::default());
    let (client, accepted) = socket_pair();
    let buffered = |record: &Record| {
        let record = record.clone();
        move || Buffered(BufferedRecorder::new(record))
    };
    let (transport, handle) = connect_accepted_socket(buffered(&ours), client).await.unwrap();
    assert_eq!(handle.with(|recorder| recorder.0.log()), ["made"]);
    connect_accepted_socket(buffered(&theirs), accepted).await.unwrap();
    ends(transport, ours, theirs).await
}

#[cfg(unix)]
async fn unix_pair() -> Pair {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let (ours, theirs) = (Record::default(), Record::default());
    let server = create_unix_server(recorder(&theirs), &path).await.unwrap();
    let (transport, _) = create_unix_connection(recorder(&ours), &path).await.unwrap();
    let pair = ends(transport, ours, theirs).await;
    assert_eq!(pair.0.transport.peer_path().unwrap(), path);
    server.close();
    pair
}

async fn tls_pair() -> Pair {
    let (ours, theirs) = (Record::default(), Record::default());
    let options = authority().certify("localhost").server();
    let server = create_server(recorder(&theirs), "127.0.0.1", 0).tls(options).await.unwrap();
    let tls = authority().client().server_name("localhost");
    let connecting = create_connection(recorder(&ours), "127.0.0.1", port(&server)).tls(tls);
    let (transport, _) = connecting.await.unwrap();
    let pair = ends(transport, ours, theirs).await;
    assert!(pair.0.transport.tls().is_some() && pair.1.transport.tls().is_some());
    server.close();
    pair
}

async fn accepted_tls_pair() -> Pair {
    let (ours, theirs) = (Record::default(), Record::default());
    let (client, accepted) = socket_pair();
    let options = authority().certify("localhost").server();
    let record = theirs.clone();
    let accepting = spawn(async move {
        connect_accepted_socket(recorder(&record), accepted).accept_tls(options).await.map(drop)
    });
    let tls = authority().client().server_name("localhost");
    let connecting = connect_accepted_socket(recorder(&ours), client).tls(tls);
    let (transport, _) = connecting.await.unwrap();
    accepting.await.unwrap().unwrap();
    ends(transport, ours, theirs).await
}

async fn upgraded_pair() -> Pair {
    let (ours, theirs) = accepted_pair().await;
    let options = authority().certify("localhost").server();
    let accepting = theirs.transport.accept_tls(options);
    let accepting = spawn(async move { accepting.await });
    let tls = authority().client().server_name("localhost");
    ours.transport.start_tls(tls).await.unwrap();
    accepting.await.unwrap().unwrap();
    assert!(ours.transport.tls().is_some() && theirs.transport.tls().is_some());
    (ours, theirs)
}

async fn buffered_tls_pair() -> Pair {
    let (ours, theirs) = upgraded_pair().await;
    for end in [&ours, &theirs] {
        let recorder = BufferedRecorder::new(end.record.clone());
        end.transport.set_protocol(Buffered(recorder));
    }
    (ours, theirs)
}

#[test]
fn tcp() {
    check_transport(ALL, tcp_pair);
}

#[test]
fn an_accepted_socket() {
    check_transport(ALL, accepted_pair);
}

#[test]
fn tcp_with_a_buffered_protocol() {
    check_transport(ALL, buffered_pair);
}

#[cfg(unix)]
#[test]
fn a_unix_socket() {
    check_transport(ALL, unix_pair);
}

#[test]
fn tls() {
    check_transport(OVER_TLS, tls_pair);
}

#[test]
fn an_accepted_socket_over_tls() {
    check_transport(OVER_TLS, accepted_tls_pair);
}

#[test]
fn a_connection_that_was_upgraded_to_tls() {
    check_transport(OVER_TLS, upgraded_pair);
}

#[test]
fn tls_with_a_buffered_protocol() {
    check_transport(OVER_TLS, buffered_tls_pair);
}
