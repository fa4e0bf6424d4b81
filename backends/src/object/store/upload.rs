//! Objects in parts: a bounded number of them on their way, and nothing left behind.

use super::board::Ticket;
use super::fault::{Verdict, verdict};
use super::site::Store;
use super::work::Context;
use crate::executor::{ObjectId, Task};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{MultipartId, PutPayload};
use std::sync::Arc;
use std::time::Duration;

/// An upload that does not go away in this time stays for the store's own clean-up.
const ABORT: Duration = Duration::from_secs(2);

/// An upload that was begun. Dropped before its end (the task was cancelled), it takes its parts back, and only then
/// says so.
pub(super) struct Upload {
    store: Arc<dyn Store>,
    path: Path,
    id: MultipartId,
    ticket: Option<Ticket>,
}

impl Upload {
    /// Does a put in parts and says how it ended.
    pub(super) async fn perform(context: Arc<Context>, ticket: Ticket, task: Task, path: Path) {
        let store = Arc::clone(&context.endpoints[ticket.endpoint()].store);
        let id = match store.create_multipart(&path).await {
            Ok(id) => id,
            Err(error) => return ticket.end(Err(verdict(&error))),
        };
        let mut upload = Self { store, path, id, ticket: Some(ticket) };
        let result = upload.send(&context, task.object, task.length).await;
        if result.is_err() {
            upload.abort().await;
        }
        let ticket = upload.ticket.take().expect("it is taken only here and when this future is dropped");
        ticket.end(result.map(|()| task.length));
    }

    async fn send(&self, context: &Context, object: ObjectId, length: u64) -> Result<(), Verdict> {
        let step = context.multipart.part_size.max(1);
        let count = length.div_ceil(step);
        let mut parts = vec![None; usize::try_from(count).unwrap_or(usize::MAX)];
        let mut rest = (0..count).map(|n| (n, step.min(length - n * step)));
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < context.multipart.concurrency.max(1) as usize
                && let Some((number, length)) = rest.next()
            {
                let payload = context.content(object, number * step, length);
                running.push(async move { (number, self.part(number, payload).await) });
            }
            match running.next().await {
                Some((number, part)) => parts[number as usize] = Some(part?),
                None => break,
            }
        }
        let parts = parts.into_iter().flatten().collect();
        self.complete(parts).await
    }

    async fn part(&self, number: u64, payload: PutPayload) -> Result<PartId, Verdict> {
        let (number, length) = (number as usize, payload.content_length());
        let part = self.store.put_part(&self.path, &self.id, number, payload).await;
        if let (Ok(_), Some(ticket)) = (&part, &self.ticket) {
            ticket.moved(length as u64);
        }
        part.map_err(|error| verdict(&error))
    }

    async fn complete(&self, parts: Vec<PartId>) -> Result<(), Verdict> {
        self.store
            .complete_multipart(&self.path, &self.id, parts)
            .await
            .map(drop)
            .map_err(|error| verdict(&error))
    }

    async fn abort(&self) {
        abort(&self.store, &self.path, &self.id).await;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        // Without a runtime everything is going down, and nobody waits for the ticket.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (store, path, id) = (Arc::clone(&self.store), self.path.clone(), self.id.clone());
            runtime.spawn(async move {
                abort(&store, &path, &id).await;
                drop(ticket);
            });
        }
    }
}

/// Gives the parts of an upload back. It is a courtesy: a failure changes nothing.
pub(super) async fn abort(store: &Arc<dyn Store>, path: &Path, id: &MultipartId) {
    let _best_effort = tokio::time::timeout(ABORT, store.abort_multipart(path, id)).await;
}
