//! Name constraints as Go's `crypto/x509` applies them (`constraints.go` of Go 1.26).

use super::certificate::Error;
use super::names::{domain_is_valid, ia5};
use super::uri;
use crate::pki::der::{Reader, SEQUENCE, context, context_constructed};

/// The alternative names of a certificate, by kind.
#[derive(Default)]
pub(super) struct Names {
    pub(super) dns: Vec<String>,
    pub(super) emails: Vec<String>,
    pub(super) uris: Vec<String>,
    /// Four or sixteen bytes each.
    pub(super) ips: Vec<Vec<u8>>,
}

impl Names {
    pub(super) fn is_empty(&self) -> bool {
        self.dns.is_empty() && self.emails.is_empty() && self.uris.is_empty() && self.ips.is_empty()
    }
}

/// What a CA certificate says about the names below it (RFC 5280 4.2.1.10).
pub(super) struct Constraints {
    permitted: Subtrees,
    excluded: Subtrees,
}

#[derive(Default)]
struct Subtrees {
    dns: Vec<String>,
    emails: Vec<String>,
    uris: Vec<String>,
    /// Address and mask, one after the other.
    ips: Vec<Vec<u8>>,
}

impl Constraints {
    /// From the extension's value; `false` if it holds kinds of names that Go does not know.
    pub(super) fn parse(value: &[u8]) -> Result<(Self, bool), Error> {
        const INVALID: Error = "x509: invalid NameConstraints extension";
        let mut outer = Reader(value);
        let mut fields = outer.nested(SEQUENCE).filter(|_| outer.is_empty()).ok_or(INVALID)?;
        let permitted = fields.optional(context_constructed(0)).ok_or(INVALID)?.unwrap_or_default();
        let excluded = fields.optional(context_constructed(1)).ok_or(INVALID)?.unwrap_or_default();
        if !fields.is_empty() {
            return Err(INVALID);
        }
        if permitted.is_empty() && excluded.is_empty() {
            return Err("x509: empty name constraints extension");
        }
        let (permitted, knows_permitted) = Subtrees::parse(permitted)?;
        let (excluded, knows_excluded) = Subtrees::parse(excluded)?;
        Ok((Self { permitted, excluded }, knows_permitted && knows_excluded))
    }

    /// The first name of a certificate below that is not allowed, in Go's words.
    pub(super) fn check(&self, names: &Names) -> Result<(), String> {
        let Self { permitted, excluded } = self;
        for ip in &names.ips {
            let inside = |subtree: &&Vec<u8>| ip_is_inside(ip, subtree);
            constrain("IP address", &address(ip), &permitted.ips, &excluded.ips, inside, |subtree| {
                network(subtree)
            })?;
        }
        for dns in &names.dns {
            if !domain_is_valid(dns, false) {
                return Err(format!("x509: cannot parse dnsName {dns:?}"));
            }
            domain("DNS name", dns, dns, &permitted.dns, &excluded.dns)?;
        }
        for uri in &names.uris {
            domain("URI", uri, uri_domain(uri)?, &permitted.uris, &excluded.uris)?;
        }
        for email in &names.emails {
            let (_, at) = email
                .rsplit_once('@')
                .filter(|(local, at)| !local.is_empty() && domain_is_valid(at, false))
                .ok_or_else(|| format!("cannot parse rfc822Name {email:?}"))?;
            let inside = |subtree: &&String| match subtree.rsplit_once('@') {
                Some((local, of)) => {
                    email.rsplit_once('@').is_some_and(|(name, _)| name == local)
                        && of.eq_ignore_ascii_case(at)
                }
                None => is_below(at, subtree, true),
            };
            constrain("email address", email, &permitted.emails, &excluded.emails, inside, Clone::clone)?;
        }
        Ok(())
    }
}

fn domain(
    kind: &str,
    name: &str,
    domain: &str,
    permitted: &[String],
    excluded: &[String],
) -> Result<(), String> {
    constrain(
        kind,
        name,
        permitted,
        &[],
        |subtree: &&String| is_below(domain, subtree, false),
        Clone::clone,
    )?;
    constrain(kind, name, &[], excluded, |subtree: &&String| is_below(domain, subtree, true), Clone::clone)
}

/// Go's `checkConstraints`: within one of the permitted if there are any, and in none of the excluded.
fn constrain<T>(
    kind: &str,
    name: &str,
    permitted: &[T],
    excluded: &[T],
    inside: impl Fn(&&T) -> bool,
    show: impl Fn(&T) -> String,
) -> Result<(), String> {
    if !permitted.is_empty() && !permitted.iter().any(|subtree| inside(&subtree)) {
        return Err(format!("{kind} {name:?} is not permitted by any constraint"));
    }
    match excluded.iter().find(inside) {
        Some(subtree) => Err(format!("{kind} {name:?} is excluded by constraint {:?}", show(subtree))),
        None => Ok(()),
    }
}

/// Is `name` the domain or below it? A leading dot asks for at least one more label; an empty domain is everything. A
/// wildcard is excluded together with any of the names it stands for.
fn is_below(name: &str, domain: &str, excluded: bool) -> bool {
    let suffix = |name: &str, domain: &str| {
        let split = name.len().checked_sub(domain.len());
        split.and_then(|at| name.split_at_checked(at)).is_some_and(|(rest, end)| {
            end.eq_ignore_ascii_case(domain)
                && (rest.is_empty() || rest.ends_with('.') || domain.starts_with('.'))
        })
    };
    let without_label = |name: &str| name.find('.').map(|dot| name[dot..].to_ascii_lowercase());
    domain.is_empty()
        || suffix(name, domain)
        || excluded
            && name.starts_with('*')
            && without_label(name).is_some_and(|rest| without_label(domain) == Some(rest))
}

fn uri_domain(uri: &str) -> Result<&str, String> {
    let host = uri::host(uri).unwrap_or_default();
    let host = match host.rsplit_once(':') {
        Some((name, _)) if !host.ends_with(']') => name,
        _ => host,
    };
    if host.is_empty() {
        return Err(format!("URI with empty host ({uri:?}) cannot be matched against constraints"));
    }
    if host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok() {
        return Err(format!("URI with IP ({uri:?}) cannot be matched against constraints"));
    }
    Ok(host)
}

fn ip_is_inside(ip: &[u8], subtree: &[u8]) -> bool {
    let (network, mask) = subtree.split_at(subtree.len() / 2);
    ip.len() == network.len()
        && ip.iter().zip(network).zip(mask).all(|((ip, network), mask)| ip & mask == network & mask)
}

fn address(bytes: &[u8]) -> String {
    match (<[u8; 4]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
        (Ok(four), _) => std::net::Ipv4Addr::from(four).to_string(),
        (_, Ok(sixteen)) => std::net::Ipv6Addr::from(sixteen).to_string(),
        _ => String::new(),
    }
}

fn network(subtree: &[u8]) -> String {
    let (network, mask) = subtree.split_at(subtree.len() / 2);
    format!("{}/{}", address(network), mask.iter().map(|byte| byte.count_ones()).sum::<u32>())
}

impl Subtrees {
    fn parse(contents: &[u8]) -> Result<(Self, bool), Error> {
        const INVALID: Error = "x509: invalid NameConstraints extension";
        let mut list = Reader(contents);
        let (mut subtrees, mut knows_all) = (Self::default(), true);
        while !list.is_empty() {
            let base = list.nested(SEQUENCE).and_then(|mut subtree| subtree.any()).ok_or(INVALID)?;
            let text = || ia5(base.contents).ok_or("x509: invalid constraint value");
            let domain = |error: Error| {
                text().and_then(|name| Some(name).filter(|name| domain_is_valid(name, true)).ok_or(error))
            };
            match base.tag {
                tag if tag == context(1) => {
                    let email = text()?;
                    if !email.contains('@') && !domain_is_valid(&email, true) {
                        return Err("x509: failed to parse rfc822Name constraint");
                    }
                    subtrees.emails.push(email);
                }
                tag if tag == context(2) => {
                    subtrees.dns.push(domain("x509: failed to parse dnsName constraint")?)
                }
                tag if tag == context(6) => {
                    subtrees.uris.push(domain("x509: failed to parse URI constraint")?)
                }
                tag if tag == context(7) => {
                    let (_, mask) = base.contents.split_at(base.contents.len() / 2);
                    let bits = mask.iter().fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
                    let ones = mask.iter().map(|byte| byte.leading_ones()).sum::<u32>();
                    let width = u32::try_from(mask.len() * 8).unwrap_or(0);
                    if !matches!(width, 32 | 128)
                        || bits.count_ones() != ones
                        || bits.trailing_zeros().min(width) != width - ones
                    {
                        return Err("x509: IP constraint contained invalid mask");
                    }
                    subtrees.ips.push(base.contents.to_vec());
                }
                _ => knows_all = false,
            }
        }
        Ok((subtrees, knows_all))
    }
}
