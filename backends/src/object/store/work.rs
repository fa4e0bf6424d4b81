//! What a task does, from the first request to the last byte.

use super::board::Ticket;
use super::fault::{PART, Verdict, WHOLE, verdict};
use super::requests::{self, invalid, path};
use super::site::{Endpoint, Store};
use super::upload::Upload;
use crate::error::Fault;
use crate::executor::{Inspector, Manner, ObjectId, Objects, Task};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use iobench_core::plan::{Multipart, Ranges};
use iobench_core::stats::Operation;
use object_store::PutPayload;
use object_store::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// What all tasks of an executor work with.
pub(super) struct Context {
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) prefix: String,
    pub(super) multipart: Multipart,
    pub(super) ranges: Option<Ranges>,
    pub(super) objects: Arc<dyn Objects>,
    /// All of [`Objects::payload`]: what is written are slices of it.
    pub(super) payload: Bytes,
    /// Never waited for: all tasks are on one thread.
    pub(super) inspector: Option<Mutex<Inspector>>,
}

impl Context {
    fn key(&self, object: ObjectId) -> Vec<u8> {
        let mut key = Vec::with_capacity(64);
        self.objects.name(object, &mut key);
        key
    }

    fn path(&self, object: ObjectId) -> Result<Path, Verdict> {
        path(&self.prefix, &self.key(object))
    }

    /// These bytes of an object's content, without copying any.
    pub(super) fn content(&self, object: ObjectId, offset: u64, length: u64) -> PutPayload {
        let longest = self.objects.longest().max(1);
        let piece = |offset: u64, rest: u64| {
            let start = self.objects.start(object, offset);
            let length = usize::try_from(rest).map_or(longest, |rest| rest.min(longest));
            self.payload.slice(start..start + length)
        };
        if length <= longest as u64 {
            return PutPayload::from_bytes(piece(offset, length));
        }
        let step = longest as u64;
        (0..length.div_ceil(step)).map(|n| piece(offset + n * step, length - n * step)).collect()
    }

    fn look(&self, object: ObjectId, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        match &self.inspector {
            None => Ok(()),
            Some(inspector) => {
                (inspector.lock().unwrap_or_else(PoisonError::into_inner))(object, offset, bytes)
            }
        }
    }
}

/// Does a task and says how it ended.
pub(super) async fn perform(context: Arc<Context>, mut ticket: Ticket, task: Task) {
    ticket.begin();
    if task.operation == Operation::Put && in_parts(&context, task) {
        return match context.path(task.object) {
            Ok(path) => Upload::perform(context, ticket, task, path).await,
            Err(verdict) => ticket.end(Err(verdict)),
        };
    }
    let result = match task.operation {
        Operation::List => list(&context, &ticket, task).await,
        Operation::Mkdir | Operation::Rmdir | Operation::Fsync => Ok(0),
        Operation::Write => Err(invalid("object stores have no blocks")),
        Operation::FirstByte | Operation::ListPage => Err(invalid("a part of an operation is none")),
        _ => with_object(&context, &ticket, task).await,
    };
    ticket.end(result);
}

async fn with_object(context: &Context, ticket: &Ticket, task: Task) -> Result<u64, Verdict> {
    let path = context.path(task.object)?;
    let endpoint = &context.endpoints[ticket.endpoint()];
    match task.operation {
        Operation::Get => get(context, ticket, task, &path).await,
        Operation::Read => block(context, ticket, task, &path).await,
        Operation::Put => {
            let payload = context.content(task.object, 0, task.length);
            let if_absent = task.manner == Manner::IfAbsent;
            requests::put(&endpoint.store, &path, payload, if_absent).await.map(|()| task.length)
        }
        Operation::Delete => delete(context, endpoint, task, path).await,
        Operation::Copy => copy(context, &endpoint.store, task, &path).await,
        // What is left is the look.
        _ => requests::head(&endpoint.store, &path).await,
    }
}

/// Whether an object is written in parts. One that is to be new is not: the parts of an upload are put together
/// unconditionally.
fn in_parts(context: &Context, task: Task) -> bool {
    task.length >= context.multipart.threshold.max(1) && task.manner != Manner::IfAbsent
}

/// How much of an object came, and when its first byte did.
struct Received {
    bytes: u64,
    first: u64,
}

impl Received {
    /// All of these bytes, or it was cut. That more come is seen while they do.
    fn of(&self, length: u64) -> Result<u64, Verdict> {
        if self.bytes < length { Err(Fault::TRUNCATED.into()) } else { Ok(self.bytes) }
    }
}

async fn get(context: &Context, ticket: &Ticket, task: Task, path: &Path) -> Result<u64, Verdict> {
    let in_ranges = context.ranges.filter(|ranges| task.length >= ranges.threshold.max(1));
    let received = match (task.manner, in_ranges) {
        (Manner::Range, _) => receive(context, ticket, path, Span::part(task)).await?,
        (_, Some(ranges)) => receive_ranges(context, ticket, task, path, ranges).await?,
        (_, None) => receive(context, ticket, path, Span { whole: true, ..Span::part(task) }).await?,
    };
    let bytes = received.of(task.length)?;
    ticket.part(Operation::FirstByte, 0, received.first - ticket.begun());
    Ok(bytes)
}

/// A range of the object that is called a block.
async fn block(context: &Context, ticket: &Ticket, task: Task, path: &Path) -> Result<u64, Verdict> {
    receive(context, ticket, path, Span::part(task)).await?.of(task.length)
}

/// What is wanted of an object.
#[derive(Copy, Clone)]
struct Span {
    object: ObjectId,
    offset: u64,
    length: u64,
    /// It is all of the object, and is asked for without a range.
    whole: bool,
}

impl Span {
    fn part(task: Task) -> Self {
        Self { object: task.object, offset: task.offset, length: task.length, whole: false }
    }
}

/// Takes a body as it comes and lets it go. One that is longer than what is wanted is not taken to its end: it could
/// be of any length, and what it measures is not what was asked for.
async fn receive(context: &Context, ticket: &Ticket, path: &Path, span: Span) -> Result<Received, Verdict> {
    let Span { object, offset: start, length, whole } = span;
    if length == 0 && !whole {
        return Ok(Received { bytes: 0, first: ticket.now() });
    }
    let store = &context.endpoints[ticket.endpoint()].store;
    let mut body = requests::get(store, path, (!whole).then(|| start..start + length)).await?;
    let (mut bytes, mut first) = (0, None);
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| verdict(&error))?;
        first.get_or_insert_with(|| ticket.now());
        if piece.len() as u64 > length - bytes {
            return Err(Fault::excess(if whole { WHOLE } else { PART }).into());
        }
        context.look(object, start + bytes, &piece).map_err(Verdict::from)?;
        bytes += piece.len() as u64;
    }
    Ok(Received { bytes, first: first.unwrap_or_else(|| ticket.now()) })
}

/// The same in several ranges at once.
async fn receive_ranges(
    context: &Context,
    ticket: &Ticket,
    task: Task,
    path: &Path,
    ranges: Ranges,
) -> Result<Received, Verdict> {
    let step = ranges.chunk_size.max(1);
    let mut rest = (0..task.length.div_ceil(step)).map(|n| (n * step, step.min(task.length - n * step)));
    let mut running = FuturesUnordered::new();
    let mut all = Received { bytes: 0, first: u64::MAX };
    loop {
        while running.len() < ranges.concurrency.max(1) as usize
            && let Some((offset, length)) = rest.next()
        {
            running.push(async move {
                let span = Span { offset, length, ..Span::part(task) };
                let one = receive(context, ticket, path, span).await?;
                one.of(length).map(|_| one)
            });
        }
        match running.next().await {
            Some(one) => {
                let one = one?;
                all = Received { bytes: all.bytes + one.bytes, first: all.first.min(one.first) };
            }
            None => return Ok(all),
        }
    }
}

/// The whole listing of the directory that the object is in; gives how many keys there are.
async fn list(context: &Context, ticket: &Ticket, task: Task) -> Result<u64, Verdict> {
    let store = &context.endpoints[ticket.endpoint()].store;
    let key = context.key(task.object);
    let directory = key.iter().rposition(|&byte| byte == b'/').map_or(&key[..0], |slash| &key[..=slash]);
    let directory = std::str::from_utf8(directory).map_err(|_| invalid("the key is no UTF-8"))?;
    let below = [&context.prefix, directory].concat();
    let limit = usize::try_from(task.length).unwrap_or(usize::MAX);
    let (mut keys, mut token) = (0, None);
    loop {
        let begun = ticket.now();
        let page = requests::list(store, &below, token, limit).await?;
        ticket.part(Operation::ListPage, page.len() as u64, ticket.now() - begun);
        keys += page.len() as u64;
        token = page.next;
        if token.is_none() {
            return Ok(keys);
        }
    }
}

async fn delete(context: &Context, endpoint: &Endpoint, task: Task, path: Path) -> Result<u64, Verdict> {
    let Manner::Batch(count) = task.manner else {
        return requests::delete(&endpoint.store, vec![path]).await.map(|_| 0);
    };
    let following = (1..u64::from(count)).map(|n| ObjectId { key: task.object.key + n, ..task.object });
    let mut paths = vec![path];
    for object in following {
        paths.push(context.path(object)?);
    }
    requests::delete(&endpoint.batch, paths).await
}

async fn copy(context: &Context, store: &Arc<dyn Store>, task: Task, from: &Path) -> Result<u64, Verdict> {
    let Manner::To(object) = task.manner else { return Err(invalid("a copy without a place to go")) };
    let to = context.path(object)?;
    requests::copy(store, from, &to).await.map(|()| 0)
}
