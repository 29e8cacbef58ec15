//! Paths of a repository: `/` between names, from its root, and never out of it.

/// `relative`, as somebody in `directory` names it; `None` where it leads out of the repository, or is absolute.
pub(super) fn join(directory: &str, relative: &str) -> Option<String> {
    if relative.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Is `name` this directory, or below it?
pub(super) fn is_within(directory: &str, name: &str) -> bool {
    directory.is_empty()
        || name.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside_of_the_repository() {
        for (directory, relative, joined) in [
            ("a/b", "c.yaml", Some("a/b/c.yaml")),
            ("a/b", "../c", Some("a/c")),
            ("a/b", "./../../c/", Some("c")),
            ("", ".", Some("")),
            ("a", "../..", None),
            ("a", "/etc", None),
        ] {
            assert_eq!(join(directory, relative).as_deref(), joined, "{directory} {relative}");
        }
        assert!(is_within("a/b", "a/b/c") && is_within("", "x") && !is_within("a/b", "a/bc"));
    }
}
