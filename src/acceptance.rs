//! What Helm will answer, before it is asked. Pure: a live object, a rendered object and a release in, a forecast out.
//!
//! [`forecast`](mod@forecast) is the way through: [`ownership`] is Helm's own check, `merge`, `prune` and `compare` do
//! what the API server does with a server-side apply (structured-merge-diff 6, over the schema in `shape`), [`fault`]
//! is what it calls invalid all the same, [`leftover`] what the chart does not render. [`manifest`] reads what `helm template`
//! printed, [`summary`] draws several forecasts together.
//!
//! Not forecast, because it needs the whole schema: fields that the API server does not know, values of a wrong type,
//! and what other admission webhooks do.

mod clash;
mod compare;
mod defaults;
pub mod fault;
pub mod forecast;
mod holders;
pub mod leftover;
pub mod manifest;
mod merge;
pub mod ownership;
mod prune;
mod remove;
mod shape;
pub mod summary;
mod tree;

pub use fault::Fault;
pub use forecast::{Answer, Conflict, Forecast, Question, Release, forecast};
pub use leftover::Leftover;
pub use manifest::{Document, Manifest, ManifestError};
pub use ownership::Unowned;
pub use summary::Summary;
