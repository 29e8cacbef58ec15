//! Finds everything in a PEM text that departs from the one strict form.

use std::collections::{BTreeSet, HashMap};
use std::mem::{Discriminant, discriminant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Defect, DefectKind, MAX_BYTES, parses_for_controller, parses_for_proxy};
use crate::limits;
use crate::pki::{Certificate, Fingerprint};

/// Everything in the text that the strictest reader minds, in the order of lines.
///
/// The strict form: `CERTIFICATE` blocks one after the other, LF line ends, nothing else, at most one final newline. A
/// text without defects is read alike by both readers.
#[must_use]
pub fn defects(text: &str) -> Vec<Defect> {
    let mut scan = Scan::default();
    scan.whole(text);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (line, number) in text.strip_suffix('\n').unwrap_or(text).split('\n').zip(1..) {
        scan.line(line, number);
    }
    scan.end(text);
    scan.found.sort_by_key(|defect| defect.line);
    if let Some(line) = scan.first_left_out {
        let count = scan.told.values().map(|told| told.saturating_sub(limits::DEFECTS)).sum();
        scan.found.push(Defect { line, kind: DefectKind::More { count } });
    }
    scan.found
}

#[derive(Default)]
struct Scan {
    found: Vec<Defect>,
    /// How often each kind was told, private keys apart from other blocks; only the first few are in `found`.
    told: HashMap<(Discriminant<DefectKind>, bool), usize>,
    /// The line of the first that is not.
    first_left_out: Option<usize>,
    open: Option<Open>,
    /// Lines outside of blocks since the last one: what they mean depends on whether another block follows.
    between: Vec<(usize, bool)>,
    seen: BTreeSet<Fingerprint>,
    carriage_return: bool,
    certificates: usize,
}

struct Open {
    label: String,
    line: usize,
    body: String,
    /// A defect that was already told of this block, so that it is not told again for each line or of the contents.
    indented: bool,
    unreadable: bool,
}

enum Mark<'t> {
    Begin(&'t str),
    End(&'t str),
    Glued,
    None,
}

impl Scan {
    fn tell(&mut self, line: usize, kind: DefectKind) {
        let told = self.told.entry((discriminant(&kind), kind.is_private_key())).or_default();
        *told += 1;
        if *told > limits::DEFECTS {
            self.first_left_out = Some(self.first_left_out.map_or(line, |first| first.min(line)));
            return;
        }
        self.found.push(Defect { line, kind });
    }

    fn whole(&mut self, text: &str) {
        if text.len() > MAX_BYTES {
            self.tell(1, DefectKind::TooLarge { bytes: text.len() });
        }
        if text.starts_with('\u{feff}') {
            self.tell(1, DefectKind::ByteOrderMark);
        }
    }

    fn line(&mut self, raw: &str, number: usize) {
        if raw.contains('\r') && !std::mem::replace(&mut self.carriage_return, true) {
            self.tell(number, DefectKind::CarriageReturn);
        }
        let line = raw.trim_end_matches('\r');
        let text = line.trim_matches([' ', '\t']);
        let tail = &line[line.trim_end_matches([' ', '\t']).len()..];
        if !text.is_empty() && !tail.is_empty() {
            let is_read = !tail.contains('\t') || matches!(mark(text), Mark::End(_));
            self.tell(number, if is_read { DefectKind::TrailingBlanks } else { DefectKind::TrailingTab });
        }
        let indented = !text.is_empty() && line.starts_with([' ', '\t']);
        match mark(text) {
            Mark::Begin(label) => self.begin(label, number, indented),
            Mark::End(label) => self.close(Some(label), number, indented),
            Mark::Glued => {
                self.tell(number, DefectKind::Glued);
                self.reopen(text, number);
            }
            Mark::None if self.open.is_some() => self.body(text, number, indented),
            Mark::None => self.between.push((number, line.is_empty())),
        }
    }

    fn begin(&mut self, label: &str, line: usize, indented: bool) {
        self.abandon();
        for (line, blank) in std::mem::take(&mut self.between) {
            self.tell(line, if blank { DefectKind::BlankLine } else { DefectKind::Comment });
        }
        if indented {
            self.tell(line, DefectKind::Indented);
        }
        self.certificates += usize::from(label == "CERTIFICATE");
        self.open =
            Some(Open { label: label.to_owned(), line, body: String::new(), indented, unreadable: false });
    }

    fn body(&mut self, text: &str, line: usize, indented: bool) {
        let Some(open) = &mut self.open else { return };
        let kind = match text {
            "" => Some(DefectKind::BlankLineInBlock),
            _ if text.contains(':') && open.body.is_empty() => Some(DefectKind::Headers),
            _ if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)) => {
                Some(DefectKind::Base64)
            }
            _ => None,
        };
        let told = match kind {
            Some(DefectKind::Base64 | DefectKind::Headers) => std::mem::replace(&mut open.unreadable, true),
            _ => false,
        };
        let indent_told = !indented || std::mem::replace(&mut open.indented, true);
        open.body.push_str(text);
        if let Some(kind) = kind.filter(|_| !told) {
            self.tell(line, kind);
        }
        if !indent_told {
            self.tell(line, DefectKind::Indented);
        }
    }

    fn close(&mut self, label: Option<&str>, line: usize, indented: bool) {
        match self.open.take() {
            None => self.tell(line, DefectKind::StrayEnd),
            Some(open) if label.is_none_or(|label| label == open.label) => {
                if indented && !open.indented {
                    self.tell(line, DefectKind::Indented);
                }
                self.contents(&open);
            }
            Some(open) => {
                self.tell(open.line, DefectKind::MissingEnd { label: shortened(&open.label) });
                self.tell(line, DefectKind::StrayEnd);
            }
        }
    }

    /// A BEGIN where an END should be.
    fn abandon(&mut self) {
        if let Some(Open { label, line, .. }) = self.open.take() {
            self.tell(line, DefectKind::MissingEnd { label: shortened(&label) });
        }
    }

    /// What a line with several marks leaves open, so that the rest of the text is judged by itself.
    fn reopen(&mut self, text: &str, line: usize) {
        if text.contains("-----END ") && self.open.is_some() {
            self.close(None, line, false);
        }
        if let Some((_, label)) = text.rsplit_once("-----BEGIN ") {
            self.begin(label.trim_end_matches('-'), line, false);
        }
    }

    fn contents(&mut self, open: &Open) {
        let line = open.line;
        if open.label != "CERTIFICATE" {
            return self.tell(line, DefectKind::ForeignBlock { label: shortened(&open.label) });
        }
        if open.unreadable {
            return;
        }
        let Ok(der) = STANDARD.decode(&open.body) else {
            return self.tell(line, DefectKind::LooseBase64);
        };
        let kind = match (parses_for_proxy(&der), parses_for_controller(&der), Certificate::from_der(&der)) {
            (Err(proxy), Err(_), _) => DefectKind::NotACertificate { reason: proxy },
            (_, _, Err(error)) => DefectKind::Unreadable { reason: error.to_string() },
            (Err(reason), Ok(()), _) => DefectKind::NotForProxy { reason },
            (Ok(()), Err(reason), _) => DefectKind::NotForController { reason: reason.to_owned() },
            (Ok(()), Ok(()), Ok(certificate)) => {
                let name = certificate.name().to_owned();
                if !self.seen.insert(certificate.fingerprint()) {
                    DefectKind::Duplicate { name }
                } else if !certificate.facts().is_ca {
                    DefectKind::NotACa { name }
                } else {
                    return;
                }
            }
        };
        self.tell(line, kind);
    }

    fn end(&mut self, text: &str) {
        self.abandon();
        if text.trim().is_empty() {
            self.found.retain(|defect| defect.kind == DefectKind::ByteOrderMark);
            return self.tell(1, DefectKind::Empty);
        }
        if self.certificates == 0 {
            self.tell(1, DefectKind::NoCertificate);
        }
        for (line, blank) in std::mem::take(&mut self.between) {
            self.tell(line, if blank { DefectKind::BlankLineAtEnd } else { DefectKind::TextAtEnd });
        }
    }
}

/// A label as it is told: its beginning and its end, by which a private key is known.
fn shortened(label: &str) -> String {
    const KEPT: usize = 40;
    let characters = label.chars().count();
    if characters <= 2 * KEPT {
        return label.to_owned();
    }
    let [begin, end]: [String; 2] =
        [label.chars().take(KEPT).collect(), label.chars().skip(characters - KEPT).collect()];
    format!("{begin}…{end}")
}

fn mark(text: &str) -> Mark<'_> {
    let label = |kind: &str| {
        text.strip_prefix("-----")?
            .strip_prefix(kind)?
            .strip_suffix("-----")
            .filter(|label| !label.contains("--"))
    };
    if let Some(label) = label("BEGIN ") {
        Mark::Begin(label)
    } else if let Some(label) = label("END ") {
        Mark::End(label)
    } else if text.contains("-----") {
        Mark::Glued
    } else {
        Mark::None
    }
}
