//! A small fake of Google Cloud Storage.

mod bucket;
mod xml;

use crate::background::Background;
use bucket::{Bucket, Page, Refusal};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, LAST_MODIFIED, RANGE};
use hyper::http::{HeaderMap, request::Parts};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// The part of GCS's XML API that `object_store`'s client uses, in this process and in memory, with what SeaweedFS
/// ignores: generations.
///
/// **Covered:** put, get (whole, one range), head, delete, copy; `x-goog-if-generation-match` of put, copy and
/// completed uploads (0: only if absent; else only over that generation) with 412; a generation for every version of an object;
/// listing with prefix, delimiter, start and pages; uploads in parts (begin, part, complete, abort), which is how that
/// client writes large objects, and continues them; a bearer token, if one is wanted (401 without).
///
/// **Not covered:** the JSON API and its resumable uploads, which that client never uses; OAuth (a token is given, not
/// fetched); signed URLs; conditions on reads; older generations of an object; metadata; times (all objects are from the
/// first second of 2024); checksums.
#[derive(Debug)]
pub struct FakeGcs {
    background: Background,
    store: Arc<Store>,
}

#[derive(Debug)]
struct Store {
    token: Option<&'static str>,
    buckets: Mutex<BTreeMap<String, Bucket>>,
}

/// When every object was written, as HTTP has it.
const WRITTEN: &str = "Mon, 01 Jan 2024 00:00:00 GMT";
const GENERATION: &str = "x-goog-generation";
const IF_GENERATION: &str = "x-goog-if-generation-match";

impl FakeGcs {
    /// What the keyed server wants to see.
    pub const TOKEN: &'static str = "the-bearer-token-of-the-tests";

    /// A server that lets anybody do anything.
    pub fn open() -> Self {
        Self::start(None)
    }

    /// A server that wants the token.
    pub fn keyed() -> Self {
        Self::start(Some(Self::TOKEN))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.background.address()
    }

    /// The same as a URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    /// An empty bucket that nobody else uses.
    pub fn bucket(&self) -> String {
        let mut buckets = self.store.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("bucket-{:02}", buckets.len());
        buckets.insert(name.clone(), Bucket::default());
        name
    }

    fn start(token: Option<&'static str>) -> Self {
        let store = Arc::new(Store { token, buckets: Mutex::default() });
        let shared = Arc::clone(&store);
        let background = Background::start(move |stream| {
            let store = Arc::clone(&shared);
            let service = service_fn(move |request| {
                let store = Arc::clone(&store);
                async move { Ok::<_, Infallible>(store.answer(request).await) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            async move {
                let _the_client_knows = connection.await;
            }
        });
        Self { background, store }
    }
}

type Answer = Response<Full<Bytes>>;

impl Store {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return refused(StatusCode::BAD_REQUEST) };
        let wanted = self.token.map(|token| format!("Bearer {token}"));
        let given = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        if wanted.is_some() && given != wanted.as_deref() {
            return refused(StatusCode::UNAUTHORIZED);
        }
        let path = parts.uri.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bucket) = buckets.get_mut(&decoded(bucket)) else {
            return refused(StatusCode::NOT_FOUND);
        };
        let result = operate(bucket, &decoded(key), &parts, body.to_bytes());
        result.unwrap_or_else(|Refusal(status)| refused(status))
    }
}

/// Does what one request asks.
fn operate(bucket: &mut Bucket, key: &str, parts: &Parts, body: Bytes) -> Result<Answer, Refusal> {
    let query = Query::of(parts);
    let condition = number(&parts.headers, IF_GENERATION);
    let upload = query.get("uploadId");
    match (&parts.method, upload) {
        (&Method::GET, _) if key.is_empty() => {
            let page = Page {
                prefix: query.get("prefix").unwrap_or_default(),
                delimiter: query.get("delimiter").unwrap_or_default(),
                after: query.get("continuation-token").or(query.get("start-after")).unwrap_or_default(),
                size: query.get("max-keys").and_then(|size| size.parse().ok()).unwrap_or(1000),
            };
            Ok(answer(xml::listing(&bucket.list(&page))))
        }
        (&Method::GET | &Method::HEAD, _) => read(bucket, key, parts),
        (&Method::PUT, Some(upload)) => {
            let part = query.get("partNumber").and_then(|part| part.parse().ok());
            bucket.put_part(&upload, part.ok_or(Refusal(StatusCode::BAD_REQUEST))?, body)?;
            Ok(with_version(answer(""), 1))
        }
        (&Method::PUT, None) => {
            let source = parts.headers.get("x-goog-copy-source").and_then(|source| source.to_str().ok());
            let content = match source.map(decoded) {
                Some(source) => {
                    bucket.get(source.split_once('/').map_or("", |(_, key)| key))?.content.clone()
                }
                None => body,
            };
            let generation = bucket.put(key, content, condition)?;
            Ok(with_version(answer(if source.is_some() { xml::COPIED } else { "" }), generation))
        }
        (&Method::POST, None) => Ok(answer(xml::begun(&bucket.begin_upload()))),
        (&Method::POST, Some(upload)) => {
            let generation = bucket.complete_upload(&upload, key, condition)?;
            Ok(with_version(answer(xml::completed(generation)), generation))
        }
        (&Method::DELETE, Some(upload)) => bucket.abort_upload(&upload).map(|()| answer("")),
        (&Method::DELETE, None) => bucket.delete(key).map(|()| answer("")),
        _ => Err(Refusal(StatusCode::METHOD_NOT_ALLOWED)),
    }
}

fn read(bucket: &Bucket, key: &str, parts: &Parts) -> Result<Answer, Refusal> {
    let object = bucket.get(key)?;
    let length = object.content.len();
    let range = parts.headers.get(RANGE).and_then(|range| range.to_str().ok());
    let Some(range) = range else {
        let mut response = with_version(answer(object.content.clone()), object.generation);
        // Otherwise a HEAD of an empty object would not say how long it is.
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
        return Ok(response);
    };
    let Range { start, end } = range_of(range, length).ok_or(Refusal(StatusCode::RANGE_NOT_SATISFIABLE))?;
    let mut response = with_version(answer(object.content.slice(start..end)), object.generation);
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let said = format!("bytes {start}-{}/{length}", end - 1);
    response.headers_mut().insert(CONTENT_RANGE, said.parse().expect("digits"));
    Ok(response)
}

/// `bytes=2-5`, `bytes=2-` or `bytes=-5` of this many bytes.
fn range_of(header: &str, length: usize) -> Option<Range<usize>> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let range = match (first, last) {
        ("", last) => length.saturating_sub(last.parse().ok()?)..length,
        (first, "") => first.parse().ok()?..length,
        (first, last) => first.parse().ok()?..length.min(last.parse::<usize>().ok()? + 1),
    };
    (range.start < range.end).then_some(range)
}

fn answer(body: impl Into<Bytes>) -> Answer {
    Response::new(Full::new(body.into()))
}

fn refused(status: StatusCode) -> Answer {
    let mut response = answer(xml::error(status));
    *response.status_mut() = status;
    response
}

fn with_version(mut response: Answer, generation: u64) -> Answer {
    let headers = response.headers_mut();
    headers.insert(ETAG, xml::tag(generation).parse().expect("digits in quotes"));
    headers.insert(GENERATION, generation.into());
    headers.insert(LAST_MODIFIED, WRITTEN.parse().expect("a date"));
    response
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// The parameters after `?`.
struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    fn of(parts: &'a Parts) -> Self {
        Self(parts.uri.query().unwrap_or_default())
    }

    fn get(&self, name: &str) -> Option<String> {
        let mut pairs = self.0.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| decoded(&value.replace('+', " ")))
    }
}

/// Percent-decoded; what does not decode stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let pair = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
