//! An issuer that somebody else signs: real openssl is the one who holds the anchor's key.

use std::fs;
use std::process::Output;

use jiff::SignedDuration;
use l5d_rotate::pki::{Facts, IssuerChain};

use crate::cluster::{self, Cluster};
use crate::runner;

/// A user without the anchor's key, and who holds it.
struct Desk {
    home: tempfile::TempDir,
    cluster: Cluster,
}

impl Desk {
    /// `None` where there is no openssl.
    fn new(test: &str) -> Option<Self> {
        if !runner::has(test, &["openssl"]) {
            return None;
        }
        // openssl signs by the real clock.
        let cluster = Cluster::expiring("2126-01-01T00:00:00Z", "2126-01-01T00:00:00Z");
        let desk = Self { home: tempfile::tempdir().unwrap(), cluster };
        fs::write(desk.home.path().join("dump.json"), desk.cluster.dump()).unwrap();
        fs::write(desk.home.path().join("anchor.pem"), desk.cluster.anchor.certificate.to_pem()).unwrap();
        fs::write(desk.home.path().join("anchor.key"), cluster::pem(&desk.cluster.anchor.key)).unwrap();
        Some(desk)
    }

    fn run(&self, arguments: &str) -> Output {
        runner::plugin()
            .current_dir(self.home.path())
            .args(arguments.split_whitespace())
            .args(["-f", "dump.json"])
            .output()
            .unwrap()
    }

    fn out(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments}: {}", said(&output));
        said(&output)
    }

    fn refused(&self, arguments: &str, why: &str) {
        let output = self.run(arguments);
        assert!(
            output.status.code() == Some(2) && said(&output).contains(why),
            "{arguments}: {}",
            said(&output)
        );
    }

    fn openssl(&self, arguments: &str) -> String {
        let output = runner::other("openssl")
            .current_dir(self.home.path())
            .args(arguments.split_whitespace())
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments}: {}", said(&output));
        said(&output)
    }

    /// Signs the request as the profile says.
    fn sign(&self, with: &str, to: &str) {
        self.openssl(&format!(
            "x509 -req -in rotation/issuer.csr -CA {with}.pem -CAkey {with}.key -CAcreateserial -copy_extensions copyall -days 40 -sha256 -out {to}"
        ));
    }

    /// What openssl has signed.
    fn signed(&self) -> Facts {
        IssuerChain::from_pem(&self.read("signed.pem")).unwrap().issuer.facts().clone()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.home.path().join(name)).unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_request_is_signed_elsewhere_and_the_rotation_goes_on_with_it() {
    let Some(desk) = Desk::new("a_request_is_signed_elsewhere_and_the_rotation_goes_on_with_it") else {
        return;
    };
    let told = desk.out("start --dir rotation --csr");
    assert!(told.contains("pathlen:0") && !told.contains("PRIVATE"), "{told}");
    let request = desk.openssl("req -in rotation/issuer.csr -noout -verify -text");
    for part in [
        "CN=identity.linkerd.cluster.local",
        "CA:TRUE, pathlen:0",
        "Certificate Sign, CRL Sign",
        "prime256v1",
    ] {
        assert!(request.replace(" = ", "=").contains(part), "{part}: {request}");
    }
    let key = desk.read("rotation/issuer.key");
    desk.sign("anchor", "signed.pem");
    desk.refused(
        "start --dir rotation --issuer-cert signed.pem",
        "anchor that signed the issuer is not given",
    );
    desk.out("start --dir rotation --issuer-cert signed.pem --issuer-only");
    assert_eq!(desk.read("rotation/issuer.key"), key);
    assert!(desk.read("rotation/rotation.yaml").contains("issuer-only"));
    // Nodes' clocks differ: what begins at this moment waits for a few seconds.
    let soon = desk.signed().not_before + SignedDuration::from_mins(1);
    let rendered =
        desk.out(&format!("render issuer --step 1 --dir rotation --only secret -o object --at {soon}"));
    assert!(rendered.contains("kind: Secret"), "{rendered}");
    desk.refused("start --dir rotation --issuer-cert signed.pem --issuer-only", "started here already");
}

#[test]
fn an_anchor_comes_without_its_key() {
    let Some(desk) = Desk::new("an_anchor_comes_without_its_key") else { return };
    desk.openssl("ecparam -name prime256v1 -genkey -noout -out ca.key");
    desk.openssl(
        "req -x509 -new -key ca.key -sha256 -subj /CN=root.linkerd.cluster.local -days 3650 -out ca.pem",
    );
    desk.out("start --dir rotation --csr");
    desk.sign("ca", "signed.pem");
    desk.refused("start --dir minted --anchor ca.pem", "signs no issuer");
    desk.refused("start --dir rotation", "--issuer-cert");
    desk.out("start --dir rotation --issuer-cert signed.pem --anchor ca.pem");
    assert!(!desk.home.path().join("rotation/anchor.key").exists());
    assert_eq!(desk.read("rotation/anchor.pem").trim(), desk.read("ca.pem").trim());
    let plan = desk.out("plan --dir rotation");
    assert!(plan.contains("bundle/1-trust") && plan.contains("prune/1-trust"), "{plan}");
    // The key may come through a pipe instead.
    let script = "kubectl l5d-rotate start --dir piped --issuer-cert signed.pem --anchor ca.pem --issuer-key - -f dump.json <rotation/issuer.key";
    let piped = runner::shell(script).current_dir(desk.home.path()).output().unwrap();
    assert!(piped.status.success(), "{}", said(&piped));
    assert!(desk.read("piped/issuer.key").contains("PRIVATE KEY"));
}

#[test]
fn what_was_signed_is_held_against_every_rule() {
    let Some(desk) = Desk::new("what_was_signed_is_held_against_every_rule") else { return };
    desk.out("start --dir rotation --csr");
    desk.sign("anchor", "signed.pem");
    // Another key, another anchor, a certificate that is no CA, one that has expired, and P-384.
    desk.openssl("ecparam -name prime256v1 -genkey -noout -out other.key");
    desk.refused(
        "start --dir rotation --issuer-cert signed.pem --issuer-only --issuer-key other.key",
        "is not the key of",
    );
    desk.openssl("req -x509 -new -key other.key -sha256 -subj /CN=other -days 3650 -out other.pem");
    desk.refused(
        "start --dir rotation --issuer-cert signed.pem --anchor other.pem",
        "does not accept the new issuer",
    );
    desk.sign("other", "of-other.pem");
    desk.refused(
        "start --dir rotation --issuer-cert of-other.pem --issuer-only",
        "does not accept the new issuer",
    );
    desk.openssl("x509 -req -in rotation/issuer.csr -CA anchor.pem -CAkey anchor.key -CAcreateserial -days 20 -sha256 -out signed.pem");
    desk.refused(
        "start --dir rotation --issuer-cert signed.pem --issuer-only",
        "does not accept the new issuer",
    );
    let later = desk.signed().not_after + SignedDuration::from_mins(1);
    desk.refused(
        &format!("start --dir rotation --issuer-cert signed.pem --issuer-only --at {later}"),
        "expired",
    );
    desk.openssl("ecparam -name secp384r1 -genkey -noout -out large.key");
    desk.openssl("req -new -key large.key -subj /CN=identity.linkerd.cluster.local -out large.csr");
    desk.openssl("x509 -req -in large.csr -CA anchor.pem -CAkey anchor.key -CAcreateserial -days 20 -sha256 -out large.pem");
    desk.refused(
        "start --dir rotation --issuer-cert large.pem --issuer-only --issuer-key large.key",
        "linkerd check",
    );
    assert!(!desk.home.path().join("rotation/rotation.yaml").exists());
}
