//! What the tests have in common.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use ronde_loop::{EventLoop, Promise, Task, get_running_loop, timeout, yield_now};
use ronde_transports::{BufferedProtocol, Protocol, Transport};

/// Runs a test on a loop of its own. A hang is a failure.
pub(crate) fn run<F>(test: F) -> F::Output
where
    F: Future + 'static,
    F::Output: 'static,
{
    run_on(&EventLoop::new().unwrap(), test)
}

pub(crate) fn run_on<F>(event_loop: &EventLoop, test: F) -> F::Output
where
    F: Future + 'static,
    F::Output: 'static,
{
    let limited = async { timeout(Duration::from_secs(60), test).await.expect("the test hangs") };
    event_loop.run_until_complete(limited).unwrap()
}

pub(crate) fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    get_running_loop().unwrap().create_task(future)
}

/// Waits until something is true.
pub(crate) async fn until(mut is_true: impl FnMut() -> bool) {
    while !is_true() {
        yield_now().await;
    }
}

/// Gives everything else the chance to run as far as it can.
pub(crate) async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

/// Polls once and drops what is pending.
pub(crate) async fn poll_and_drop<F: IntoFuture>(future: F) -> bool {
    let mut future = Box::pin(future.into_future());
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx))).await;
    polled.is_pending()
}

/// What went to the loop's exception handler.
#[derive(Clone, Default)]
pub(crate) struct Reports(Rc<RefCell<Vec<String>>>);

impl Reports {
    pub(crate) fn collect() -> Self {
        let reports = Self::default();
        let sink = reports.clone();
        get_running_loop().unwrap().set_exception_handler(Some(Rc::new(move |context| {
            sink.0.borrow_mut().push(context.to_string());
        })));
        reports
    }

    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

type OnData = Box<dyn FnMut(&Transport, &[u8])>;

/// Everything that a protocol is called with. Clones are the same record.
#[derive(Clone, Default)]
pub(crate) struct Record(Rc<Inner>);

#[derive(Default)]
struct Inner {
    log: RefCell<Vec<String>>,
    received: RefCell<Vec<u8>>,
    on_data: RefCell<Option<OnData>>,
    keeps_open: std::cell::Cell<bool>,
    made: Made,
    error: RefCell<Option<io::Error>>,
}

struct Made(Promise<Transport>);

impl Default for Made {
    fn default() -> Self {
        Self(Promise::new())
    }
}

impl Record {
    /// What `eof_received` is to return.
    pub(crate) fn keep_open(&self) {
        self.0.keeps_open.set(true);
    }

    /// Has `f` called inside `data_received`.
    pub(crate) fn on_data(&self, f: impl FnMut(&Transport, &[u8]) + 'static) {
        *self.0.on_data.borrow_mut() = Some(Box::new(f));
    }

    pub(crate) async fn made(&self) -> Transport {
        (&self.0.made.0).await.unwrap()
    }

    pub(crate) fn push(&self, line: impl Into<String>) {
        self.0.log.borrow_mut().push(line.into());
    }

    /// The calls, but for those with data.
    pub(crate) fn log(&self) -> Vec<String> {
        self.0.log.borrow().clone()
    }

    pub(crate) fn count(&self, line: &str) -> usize {
        self.0.log.borrow().iter().filter(|logged| *logged == line).count()
    }

    pub(crate) fn received(&self) -> Vec<u8> {
        self.0.received.borrow().clone()
    }

    pub(crate) fn received_bytes(&self) -> usize {
        self.0.received.borrow().len()
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.0.log.borrow().iter().any(|line| line.starts_with("lost"))
    }

    pub(crate) async fn lost(&self) {
        until(|| self.is_lost()).await;
    }

    /// What `connection_lost` was told.
    pub(crate) fn error(&self) -> Option<io::Error> {
        self.0.error.take()
    }

    fn made_by(&self, transport: &Transport) {
        self.push("made");
        let _ = self.0.made.0.set_result(transport.clone());
    }

    pub(crate) fn data(&self, data: &[u8]) {
        assert!(!data.is_empty(), "no data");
        assert!(!self.is_lost(), "data after the end");
        assert_eq!(self.log().first().map(String::as_str), Some("made"));
        self.0.received.borrow_mut().extend(data);
        let on_data = self.0.on_data.take();
        if let Some(mut f) = on_data {
            let transport = self.0.made.0.result().unwrap();
            f(&transport, data);
            self.0.on_data.borrow_mut().get_or_insert(f);
        }
    }

    fn eof(&self) -> bool {
        self.push("eof");
        self.0.keeps_open.get()
    }

    fn lose(&self, error: Option<io::Error>) {
        match &error {
            None => self.push("lost"),
            Some(_) => self.push("lost with an error"),
        }
        *self.0.error.borrow_mut() = error;
    }
}

/// Takes records of what it is called with.
pub(crate) struct Recorder(pub(crate) Record);

impl Protocol for Recorder {
    fn connection_made(&mut self, transport: &Transport) {
        self.0.made_by(transport);
    }

    fn data_received(&mut self, data: &[u8]) {
        self.0.data(data);
    }

    fn eof_received(&mut self) -> bool {
        self.0.eof()
    }

    fn pause_writing(&mut self) {
        self.0.push("pause");
    }

    fn resume_writing(&mut self) {
        self.0.push("resume");
    }

    fn connection_lost(&mut self, error: Option<io::Error>) {
        self.0.lose(error);
    }
}

/// The same, with a buffer of its own.
pub(crate) struct BufferedRecorder(pub(crate) Record, Vec<u8>);

impl BufferedRecorder {
    pub(crate) fn new(record: Record) -> Self {
        Self(record, vec![0; 5000])
    }
}

impl BufferedProtocol for BufferedRecorder {
    fn connection_made(&mut self, transport: &Transport) {
        self.0.made_by(transport);
    }

    fn get_buffer(&mut self, size_hint: usize) -> &mut [u8] {
        assert!(size_hint > 0);
        &mut self.1
    }

    fn buffer_updated(&mut self, bytes: usize) {
        self.0.data(&self.1[..bytes]);
    }

    fn eof_received(&mut self) -> bool {
        self.0.eof()
    }

    fn pause_writing(&mut self) {
        self.0.push("pause");
    }

    fn resume_writing(&mut self) {
        self.0.push("resume");
    }

    fn connection_lost(&mut self, error: Option<io::Error>) {
        self.0.lose(error);
    }
}

/// One end of a connection.
pub(crate) struct End {
    pub(crate) transport: Transport,
    pub(crate) record: Record,
}

impl End {
    pub(crate) async fn of(record: Record) -> Self {
        Self { transport: record.made().await, record }
    }
}

/// Bytes in which nothing can be missing or exchanged unnoticed.
pub(crate) fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}
