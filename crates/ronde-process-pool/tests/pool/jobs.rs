//! What the workers can do.

use std::io::Read;
use std::path::{Path, PathBuf};

use ronde_process_pool::Registry;
use rustix::process::{Signal, getpid, kill_process};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn jobs() -> Registry {
    Registry::new()
        .register(square)
        .register(pid)
        .register(reverse)
        .register(meet)
        .register(hold)
        .register(panics)
        .register(exits)
        .register(aborts)
        .register(interrupts_itself)
        .register(stdin)
        .register(prints)
        .register(takes_picky)
        .register(gives_picky)
        .register(gives_untold)
        .register(takes_either)
        .register(runs_for_ever)
}

pub(crate) fn square(n: u64) -> u64 {
    n * n
}

pub(crate) fn pid(_: ()) -> u32 {
    std::process::id()
}

pub(crate) fn reverse(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.reverse();
    bytes
}

/// Ends when somebody else runs it too, the other way round.
pub(crate) fn meet((mine, other): (PathBuf, PathBuf)) -> u32 {
    std::fs::write(mine, "").unwrap();
    wait_for(&other);
    std::process::id()
}

/// Says that it has begun, and ends when the other file is there.
pub(crate) fn hold((begun, end): (PathBuf, PathBuf)) -> u32 {
    std::fs::write(begun, std::process::id().to_string()).unwrap();
    wait_for(&end);
    std::process::id()
}

fn wait_for(file: &Path) {
    while !file.exists() {
        std::thread::yield_now();
    }
}

pub(crate) fn panics(why: String) {
    panic!("no {why}");
}

pub(crate) fn exits(code: i32) {
    std::process::exit(code);
}

pub(crate) fn aborts(_: ()) {
    std::process::abort();
}

pub(crate) fn interrupts_itself(_: ()) -> String {
    kill_process(getpid(), Signal::INT).unwrap();
    "still here".to_owned()
}

pub(crate) fn stdin(_: ()) -> usize {
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap()
}

pub(crate) fn prints(line: String) {
    print!("{line}, without an end of line");
}

pub(crate) fn runs_for_ever(_: ()) {
    println!("begun");
    loop {
        std::thread::park();
    }
}

/// A number that can't be sent if it is 1, nor received if it is 2.
#[derive(Debug, PartialEq)]
pub(crate) struct Picky(pub(crate) u32);

impl Serialize for Picky {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            1 => Err(S::Error::custom("one can't be sent")),
            n => n.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            2 => Err(D::Error::custom("two can't be received")),
            3 => panic!("three hurts"),
            n => Ok(Self(n)),
        }
    }
}

pub(crate) fn takes_picky(picky: Picky) -> u32 {
    picky.0
}

pub(crate) fn gives_picky(n: u32) -> Picky {
    Picky(n)
}

/// Its result doesn't say how long it is.
pub(crate) fn gives_untold(_: ()) -> Untold {
    Untold
}

#[derive(Debug, Deserialize)]
pub(crate) struct Untold;

impl Serialize for Untold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq([1, 2, 3].iter().filter(|n| **n != 2))
    }
}

/// To read it takes to see what it is first, which the format can't.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Either {
    Number(u32),
    Text(String),
}

pub(crate) fn takes_either(either: Either) -> String {
    match either {
        Either::Number(n) => n.to_string(),
        Either::Text(text) => text,
    }
}
