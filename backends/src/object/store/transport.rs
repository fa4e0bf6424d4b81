//! HTTP/1.1 for the providers' protocols: one client an executor, with its own connections.
//!
//! An answer other than 2xx becomes an error right here, with its status, so that it can be counted as what it is. An
//! object's data is handed on as it comes; every other answer is collected by who asked for it, so its length is bounded.

use super::fault::{Broken, Refused};
use async_trait::async_trait;
use bytes::Bytes;
use http::header::{HeaderValue, RETRY_AFTER, USER_AGENT};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// A connection that does not stand within this time never will.
const CONNECT: Duration = Duration::from_secs(5);
/// Idle connections are closed after this time.
const IDLE: Duration = Duration::from_secs(60);
/// So much of an error's body is read; what is longer is no error of a store.
const ERROR_BODY_MAX: usize = 64 << 10;
/// No answer but an object's data is longer: a page of 5000 keys of 1024 bytes with all that is said of each has 9 MB.
const ANSWER_MAX: u64 = 16 << 20;
const AGENT: HeaderValue = HeaderValue::from_static(concat!("iobench/", env!("CARGO_PKG_VERSION")));

/// Among the extensions of a request: what is asked for is an object's data, whose receiver watches its length itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct ObjectData;

/// Connections to the endpoints of one executor.
#[derive(Clone)]
pub(super) struct Transport {
    client: Client<HttpsConnector<HttpConnector>, HttpRequestBody>,
}

impl Transport {
    /// Keeps so many idle connections for each endpoint. There is TLS where an endpoint begins with `https`, and
    /// nothing leads from there to one without: redirects are not followed.
    pub(super) fn new(tls: rustls::ClientConfig, idle: usize) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(idle)
            // A connection that went away while it was idle is no failure of the operation; anything else is.
            .retry_canceled_requests(true)
            .build(connector);
        Self { client }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

impl object_store::client::HttpConnector for Transport {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Transport {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        request.headers_mut().insert(USER_AGENT, AGENT);
        let room = if request.extensions().get::<ObjectData>().is_some() { u64::MAX } else { ANSWER_MAX };
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| HttpError::new(HttpErrorKind::Unknown, Broken::Asking(error)))?;
        if response.status().is_success() {
            return Ok(response.map(|body| HttpResponseBody::new(Answer { body, room })));
        }
        Err(HttpError::new(HttpErrorKind::Unknown, refused(response).await))
    }
}

/// What a server says instead of doing what was asked. Its body is read, so that the connection can be used again.
async fn refused(response: http::Response<Incoming>) -> Refused {
    let status = response.status().as_u16();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(seconds);
    // Azure has it in a header, also where there is no body.
    let named =
        response.headers().get("x-ms-error-code").and_then(|code| code.to_str().ok()).map(str::to_owned);
    let mut body = response.into_body();
    let mut text = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        text.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        if text.len() > ERROR_BODY_MAX {
            break;
        }
    }
    Refused { status, reason: named.unwrap_or_else(|| Refused::reason_in(&text)), retry_after }
}

/// `Retry-After` as a number of seconds; its form as a date is not used by stores.
fn seconds(value: &HeaderValue) -> Option<Duration> {
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// A body on its way, handed on as it comes, as far as there is room for it.
struct Answer {
    body: Incoming,
    room: u64,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = HttpError;

    #[inline]
    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        frame.map(|frame| {
            let broken = match frame? {
                Ok(frame) => {
                    let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                    match self.room.checked_sub(length) {
                        Some(rest) => {
                            self.room = rest;
                            return Some(Ok(frame));
                        }
                        None => Broken::Endless { most: ANSWER_MAX },
                    }
                }
                Err(error) => Broken::Receiving(error),
            };
            Some(Err(HttpError::new(HttpErrorKind::Interrupted, broken)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
