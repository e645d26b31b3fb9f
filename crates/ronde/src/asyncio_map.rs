#![doc = include_str!("../docs/asyncio-map.md")]

// The map is a file of its own so that it can be read without rustdoc too. The import lets it link to
// an item by its name.
#[cfg(doc)]
use crate::*;
