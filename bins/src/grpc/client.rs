//! How a controller reaches an agent.

use super::tls::ClientTls;
use hyper_util::rt::TokioIo;
use iobench_core::controller::ConnectError;
use iobench_core::message::{AgentMessage, ControlMessage};
use iobench_proto::{Description, wire};
use std::error::Error;
use std::future::Future;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Uri};

/// How connections are made: TCP in production, a modelled network in simulation, memory on one host.
pub trait Dial: Clone + Send + Sync + 'static {
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Connects to `host:port`.
    fn connect(&self, address: &str) -> impl Future<Output = io::Result<Self::Io>> + Send;

    /// The TLS to speak over it; `None` for plain text.
    fn tls(&self) -> Option<ClientTlsConfig> {
        None
    }
}

/// Real connections.
#[derive(Clone, Debug, Default)]
pub struct Tcp {
    tls: Option<ClientTlsConfig>,
}

impl Tcp {
    /// Connections with TLS, or without.
    pub fn new(tls: Option<&ClientTls>) -> anyhow::Result<Self> {
        Ok(Self { tls: tls.map(ClientTls::config).transpose()? })
    }
}

impl Dial for Tcp {
    type Io = TcpStream;

    async fn connect(&self, address: &str) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn tls(&self) -> Option<ClientTlsConfig> {
        self.tls.clone()
    }
}

/// Opens a stream to an agent. `connected` is called when the connection stands, before TLS and the stream.
pub async fn open(
    dial: &impl Dial,
    address: &str,
    outgoing: mpsc::Receiver<ControlMessage>,
    connected: impl Fn() + Clone + Send + Sync + 'static,
) -> Result<Streaming<AgentMessage>, ConnectError> {
    let channel = channel(dial, address, connected).await?;
    let response = iobench_proto::client(channel).execute_workload(ReceiverStream::new(outgoing)).await;
    Ok(response.map_err(|status| first_call_failed(dial, &status))?.into_inner())
}

/// Asks an agent who it is and what it does.
pub async fn describe(dial: &impl Dial, address: &str) -> Result<Description, ConnectError> {
    let channel = channel(dial, address, || {}).await?;
    let response = iobench_proto::client(channel).describe(wire::DescribeRequest {}).await;
    Ok(response.map_err(|status| first_call_failed(dial, &status))?.into_inner().into())
}

async fn channel(
    dial: &impl Dial,
    address: &str,
    connected: impl Fn() + Clone + Send + Sync + 'static,
) -> Result<Channel, ConnectError> {
    let tls = dial.tls();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut endpoint =
        Endpoint::from_shared(format!("{scheme}://{address}")).map_err(|error| failure(&error))?;
    if let Some(tls) = tls {
        endpoint = endpoint.tls_config(tls).map_err(|error| failure(&error))?;
    }
    let (dial, address) = (dial.clone(), address.to_owned());
    let connector = tower::service_fn(move |_: Uri| {
        let (dial, address, connected) = (dial.clone(), address.clone(), connected.clone());
        async move {
            let io = dial.connect(&address).await?;
            connected();
            Ok::<_, io::Error>(TokioIo::new(io))
        }
    });
    endpoint.connect_with_connector(connector).await.map_err(|error| failure(&error))
}

/// An agent that wants TLS closes a connection without it as soon as it is spoken to. Its alert, if that comes before
/// the end is seen, looks like a frame that is much too large. One that wants another certificate than ours does the
/// same, and its alert is lost when we write to the closed connection before we read it.
fn first_call_failed(dial: &impl Dial, status: &tonic::Status) -> ConnectError {
    const SIGNS: [&str; 4] = ["broken pipe", "closed", "reset", "frame with invalid size"];
    let ConnectError { message } = failure(status);
    let refused = SIGNS.iter().any(|words| message.contains(words));
    let hint = match dial.tls() {
        _ if !refused => "",
        None => "; does the agent want TLS?",
        Some(_) => "; does the agent want a client certificate, or one that another authority has signed?",
    };
    ConnectError { message: message + hint }
}

fn failure(error: &(dyn Error + 'static)) -> ConnectError {
    let message = match super::tls::next_step(error) {
        Some(next_step) => format!("{}; {next_step}", cause_of(error)),
        None => cause_of(error),
    };
    ConnectError { message }
}

/// The innermost cause of an error: what a person can act on.
#[must_use]
pub fn cause_of(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.downcast_ref::<tonic::Status>() {
        Some(status) => status.message().to_owned(),
        None => innermost.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Status;

    #[test]
    fn a_connection_that_closes_before_the_first_answer_is_explained() {
        let (plain, tls) = (Tcp::default(), Tcp { tls: Some(ClientTlsConfig::new()) });
        let said = |dial: &Tcp, status: &str| first_call_failed(dial, &Status::unavailable(status)).message;
        for status in ["connection closed", "stream closed because of a broken pipe", "connection reset"] {
            assert!(said(&plain, status).ends_with("; does the agent want TLS?"));
            assert!(said(&tls, status).contains("; does the agent want a client certificate, or one"));
        }
        assert_eq!(said(&tls, "the agent is ending"), "the agent is ending");
    }
}
