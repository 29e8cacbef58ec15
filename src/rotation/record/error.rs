//! Why a rotation directory cannot be read.

use super::RECORD_FILE;

/// Why a rotation directory does not hold a rotation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A file of the record is not there.
    #[error("{file} is missing from the rotation directory")]
    Missing {
        /// The file.
        file: String,
    },
    /// `rotation.yaml` is there and is not a rotation record.
    #[error("{RECORD_FILE}: {finding}")]
    Malformed {
        /// The field and what was found there.
        finding: String,
    },
    /// `rotation.yaml` is of another kind or version.
    #[error("{RECORD_FILE}: `{field}` is `{found}`, not `{expected}`")]
    Foreign {
        /// `apiVersion` or `kind`.
        field: &'static str,
        /// What stands there.
        found: String,
        /// What this version reads.
        expected: &'static str,
    },
    /// A certificate file cannot be read as what it should be.
    #[error("{file}: {finding}")]
    Unreadable {
        /// The file.
        file: String,
        /// What was found.
        finding: String,
    },
    /// A certificate file does not hold the certificates that `rotation.yaml` was written with.
    #[error("{file} was changed since {RECORD_FILE} was written: {finding}")]
    Edited {
        /// The file.
        file: String,
        /// Which certificates are missing, added or out of order.
        finding: String,
    },
}

impl RecordError {
    /// The next thing to do.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Missing { .. } => {
                "point --dir at the directory that `start` wrote, or restore the file from Git; \
                 a directory that `start` did not finish can be deleted while nothing of it is committed"
            }
            Self::Malformed { .. } => {
                "restore rotation.yaml from Git; it is written by `start` and not meant to be edited"
            }
            Self::Foreign { .. } => {
                "read it with the version of l5d-rotate that wrote it, or point --dir at a rotation"
            }
            Self::Unreadable { .. } | Self::Edited { .. } => {
                "restore the file from Git; to rotate to other certificates start a new rotation in another directory"
            }
        }
    }
}
