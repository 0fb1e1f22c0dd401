//! The verdict on a review, from its bytes, the policy and the time alone: no task, no file, no socket, no clock.
//!
//! A package of its own within the house: it is optimised for speed, everything around it for size, and it cannot use what
//! its manifest does not name. The rooms are described in the program's own documentation.

pub mod admission;
pub mod fields;
pub mod policy;
