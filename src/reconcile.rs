//! Repair of what admission missed: the first bootstrap write, fail-open windows, writes that EKS keeps from webhooks.
//!
//! A missed write is a stored object that is not a fixed point of [`crate::policy::decide`]; nothing else is asked.
//! [`plan`](mod@plan) says what to write (pure), [`contest`] when to stop because somebody else changes it back (pure), [`pace`]
//! how fast (pure); [`keeper`] follows the targets while this replica leads, and acts.

pub mod contest;
mod item;
pub mod keeper;
pub mod pace;
pub mod plan;
pub mod step;
mod teller;
pub mod wanted;
