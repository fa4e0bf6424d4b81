//! The service of an agent whose stream carries what it should not: what it says passes through its fault, and then as
//! bytes onto the wire, so that what nobody can read really is nothing but bytes.

use crate::state::{Tamper, Tampering};
use bytes::BufMut;
use iobench::drive::Remote;
use iobench::drive::agent::{Event, QUEUE};
use iobench_core::message::{AgentMessage, ControlMessage, Report};
use iobench_proto::codec::{LenientCodec, LenientDecoder};
use iobench_proto::limits::MESSAGE_BYTES;
use iobench_proto::to_bytes;
use std::convert::Infallible;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::codec::{Codec, EncodeBuf, Encoder};
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, StreamingService};
use tonic::{Request, Response, Status, Streaming};

#[derive(Clone)]
pub(crate) struct Faulty {
    pub(crate) remote: Remote<Event>,
    pub(crate) tamper: Tamper,
}

impl NamedService for Faulty {
    const NAME: &'static str = "iobench.v1.Agent";
}

impl Service<http::Request<Body>> for Faulty {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        let grpc = Grpc::new(Bytes).apply_max_message_size_config(Some(MESSAGE_BYTES), Some(MESSAGE_BYTES));
        Box::pin(async move { Ok({ grpc }.streaming(service, request).await) })
    }
}

impl StreamingService<ControlMessage> for Faulty {
    type Response = Vec<u8>;
    type ResponseStream = ReceiverStream<Result<Vec<u8>, Status>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<ControlMessage>>) -> Self::Future {
        let Self { remote, tamper } = self.clone();
        Box::pin(async move {
            let (reply, said) = mpsc::channel(QUEUE);
            let (outgoing, wire) = mpsc::channel(4 * QUEUE);
            if !remote.send(Event::Opened(request.into_inner(), reply)).await {
                return Err(Status::unavailable("the agent is ending"));
            }
            tokio::spawn(disturb(tamper, said, outgoing));
            Ok(Response::new(ReceiverStream::new(wire)))
        })
    }
}

async fn disturb(
    tamper: Tamper,
    mut said: mpsc::Receiver<Result<AgentMessage, Status>>,
    outgoing: mpsc::Sender<Result<Vec<u8>, Status>>,
) {
    let mut memory = Tampering::default();
    while let Some(Ok(message)) = said.recv().await {
        for message in tamper(&mut memory, message) {
            if outgoing.send(Ok(frame(message))).await.is_err() {
                return;
            }
        }
        memory.seen += 1;
    }
}

/// What goes onto the wire: of what cannot be decoded its detail, byte for byte.
fn frame(message: AgentMessage) -> Vec<u8> {
    match message.body {
        Report::Undecodable { detail } => detail.into_bytes(),
        _ => to_bytes(&message),
    }
}

/// Writes bytes as they are, and reads what the shipping codec reads.
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = ControlMessage;
    type Encoder = Self;
    type Decoder = LenientDecoder<ControlMessage>;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self::Decoder {
        LenientCodec::<AgentMessage, ControlMessage>::default().decoder()
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, bytes: Vec<u8>, frame: &mut EncodeBuf<'_>) -> Result<(), Status> {
        frame.put_slice(&bytes);
        Ok(())
    }
}
