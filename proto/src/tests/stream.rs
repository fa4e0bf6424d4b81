//! A real client and a real server in one process: a bad frame costs one frame.

use super::roundtrip::{frame, from_agent, from_controller};
use crate::limits::MESSAGE_BYTES;
use crate::{Agent, CurrentRun, Description, PROTOCOL, client, server, wire};
use hyper_util::rt::TokioIo;
use iobench_core::message::{
    AgentMessage, Capabilities, Configure, Control, ControlMessage, Ping, Pong, Report, RunId, Session,
};
use iobench_core::time::Mono;
use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder, Streaming};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{BoxFuture, Service, StdError, http};
use tonic::server::{NamedService, StreamingService};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Answers a Ping, and says what it could not understand.
struct Answering;

#[tonic::async_trait]
impl Agent for Answering {
    type ExecuteWorkloadStream = Replies<AgentMessage>;

    async fn execute_workload(
        &self,
        request: Request<Streaming<ControlMessage>>,
    ) -> Result<Response<Self::ExecuteWorkloadStream>, Status> {
        let answers = request.into_inner().map(|message| message.map(answer));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn describe(
        &self,
        _: Request<wire::DescribeRequest>,
    ) -> Result<Response<wire::Description>, Status> {
        Ok(Response::new(description().into()))
    }
}

fn answer(message: ControlMessage) -> AgentMessage {
    let body = match message.body {
        Control::Ping(ping) => Report::Acknowledge(pong(ping.number)),
        Control::Undecodable { detail } => Report::Aborted { reason: detail, totals: Vec::new() },
        Control::Configure(configure) => Report::Accepted(Box::new(Capabilities {
            memory: configure.yaml.len() as u64,
            ..Capabilities::default()
        })),
        other => panic!("unexpected: {other:?}"),
    };
    AgentMessage { run: message.run, session: message.session, ..from_agent(body) }
}

fn ping(number: u64) -> ControlMessage {
    from_controller(Control::Ping(Ping { number, stamp: Mono(1), newest: None, again_from: None }))
}

fn pong(number: u64) -> Pong {
    Pong { number, stamp: Mono(1), received: Mono(2), sent: Mono(3) }
}

fn description() -> Description {
    let current = CurrentRun { run: RunId(9), age: Duration::from_secs(3) };
    Description {
        version: "0.1.0".into(),
        protocol: PROTOCOL,
        host: "here".into(),
        cores: 2,
        memory: 1 << 30,
        state: "READY".into(),
        agent_id: "a1".into(),
        current: Some(current),
    }
}

/// Serves one connection in this process and gives the channel to it.
async fn connected_to<S>(service: S) -> Channel
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    let (near, far) = tokio::io::duplex(1 << 20);
    // The connection is pending for ever after the first, so that the server lives as long as the test.
    let connections = tokio_stream::once(Ok::<DuplexStream, StdError>(far)).chain(tokio_stream::pending());
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(connections));
    let mut near = Some(TokioIo::new(near));
    let connect = tower::service_fn(move |_| {
        let near = near.take();
        async move { near.ok_or_else(|| std::io::Error::other("only one connection is there")) }
    });
    Endpoint::from_static("http://agent").connect_with_connector(connect).await.expect("the server is there")
}

/// Frames as they are, in both directions.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, frame: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put_slice(frame, &item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, frame: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut item = vec![0; bytes::Buf::remaining(frame)];
        bytes::Buf::copy_to_slice(frame, &mut item);
        Ok(Some(item))
    }
}

/// An agent that sends the frames it is given, whatever is asked.
#[derive(Clone)]
struct RawAgent(Vec<Vec<u8>>);

impl NamedService for RawAgent {
    const NAME: &'static str = "iobench.v1.Agent";
}

impl Service<http::Request<Body>> for RawAgent {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let agent = self.clone();
        Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).streaming(agent, request).await) })
    }
}

impl StreamingService<Vec<u8>> for RawAgent {
    type Response = Vec<u8>;
    type ResponseStream = Replies<Vec<u8>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, _: Request<Streaming<Vec<u8>>>) -> Self::Future {
        let frames = self.0.clone().into_iter().map(Ok);
        Box::pin(async move { Ok(Response::new(Box::pin(tokio_stream::iter(frames)) as Replies<Vec<u8>>)) })
    }
}

/// Good frames with every kind of bad one in between.
fn disturbed(good: [Vec<u8>; 2]) -> Vec<Vec<u8>> {
    let [first, last] = good;
    let cut_short = first[..first.len() - 1].to_vec();
    vec![first, vec![0xff; 100], Vec::new(), cut_short, b"GET / HTTP/1.1".to_vec(), last]
}

#[tokio::test]
async fn garbage_from_a_controller_does_not_end_the_stream() {
    let mut raw = Grpc::new(connected_to(server(Answering)).await);
    let frames = disturbed([frame(ping(1)), frame(ping(2))]);
    let path = PathAndQuery::from_static("/iobench.v1.Agent/ExecuteWorkload");
    raw.ready().await.expect("connected");
    let answers = raw.streaming(Request::new(tokio_stream::iter(frames)), path, Raw).await.expect("a stream");
    let answers: Vec<Vec<u8>> =
        answers.into_inner().collect::<Result<_, _>>().await.expect("no broken stream");
    let answers: Vec<_> =
        answers.iter().map(|answer| crate::from_bytes(answer).expect("a message")).collect();

    assert_eq!(answers.len(), 6, "every frame was answered: {answers:?}");
    assert_eq!(answers[0].body, Report::Acknowledge(pong(1)));
    for bad in &answers[1..5] {
        assert!(matches!(bad.body, Report::Aborted { .. }), "{bad:?}");
    }
    assert_eq!(
        (answers[3].run, answers[3].session),
        (RunId(7), Session(1)),
        "the header of a cut frame is kept"
    );
    assert_eq!(answers[5].body, Report::Acknowledge(pong(2)));
}

#[tokio::test]
async fn garbage_from_an_agent_does_not_end_the_stream() {
    let good = [1, 2].map(|number| frame(from_agent(Report::Acknowledge(pong(number)))));
    let mut client = client(connected_to(RawAgent(disturbed(good))).await);
    let arrived = client.execute_workload(tokio_stream::pending()).await.expect("a stream").into_inner();
    let arrived: Vec<AgentMessage> = arrived.collect::<Result<_, _>>().await.expect("no broken stream");

    assert_eq!(arrived.len(), 6);
    assert_eq!(arrived[0], from_agent(Report::Acknowledge(pong(1))));
    for bad in &arrived[1..5] {
        assert!(matches!(bad.body, Report::Undecodable { .. }), "{bad:?}");
    }
    assert_eq!(arrived[3].sequence, 4, "the header of a cut frame is kept");
    assert_eq!(arrived[5], from_agent(Report::Acknowledge(pong(2))));
}

#[tokio::test]
async fn messages_larger_than_the_usual_4_mib_pass() {
    let mut client = client(connected_to(server(Answering)).await);
    let yaml = "#".repeat(5 << 20);
    let configure = Configure { yaml, ..Configure::default() };
    let message = from_controller(Control::Configure(Box::new(configure)));
    let mut answers =
        client.execute_workload(tokio_stream::once(message)).await.expect("a stream").into_inner();
    let answer = answers.message().await.expect("an answer").expect("one");
    let Report::Accepted(capabilities) = answer.body else { panic!("{answer:?}") };
    assert_eq!(capabilities.memory, 5 << 20);
}

#[tokio::test]
async fn a_frame_above_the_limit_is_refused_before_it_is_read() {
    let mut client = client(connected_to(RawAgent(vec![vec![0; MESSAGE_BYTES + 1]])).await);
    let mut arrived = client.execute_workload(tokio_stream::pending()).await.expect("a stream").into_inner();
    let refused = arrived.message().await.expect_err("it is too large");
    assert_eq!(refused.code(), tonic::Code::OutOfRange, "{refused}");
}

#[tokio::test]
async fn describe_says_who_is_there() {
    let mut client = client(connected_to(server(Answering)).await);
    let answer = client.describe(wire::DescribeRequest {}).await.expect("an answer").into_inner();
    assert_eq!(Description::from(answer), description());
}
