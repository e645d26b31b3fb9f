//! The allocator of the system, which counts the bytes that are allocated once somebody asks.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Until this is set, an allocation costs one load more than it would: no other scenario may suffer.
static ASKED: AtomicBool = AtomicBool::new(false);
static BYTES: AtomicIsize = AtomicIsize::new(0);

struct Counting;

/// How many bytes more are allocated than when this was called first.
pub(crate) fn allocated_bytes() -> isize {
    if !ASKED.swap(true, Ordering::Relaxed) {
        BYTES.store(0, Ordering::Relaxed);
    }
    BYTES.load(Ordering::Relaxed)
}

fn count(bytes: isize) {
    if ASKED.load(Ordering::Relaxed) {
        BYTES.fetch_add(bytes, Ordering::Relaxed);
    }
}

fn size(layout: Layout) -> isize {
    // A layout is never larger than that.
    isize::try_from(layout.size()).unwrap_or(isize::MAX)
}

// SAFETY: every method hands its arguments to the system's allocator, which keeps the contract, and
// gives back what that gave. Counting is on numbers alone: it neither allocates nor panics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(size(layout));
        // SAFETY: the caller promises what `System.alloc` asks: a layout that is not empty.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(size(layout));
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-size(layout));
        // SAFETY: the caller promises that the block is one of ours, with this layout; and all of
        // ours are the system's.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(isize::try_from(new_size).unwrap_or(isize::MAX).wrapping_sub(size(layout)));
        // SAFETY: as in `dealloc`; and that the new size is neither zero nor too large.
        unsafe { System.realloc(block, layout, new_size) }
    }
}
