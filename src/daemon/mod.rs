//! To come.

pub mod children;
pub mod resources;
