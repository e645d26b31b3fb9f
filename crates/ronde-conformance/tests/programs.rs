//! The programs kept here give the traces that CPython's asyncio gave.

use std::fs;
use std::path::{Path, PathBuf};

use ronde_conformance::{Folder, check};

/// Those that deviate from asyncio on purpose. `docs/semantics.md` says why.
const DEVIATING: &[&str] = &["iter_wait_for_zero"];

#[test]
fn basic_programs_give_the_traces_of_asyncio() {
    let basic = checked("basic");
    assert_eq!(basic.deviating, DEVIATING);
}

#[test]
fn programs_about_the_order_of_steps_give_the_traces_of_asyncio() {
    assert!(checked("order").deviating.is_empty());
}

#[test]
fn programs_about_composites_give_the_traces_of_asyncio() {
    assert!(checked("time").deviating.is_empty());
}

#[test]
fn programs_that_once_gave_another_trace_give_that_of_asyncio() {
    assert!(checked("found").deviating.is_empty());
}

#[test]
fn what_deviates_on_purpose_is_documented() {
    let semantics = package().join("../../docs/semantics.md");
    let semantics = fs::read_to_string(semantics).unwrap();
    for name in DEVIATING {
        assert!(semantics.contains(&format!("`{name}`")), "docs/semantics.md doesn't name {name}");
    }
}

fn checked(folder: &str) -> Folder {
    let mut folders = check(&[package().join("programs").join(folder)]).unwrap();
    assert_eq!(folders.len(), 1);
    let folder = folders.remove(0);
    assert!(folder.failed.is_empty(), "\n{folder}");
    println!("{folder}");
    folder
}

fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}
