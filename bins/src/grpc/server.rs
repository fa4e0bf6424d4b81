//! The agent's gRPC service: hands streams to the driver, decides nothing.

use crate::drive::agent::{Event, QUEUE};
use crate::drive::{Local, Remote};
use iobench_core::message::{AgentMessage, ControlMessage};
use iobench_proto::wire;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::{Connected, Server};
use tonic::{Request, Response, Status, Streaming};

/// The service of an agent whose driver has this inbox.
struct Service {
    local: Local<Event>,
    remote: Remote<Event>,
}

#[tonic::async_trait]
impl iobench_proto::Agent for Service {
    type ExecuteWorkloadStream = ReceiverStream<Result<AgentMessage, Status>>;

    async fn execute_workload(
        &self,
        request: Request<Streaming<ControlMessage>>,
    ) -> Result<Response<Self::ExecuteWorkloadStream>, Status> {
        let (reply, outgoing) = mpsc::channel(QUEUE);
        if !self.remote.send(Event::Opened(request.into_inner(), reply)).await {
            return Err(Status::unavailable("the agent is ending"));
        }
        Ok(Response::new(ReceiverStream::new(outgoing)))
    }

    async fn describe(
        &self,
        _: Request<wire::DescribeRequest>,
    ) -> Result<Response<wire::Description>, Status> {
        let (asker, answer) = oneshot::channel();
        self.local.send(Event::Describe(asker));
        let description = answer.await.map_err(|_| Status::unavailable("the agent is ending"))?;
        Ok(Response::new(description.into()))
    }
}

/// Serves connections until the driver with this inbox has ended (and this future is dropped).
pub async fn serve<IO, S>(
    mut server: Server,
    incoming: S,
    local: Local<Event>,
    remote: Remote<Event>,
) -> Result<(), tonic::transport::Error>
where
    IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    S: Stream<Item = io::Result<IO>>,
{
    let (health_reporter, health) = tonic_health::server::health_reporter();
    health_reporter.set_serving::<iobench_proto::AgentServer<Service>>().await;
    server
        .add_service(health)
        .add_service(iobench_proto::server(Service { local, remote }))
        .serve_with_incoming(incoming)
        .await
}

/// Binds an address and gives the connections made to it, and the address with the port that was chosen.
pub async fn listen(
    address: SocketAddr,
) -> io::Result<(SocketAddr, impl Stream<Item = io::Result<TcpStream>>)> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let incoming = TcpListenerStream::new(listener).map(|connection| {
        // Small messages must not wait for more: pings measure clocks.
        connection.inspect(|stream| drop(stream.set_nodelay(true)))
    });
    Ok((bound, incoming))
}
