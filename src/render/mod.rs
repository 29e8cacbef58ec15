//! A step of a rotation as documents: the same change as a patch, as a JSON patch, or as the whole object.

mod advance;
mod config;
mod current;
mod directory;
mod draft;
mod edit;
mod error;
mod head;
mod issuer;
mod key_text;
mod managed;
pub(crate) mod mask;
mod path;
mod release;
mod rendered;
mod template;
mod tree;
mod trust;

pub use advance::{CURRENT, advance, can_advance};
pub use current::Current;
pub use directory::{File, KUSTOMIZATION, directory, emptied};
pub use edit::{Edit, Form};
pub use error::RenderError;
pub(crate) use head::{described, one_line};
pub use key_text::KeyText;
pub use mask::masked;
pub use release::releases;
pub use rendered::{Certificates, Rendered, WholeChange};
pub use tree::render;
