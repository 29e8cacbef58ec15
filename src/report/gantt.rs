//! Times as a picture: a `gantt` of Mermaid, which GitHub and GitLab draw.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::markdown::fenced;

/// From when to when something is so.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) look: Look,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

/// How a bar is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// What was there before.
    Old,
    /// What comes.
    New,
    /// What the request is about.
    This,
    /// Anything else.
    Plain,
}

/// Bars that belong together.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) bars: Vec<Bar>,
}

/// What the marks of the axis show: days, or minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    Days,
    Minutes,
}

/// The picture, its times in UTC; nothing where there is no bar.
pub(super) fn gantt(title: &str, axis: Axis, sections: &[Section]) -> String {
    if sections.iter().all(|section| section.bars.is_empty()) {
        return String::new();
    }
    let axis = match axis {
        Axis::Days => "%Y-%m-%d",
        Axis::Minutes => "%m-%d %H:%M",
    };
    let mut out = format!("gantt\n    title {}\n", plain(title));
    out.push_str(&format!("    dateFormat YYYY-MM-DD HH:mm\n    axisFormat {axis}\n"));
    for section in sections.iter().filter(|section| !section.bars.is_empty()) {
        out.push_str(&format!("    section {}\n", plain(section.name)));
        for bar in &section.bars {
            out.push_str(&line(bar));
        }
    }
    fenced("mermaid", &out)
}

fn line(bar: &Bar) -> String {
    let look = match bar.look {
        Look::Old => "done, ",
        Look::New => "active, ",
        Look::This => "crit, ",
        Look::Plain => "",
    };
    // Mermaid draws nothing that has no length, and shows minutes at the least.
    let minute = bar.from.checked_add(jiff::SignedDuration::from_mins(1)).unwrap_or(bar.from);
    let to = bar.to.max(minute);
    format!("    {} :{look}{}, {}\n", plain(&bar.name), minutes(bar.from), minutes(to))
}

fn minutes(instant: Timestamp) -> String {
    instant.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M").to_string()
}

/// A name that Mermaid takes for nothing else: it has words (`:`, `;`, `#`, `%%`, a quote) that no escape reaches everywhere.
fn plain(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || " .-_/()".contains(c);
    name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_picture_has_a_line_for_each_bar() {
        let bar = |name: &str, look, to| Bar {
            name: name.to_owned(),
            look,
            from: at("2026-11-23T02:00:20Z"),
            to: at(to),
        };
        let sections = [
            Section {
                name: "Trust anchors",
                bars: vec![
                    bar("Old", Look::Old, "2026-12-28T09:00:00Z"),
                    bar("New", Look::New, "2026-11-23T02:00:20Z"),
                ],
            },
            Section { name: "Empty", bars: Vec::new() },
        ];
        let picture = gantt("Lifetimes", Axis::Days, &sections);
        assert_eq!(
            picture,
            "```mermaid\ngantt\n    title Lifetimes\n    dateFormat YYYY-MM-DD HH:mm\n    axisFormat %Y-%m-%d\n    \
             section Trust anchors\n    Old :done, 2026-11-23 02:00, 2026-12-28 09:00\n    New :active, 2026-11-23 02:00, \
             2026-11-23 02:01\n```\n"
        );
        assert_eq!(gantt("Lifetimes", Axis::Days, &sections[1..]), "");
    }

    #[test]
    fn a_name_is_no_word_of_mermaid() {
        let hostile = "x: crit, 2026-01-01\n%%{init: {}}%%;#quot;```</script>\"";
        let shown = plain(hostile);
        assert!(!shown.contains([':', ';', '#', '%', '`', '<', '"', '{', '\n', ',']), "{shown}");
    }
}
