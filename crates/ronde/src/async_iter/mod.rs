//! What comprehensions are made of: the adaptors of [`AsyncIterator`], and where to begin.
//!
//! ```
//! use ronde::AsyncIterator;
//! use ronde::async_iter::from_iter;
//!
//! async fn price(item: &str) -> usize {
//!     ronde::yield_now().await;
//!     item.len()
//! }
//!
//! # ronde::run(async {
//! // [await price(item) for item in items if item != "tax"]
//! let items = from_iter(["tea", "tax", "toast"]);
//! let prices: Vec<usize> = items.filter(|item| *item != "tax").map_async(price).collect().await;
//! assert_eq!(prices, [3, 5]);
//! # })?;
//! # Ok::<(), ronde::RunError>(())
//! ```

mod adaptors;
pub(crate) mod iterator;
mod stream;

pub use self::adaptors::{
    Chain, Enumerate, Filter, FilterAsync, FilterMap, FromIter, Map, MapAsync, Take, TakeWhile,
    Zip, from_iter,
};
use self::iterator::AsyncIterator;
pub use self::stream::{FromStream, IntoStream, from_stream};
