//! `status`: one screen, ending with the next command.

use std::path::{Path, PathBuf};

use super::reading::{self, Read};
use super::rotation_dir::Asked;
use super::{Environment, Failure, rotation};
use crate::check::{self, Options};
use crate::cli::{self, StatusFormat};
use crate::linkerd;
use crate::mesh::Mesh;
use crate::report::{self, Response, Screen, Status, UnderWay};
use crate::rotation::{Confirmation, RestartAnnotation, plan};

/// What was asked for, by the verb or by the bare command.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) dir: Option<&'a Path>,
    pub(super) rollback: bool,
    pub(super) confirm: &'a [Confirmation],
    pub(super) format: StatusFormat,
}

impl<'a> From<&'a cli::Status> for Request<'a> {
    fn from(status: &'a cli::Status) -> Self {
        Self {
            dir: status.dir.as_deref(),
            rollback: status.rollback,
            confirm: &status.confirm,
            format: status.output,
        }
    }
}

/// Reads, checks and shows; of a repository that declares several clusters, each by itself.
pub(super) fn run(
    request: &Request<'_>,
    input: &cli::Input,
    screen: &Screen,
    environment: &Environment,
) -> Result<Response, Failure> {
    let asked = Asked::of(request.dir, environment)?;
    let all = match &asked {
        Asked::Found(_) => reading::meshes(input, false)?,
        Asked::Named(dir) => vec![reading::of_record(input, false, Some(&rotation::record(dir)?))?],
    };
    let several = all.len() > 1;
    let (mut shown, mut notes) = (Vec::new(), Vec::new());
    for Read { unit, mesh, notes: found, checkout } in all {
        let input = reading::of_unit(input, &unit);
        // A rotation of one cluster is none of the others beside it.
        let is_other = |dir: &PathBuf| {
            several && rotation::record(dir).is_ok_and(|record| record.is_of(&mesh) == Some(false))
        };
        let dir = asked.of_status(&mesh, screen.at).filter(|dir| !is_other(dir));
        if dir.is_none() && (request.rollback || !request.confirm.is_empty()) {
            asked.over(&mesh, screen.at)?;
        }
        let request = Request { dir: dir.as_deref(), ..*request };
        shown.push((
            input.unit.clone().unwrap_or_default(),
            status(&request, &mesh, checkout.as_deref(), &input, screen)?,
        ));
        notes.extend(found.into_iter().filter(|note| !notes.contains(note)).collect::<Vec<_>>());
    }
    let out = match &*shown {
        [(_, status)] => status.print(request.format, screen),
        all => report::statuses(all, request.format, screen),
    };
    Ok(Response { out, notes, ..Response::default() })
}

fn status(
    request: &Request<'_>,
    mesh: &Mesh,
    checkout: Option<&Path>,
    input: &cli::Input,
    screen: &Screen,
) -> Result<Status, Failure> {
    let at = screen.at;
    let record = request
        .dir
        .map(|dir| rotation::directed(rotation::record(dir)?, request.rollback))
        .transpose()?
        .map(|record| record.observed(mesh));
    let options = Options { at, expiry_threshold: linkerd::EXPIRY_THRESHOLD };
    let checks = check::run(mesh, options);
    let confirmed = request.confirm.iter().copied().collect();
    let planned = |record| plan(record, mesh, RestartAnnotation::Content, &confirmed, at);
    let plan = record.as_ref().map(planned).transpose()?;
    let under_way = match (request.dir, &record, &plan) {
        (Some(dir), Some(record), Some(plan)) => Some(UnderWay { dir, record, plan, checkout }),
        _ => None,
    };
    let advice = check::advice(mesh, options);
    Ok(Status::new(mesh, &checks, under_way.as_ref(), advice, screen).reading(&reading::arguments(input)))
}
