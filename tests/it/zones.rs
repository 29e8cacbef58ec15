//! Instants as they are shown to people in other time zones, and to programs.

use std::path::Path;
use std::process::Output;

use crate::cluster::Cluster;
use crate::runner;
use crate::support::user::User;

/// Zones by their rule, so that no database of zones is needed.
const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
const NEW_YORK: &str = "EST5EDT,M3.2.0,M11.1.0";

const CLUSTER: &str = "-f testdata/cluster.yaml --at 2026-11-23T02:00:00Z";
const CERTIFICATES_RENEWED: &str = "-f testdata/stages/5-certificates-renewed.yaml --at 2026-11-23T06:30:00Z";
const ROTATION: &str = "--dir testdata/rotation";
/// Before the rotation's certificates are valid on every clock.
const TOO_EARLY: &str = "-f testdata/cluster.yaml --at 2026-11-23T01:50:10Z";

fn run(zone: &str, arguments: &str) -> Output {
    run_in(Path::new(env!("CARGO_MANIFEST_DIR")), zone, arguments)
}

fn run_in(directory: &Path, zone: &str, arguments: &str) -> Output {
    runner::plugin()
        .current_dir(directory)
        .env("TZ", zone)
        .args(arguments.split_whitespace())
        .output()
        .unwrap()
}

fn out(zone: &str, arguments: &str) -> String {
    let output = run(zone, arguments);
    assert!(!output.stdout.is_empty(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn notes(zone: &str, arguments: &str) -> String {
    String::from_utf8(run(zone, arguments).stderr).unwrap()
}

/// Lines are wrapped between words.
fn shows(text: &str, part: &str) {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(part), "{part} is not in\n{text}");
}

#[test]
fn status_shows_expiries_and_changes_in_the_readers_zone_and_in_utc() {
    let berlin = out(BERLIN, &format!("status {CLUSTER}"));
    shows(&berlin, "changed 329 days ago");
    shows(&berlin, "2026-12-28 10:00 CET (09:00Z, in 35 days).");
    shows(&berlin, "before 2026-12-28 10:00 CET (09:00Z, in 35");
    assert!(!berlin.contains("UTC"), "{berlin}");
    let utc = out("UTC", &format!("status {CLUSTER}"));
    shows(&utc, "2026-12-28 09:00 UTC (in 35 days).");
    shows(&utc, "before 2026-12-28 09:00 UTC (in 35 days).");
}

#[test]
fn a_reason_to_wait_names_its_instant_in_both_with_the_date_where_utc_has_another() {
    let arguments = format!("render bundle --step 1 {ROTATION} {TOO_EARLY}");
    shows(&notes("UTC", &arguments), "Wait until 2026-11-23 01:50:20 UTC (now).");
    shows(&notes(BERLIN, &arguments), "Wait until 2026-11-23 02:50:20 CET (01:50:20Z, now).");
    let new_york = "Wait until 2026-11-22 20:50:20 EST (2026-11-23 01:50:20Z, now).";
    shows(&notes(NEW_YORK, &arguments), new_york);
    shows(&out(NEW_YORK, &format!("status {ROTATION} {TOO_EARLY}")), new_york);
    let berlin = "Wait until 2026-11-23 02:50:20 CET (01:50:20Z, now).";
    shows(&out(BERLIN, &format!("plan {ROTATION} {TOO_EARLY}")), berlin);
    shows(&notes(BERLIN, &format!("next {ROTATION} {TOO_EARLY}")), berlin);
}

/// After the swap certificates of the old issuer may be waited for instead of restarting; `prune` waits for them in any case.
#[test]
fn until_when_old_certificates_are_waited_for_is_told_to_the_second_in_both() {
    let mut user = User::rotating(Cluster::realistic());
    user.take("bundle", 1);
    user.take("bundle", 2);
    user.take_everywhere("bundle");
    user.take("issuer", 1);
    user.take("issuer", 2);
    user.print();
    let said = |zone: &str, verb: &str| {
        let arguments = format!("{verb} --dir rotation -f cluster.yaml --at {}", user.cluster.now);
        let output = run_in(user.home.path(), zone, &arguments);
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    let auckland = "NZST-12NZDT,M9.5.0,M4.1.0/3";
    for (zone, until) in [
        ("UTC", "ait until 2026-11-24 04:30:20 UTC (in 23 hours)"),
        (auckland, "ait until 2026-11-24 17:30:20 NZDT (04:30:20Z, in 23 hours)"),
        ("HST10", "ait until 2026-11-23 18:30:20 HST (2026-11-24 04:30:20Z, in 23 hours)"),
    ] {
        shows(&said(zone, "plan"), until);
        shows(&said(zone, "render prune --step 1"), until);
        shows(&said(zone, "render issuer --step 3"), until);
        shows(&said(zone, "plan -o json"), "\"at\": \"2026-11-24T04:30:20Z\"");
    }
}

#[test]
fn a_zone_of_the_database_has_its_daylight_saving_time() {
    if !std::path::Path::new("/usr/share/zoneinfo/Europe/Berlin").exists() {
        return println!("skipped: a_zone_of_the_database_has_its_daylight_saving_time: no zoneinfo");
    }
    let anchor = out("Europe/Berlin", "inspect testdata/rotation/anchor.pem --at 2026-07-01T00:30:00Z");
    shows(&anchor, "not valid before 2026-11-23 02:50 CET (01:50Z, in 145 days)");
    let summer = out("Europe/Berlin", "inspect testdata/rotation/anchor.pem --at 2036-07-01T00:30:00Z");
    shows(&summer, "2036-11-23 03:00 CET (02:00Z, in 145 days)");
}

#[test]
#[ignore = "long"]
fn what_programs_read_and_what_git_keeps_is_the_same_in_every_zone() {
    for arguments in [
        format!("status -o json {ROTATION} {CERTIFICATES_RENEWED}"),
        format!("status -o yaml {ROTATION} {TOO_EARLY}"),
        format!("plan -o json {ROTATION} {TOO_EARLY}"),
        format!("check -o json {CLUSTER}"),
        format!("check -o yaml {CLUSTER}"),
        format!("simulate -o json {ROTATION} {CLUSTER}"),
        "verify --proposed testdata/cluster.yaml -o json -f testdata/stages/6-pruned.yaml --at 2026-11-23T07:00:00Z".into(),
        format!("inspect -o json testdata/rotation/anchor.pem {CLUSTER}"),
        format!("snapshot {CLUSTER}"),
        format!("render bundle --step 1 --force {ROTATION} {TOO_EARLY}"),
        format!("render bundle --force -o object {ROTATION} {CLUSTER}"),
        format!("diff bundle --step 1 {ROTATION} {TOO_EARLY}"),
    ] {
        let utc = out("UTC", &arguments);
        assert_eq!(utc, out(BERLIN, &arguments), "{arguments}");
        assert_eq!(utc, out(NEW_YORK, &arguments), "{arguments}");
    }
}
