//! What a step changes against the observed state, as text and as certificates, without any private key.

mod certificates;
mod external;
mod text;
mod view;

pub use certificates::{CertificateChange, Fate};
pub use external::{Sides, external};
pub use text::{ObjectDiff, diff};
