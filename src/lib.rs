//! `cni-steward` says whose the Amazon VPC CNI of an EKS cluster is, and keeps it so.
//!
//! The program is one static binary. Its main job is a mutating admission webhook that intercepts every write
//! of the VPC CNI's six objects and, as the policy says, observes, puts Helm's ownership on them, or refuses
//! their re-creation. `ARCHITECTURE.md` holds the floor plan; the rooms are:
//!
//! | room | purpose | pure |
//! |---|---|---|
//! | [`policy`] | the policy file, the catalogue of targets, who writes, and the verdict | yes |
//! | [`fields`] | `metadata.managedFields`: sets, entries and the transfer of ownership | yes |
//! | [`audit`] | what was seen in many clusters, told as table, JSON, CSV and page | yes |
//! | [`layout`] | text and tables for a terminal of a known width | yes |
//! | [`acceptance`] | what Helm 3 and Helm 4 will answer for a live and a rendered object | yes |
//! | [`adopt`] | what an adoption by a person writes, or why it does not | yes |
//! | [`undo`] | how things stood before a command changed them, and the way back | yes |
//! | [`purge`] | taking the VPC CNI out of a cluster: order, what stays, what forbids it, and the way back | yes |
//! | [`findings`] | what there is to say about a cluster: who owns the VPC CNI, and what is wrong | yes |
//! | [`pki`] | certificate authority and serving certificate | yes |
//! | [`admission`] | one review: bytes in, verdict, bytes out | no clock, no I/O, but speaks HTTP statuses |
//! | [`server`] | accept loop, TLS, drain, probes | |
//! | [`cluster`] | the API server: client, errors, watching, and the right to write | |
//! | [`leader`] | which replica may write: the Lease | |
//! | [`trust`] | files and locks around `pki` | |
//! | [`telemetry`] | logs, metrics and the one place that reads the clock | |
//! | [`cli`] | one thin file per command; `cli::serve` alone wires rooms together | |

pub mod acceptance;
pub mod adopt;
pub mod audit;
pub mod cli;
pub mod cluster;
pub mod faults;
pub mod findings;
pub mod layout;
pub mod leader;
pub mod pki;
pub mod purge;
pub mod reconcile;
pub mod server;
pub mod telemetry;
#[cfg(unix)]
pub mod trust;
pub mod undo;

pub use cni_steward_verdict::{admission, fields, policy};
