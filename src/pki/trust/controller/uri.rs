//! URIs as far as Go's `net/url` refuses them, and their host.

/// The host with its port, empty where there is none; `None` for what Go's `url.Parse` refuses.
pub(super) fn host(uri: &str) -> Option<&str> {
    if uri.bytes().any(|byte| byte.is_ascii_control()) {
        return None;
    }
    let (uri, fragment) = uri.split_once('#').unwrap_or((uri, ""));
    let (scheme, rest) = scheme(uri)?;
    let rest = rest.split('?').next().unwrap_or_default();
    if !rest.starts_with('/') {
        let relative_is_clear = !rest.split('/').next().unwrap_or_default().contains(':');
        return (escapes_are_valid(fragment)
            && (!scheme.is_empty() || relative_is_clear && escapes_are_valid(rest)))
        .then_some("");
    }
    let authority = rest.strip_prefix("//").filter(|rest| !scheme.is_empty() || !rest.starts_with('/'));
    let (authority, path) = match authority {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let valid =
        escapes_are_valid(path) && escapes_are_valid(fragment) && user_is_valid(user) && host_is_valid(host);
    valid.then_some(host)
}

fn scheme(uri: &str) -> Option<(&str, &str)> {
    let end = uri.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(uri.len());
    match uri.split_at(end) {
        (_, rest) if !rest.starts_with(':') => Some(("", uri)),
        ("", _) => None,
        (scheme, rest) if scheme.starts_with(|c: char| c.is_ascii_alphabetic()) => Some((scheme, &rest[1..])),
        _ => Some(("", uri)),
    }
}

fn escapes_are_valid(text: &str) -> bool {
    text.split('%')
        .skip(1)
        .all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()))
}

fn user_is_valid(user: &str) -> bool {
    escapes_are_valid(user)
        && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte))
}

/// Go takes more in a host than RFC 3986, and escapes only of bytes beyond ASCII; an IPv6 address in brackets.
fn host_is_valid(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.rsplit_once(']') {
            Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("", port),
            _ => return false,
        },
        None => host.split_at(host.rfind(':').unwrap_or(host.len())),
    };
    let port_is_valid = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    let beyond_ascii =
        |rest: &str| u8::from_str_radix(rest.get(..2).unwrap_or_default(), 16).is_ok_and(|byte| byte >= 0x80);
    port_is_valid
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:<>\"%".contains(&byte))
        && name.split('%').skip(1).all(beyond_ascii)
}
