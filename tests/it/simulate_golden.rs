//! What `simulate` shows, to the letter.

use crate::cluster;
use crate::simulate_support;

use cluster::Cluster;
use jiff::SignedDuration;
use simulate_support::{Ran, User};

fn golden(ran: &Ran, code: i32, expected: &str) {
    assert_eq!(ran.out, expected, "\n{}\n{}", ran.out, ran.notes);
    assert_eq!(ran.code, code);
    for line in ran.out.lines().filter(|_| !ran.out.starts_with("**")) {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn a_staged_rotation_breaks_nothing() {
    let ran = User::started(Cluster::new(), "").simulate("");
    golden(
        &ran,
        0,
        "\
every handshake works through all 9 steps

phases bundle, issuer, prune; T+s = 24h0m20s (issuance lifetime and clock skew)
old = 000000000000, new = 000000000000, old issuer = 000000000000, new issuer = 000000000000

  now                                 old issuer
    {old}  25 proxies                      ✓

bundle/1-trust: publish {old,new}
  from +0, any subset                 old issuer
    {old}                                  ✓
    {old,new}                              ✓

bundle/2-control-plane: restart the control plane
  during the restart, any subset: as before
  after the restart                   old issuer
    {old}      up to 22 proxies            ✓
    {old,new}  up to 25 proxies            ✓

bundle/3-data-plane: restart the data plane
  during the restart, any subset: as before
  after the restart                   old issuer
    {old,new}  25 proxies                  ✓

issuer/1-issuer: put the new issuer into the Secret
  from +0, any subset                 old issuer  new issuer
    {old,new}                              ✓           ✓

issuer/2-control-plane: restart the identity controller
  during the restart, any subset: as before
  after the restart                   old issuer  new issuer
    {old,new}  25 proxies                  ✓           ✓

issuer/3-data-plane: restart everything else
  during the restart, any subset: as before
  after the restart                   new issuer
    {old,new}  25 proxies                  ✓

prune/1-trust: publish {new}
  from +0, any subset                 new issuer
    {old,new}                              ✓
    {new}                                  ✓

prune/2-control-plane: restart the control plane
  during the restart, any subset: as before
  after the restart                   new issuer
    {old,new}  up to 22 proxies            ✓
    {new}      up to 25 proxies            ✓

prune/3-data-plane: restart the data plane
  during the restart, any subset: as before
  after the restart                   new issuer
    {new}  25 proxies                      ✓
",
    );
}

#[test]
fn an_issuer_swapped_before_its_anchor_is_published_breaks_renewals_at_once_and_connections_later() {
    let ran = User::started(Cluster::new(), "").simulate("--order issuer,bundle,prune");
    golden(
        &ran,
        4,
        "\
breaks at issuer/1-issuer, from +0: an identity controller that restarts refuses the new issuer with
the published {old} and does not start: `identity.linkerd.cluster.local` was signed by no anchor of
the bundle: there is one named `root.linkerd.cluster.local`, but with another key; renewals fail
from then on, connections as leaves run out, the last after T+s = 24h0m20s

phases issuer, bundle, prune; T+s = 24h0m20s (issuance lifetime and clock skew)
old = 000000000000, new = 000000000000, old issuer = 000000000000, new issuer = 000000000000

  now                                 old issuer
    {old}  25 proxies                      ✓

issuer/1-issuer: put the new issuer into the Secret
  from +0, any subset                 old issuer  new issuer
    {old}                                  ✓           ×
    × 1. an identity controller that restarts refuses the new issuer with the published {old} and
         does not start: `identity.linkerd.cluster.local` was signed by no anchor of the bundle:
         there is one named `root.linkerd.cluster.local`, but with another key; renewals fail from
         then on, connections as leaves run out, the last after T+s = 24h0m20s
    × 2. up to 25 proxies with {old} (emojivoto/emoji-0000000000-b4vzm, …) refuse leaves of the new
         issuer: `identity.linkerd.cluster.local` was signed by no anchor of the bundle: there is
         one named `root.linkerd.cluster.local`, but with another key; no running proxy takes up
         such a leaf: connections fail when the leaves in use have run out, at most T+s = 24h0m20s
         later, and whoever starts meanwhile has none
    × 3. up to 25 proxies with {old} (emojivoto/emoji-0000000000-b4vzm, …) reject their own next
         leaf, of the new issuer: `identity.linkerd.cluster.local` was signed by no anchor of the
         bundle: there is one named `root.linkerd.cluster.local`, but with another key; renewals
         fail at once, connections when the leaf they keep has run out, at most T+s = 24h0m20s
         later, and whoever starts meanwhile has none
    × 4. an identity controller with {old} refuses the new issuer and signs nothing:
         `identity.linkerd.cluster.local` was signed by no anchor of the bundle: there is one named
         `root.linkerd.cluster.local`, but with another key; renewals fail at once, connections as
         leaves run out, the last after T+s = 24h0m20s
  if left so, after T+s = 24h0m20s    old issuer  new issuer
    {old}  25 proxies                      ✓           ×
    × 5. 25 proxies with {old} (emojivoto/emoji-0000000000-b4vzm, …) refuse leaves of the new
         issuer: `identity.linkerd.cluster.local` was signed by no anchor of the bundle: there is
         one named `root.linkerd.cluster.local`, but with another key; connections with whoever has
         one fail at once
    × still 1, 3, 4

issuer/2-control-plane: restart the identity controller
  during the restart, any subset: as before
  after the restart                   old issuer  new issuer
    {old}  25 proxies                      ✓           ×
    × still 1, 3, 4, 5

issuer/3-data-plane: restart everything else
  during the restart, any subset: as before
  after the restart                   new issuer
    {old}  25 proxies                      ×
    × still 1, 3, 4, 5

bundle/1-trust: publish {old,new}
  from +0, any subset                 new issuer
    {old}                                  ×
    {old,new}                              ✓
    × still 3, 4, 5

bundle/2-control-plane: restart the control plane
  during the restart, any subset: as before
  after the restart                   new issuer
    {old}      up to 22 proxies            ×
    {old,new}  up to 25 proxies            ✓
    × still 3, 5

bundle/3-data-plane: restart the data plane
  during the restart, any subset: as before
  after the restart                   new issuer
    {old,new}  25 proxies                  ✓

prune/1-trust: publish {new}
  from +0, any subset                 new issuer
    {old,new}                              ✓
    {new}                                  ✓

prune/2-control-plane: restart the control plane
  during the restart, any subset: as before
  after the restart                   new issuer
    {old,new}  up to 22 proxies            ✓
    {new}      up to 25 proxies            ✓

prune/3-data-plane: restart the data plane
  during the restart, any subset: as before
  after the restart                   new issuer
    {new}  25 proxies                      ✓
",
    );
}

#[test]
fn an_old_anchor_pruned_before_the_new_issuer_is_in_place_breaks_whoever_starts() {
    let ran = User::started(Cluster::new(), "").simulate("--order prune,issuer");
    golden(
        &ran,
        4,
        "\
breaks at prune/1-trust, from +0: an identity controller that restarts refuses the old issuer with
the published {new} and does not start: `identity.linkerd.cluster.local` was signed by no anchor of
the bundle: there is one named `root.linkerd.cluster.local`, but with another key; renewals fail
from then on, connections as leaves run out, the last after T+s = 24h0m20s

phases prune, issuer; T+s = 24h0m20s (issuance lifetime and clock skew)
old = 000000000000, new = 000000000000, old issuer = 000000000000, new issuer = 000000000000

  now                                 old issuer
    {old}  25 proxies                      ✓

prune/1-trust: publish {new}
  from +0, any subset                 old issuer
    {old}                                  ✓
    {new}                                  ×
    × 1. an identity controller that restarts refuses the old issuer with the published {new} and
         does not start: `identity.linkerd.cluster.local` was signed by no anchor of the bundle:
         there is one named `root.linkerd.cluster.local`, but with another key; renewals fail from
         then on, connections as leaves run out, the last after T+s = 24h0m20s
    × 2. up to 25 proxies with {new} (emojivoto/emoji-0000000000-b4vzm, …) refuse leaves of the old
         issuer: `identity.linkerd.cluster.local` was signed by no anchor of the bundle: there is
         one named `root.linkerd.cluster.local`, but with another key; connections with whoever has
         one fail at once
    × 3. up to 25 proxies with {new} (emojivoto/emoji-0000000000-b4vzm, …) reject their own next
         leaf, of the old issuer: `identity.linkerd.cluster.local` was signed by no anchor of the
         bundle: there is one named `root.linkerd.cluster.local`, but with another key; renewals
         fail at once, connections when the leaf they keep has run out, at most T+s = 24h0m20s
         later, and whoever starts meanwhile has none
    × 4. an identity controller with {new} refuses the old issuer and signs nothing:
         `identity.linkerd.cluster.local` was signed by no anchor of the bundle: there is one named
         `root.linkerd.cluster.local`, but with another key; renewals fail at once, connections as
         leaves run out, the last after T+s = 24h0m20s

prune/2-control-plane: restart the control plane
  during the restart, any subset: as before
  after the restart                   old issuer
    {old}  up to 22 proxies                ✓
    {new}  up to 25 proxies                ×
    × still 1, 2, 3, 4

prune/3-data-plane: restart the data plane
  during the restart, any subset: as before
  after the restart                   old issuer
    {new}  25 proxies                      ×
    × still 1, 2, 3, 4

issuer/1-issuer: put the new issuer into the Secret
  from +0, any subset                 old issuer  new issuer
    {new}                                  ×           ✓
    × still 2, 3, 4

issuer/2-control-plane: restart the identity controller
  during the restart, any subset: as before
  after the restart                   old issuer  new issuer
    {new}  25 proxies                      ×           ✓
    × still 2

issuer/3-data-plane: restart everything else
  during the restart, any subset: as before
  after the restart                   new issuer
    {new}  25 proxies                      ✓
",
    );
    let ran = User::started(Cluster::new(), "").simulate("--order bundle,prune,issuer");
    assert_eq!(ran.code, 4);
    assert!(ran.out.starts_with("breaks at prune/1-trust, from +0: "), "{}", ran.out);
}

#[test]
fn an_issuer_alone_breaks_nothing_and_has_no_other_phase() {
    let user = User::started(
        Cluster::new(),
        "--issuer-only --strategy staged --anchor anchor.pem --anchor-key anchor.key",
    );
    golden(
        &user.simulate(""),
        0,
        "\
every handshake works through all 3 steps

phases issuer; T+s = 24h0m20s (issuance lifetime and clock skew)
old = 000000000000, old issuer = 000000000000, new issuer = 000000000000

  now                                 old issuer
    {old}  25 proxies                      ✓

issuer/1-issuer: put the new issuer into the Secret
  from +0, any subset                 old issuer  new issuer
    {old}                                  ✓           ✓

issuer/2-control-plane: restart the identity controller
  during the restart, any subset: as before
  after the restart                   old issuer  new issuer
    {old}  25 proxies                      ✓           ✓

issuer/3-data-plane: restart everything else
  during the restart, any subset: as before
  after the restart                   new issuer
    {old}  25 proxies                      ✓
",
    );
    let ran = user.simulate("--order bundle,issuer");
    assert_eq!(ran.code, 2);
    assert!(
        ran.notes.contains("the order names phase bundle, and the phases of this rotation are: issuer"),
        "{}",
        ran.notes
    );
}

#[test]
fn steps_that_are_done_are_shown_as_done() {
    let mut user = User::started(Cluster::new(), "");
    user.merge("bundle --step 1");
    user.merge("bundle --step 2");
    // The control plane's pods of before are gone: which issuer they signed with is not told until their leaves run out.
    user.cluster.wait(SignedDuration::from_hours(25));
    let ran = user.simulate("--order bundle,issuer");
    golden(
        &ran,
        0,
        "\
every handshake works through all 6 steps

phases bundle, issuer; T+s = 24h0m20s (issuance lifetime and clock skew)
old = 000000000000, new = 000000000000, old issuer = 000000000000, new issuer = 000000000000

  now                                 old issuer
    {old}      22 proxies                  ✓
    {old,new}   3 proxies                  ✓

bundle/1-trust: publish {old,new}: done

bundle/2-control-plane: restart the control plane: done

bundle/3-data-plane: restart the data plane
  during the restart, any subset: as before
  after the restart                   old issuer
    {old,new}  25 proxies                  ✓

issuer/1-issuer: put the new issuer into the Secret
  from +0, any subset                 old issuer  new issuer
    {old,new}                              ✓           ✓

issuer/2-control-plane: restart the identity controller
  during the restart, any subset: as before
  after the restart                   old issuer  new issuer
    {old,new}  25 proxies                  ✓           ✓

issuer/3-data-plane: restart everything else
  during the restart, any subset: as before
  after the restart                   new issuer
    {old,new}  25 proxies                  ✓
",
    );
    let ran = user.simulate("--order issuer");
    assert_eq!(ran.code, 4);
    assert!(
        ran.out.starts_with("breaks at issuer/1-issuer, from +0: up to 22 proxies with {old} ("),
        "{}",
        ran.out
    );
}

#[test]
fn a_pull_request_gets_one_table() {
    let ran = User::started(Cluster::new(), "").simulate("--order issuer -o markdown");
    golden(&ran, 4, "\
**Simulated rotation**: breaks at issuer/1-issuer, from +0: an identity controller that restarts refuses the new issuer with the published {old} and does not start: `identity.linkerd.cluster.local` was signed by no anchor of the bundle: there is one named `root.linkerd.cluster.local`, but with another key; renewals fail from then on, connections as leaves run out, the last after T+s = 24h0m20s

phases issuer; T+s = 24h0m20s (issuance lifetime and clock skew)
old = 000000000000, new = 000000000000, old issuer = 000000000000, new issuer = 000000000000

| step | when | bundle | old issuer | new issuer | breaks |
|---|---|---|---|---|---|
|  | now | `{old}` 25 proxies | ✓ |  |  |
| issuer/1-issuer: put the new issuer into the Secret | from +0, any subset | `{old}` | ✓ | × | 1, 2, 3, 4 |
|  | if left so, after T+s = 24h0m20s | `{old}` 25 proxies | ✓ | × | 1, 3, 4, 5 |
| issuer/2-control-plane: restart the identity controller | during the restart, any subset: as before | | | | |
|  | after the restart | `{old}` 25 proxies | ✓ | × | 1, 3, 4, 5 |
| issuer/3-data-plane: restart everything else | during the restart, any subset: as before | | | | |
|  | after the restart | `{old}` 25 proxies |  | × | 1, 3, 4, 5 |

What breaks:

1. an identity controller that restarts refuses the new issuer with the published {old} and does not start: `identity.linkerd.cluster.local` was signed by no anchor of the bundle: there is one named `root.linkerd.cluster.local`, but with another key; renewals fail from then on, connections as leaves run out, the last after T+s = 24h0m20s
2. up to 25 proxies with {old} (emojivoto/emoji-0000000000-b4vzm, …) refuse leaves of the new issuer: `identity.linkerd.cluster.local` was signed by no anchor of the bundle: there is one named `root.linkerd.cluster.local`, but with another key; no running proxy takes up such a leaf: connections fail when the leaves in use have run out, at most T+s = 24h0m20s later, and whoever starts meanwhile has none
3. up to 25 proxies with {old} (emojivoto/emoji-0000000000-b4vzm, …) reject their own next leaf, of the new issuer: `identity.linkerd.cluster.local` was signed by no anchor of the bundle: there is one named `root.linkerd.cluster.local`, but with another key; renewals fail at once, connections when the leaf they keep has run out, at most T+s = 24h0m20s later, and whoever starts meanwhile has none
4. an identity controller with {old} refuses the new issuer and signs nothing: `identity.linkerd.cluster.local` was signed by no anchor of the bundle: there is one named `root.linkerd.cluster.local`, but with another key; renewals fail at once, connections as leaves run out, the last after T+s = 24h0m20s
5. 25 proxies with {old} (emojivoto/emoji-0000000000-b4vzm, …) refuse leaves of the new issuer: `identity.linkerd.cluster.local` was signed by no anchor of the bundle: there is one named `root.linkerd.cluster.local`, but with another key; connections with whoever has one fail at once
");
}
