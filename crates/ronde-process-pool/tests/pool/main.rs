//! Real workers: this program, started again.

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod jobs;
#[cfg(unix)]
mod scenarios;
#[cfg(unix)]
mod support;
#[cfg(unix)]
mod unix;

#[cfg(unix)]
fn main() {
    scenarios::play_if_forgetful();
    jobs::jobs().serve_if_worker();
    scenarios::play_if_asked();
    unix::run_all();
}
