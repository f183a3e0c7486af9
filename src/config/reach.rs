//! What the command line needs of a node's configuration: where the node is found, what it is
//! shown, and the time zone. It is read though everything else be broken.

use std::path::Path;

use serde::Deserialize;

use crate::config::load::{Environment, Reader};
use crate::config::problem::{Place, Problem, error};
use crate::config::secrets;
use crate::config::sections::{Grpc, Node};
use crate::config::source::Shape;
use crate::route::hours;

/// How a node is reached.
#[derive(Clone, Debug)]
pub struct Reach {
    pub grpc: Grpc,
    /// IANA time zone of the node.
    pub zone: String,
    /// Whether the node listens at `grpc.listen`: nothing that could say otherwise was unreadable.
    pub is_certain: bool,
    /// What could not be read of these.
    pub problems: Vec<Problem>,
}

/// Reads `[grpc]` and the zone of `[node]`; what cannot be read has its default. The token is
/// looked for if it is wanted.
pub fn reach(path: Option<&Path>, environment: &Environment, wants_token: bool) -> Reach {
    let mut reader = Reader::new(environment);
    if let Some(path) = path {
        reader.read_all::<Part>(path);
    }
    let Part { mut grpc, node } = reader.compose().unwrap_or_default();
    let folder = path.and_then(Path::parent).unwrap_or(Path::new(""));
    let mut findings = Vec::new();
    if wants_token {
        findings.extend(secrets::fetch_token(&mut grpc, folder, environment));
    }
    if let Err(wrong) = hours::zone(&node.zone) {
        findings.push(error(&["node", "zone"], wrong.to_string()));
    }
    reader.locate(findings, false);
    grpc.certificate = grpc.certificate.map(|file| folder.join(file));
    let is_refused = |problem: &Problem| {
        let Place::Environment(variable) = &problem.place else { return false };
        variable.eq_ignore_ascii_case("STROWGER__GRPC__LISTEN")
    };
    let hides = |key: &crate::config::problem::Path| {
        matches!(&key[..], [section, rest @ ..] if section == "grpc"
            && rest.first().is_none_or(|key| key == "listen"))
    };
    let is_certain = (path.is_none() || !reader.sources.is_empty())
        && !reader.unusable().any(hides)
        && !reader.problems.iter().any(is_refused);
    reader.problems.sort();
    reader.problems.dedup();
    Reach { grpc, zone: node.zone, is_certain, problems: reader.problems }
}

/// The part of the file that is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Part {
    grpc: Grpc,
    node: NodePart,
}

impl Shape for Part {
    const SECTIONS: &'static [&'static str] = &["grpc", "node"];

    fn include(self) -> Vec<String> {
        self.node.include
    }
}

/// What is read of `[node]`.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct NodePart {
    include: Vec<String>,
    zone: String,
}

impl Default for NodePart {
    fn default() -> Self {
        let Node { include, zone, .. } = Node::default();
        Self { include, zone }
    }
}
