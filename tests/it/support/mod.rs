//! What tests stand on: who starts programs, what there is to start them over, and who sits before them.

/// An API server on the loopback.
pub(crate) mod api_server;
/// A healthy mesh in memory, and what `check` finds in it.
pub(crate) mod checked;
/// A simulated cluster, which prints itself as `kubectl get` would.
pub(crate) mod cluster;
/// A forge with a remote repository, and a runner for CI jobs.
#[cfg(unix)]
pub(crate) mod forge;
/// Git repositories of every layout that people keep.
pub(crate) mod layouts;
/// A user over cert-manager and trust-manager.
pub(crate) mod managed;
/// Meshes read from manifests: the skeletons of `testdata/mesh`, filled.
pub(crate) mod manifests;
/// A `Mesh` in memory, from nothing.
pub(crate) mod mesh;
/// Certificates of every shape, and who judges them beside us: Go, TLS handshakes.
pub(crate) mod pki;
/// A sink that writes down what it is given.
pub(crate) mod recorder;
/// Installs of every era to render for, and the real kubectl.
pub(crate) mod render;
/// A reviewer with a dump and somebody's proposal.
pub(crate) mod reviewer;
/// A mesh in memory that takes the steps of a rotation.
pub(crate) mod rotation;
/// How programs are started.
pub(crate) mod runner;
/// How much the long tests do.
pub(crate) mod sizes;
/// A user with a cluster, a rotation and the program.
pub(crate) mod user;
