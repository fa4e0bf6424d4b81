//! The agent's gRPC service: hands streams to the driver, decides nothing.

use super::preface::Prefaced;
use crate::drive::agent::{Event, QUEUE};
use crate::drive::{Local, Remote};
use iobench_core::message::{AgentMessage, ControlMessage};
use iobench_proto::wire;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::{Connected, Server};
use tonic::{Request, Response, Status, Streaming};

/// A connection must say something within this, and takes new streams for so long; those that it has go on to their
/// own end. So nobody holds connections for nothing.
pub(super) const OPEN: Duration = Duration::from_secs(30);
/// A rest after a connection that could not be accepted (no descriptor free): the next attempt would fail at once.
const PAUSE: Duration = Duration::from_millis(100);

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
    server: Server,
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
        .max_connection_age(OPEN)
        .add_service(health)
        .add_service(iobench_proto::server(Service { local, remote }))
        .serve_with_incoming(incoming.map(|io| io.map(|io| Prefaced::within(OPEN, io))))
        .await
}

/// Binds an address and gives the connections made to it, and the address with the port that was chosen.
pub async fn listen(
    address: SocketAddr,
) -> io::Result<(SocketAddr, impl Stream<Item = io::Result<TcpStream>>)> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let incoming = TcpListenerStream::new(listener).then(async |connection| {
        match &connection {
            // Small messages must not wait for more: pings measure clocks.
            Ok(stream) => drop(stream.set_nodelay(true)),
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
        connection
    });
    Ok((bound, incoming))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::Inbox;
    use crate::grpc::{Dial, memory};
    use tokio::io::AsyncReadExt;
    use tokio::time::{Instant, timeout};

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_says_nothing_is_closed() {
        let inbox = Inbox::default();
        let (dial, incoming) = memory();
        let serving = serve(Server::builder(), incoming, inbox.local(), inbox.remote());
        let silent = async {
            let mut connection = dial.connect("").await.unwrap();
            let begun = Instant::now();
            let mut heard = Vec::new();
            timeout(2 * OPEN, connection.read_to_end(&mut heard)).await.expect("it is closed").unwrap();
            begun.elapsed()
        };
        tokio::select! {
            served = serving => panic!("the server ended: {served:?}"),
            after = silent => assert!(after >= OPEN && after < OPEN + PAUSE, "{after:?}"),
        }
    }
}
