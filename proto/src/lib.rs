//! The wire format of iobench: what crosses the network between a controller and its agents, and what a journal keeps.
//!
//! The gRPC service `iobench.v1.Agent` ([`Agent`], [`AgentClient`]) speaks the core's own values,
//! [`ControlMessage`](iobench_core::message::ControlMessage) and
//! [`AgentMessage`](iobench_core::message::AgentMessage). Between those and the bytes stand
//!
//! - `proto/iobench.proto`, the contract with peers of other versions and languages, and [`wire`], its plain Rust;
//! - [`convert`], which turns one into the other and lets nothing pass that the core could not mean: what is unknown,
//!   missing, out of bounds or out of order becomes a [`BadMessage`] that names the field;
//! - [`codec`], which hands such a message to the state machine as `Undecodable`, so that one bad frame costs one
//!   frame and not the stream.
//!
//! ```text
//! AgentMessage ──From──► wire::AgentMessage ──prost──► frame ──prost──► wire::AgentMessage ──checked──► AgentMessage
//!                                                        │ not protobuf, unknown status, bad field ──► Undecodable
//!                                                        └ unknown fields: ignored
//! ```
//!
//! Both sides set the same message size; use [`server`] and [`client`], which do. The same bytes serve as journal
//! entries: [`to_bytes`], [`from_bytes`].

pub mod codec;
pub mod convert;
mod description;
pub mod limits;

pub use convert::{BadMessage, Problem, from_bytes, to_bytes};
pub use description::{CurrentRun, Description, PROTOCOL, ProtocolRange};
pub use service::agent_client::AgentClient;
pub use service::agent_server::{Agent, AgentServer};

use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::{Body as HttpBody, Bytes, StdError};

/// The structs generated from `iobench.proto`: bytes with names, nothing checked.
#[expect(missing_docs, reason = "documented in iobench.proto, where names that say it all have no comment")]
pub mod wire {
    tonic::include_proto!("iobench.v1");
}

/// The service generated from `iobench.proto`.
#[expect(
    unreachable_pub,
    unused_qualifications,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated code brings its own style and exceptions"
)]
mod service {
    include!(concat!(env!("OUT_DIR"), "/iobench.v1.Agent.rs"));
}

/// The port agents listen on unless told otherwise.
pub const DEFAULT_PORT: u16 = 7420;

/// An agent's service, with the message size both sides agree on.
pub fn server<T: Agent>(agent: T) -> AgentServer<T> {
    AgentServer::new(agent)
        .max_decoding_message_size(limits::MESSAGE_BYTES)
        .max_encoding_message_size(limits::MESSAGE_BYTES)
}

/// A client of an agent, with the message size both sides agree on.
pub fn client<T>(transport: T) -> AgentClient<T>
where
    T: GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <T::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    AgentClient::new(transport)
        .max_decoding_message_size(limits::MESSAGE_BYTES)
        .max_encoding_message_size(limits::MESSAGE_BYTES)
}

#[cfg(test)]
mod tests;
