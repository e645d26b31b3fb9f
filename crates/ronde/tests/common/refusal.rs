//! An error of the tests' own.

use std::error::Error;
use std::fmt;

use ronde::sleep;

use super::SECOND;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal(pub(crate) u32);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refusal {}", self.0)
    }
}

impl Error for Refusal {}

pub(crate) async fn refuse_after(seconds: u32, code: u32) -> Result<(), Refusal> {
    sleep(seconds * SECOND).await;
    Err(Refusal(code))
}
