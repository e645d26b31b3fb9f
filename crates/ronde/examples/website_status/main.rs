//! Checks what websites answer, many at once: `website_status https://example.org ...`
//!
//! Without arguments it starts ten small sites of its own and checks those, first one after the
//! other and then all at once. With `--help` it says more.
//!
//! Where to read on: `check` is one check, `http` what it says to a site; `local_sites` has the
//! servers; `args` and `report` face the user.

mod check;
mod http;
mod local_sites;

mod args;
mod report;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;

use ronde::{ReturnWhen, create_task, gather_all, wait};
use url::Url;

use crate::args::{Command, Options};
use crate::check::{Checker, Outcome, Problem};
use crate::local_sites::LocalSites;
use crate::report::Progress;

#[ronde::main]
async fn main() -> ExitCode {
    let outcome = match args::parse() {
        Ok(Command::Help) => report::line(args::HELP.trim_end()).map(|()| true).map_err(Into::into),
        Ok(Command::Check(options)) if options.urls.is_empty() => compare(options).await,
        Ok(Command::Check(options)) => check(options).await,
        Err(error) => {
            complain(&format!("{error}\nTry --help."));
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Checks the sites that were asked for. Have all answered?
async fn check(options: Options) -> Result<bool, Box<dyn Error>> {
    let checker = Checker::new(options.timeout, options.trusted.as_deref());
    let outcomes = all_at_once(&options.urls, &checker, options.concurrency.get()).await;
    report_all(&options.urls, &outcomes)?;
    Ok(outcomes.iter().all(Result::is_ok))
}

/// Checks the program's own sites twice, and compares the times. Have all answered?
async fn compare(options: Options) -> Result<bool, Box<dyn Error>> {
    let sites = LocalSites::start().await?;
    let checker = Checker::new(options.timeout, Some(sites.certificate_authority()));

    report::line("One after the other:")?;
    let start = Instant::now();
    one_after_the_other(sites.urls(), &checker).await?;
    let one_by_one = start.elapsed();

    report::line("All at once:")?;
    let start = Instant::now();
    let outcomes = all_at_once(sites.urls(), &checker, options.concurrency.get()).await;
    let at_once = start.elapsed();
    report_all(sites.urls(), &outcomes)?;

    let (one_by_one, at_once) = (report::seconds(one_by_one), report::seconds(at_once));
    report::line(&format!("one after the other: {one_by_one}; all at once: {at_once}"))?;
    sites.close().await;
    Ok(outcomes.iter().all(Result::is_ok))
}

async fn one_after_the_other(urls: &[Url], checker: &Checker) -> io::Result<()> {
    for url in urls {
        let outcome = checker.check(url).await;
        report::result(url, report::width(urls), &outcome)?;
    }
    Ok(())
}

/// Makes a task of each check, and waits for all. No more than `limit` run at the same time.
async fn all_at_once(urls: &[Url], checker: &Checker, limit: usize) -> Vec<Outcome> {
    let progress = Rc::new(Progress::start(urls.len()));
    let mut tasks = Vec::new();
    let mut running = Vec::new();
    for url in urls {
        if running.len() == limit {
            running = wait(running).return_when(ReturnWhen::FirstCompleted).await.pending;
        }
        let (checker, url, progress) = (checker.clone(), url.clone(), progress.clone());
        let task = create_task(async move { checker.check(&url).await });
        task.add_done_callback(move |_| progress.one_more());
        running.push(task.as_ref().clone());
        tasks.push(task);
    }
    let outcomes = gather_all(tasks).return_exceptions().await;
    // A task that has panicked is one more kind of problem, and no reason to lose the others.
    outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|e| Err(Problem::Task(e)))).collect()
}

fn report_all(urls: &[Url], outcomes: &[Outcome]) -> io::Result<()> {
    let width = report::width(urls);
    urls.iter().zip(outcomes).try_for_each(|(url, outcome)| report::result(url, width, outcome))
}

fn complain(text: &str) {
    // If not even that can be written, the exit status has to do.
    let _ = writeln!(io::stderr(), "website_status: {text}");
}
