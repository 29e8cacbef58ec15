//! How the issuer comes into the store of which External Secrets makes its Secret: by the provider's own program, out of files, so that
//! no key is on a command line.

use std::path::Path;

use super::Screen;
use super::words::shell_word;
use crate::edit::{Entry, External, Store};

/// What is to be done in the store, and then in the repository; two files hold the certificate and the key.
#[must_use]
pub fn in_store(external: &External, certificate: &Path, key: &Path, screen: &Screen) -> String {
    let External { name, place, store, entries, pinned, is_once } = external;
    let files = [certificate, key].map(|file| file.display().to_string());
    let mut out = screen.wrapped(
        &format!("ExternalSecret {name} ({place}) takes the issuer from {}", named(store)),
        "  ",
        "    ",
    );
    match entries.as_ref().and_then(|entries| commands(store, entries, &files)) {
        Some(commands) => commands.iter().for_each(|command| out.push_str(&format!("    {command}\n"))),
        None => {
            let entry = |at: usize| {
                let Some(entry) = entries.as_ref().map(|entries| &entries[at]) else { return String::new() };
                let property = entry.property.as_ref().map_or_else(String::new, |part| format!(", {part}"));
                format!(" (entry {}{property})", entry.key)
            };
            let [certificate, key] = &files;
            let said = format!("put {certificate}{} and {key}{} into its entries", entry(0), entry(1));
            out.push_str(&screen.wrapped(&said, "    ", "    "));
        }
    }
    for (version, place) in pinned {
        let said = format!("then pin the version that this makes at {place}, now {version}");
        out.push_str(&screen.wrapped(&said, "    ", "    "));
    }
    if external.pins_one_version() {
        out.push_str("    the same command with --store-version VERSION does that\n");
    }
    if *is_once {
        let said = "it is made once (refreshInterval 0, or CreatedOnce): not even another version is taken over; delete the Secret \
                    or change that first";
        out.push_str(&screen.wrapped(said, "    ", "    "));
    }
    out
}

fn named(store: &Store) -> String {
    match store {
        Store::Vault { .. } => "Vault".to_owned(),
        Store::Aws => "AWS Secrets Manager".to_owned(),
        Store::Gcp { .. } => "Google Secret Manager".to_owned(),
        Store::Azure { vault } => format!("Azure Key Vault {vault}"),
        Store::Other => "a store that this repository does not tell of".to_owned(),
    }
}

/// The commands; `None` where an entry is named in a way that its program has no word for.
fn commands(store: &Store, entries: &[Entry; 2], files: &[String; 2]) -> Option<Vec<String>> {
    let is_word = |text: &str| !text.is_empty() && !text.starts_with('-') && !text.contains(char::is_control);
    let is_plain = |entry: &Entry| is_word(&entry.key) && entry.property.as_deref().is_none_or(is_word);
    let home = match store {
        Store::Vault { mount: home, .. } | Store::Gcp { project: home } | Store::Azure { vault: home } => {
            home
        }
        Store::Aws | Store::Other => "",
    };
    if !entries.iter().all(is_plain) || !(home.is_empty() || is_word(home)) {
        return None;
    }
    let [certificate, key] = entries;
    let all = [(certificate, &files[0]), (key, &files[1])];
    if certificate.key == key.key {
        return Some(vec![command(store, &all)?]);
    }
    all.iter().map(|one| command(store, &[*one])).collect()
}

/// Puts files into an entry, or into parts of it.
fn command(store: &Store, all: &[(&Entry, &String)]) -> Option<String> {
    let entry = all.first()?.0;
    let key = |key: &str| shell_word(key).into_owned();
    let whole = match all {
        [(Entry { property: None, .. }, file)] => Some(file),
        _ => None,
    };
    match store {
        Store::Vault { mount, is_versioned } => {
            let of = vault_entry(mount, *is_versioned, &entry.key);
            if !is_versioned {
                // Such an engine replaces an entry with all its parts.
                let get = format!("vault kv get -format=json {of}");
                return merged(&get, "input.data", &format!("vault kv put {of} -"), all);
            }
            let mut command = format!("vault kv patch {of}");
            for (entry, file) in all {
                let property = entry.property.as_ref().filter(|part| !part.contains(['=', '@']))?;
                command += &format!(" {}", key(&format!("{property}=@{file}")));
            }
            Some(command)
        }
        Store::Aws => {
            let id = key(&entry.key);
            let put = format!("aws secretsmanager put-secret-value --secret-id {id} --secret-string");
            let get = format!(
                "aws secretsmanager get-secret-value --secret-id {id} --query SecretString --output text"
            );
            match whole {
                Some(file) => Some(format!("{put} {}", key(&format!("file://{file}")))),
                None => Some(merged(&get, "input", &format!("{put} file:///dev/stdin"), all)?),
            }
        }
        Store::Gcp { project } => {
            let id = key(&entry.key);
            let of = if project.is_empty() { String::new() } else { format!(" --project={}", key(project)) };
            let put = format!("gcloud secrets versions add {id}{of}");
            let get = format!("gcloud secrets versions access latest --secret={id}{of}");
            match whole {
                Some(file) => Some(format!("{put} --data-file={}", key(file))),
                None => Some(merged(&get, "input", &format!("{put} --data-file=-"), all)?),
            }
        }
        Store::Azure { vault } => {
            let name = entry.key.strip_prefix("secret/").unwrap_or(&entry.key);
            let of = format!("--vault-name {} --name {}", key(vault), key(name));
            let put = format!("az keyvault secret set {of} --output none --file");
            let get = format!("az keyvault secret show {of} --query value --output tsv");
            match whole {
                _ if name.contains('/') => None,
                Some(file) => Some(format!("{put} {}", key(file))),
                None => Some(merged(&get, "input", &format!("{put} /dev/stdin"), all)?),
            }
        }
        Store::Other => None,
    }
}

/// An entry of Vault as its program takes it. As External Secrets reads it, a key may begin with the engine's path, and that be
/// followed by what its API has behind it (`buildPath` of its provider for Vault).
fn vault_entry(mount: &str, is_versioned: bool, key: &str) -> String {
    if mount.is_empty() {
        let plain = if is_versioned { key.replacen("/data/", "/", 1) } else { key.to_owned() };
        return shell_word(&plain).into_owned();
    }
    let mount = mount.trim_end_matches('/');
    let within = key.strip_prefix(mount).and_then(|rest| rest.strip_prefix('/')).map_or(key, |within| {
        let behind = within.strip_prefix("data/").filter(|_| is_versioned);
        behind.unwrap_or(within)
    });
    format!("-mount={} {}", shell_word(mount), shell_word(within))
}

/// Some parts of an entry that is JSON, the others as they are; nothing is put where the entry cannot be read.
fn merged(get: &str, entry: &str, put: &str, all: &[(&Entry, &String)]) -> Option<String> {
    let (mut files, mut sets) = (String::new(), String::new());
    for (at, (entry, file)) in all.iter().enumerate() {
        let property = serde_json::to_string(entry.property.as_ref()?).ok()?;
        files += &format!(" --rawfile v{at} {}", shell_word(file));
        sets += &format!(" | .[{property}] = $v{at}");
    }
    let program = format!("'{}'", format!("{entry}{sets}").replace('\'', r"'\''"));
    Some(format!("new=$({get} | jq -ne{files} {program}) && printf %s \"$new\" | {put}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(all: [(&str, Option<&str>); 2]) -> [Entry; 2] {
        all.map(|(key, property)| Entry { key: key.to_owned(), property: property.map(str::to_owned) })
    }

    #[test]
    fn each_store_is_written_by_its_own_program_out_of_files() {
        let files = ["rotation/issuer.pem", "rotation/issuer.key"].map(str::to_owned);
        let said = |store: Store, all| commands(&store, &entries(all), &files).map(|all| all.join("\n"));
        let parts = [("linkerd/issuer", Some("tls.crt")), ("linkerd/issuer", Some("tls.key"))];
        let whole = [("crt", None), ("key", None)];
        let vault = |mount: &str, is_versioned| Store::Vault { mount: mount.to_owned(), is_versioned };
        assert_eq!(
            said(vault("kv", true), parts).unwrap(),
            "vault kv patch -mount=kv linkerd/issuer tls.crt=@rotation/issuer.pem tls.key=@rotation/issuer.key"
        );
        for (key, is_versioned, of) in [
            ("kv/mesh/issuer", true, "-mount=kv mesh/issuer"),
            ("kv/data/mesh/issuer", true, "-mount=kv mesh/issuer"),
            ("data/mesh/issuer", true, "-mount=kv data/mesh/issuer"),
            ("kv/data/mesh/issuer", false, "-mount=kv data/mesh/issuer"),
            ("kv2/issuer", true, "-mount=kv kv2/issuer"),
        ] {
            assert_eq!(vault_entry("kv", is_versioned, key), of);
        }
        assert_eq!(vault_entry("", true, "kv/data/a/data/b"), "kv/a/data/b");
        assert_eq!(vault_entry("", false, "kv/data/a"), "kv/data/a");
        // An engine without versions knows no patch: what else is in the entry is put back.
        assert_eq!(
            said(vault("", false), [("kv/a", Some("crt")), ("kv/b", Some("key"))]).unwrap(),
            "new=$(vault kv get -format=json kv/a | jq -ne --rawfile v0 rotation/issuer.pem 'input.data | .[\"crt\"] = $v0') && \
             printf %s \"$new\" | vault kv put kv/a -\n\
             new=$(vault kv get -format=json kv/b | jq -ne --rawfile v0 rotation/issuer.key 'input.data | .[\"key\"] = $v0') && \
             printf %s \"$new\" | vault kv put kv/b -"
        );
        assert_eq!(said(vault("kv", true), whole), None);
        assert_eq!(
            said(Store::Aws, whole).unwrap(),
            "aws secretsmanager put-secret-value --secret-id crt --secret-string file://rotation/issuer.pem\n\
             aws secretsmanager put-secret-value --secret-id key --secret-string file://rotation/issuer.key"
        );
        assert_eq!(
            said(Store::Aws, parts).unwrap(),
            "new=$(aws secretsmanager get-secret-value --secret-id linkerd/issuer --query SecretString --output text | \
             jq -ne --rawfile v0 rotation/issuer.pem --rawfile v1 rotation/issuer.key \
             'input | .[\"tls.crt\"] = $v0 | .[\"tls.key\"] = $v1') && printf %s \"$new\" | \
             aws secretsmanager put-secret-value --secret-id linkerd/issuer --secret-string file:///dev/stdin"
        );
        assert_eq!(
            said(Store::Gcp { project: "p".to_owned() }, whole).unwrap(),
            "gcloud secrets versions add crt --project=p --data-file=rotation/issuer.pem\n\
             gcloud secrets versions add key --project=p --data-file=rotation/issuer.key"
        );
        let azure = || Store::Azure { vault: "mesh".to_owned() };
        assert_eq!(
            said(azure(), [("secret/crt", None), ("key", None)]).unwrap(),
            "az keyvault secret set --vault-name mesh --name crt --output none --file rotation/issuer.pem\n\
             az keyvault secret set --vault-name mesh --name key --output none --file rotation/issuer.key"
        );
        assert_eq!(said(azure(), [("cert/crt", None), ("key", None)]), None);
        assert_eq!(said(Store::Other, parts), None);
        // What a file says is no word of a shell, and no flag.
        assert_eq!(said(Store::Aws, [("--x", None), ("key", None)]), None);
        assert_eq!(said(Store::Azure { vault: "-x".to_owned() }, whole), None);
        assert_eq!(said(vault("kv\n rm", true), parts), None);
        assert!(said(Store::Aws, [("a; rm", None), ("key", None)]).unwrap().contains("--secret-id 'a; rm'"));
    }
}
