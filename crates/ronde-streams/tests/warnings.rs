//! What goes to the log.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ronde_loop::get_running_loop;
use support::{half_pair, run};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
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

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn writes_to_a_connection_that_is_gone_are_dropped_and_warned_of_from_the_fifth_on() {
    let warnings = Warnings::default();
    let _logging = tracing::subscriber::set_default(warnings.clone());
    run(async move {
        let ((_reader, writer), _theirs) = half_pair().await;
        writer.abort();
        for _ in 0..2 {
            writer.write("dropped");
            writer.writelines(["dropped", "too"]);
        }
        writer.write("");
        assert_eq!(warnings.take(), [""; 0], "four are dropped in silence");
        let expected =
            "a write to a connection that is closed or lost was dropped: see what `drain` says";
        writer.write("the fifth");
        assert_eq!(warnings.take(), [expected]);
        writer.writelines(["the sixth"]);
        assert_eq!(warnings.take(), [expected]);
        assert!(writer.drain().await.is_err());
    });
}

#[test]
fn in_debug_mode_a_writer_that_is_dropped_too_early_is_told_of() {
    let warnings = Warnings::default();
    let _logging = tracing::subscriber::set_default(warnings.clone());
    run(async move {
        let ((reader, writer), theirs) = half_pair().await;
        drop((reader, writer));
        assert_eq!(warnings.take(), [""; 0], "it isn't debug mode");
        drop(theirs);

        let event_loop = get_running_loop().unwrap();
        event_loop.set_debug(true);
        // On a busy machine anything may be slow.
        event_loop.set_slow_callback_duration(Duration::MAX);
        let ((reader, writer), _theirs) = half_pair().await;
        drop((reader, writer));
        let told = warnings.take();
        assert_eq!(told.len(), 1, "{told:?}");
        let what = "a stream was dropped, and nobody had closed it: <connection peer=127.0.0.1:";
        assert!(told[0].starts_with(what), "{told:?}");

        // More than the system takes at once, to a peer that reads nothing.
        let ((reader, writer), _theirs) = half_pair().await;
        writer.write(vec![0; 32 << 20]);
        writer.close();
        drop((reader, writer));
        let told = warnings.take();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("a stream was dropped before the last "), "{told:?}");

        let ((reader, writer), _theirs) = half_pair().await;
        writer.close();
        writer.wait_closed().await.unwrap();
        drop((reader, writer));
        assert_eq!(warnings.take(), [""; 0]);
    });
}

#[cfg(unix)]
#[test]
fn a_socket_whose_file_cannot_be_removed_is_warned_of() {
    let warnings = Warnings::default();
    let _logging = tracing::subscriber::set_default(warnings.clone());
    run(async move {
        let folder = tempfile::tempdir().unwrap();
        let (inner, path) = (folder.path().join("inner"), folder.path().join("inner/socket"));
        std::fs::create_dir(&inner).unwrap();
        let server = ronde_streams::start_unix_server(async |_, _| {}, &path).await.unwrap();
        // A file is in the way where the folder was.
        std::fs::remove_dir_all(&inner).unwrap();
        std::fs::write(&inner, "").unwrap();
        server.close();
        assert_eq!(warnings.take(), ["the file of a socket that is closed can't be removed"]);
        server.wait_closed().await;
    });
}
