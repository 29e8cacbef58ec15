//! Rotates Linkerd's trust anchor and identity issuer through Git.
//!
//! Rooms, in the order in which data flows; each may use those above it, and none below (`tests/it/rooms.rs` holds them to it):
//!
//! | room | holds | never |
//! |---|---|---|
//! | [`printable`] | foreign text that does nothing to a terminal | knows whose it is |
//! | [`limits`] | how much is read of anything | decides what happens then |
//! | [`process`] | what is ended and removed when a signal comes | knows what it is |
//! | [`linkerd`] | Linkerd's names and thresholds | anything that has to be computed |
//! | [`step`] | phases, steps, confirmations by name | what they do |
//! | [`document`] | bytes to Kubernetes objects, with their place | knows Linkerd |
//! | [`pki`] | certificates, bundles, keys, the one trust relation, minting | knows Kubernetes |
//! | [`mesh`] | the observed mesh as plain data | judges, does I/O |
//! | [`source`] | files, Git and the cluster into documents and a mesh | judges, writes |
//! | [`checkout`] | a repository as what it deploys, cluster by cluster | judges, writes into the repository |
//! | [`finding`] | what there is to say, as data | a sentence |
//! | [`states`] | every bundle and certificate that may be in use | knows a rotation |
//! | [`check`] | what is wrong with a mesh as it stands | a sentence, I/O, the clock |
//! | [`rotation`] | the record, its steps, what stands before each, simulation, recovery | a sentence, I/O, the clock |
//! | [`verify`] | what anybody's change breaks | a sentence, I/O, the clock |
//! | [`render`] | a step to documents | decides if it is safe |
//! | [`seal`] | a Secret through the user's own sealing program | writes, does cryptography |
//! | [`edit`] | a step as an edit of the repository's own files | writes |
//! | [`diff`] | documents against the current state | shows a private key |
//! | [`cli`] | the command line | does anything |
//! | [`report`] | all of it as text, JSON, YAML, Markdown | decides |
//! | [`output`] | files, atomically and with their modes | overwrites what it did not write |
//! | [`command`] | one verb a file: wires the others | a rule of Linkerd's |

pub mod check;
pub mod checkout;
pub mod cli;
pub mod command;
pub mod diff;
pub mod document;
pub mod edit;
pub mod finding;
pub mod limits;
pub mod linkerd;
pub mod mesh;
pub mod output;
pub mod pki;
pub mod printable;
pub mod process;
pub mod render;
pub mod report;
pub mod rotation;
pub mod seal;
pub mod source;
pub mod states;
pub mod step;
pub mod verify;
