//! Blocking work in a pool of one's own, and in one that another crate has: rayon's.

use std::error::Error;

use ronde::low_level::{Job, JobExecutor};
use ronde::{SubmitError, ThreadPool, gather, run_in_executor};

/// All that it takes to give work to another crate's threads.
#[derive(Debug)]
struct Rayon(rayon::ThreadPool);

impl JobExecutor for Rayon {
    fn submit(&self, job: Job) -> Result<(), SubmitError> {
        self.0.spawn(|| job.run());
        Ok(())
    }
}

fn sum_of_squares(below: u64) -> u64 {
    (0..below).map(|n| n * n).sum()
}

#[ronde::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let ours = ThreadPool::builder().max_workers(2).thread_name_prefix("ours").build()?;
    let name = run_in_executor(&ours, || std::thread::current().name().map(str::to_owned)).await?;
    println!("in a pool of our own: {}", name.unwrap_or_default());

    let rayon = Rayon(rayon::ThreadPoolBuilder::new().num_threads(2).build()?);
    let (small, large) = gather((
        run_in_executor(&rayon, || sum_of_squares(1_000)),
        run_in_executor(&rayon, || sum_of_squares(10_000)),
    ))
    .await?;
    println!("in rayon's: {} and {}", small?, large?);

    ours.shutdown().await;
    Ok(())
}
