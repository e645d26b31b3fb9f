//! `#[ronde::main]` and `#[ronde::test]`, as they are used.

use ronde::{Promise, create_task, get_running_loop, sleep};
use std::time::{Duration, Instant};

#[ronde::test]
async fn a_test_runs_on_a_loop_of_its_own() {
    assert!(get_running_loop().unwrap().is_running());
    assert_eq!(create_task(async { 7 }).await.unwrap(), 7);
}

#[ronde::test(simulated)]
async fn an_hour_passes_at_once() {
    let began = Instant::now();
    let start = get_running_loop().unwrap().time();
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(get_running_loop().unwrap().time(), start + Duration::from_secs(3600));
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[ronde::test]
async fn a_test_may_return_a_result() -> Result<(), Box<dyn std::error::Error>> {
    let number: u8 = "7".parse()?;
    create_task(async move { assert_eq!(number, 7) }).await?;
    Ok(())
}

#[ronde::test]
#[should_panic(expected = "on purpose")]
async fn a_test_that_panics_fails() {
    sleep(Duration::ZERO).await;
    panic!("on purpose");
}

#[ronde::test(simulated)]
#[should_panic(expected = "deadlock: nothing is ready")]
async fn a_simulated_test_that_cannot_go_on_fails_with_a_report() {
    let _ = Promise::<()>::new().await;
}

#[ronde::test]
#[ignore = "it is ignored to show that other attributes stay"]
async fn an_ignored_test() {
    panic!("not run");
}

mod programs {
    #[ronde::main]
    pub(crate) async fn main() -> Result<u8, String> {
        ronde::yield_now().await;
        let answer: u8 = "42".parse().map_err(|error| format!("{error}"))?;
        Ok(answer)
    }

    #[ronde::main]
    pub(crate) async fn panics() {
        panic!("on purpose");
    }
}

#[test]
fn what_main_returns_is_what_the_program_returns() {
    assert_eq!(programs::main(), Ok(42));
}

#[test]
#[should_panic(expected = "on purpose")]
fn what_main_panics_with_is_what_the_program_panics_with() {
    programs::panics();
}
