//! What a step changes against the observed state, as text and as certificates, without any private key.

mod certificates;
mod external;
mod lines;
mod text;
mod view;

pub use certificates::{CertificateChange, Fate};
pub use external::{Sides, external};
pub use lines::{Hunk, hunks};
pub use text::{ObjectDiff, diff};
