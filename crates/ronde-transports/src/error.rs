//! What can go wrong.

use std::fmt;

/// The water marks of a transport's buffer are no good: the high one is below the low one.
///
/// # In asyncio
///
/// `ValueError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaterMarkError {
    /// The high-water mark that was asked for, in bytes.
    pub high: usize,
    /// The low-water mark that was asked for, in bytes.
    pub low: usize,
}

impl WaterMarkError {
    /// The marks that `high` and `low` come to, as `(high, low)`.
    pub(crate) fn resolve(high: Option<usize>, low: Option<usize>) -> Result<(usize, usize), Self> {
        let high = match (high, low) {
            (Some(high), _) => high,
            (None, Some(low)) => low.saturating_mul(4),
            (None, None) => 64 * 1024,
        };
        let low = low.unwrap_or(high / 4);
        if high < low { Err(Self { high, low }) } else { Ok((high, low)) }
    }
}

impl fmt::Display for WaterMarkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { high, low } = self;
        write!(
            f,
            "setting water marks: the high one, {high} bytes, is below the low one, {low} bytes"
        )
    }
}

impl std::error::Error for WaterMarkError {}

#[cfg(test)]
mod tests {
    use super::WaterMarkError;

    #[test]
    fn marks_that_are_not_given_follow_from_those_that_are() {
        assert_eq!(WaterMarkError::resolve(None, None), Ok((65_536, 16_384)));
        assert_eq!(WaterMarkError::resolve(Some(100), None), Ok((100, 25)));
        assert_eq!(WaterMarkError::resolve(None, Some(100)), Ok((400, 100)));
        assert_eq!(WaterMarkError::resolve(Some(0), None), Ok((0, 0)));
        assert_eq!(WaterMarkError::resolve(Some(7), Some(7)), Ok((7, 7)));
    }

    #[test]
    fn a_high_mark_below_the_low_one_is_refused() {
        let error = WaterMarkError::resolve(Some(1), Some(2)).unwrap_err();
        assert_eq!((error.high, error.low), (1, 2));
        assert_eq!(
            error.to_string(),
            "setting water marks: the high one, 1 bytes, is below the low one, 2 bytes"
        );
    }
}
