//! The policy: what shall happen to whom, and why. Pure: values and `now` in, a verdict out.
//!
//! [`rules`] is the policy file, [`target`] the catalogue of objects it speaks of, [`writer`] who is writing,
//! [`object`] what a decision may look at, and [`decide`] the verdict. Everything a verdict may change is listed in
//! [`change`]; nothing else of an object is ever touched (law 2).

pub mod cel;
pub mod change;
pub mod decide;
pub mod file;
pub mod object;
pub mod pattern;
pub mod pause;
pub mod provenance;
pub mod rules;
pub mod target;
pub mod writer;

pub use decide::{Decision, Reason, Verdict, decide};
pub use rules::{Policy, PolicyError};
pub use target::{Kind, Target};
