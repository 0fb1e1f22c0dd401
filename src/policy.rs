//! The policy: what shall happen to whom. Pure.

pub mod rules;

pub use rules::Policy;
