//! The hosts that run it.

use super::{MultiEndpoint, Stage};
use crate::config::units::{Count, TimeSpan};
use serde::{Deserialize, Serialize};

/// The hosts that run it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a section with keys such as `agents`")]
pub struct Distributed {
    /// Who.
    pub agents: Vec<Agent>,
    /// Whether all agents see the same files: then they share one data set.
    pub shared_filesystem: bool,
    /// Who makes the directory tree.
    pub tree_creation_mode: Option<TreeCreation>,
    /// Between the moment all agents are ready and the common start.
    pub start_delay: Option<TimeSpan>,
    /// Where below the target each agent works, when they share nothing.
    pub path_template: Option<String>,
    /// Another name for `timeouts.progress`.
    pub agent_ready_timeout: Option<TimeSpan>,
    /// Another place for `stages`.
    pub stages: Vec<Stage>,
}

/// Who makes the directory tree.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TreeCreation {
    /// Each agent its own.
    Isolated,
    /// One for all; here each agent makes its share.
    Coordinator,
    /// One for all, made by all together; here each agent makes its share.
    Concurrent,
}

/// One agent, or several alike.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an address such as `host1:7420`, or a section with `address`")]
pub struct Agent {
    /// `host`, `host:port` or `host[1-8]:port`.
    pub address: String,
    /// What it is called in results.
    pub id: Option<String>,
    /// Another target for this agent.
    pub target_override: Option<String>,
    /// Another concurrency for this agent.
    pub concurrency_override: Option<Count>,
    /// Another path template for this agent.
    pub path_template: Option<String>,
    /// Other services for this agent.
    pub multi_endpoint: Option<MultiEndpoint>,
}
