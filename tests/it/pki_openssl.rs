//! What is minted is what OpenSSL and `step` know: verified, field for field, keys included.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use l5d_rotate::pki::{
    Authority, Certificate, Curve, IssuerRequest, KeyEncoding, KeyError, KeyKind, MintError, PrivateKey,
    cross_sign, mint_issuer,
};

use crate::runner;
use crate::support::pki::{anchor, anchor_until, at, issuer, issuer_request, now};

/// Runs openssl in `folder` and gives what it prints; fails the test if it fails.
fn openssl(folder: &Path, arguments: &str) -> String {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn read_certificate(folder: &Path, name: &str) -> Certificate {
    l5d_rotate::pki::pem::read_as_controller(&read(folder, name)).unwrap().remove(0)
}

#[test]
fn openssl_verifies_minted_chains() {
    if !runner::has("openssl_verifies_minted_chains", &["openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (old, new) = (anchor("old"), anchor("new"));
    let (i_old, i_new) = (issuer(&old), issuer(&new));
    let cross = cross_sign(&new.certificate, &old, at("2026-02-01T00:00:00Z")).unwrap();
    for (name, certificate) in [
        ("old", &old.certificate),
        ("new", &new.certificate),
        ("i_old", &i_old.certificate),
        ("i_new", &i_new.certificate),
        ("cross", &cross),
    ] {
        write(folder, name, &certificate.to_pem());
    }
    let verify = format!("verify -x509_strict -attime {}", now().as_second());
    openssl(folder, &format!("{verify} -CAfile old old"));
    openssl(folder, &format!("{verify} -CAfile old i_old"));
    openssl(folder, &format!("{verify} -CAfile new i_new"));
    openssl(folder, &format!("{verify} -CAfile old cross"));
    let refused =
        Command::new("openssl").args(["verify", "-CAfile", "old", "i_new"]).current_dir(folder).output();
    assert!(!refused.unwrap().status.success());
}

/// Lines of `openssl x509 -text` with what differs from one certificate to the next taken out.
fn shape(folder: &Path, name: &str) -> String {
    let text = openssl(folder, &format!("x509 -in {name} -noout -text -certopt no_sigdump,no_validity"));
    let hexadecimal =
        |line: &str| line.contains(':') && line.chars().all(|c| c.is_ascii_hexdigit() || ": ".contains(c));
    text.lines()
        .filter(|line| !hexadecimal(line.trim()))
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

/// The extensions' lines sorted, for their order has no meaning.
fn sorted(shape: &str) -> (Vec<String>, BTreeSet<String>) {
    let (head, extensions) = shape.split_once("X509v3 extensions:").unwrap();
    let entries = extensions.split("            X509v3 ").map(|entry| entry.trim().to_owned()).collect();
    (head.lines().map(str::to_owned).collect(), entries)
}

#[test]
fn minted_certificates_have_the_fields_that_step_gives() {
    if !runner::has("minted_certificates_have_the_fields_that_step_gives", &["openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let root = anchor("root.linkerd.cluster.local");
    write(folder, "root", &root.certificate.to_pem());
    write(folder, "issuer", &issuer(&root).certificate.to_pem());
    // As `step certificate create --profile root-ca` and `--profile intermediate-ca` print it.
    let head = |subject: &str| {
        format!(
            "Certificate:\n    Data:\n        Version: 3 (0x2)\n        Serial Number:\n        Signature Algorithm: \
             ecdsa-with-SHA256\n        Issuer: CN = root.linkerd.cluster.local\n        Subject: CN = {subject}\n        \
             Subject Public Key Info:\n            Public Key Algorithm: id-ecPublicKey\n                Public-Key: (256 \
             bit)\n                pub:\n                ASN1 OID: prime256v1\n                NIST CURVE: P-256\n        "
        )
    };
    for (name, subject, extensions) in [
        (
            "root",
            "root.linkerd.cluster.local",
            vec![
                "",
                "Key Usage: critical\n                Certificate Sign, CRL Sign",
                "Basic Constraints: critical\n                CA:TRUE, pathlen:1",
                "Subject Key Identifier:",
            ],
        ),
        (
            "issuer",
            "identity.linkerd.cluster.local",
            vec![
                "",
                "Key Usage: critical\n                Certificate Sign, CRL Sign",
                "Basic Constraints: critical\n                CA:TRUE, pathlen:0",
                "Subject Key Identifier:",
                "Authority Key Identifier:",
            ],
        ),
    ] {
        let (lines, entries) = sorted(&shape(folder, name));
        assert_eq!(lines, head(subject).lines().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(entries, extensions.into_iter().map(str::to_owned).collect());
    }
    let parsed = openssl(folder, "asn1parse -in root");
    assert!(parsed.contains("PRINTABLESTRING   :root.linkerd.cluster.local"), "{parsed}");
    assert!(parsed.contains("UTCTIME           :260101000000Z"), "{parsed}");
}

#[test]
fn minted_certificates_have_the_fields_of_a_real_step() {
    let test = "minted_certificates_have_the_fields_of_a_real_step";
    if !runner::has(test, &["openssl", "step"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let step = |arguments: &str| {
        let output = Command::new("step").args(arguments.split(' ')).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    step(
        "certificate create root.linkerd.cluster.local theirs.root root.key --profile root-ca --no-password --insecure",
    );
    step(
        "certificate create identity.linkerd.cluster.local theirs.issuer issuer.key --profile intermediate-ca --not-after \
         8760h --no-password --insecure --ca theirs.root --ca-key root.key",
    );
    let root = anchor("root.linkerd.cluster.local");
    write(folder, "ours.root", &root.certificate.to_pem());
    write(folder, "ours.issuer", &issuer(&root).certificate.to_pem());
    for kind in ["root", "issuer"] {
        let (ours, theirs) =
            (shape(folder, &format!("ours.{kind}")), shape(folder, &format!("theirs.{kind}")));
        assert_eq!(sorted(&ours), sorted(&theirs));
    }
    // Their anchor and key sign our issuer.
    let theirs = Authority {
        certificate: read_certificate(folder, "theirs.root"),
        key: PrivateKey::from_pem(&read(folder, "root.key")).unwrap(),
    };
    let start = theirs.certificate.facts().not_before;
    let request = IssuerRequest {
        not_before: start,
        not_after: start + jiff::SignedDuration::from_hours(24),
        ..issuer_request()
    };
    let ours = mint_issuer(&request, &theirs).unwrap();
    write(folder, "mixed", &ours.certificate.to_pem());
    openssl(
        folder,
        &format!("verify -x509_strict -attime {} -CAfile theirs.root mixed", start.as_second() + 1),
    );
    assert_eq!(ours.certificate.facts().authority_key_id, theirs.certificate.facts().subject_key_id);
}

#[test]
fn openssl_reads_our_keys_and_we_read_its_keys() {
    if !runner::has("openssl_reads_our_keys_and_we_read_its_keys", &["openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let root = anchor("root");
    write(folder, "sec1", &root.key.to_pem(KeyEncoding::Sec1).unwrap());
    write(folder, "pkcs8", &root.key.to_pem(KeyEncoding::Pkcs8).unwrap());
    write(folder, "root", &root.certificate.to_pem());
    let public = openssl(folder, "x509 -in root -noout -pubkey");
    for file in ["sec1", "pkcs8"] {
        assert_eq!(openssl(folder, &format!("pkey -in {file} -pubout")), public);
    }
    assert!(read(folder, "sec1").starts_with("-----BEGIN EC PRIVATE KEY-----\n"));
    // Curve parameters are within, so that Go's ParseECPrivateKey knows the curve.
    assert!(openssl(folder, "asn1parse -in sec1").contains("prime256v1"));

    for (curve, name) in [(Curve::P256, "prime256v1"), (Curve::P384, "secp384r1"), (Curve::P521, "secp521r1")]
    {
        // `openssl ecparam` writes an EC PARAMETERS block before the key.
        openssl(folder, &format!("ecparam -name {name} -genkey -out with-parameters"));
        assert!(read(folder, "with-parameters").starts_with("-----BEGIN EC PARAMETERS-----"));
        openssl(folder, "ec -in with-parameters -out plain");
        openssl(folder, "pkcs8 -topk8 -nocrypt -in plain -out pkcs8");
        for file in ["with-parameters", "plain", "pkcs8"] {
            let key = PrivateKey::from_pem(&read(folder, file)).unwrap();
            assert_eq!(key.kind(), KeyKind::Ec(curve), "{file}");
            assert_eq!(openssl(folder, &format!("pkey -in {file} -pubout")), {
                write(folder, "again", &key.to_pem(KeyEncoding::Sec1).unwrap());
                openssl(folder, "pkey -in again -pubout")
            });
        }
    }
    openssl(folder, "genrsa -traditional -out pkcs1 2048");
    openssl(folder, "pkcs8 -topk8 -nocrypt -in pkcs1 -out rsa-pkcs8");
    for file in ["pkcs1", "rsa-pkcs8"] {
        let key = PrivateKey::from_pem(&read(folder, file)).unwrap();
        assert_eq!(key.kind(), KeyKind::Rsa(2048));
        write(folder, "again", &key.to_pem(KeyEncoding::Pkcs8).unwrap());
        assert_eq!(openssl(folder, "pkey -in again -pubout"), openssl(folder, "pkey -in pkcs1 -pubout"));
        assert_eq!(key.to_pem(KeyEncoding::Sec1).err(), Some(KeyError::NotEc(KeyKind::Rsa(2048))));
    }
}

#[test]
fn keys_that_cannot_be_used_are_refused_each_for_its_own_reason() {
    if !runner::has("keys_that_cannot_be_used_are_refused_each_for_its_own_reason", &["openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    openssl(folder, "ecparam -name prime256v1 -genkey -noout -out plain");
    openssl(folder, "ec -in plain -aes256 -passout pass:secret -out proc-type");
    openssl(folder, "pkcs8 -topk8 -in plain -passout pass:secret -out pkcs8");
    openssl(folder, "genpkey -algorithm ed25519 -out ed25519");
    openssl(folder, "ecparam -name secp256k1 -genkey -noout -out koblitz");
    openssl(folder, "pkey -in plain -pubout -out public");
    let refused = |file: &str| PrivateKey::from_pem(&read(folder, file)).err().unwrap();
    for file in ["proc-type", "pkcs8"] {
        assert_eq!(refused(file), KeyError::Encrypted, "{file}");
        assert!(refused(file).help().unwrap().contains("openssl pkey"));
    }
    assert_eq!(refused("ed25519"), KeyError::Unsupported("Ed25519".into()));
    assert!(matches!(refused("koblitz"), KeyError::Unsupported(_)), "{}", refused("koblitz"));
    assert_eq!(refused("public"), KeyError::NoKey("PUBLIC KEY".into()));
    write(folder, "garbage", "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n");
    assert_eq!(refused("garbage"), KeyError::Malformed("EC PRIVATE KEY".into()));
    write(folder, "text", "no key here\n");
    assert_eq!(refused("text"), KeyError::NotPem);
}

/// An anchor of the user's own: made by openssl, of this key, with these extensions.
fn users_anchor(folder: &Path, new_key: &str, subject: &str, extensions: &str) -> Authority {
    openssl(folder, new_key);
    let mut arguments: Vec<&str> =
        "req -x509 -new -key key -days 3650 -out anchor -config /dev/null -set_serial 1 -subj"
            .split(' ')
            .collect();
    arguments.push(subject);
    for extension in extensions.split_whitespace() {
        arguments.extend(["-addext", extension]);
    }
    let output = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Authority {
        certificate: read_certificate(folder, "anchor"),
        key: PrivateKey::from_pem(&read(folder, "key")).unwrap(),
    }
}

fn request_within(anchor: &Authority) -> IssuerRequest {
    let not_before = anchor.certificate.facts().not_before;
    IssuerRequest {
        not_before,
        not_after: not_before + jiff::SignedDuration::from_hours(48),
        ..issuer_request()
    }
}

const CA: &str = "basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign,cRLSign";
const P256: &str = "ecparam -name prime256v1 -genkey -noout -out key";

#[test]
fn anchors_of_every_key_and_name_sign_issuers_that_openssl_verifies() {
    if !runner::has("anchors_of_every_key_and_name_sign_issuers_that_openssl_verifies", &["openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let corporate = "/DC=com/DC=example/OU=Platform/OU=Mesh/CN=Example Root é/emailAddress=ops@example.com";
    for (key, subject) in [
        (P256, "/CN=root"),
        (P256, corporate),
        ("ecparam -name secp384r1 -genkey -noout -out key", corporate),
        ("ecparam -name secp521r1 -genkey -noout -out key", "/CN=root"),
        ("genrsa -out key 2048", "/O=Example/CN=root+serialNumber=1"),
        ("genrsa -traditional -out key 4096", "/CN=root"),
    ] {
        let anchor = users_anchor(folder, key, subject, CA);
        let request = request_within(&anchor);
        let issuer = mint_issuer(&request, &anchor).unwrap();
        write(folder, "issuer", &issuer.certificate.to_pem());
        let time = request.not_before.as_second() + 1;
        openssl(folder, &format!("verify -x509_strict -attime {time} -CAfile anchor issuer"));
        assert_eq!(issuer.certificate.facts().issuer, anchor.certificate.facts().subject);
    }
}

#[test]
fn an_anchor_that_cannot_issue_is_refused_each_for_its_own_reason() {
    if !runner::has("an_anchor_that_cannot_issue_is_refused_each_for_its_own_reason", &["openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let refused = |anchor: &Authority| {
        let error = mint_issuer(&request_within(anchor), anchor).err().unwrap();
        assert!(error.help().is_some());
        error
    };
    let flat = users_anchor(folder, P256, "/CN=root", "basicConstraints=critical,CA:FALSE");
    assert_eq!(refused(&flat), MintError::NotACa("root".into()));
    let mute =
        users_anchor(folder, P256, "/CN=root", "basicConstraints=critical,CA:TRUE keyUsage=digitalSignature");
    assert_eq!(refused(&mute), MintError::MayNotSign("root".into()));
    let short = users_anchor(folder, P256, "/CN=root", "basicConstraints=critical,CA:TRUE,pathlen:0");
    assert_eq!(refused(&short), MintError::PathLength { anchor: "root".into(), path_len: 0, wanted: 1 });
    let other = Authority { certificate: short.certificate, key: PrivateKey::generate().unwrap() };
    assert_eq!(refused(&other), MintError::KeyMismatch("root".into()));
}

#[test]
fn time_is_minded_when_minting() {
    let root = anchor_until("root", at("2027-06-01T00:00:00Z"));
    let mint = |not_before: &str, not_after: &str| {
        let request =
            IssuerRequest { not_before: at(not_before), not_after: at(not_after), ..issuer_request() };
        mint_issuer(&request, &root).map(|issuer| issuer.certificate.facts().not_after)
    };
    assert_eq!(mint("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"), Ok(at("2026-03-01T00:00:00Z")));
    assert_eq!(
        mint("2026-02-01T00:00:00Z", "2036-03-01T00:00:00Z"),
        Ok(at("2027-06-01T00:00:00Z")),
        "clamped"
    );
    let error = |result: Result<Timestamp, MintError>| result.unwrap_err().to_string();
    assert_eq!(
        error(mint("2028-01-01T00:00:00Z", "2029-01-01T00:00:00Z")),
        "the trust anchor `root` expired on 2027-06-01T00:00:00Z, before the new certificate would begin \
         (2028-01-01T00:00:00Z)"
    );
    assert_eq!(
        error(mint("2025-12-31T00:00:00Z", "2029-01-01T00:00:00Z")),
        "the trust anchor `root` is valid from 2026-01-01T00:00:00Z only, after the new certificate would begin \
         (2025-12-31T00:00:00Z)"
    );
    assert_eq!(
        error(mint("2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z")),
        "the certificate would expire (2026-02-01T00:00:00Z) before it is valid (2026-03-01T00:00:00Z)"
    );
}

#[test]
fn serials_are_positive_128_bits_and_never_the_same() {
    let root = anchor("root");
    let serials: BTreeSet<_> = (0..50).map(|_| issuer(&root).certificate.facts().serial.clone()).collect();
    assert_eq!(serials.len(), 50);
    assert!(serials.iter().all(|serial| serial.len() > 30 && serial.len() < 40), "{serials:?}");
}

#[test]
fn dns_names_are_in_the_issuer_only_if_asked_for() {
    let root = anchor("root");
    assert_eq!(issuer(&root).certificate.facts().dns_names, [""; 0]);
    let names = vec!["identity.linkerd.cluster.local".to_owned()];
    let request = IssuerRequest { dns_names: names.clone(), ..issuer_request() };
    assert_eq!(mint_issuer(&request, &root).unwrap().certificate.facts().dns_names, names);
    for bad in ["", "é.example.com", "a..b", "with space", "trailing."] {
        let request = IssuerRequest { dns_names: vec![bad.into()], ..issuer_request() };
        assert_eq!(mint_issuer(&request, &root).err(), Some(MintError::Name(bad.into())));
    }
    for bad in ["", " ", "two\nlines"] {
        let request = IssuerRequest { common_name: bad.into(), ..issuer_request() };
        assert_eq!(mint_issuer(&request, &root).err(), Some(MintError::Name(bad.into())));
    }
}

#[test]
fn a_cross_certificate_is_the_new_anchor_by_name_key_and_path_length_and_the_old_anchors_by_signature() {
    let (old, new) = (anchor_until("old", at("2026-12-01T00:00:00Z")), anchor("new"));
    let cross = cross_sign(&new.certificate, &old, at("2026-02-01T00:00:00Z")).unwrap();
    let (ours, theirs, signer) = (cross.facts(), new.certificate.facts(), old.certificate.facts());
    assert_eq!(
        (&ours.subject, &ours.subject_key_id, ours.path_len),
        (&theirs.subject, &theirs.subject_key_id, Some(1))
    );
    assert_eq!((&ours.issuer, &ours.authority_key_id), (&signer.subject, &signer.subject_key_id));
    assert_eq!(ours.not_after, signer.not_after);
    assert!(new.key.matches(&cross) && !old.key.matches(&cross));
}
