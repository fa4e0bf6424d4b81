//! A proxy before a server that makes requests fail as rules say, and remembers what came over the wire.

mod body;
mod rule;
mod wire;

pub use rule::{Fault, Rule};

use crate::background::Background;
use crate::tls::Authority;
use body::{Bytewise, Ending, Shaped};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1 as client;
use hyper::header::{CONTENT_LENGTH, HeaderValue, RANGE};
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rule::Rules;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use wire::{Reset, Wire};

/// One request as it arrived, and what the proxy did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// `GET`, …
    pub method: String,
    /// The path as it was sent, percent-encoded, without the query.
    pub path: String,
    /// What follows `?`, or nothing.
    pub query: String,
    /// The status that was sent; none as long as there is no answer, and when there was none.
    pub status: Option<u16>,
    /// Whether a rule has touched it.
    pub faulty: bool,
}

/// A proxy that runs until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    background: Background,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    upstream: SocketAddr,
    rules: Mutex<Rules>,
    seen: Mutex<Vec<Exchange>>,
    connections: Mutex<u64>,
}

impl Proxy {
    /// A proxy that speaks plain HTTP.
    pub fn start(upstream: SocketAddr) -> Self {
        let state = State::new(upstream);
        let shared = Arc::clone(&state);
        let background = Background::start(move |stream| {
            let (wire, reset) = Wire::new(stream);
            serve(wire, reset, Arc::clone(&shared))
        });
        Self { background, state }
    }

    /// A proxy that speaks HTTPS with a certificate of this authority, and HTTP to the server.
    pub fn start_tls(upstream: SocketAddr, authority: &Authority) -> Self {
        let state = State::new(upstream);
        let shared = Arc::clone(&state);
        let acceptor = authority.acceptor();
        let background = Background::start(move |stream| {
            let (acceptor, state) = (acceptor.clone(), Arc::clone(&shared));
            async move {
                let (wire, reset) = Wire::new(stream);
                if let Ok(stream) = acceptor.accept(wire).await {
                    serve(stream, reset, state).await;
                }
            }
        });
        Self { background, state }
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.background.address()
    }

    /// From now on this rule applies too; for each request the first rule that matches does.
    pub fn add(&self, rule: Rule) {
        lock(&self.state.rules).add(rule);
    }

    /// From now on no request fails.
    pub fn heal(&self) {
        lock(&self.state.rules).clear();
    }

    /// Everything that has arrived, in order.
    pub fn seen(&self) -> Vec<Exchange> {
        lock(&self.state.seen).clone()
    }

    /// How many requests arrived that are so.
    pub fn count(&self, so: impl Fn(&Exchange) -> bool) -> usize {
        lock(&self.state.seen).iter().filter(|exchange| so(exchange)).count()
    }

    /// How many connections were opened and got as far as HTTP.
    pub fn connections(&self) -> u64 {
        *lock(&self.state.connections)
    }

    /// Forgets what has arrived.
    pub fn forget(&self) {
        lock(&self.state.seen).clear();
    }
}

impl State {
    fn new(upstream: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            upstream,
            rules: Mutex::default(),
            seen: Mutex::default(),
            connections: Mutex::default(),
        })
    }

    /// Writes down that a request has arrived; where, and what is to become of it.
    fn arrived<B>(&self, request: &Request<B>) -> (usize, Option<Fault>) {
        let (method, path) = (request.method().as_str(), request.uri().path());
        let fault = lock(&self.rules).decide(method, path);
        let mut seen = lock(&self.seen);
        seen.push(Exchange {
            method: method.to_owned(),
            path: path.to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            status: None,
            faulty: fault.is_some(),
        });
        (seen.len() - 1, fault)
    }

    fn answered(&self, index: usize, status: StatusCode) {
        if let Some(exchange) = lock(&self.seen).get_mut(index) {
            exchange.status = Some(status.as_u16());
        }
    }
}

/// The connection to the server that belongs to one connection of a client.
type Upstream = Arc<tokio::sync::Mutex<Option<client::SendRequest<Bytewise>>>>;

async fn serve<S>(stream: S, reset: Reset, state: Arc<State>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    *lock(&state.connections) += 1;
    let upstream = Upstream::default();
    let service = service_fn(move |request| {
        let (state, upstream, reset) = (Arc::clone(&state), Arc::clone(&upstream), reset.clone());
        async move {
            let (index, fault) = state.arrived(&request);
            let response = respond(request, fault, &state, &upstream, &reset).await?;
            state.answered(index, response.status());
            Ok::<_, io::Error>(response)
        }
    });
    let _the_client_knows = server::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(
    mut request: Request<Incoming>,
    fault: Option<Fault>,
    state: &State,
    upstream: &Upstream,
    reset: &Reset,
) -> io::Result<Response<Shaped>> {
    match fault {
        Some(Fault::Answer { status, headers, body }) => {
            let head = request.method() == Method::HEAD;
            // What is left unread would close the connection.
            let _its_content = request.into_body().collect().await;
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            let body = if head { Empty::new().boxed() } else { Full::from(body).boxed() };
            response.body(Shaped::whole(body.map_err(io::Error::other).boxed())).map_err(io::Error::other)
        }
        Some(Fault::Reset { after: 0 }) => {
            let _its_content = request.into_body().collect().await;
            reset.arm();
            Err(io::Error::other("reset before an answer"))
        }
        fault => {
            if fault == Some(Fault::IgnoreRange) {
                request.headers_mut().remove(RANGE);
            }
            let response = forward(request, state.upstream, upstream).await?;
            shape(response, fault, reset).await
        }
    }
}

async fn forward(
    request: Request<Incoming>,
    address: SocketAddr,
    upstream: &Upstream,
) -> io::Result<Response<Incoming>> {
    let mut connection = upstream.lock().await;
    let usable = connection.as_ref().is_some_and(|sender| !sender.is_closed());
    let mut sender = match connection.take().filter(|_| usable) {
        Some(sender) => sender,
        None => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (sender, driver) = client::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
            tokio::spawn(driver);
            sender
        }
    };
    sender.ready().await.map_err(io::Error::other)?;
    let request = request.map(|body| body.map_err(io::Error::other).boxed());
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    *connection = Some(sender);
    Ok(response)
}

/// The server's answer as the fault changes it.
async fn shape(
    response: Response<Incoming>,
    fault: Option<Fault>,
    reset: &Reset,
) -> io::Result<Response<Shaped>> {
    let length = response.body().size_hint().exact();
    let mut response = response.map(|body| body.map_err(io::Error::other).boxed());
    let ending = match fault {
        None | Some(Fault::Answer { .. } | Fault::IgnoreRange) => None,
        Some(Fault::SlowFirstByte(delay)) => {
            tokio::time::sleep(delay).await;
            None
        }
        Some(Fault::Stall { after }) => Some((after, Ending::Never)),
        Some(Fault::Truncate { after }) => Some((after, Ending::Close)),
        Some(Fault::Reset { after }) => Some((after, Ending::Reset(reset.clone()))),
        Some(Fault::Shorten { by }) => {
            let length = length.unwrap_or_default().saturating_sub(by);
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
            Some((length, Ending::Regular))
        }
        Some(Fault::Lengthen { by }) => {
            let content = response.body_mut().collect().await?.to_bytes();
            let padding = usize::try_from(by).expect("a test's padding fits memory");
            let longer = [&content[..], &vec![b'x'; padding]].concat();
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(longer.len()));
            *response.body_mut() = Full::from(Bytes::from(longer)).map_err(io::Error::other).boxed();
            None
        }
    };
    Ok(response.map(|body| match ending {
        None => Shaped::whole(body),
        Some((after, ending)) => Shaped::cut(body, after, ending),
    }))
}

/// How long the bytes before a cut have to reach the client.
const FLUSH: Duration = Duration::from_millis(20);

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
