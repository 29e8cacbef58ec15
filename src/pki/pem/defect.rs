//! What a PEM text can have wrong with it, and what that does to Linkerd.

use serde::Serialize;

/// One thing in a PEM text that a strict reader minds, with the line it stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct Defect {
    /// Line in the text, from 1.
    pub line: usize,
    /// What is wrong there.
    pub kind: DefectKind,
}

/// What a PEM text can have wrong with it, and what it does to Linkerd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum DefectKind {
    /// Nothing at all, or blanks only.
    #[error("the text is empty: proxies and the control plane would not start; put the trust anchors there")]
    Empty,
    /// Text, but no certificate in it.
    #[error("there is no certificate in the text: proxies and the control plane would not start")]
    NoCertificate,
    /// More than [`super::MAX_BYTES`].
    #[error(
        "the text measures {bytes} bytes, and Linux starts no process with an environment string of 128 KiB or more: \
         pods would not start; keep it under {max} bytes", max = super::MAX_BYTES
    )]
    TooLarge {
        /// Length of the text in bytes.
        bytes: usize,
    },
    /// U+FEFF at the start.
    #[error(
        "a byte order mark stands before the first block: both readers lose that block; save the text without it"
    )]
    ByteOrderMark,
    /// CR, alone or before LF.
    #[error(
        "carriage return at the end of a line: Linkerd reads it, stricter tools do not; use LF line ends"
    )]
    CarriageReturn,
    /// Blanks before a BEGIN or END line, or before base64.
    #[error(
        "the block is indented: no reader finds an indented BEGIN line, so the certificate is lost; start lines in column 1"
    )]
    Indented,
    /// Blanks at the end of a line: every version of the proxy's reader passes over spaces, and over whatever follows an END
    /// line (rustls-pemfile 0.2 to 2).
    #[error("blanks at the end of the line: Linkerd reads it, stricter tools do not; remove them")]
    TrailingBlanks,
    /// A tab at the end of another line: rustls-pemfile 1 and 2 do not pass over it everywhere.
    #[error("a tab at the end of the line: proxies may refuse the whole text; remove it")]
    TrailingTab,
    /// A blank line before or between blocks.
    #[error("blank line before or between blocks: Linkerd reads it, stricter tools do not; remove it")]
    BlankLine,
    /// A blank line inside a block.
    #[error("blank line inside a block: Linkerd reads it, stricter tools do not; remove it")]
    BlankLineInBlock,
    /// A blank line after the last block.
    #[error(
        "blank line after the last block: the identity controller and control-plane proxies would not start; remove it"
    )]
    BlankLineAtEnd,
    /// Text before or between blocks.
    #[error("text before or between blocks: Linkerd reads over it, stricter tools do not; remove it")]
    Comment,
    /// Text after the last block.
    #[error(
        "text after the last block: the identity controller and control-plane proxies would not start; remove it"
    )]
    TextAtEnd,
    /// A block that is no certificate.
    #[error(
        "the block is a `{label}`, not a CERTIFICATE: the control plane ignores it and everything after it without a \
         word; remove it"
    )]
    ForeignBlock {
        /// What stands after BEGIN.
        label: String,
    },
    /// END and BEGIN on one line, or either of them with other text.
    #[error(
        "more than one mark on this line: certificates are lost or the text is refused; put each BEGIN and END on its own line"
    )]
    Glued,
    /// BEGIN without its END.
    #[error(
        "no END line belongs to this `{label}` block: proxies and the control plane would not start; restore the block"
    )]
    MissingEnd {
        /// What stands after BEGIN.
        label: String,
    },
    /// END without its BEGIN.
    #[error(
        "no BEGIN line belongs to this END line: a certificate is lost, or the text is refused; restore the block"
    )]
    StrayEnd,
    /// Headers such as `Proc-Type`.
    #[error("the block has headers: proxies refuse the whole text; remove the headers")]
    Headers,
    /// Contents that are not base64.
    #[error(
        "the block is not base64: proxies refuse the whole text and the control plane loses the certificate; restore the block"
    )]
    Base64,
    /// Base64 with unused bits set, or without its padding: readers differ.
    #[error(
        "the base64 of the block is not in its one valid form: readers differ about it; write the certificate anew"
    )]
    LooseBase64,
    /// DER that one of the readers does not take for a certificate.
    #[error(
        "the block is not a certificate ({reason}): proxies skip it and the control plane would not start; remove it"
    )]
    NotACertificate {
        /// Why not.
        reason: String,
    },
    /// A certificate that only one reader takes for one.
    #[error(
        "the controller does not take this certificate ({reason}) and would not start, though proxies would; replace it"
    )]
    NotForController {
        /// Why not.
        reason: String,
    },
    /// A certificate that only the controller takes.
    #[error("proxies skip this certificate ({reason}), though the control plane takes it; replace it")]
    NotForProxy {
        /// Why not.
        reason: String,
    },
    /// The same certificate a second time.
    #[error("`{name}` stands here a second time: harmless, but it hides what the bundle holds; remove it")]
    Duplicate {
        /// The certificate's name.
        name: String,
    },
    /// A certificate without the CA flag.
    #[error(
        "`{name}` is not a CA: proxies would trust what its key signs, the control plane would not; replace it"
    )]
    NotACa {
        /// The certificate's name.
        name: String,
    },
    /// More of the kinds that are listed; each of those comes many times.
    #[error("{count} more defects of these kinds are not listed: mend these, and look again")]
    More {
        /// How many.
        count: usize,
    },
    /// This program cannot read a certificate that Linkerd may, or a reader refuses for a reason that has no name here.
    #[error("the text cannot be evaluated here ({reason}): write its certificates anew")]
    Unreadable {
        /// The parser's own words.
        reason: String,
    },
}

/// What one reader makes of a text with a defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It reads every certificate.
    Reads,
    /// It reads on, and at least one certificate may be missing, without a word.
    DropsCertificates,
    /// It refuses the text: the process does not start.
    Refuses,
}

/// What a defect does to Linkerd's two readers, at worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// To the proxy.
    pub proxy: Outcome,
    /// To the identity controller, and to everything else that is written in Go: control-plane proxies' entry point,
    /// the injector, `linkerd`.
    pub controller: Outcome,
}

impl Effect {
    /// Does no reader of Linkerd mind?
    #[must_use]
    pub fn is_cosmetic(self) -> bool {
        self.proxy == Outcome::Reads && self.controller == Outcome::Reads
    }
}

impl DefectKind {
    /// Is it the block of a private key?
    pub(in crate::pki) fn is_private_key(&self) -> bool {
        matches!(self, Self::ForeignBlock { label } if label.ends_with("PRIVATE KEY"))
    }

    /// What it does to Linkerd, at worst.
    #[must_use]
    pub fn effect(&self) -> Effect {
        use Outcome::{DropsCertificates, Reads, Refuses};
        let (proxy, controller) = match self {
            Self::CarriageReturn
            | Self::BlankLine
            | Self::BlankLineInBlock
            | Self::TrailingBlanks
            | Self::Comment
            | Self::Duplicate { .. }
            | Self::NotACa { .. }
            // What they do, the listed ones of their kinds do already.
            | Self::More { .. } => (Reads, Reads),
            Self::BlankLineAtEnd | Self::TextAtEnd | Self::NotForController { .. } => (Reads, Refuses),
            Self::ForeignBlock { .. } => (Reads, DropsCertificates),
            Self::NotForProxy { .. } => (DropsCertificates, Reads),
            Self::NotACertificate { .. } => (DropsCertificates, Refuses),
            Self::TooLarge { .. } | Self::TrailingTab => (Refuses, Reads),
            Self::Headers | Self::Base64 | Self::LooseBase64 => (Refuses, Refuses),
            Self::ByteOrderMark | Self::Indented | Self::Glued | Self::StrayEnd => {
                (DropsCertificates, Refuses)
            }
            Self::Empty | Self::NoCertificate | Self::MissingEnd { .. } | Self::Unreadable { .. } => {
                (Refuses, Refuses)
            }
        };
        Effect { proxy, controller }
    }
}
