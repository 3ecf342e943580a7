//! The executor of resource groups with real scripts, addresses in real network namespaces, and units.
//!
//! What needs a namespace of its own is skipped, with the reason printed, where none can be made; with
//! `HB_TEST_REQUIRE_ALL=1` it fails instead.

mod addresses;
mod agents;
mod bench;
mod leftovers;
mod namespace;
mod rows;
mod scripts;
mod strangers;
mod units;
mod wishes;
