//! How much is read of anything, in one place. What goes beyond is an error that names the limit; SECURITY.md states the
//! same numbers (`tests/it/limits.rs` compares them).

use std::time::Duration;

/// A file of certificates or keys, or of a rotation's record, in bytes.
pub const FILE: u64 = 16 << 20;

/// A YAML text, in bytes: it is held as a whole. JSON is read as a stream.
pub const YAML: u64 = 1 << 30;

/// One value of a JSON text (an object of a list, or a field of an object that stands alone), in bytes: it is held as a whole.
/// An API server stores no object of more than a few MiB.
pub const JSON_VALUE: usize = 32 << 20;

/// How deep `[` and `{` may be nested in YAML: the parser needs time for each level at each word. No reader takes more than
/// 128 levels of anything, but a bracket in a text may look like one more.
pub const NESTING: usize = 512;

/// What aliases may add to the documents of one YAML text, in bytes of memory: [`TREE`] more than the text itself can need.
pub const ALIASES: usize = 16 << 20;

/// What the tree of a YAML text without aliases needs at most for each of its bytes: a node for each, and its text.
pub const TREE: usize = 32;

/// What a node of such a tree is counted as, beside its text.
pub const NODE: usize = 24;

/// Pages of one list: a million objects.
pub const PAGES: usize = 2_000;

/// How long kubectl may take for one answer, unless `--request-timeout` says otherwise.
pub const ANSWER: Duration = Duration::from_secs(120);

/// How much longer than `--request-timeout` it may take, for what it does beside the request.
pub const BESIDE_REQUEST: Duration = Duration::from_secs(30);

/// Defects of one PEM text that are listed, of each kind.
pub const DEFECTS: usize = 20;
