//! The plain view: one request at a time for each caller, on a runtime of its own thread.

use super::fault::{BEHIND_THE_END, Verdict, verdict};
use super::requests::{self, invalid, path};
use super::site::{Endpoint, Site, Store};
use super::upload;
use crate::error::{Fault, StorageError};
use crate::storage::{Content, Page, Storage, Token};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use iobench_core::stats::ErrorClass;
use object_store::path::Path;
use object_store::{MultipartId, PutPayload};
use std::future::Future;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// A request that takes longer is given up: nothing here may hang. A body may take this long for each of its pieces.
const PATIENCE: Duration = Duration::from_secs(60);
/// Idle connections that are kept.
const IDLE: u32 = 4;

/// A store of objects on another host.
pub(crate) struct Objects {
    site: Arc<Site>,
    home: OnceLock<Result<Home, String>>,
}

/// The thread that drives the requests, while somebody may have any.
struct Home {
    runtime: Handle,
    endpoint: Endpoint,
    _ends_it_when_dropped: oneshot::Sender<()>,
}

impl Home {
    fn start(site: &Site) -> Result<Self, String> {
        let endpoint = site.connect(IDLE).map_err(|failure| failure.message)?.swap_remove(0);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let handle = runtime.handle().clone();
        let (sender, dropped) = oneshot::channel();
        let drive = move || {
            let _closed = runtime.block_on(dropped);
            runtime.shutdown_background();
        };
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(drive)
            .map_err(|error| error.to_string())?;
        Ok(Self { runtime: handle, endpoint, _ends_it_when_dropped: sender })
    }
}

impl Objects {
    pub(super) fn new(site: Arc<Site>) -> Self {
        Self { site, home: OnceLock::new() }
    }

    fn home(&self) -> Result<&Home, Verdict> {
        self.home.get_or_init(|| Home::start(&self.site)).as_ref().map_err(|detail| Verdict {
            fault: Fault::of(ErrorClass::Other),
            detail: detail.clone(),
            retry_after: None,
        })
    }

    /// Waits for a request, at most as long as patience lasts.
    fn wait<T: Send + 'static>(
        &self,
        request: impl Future<Output = Result<T, Verdict>> + Send + 'static,
    ) -> Result<T, Verdict> {
        let (sender, answer) = sync_channel(1);
        self.home()?.runtime.spawn(async move {
            let result = tokio::time::timeout(PATIENCE, request).await;
            let _nobody_waits = sender.send(result.unwrap_or_else(|_| Err(Fault::TIMEOUT.into())));
        });
        // The runtime itself may be stuck: then this end gives up.
        answer.recv_timeout(2 * PATIENCE).unwrap_or_else(|error| match error {
            RecvTimeoutError::Timeout => Err(Fault::TIMEOUT.into()),
            RecvTimeoutError::Disconnected => Err(invalid("the request panicked")),
        })
    }

    fn store(&self) -> Result<Arc<dyn Store>, Verdict> {
        Ok(Arc::clone(&self.home()?.endpoint.store))
    }

    fn path(&self, key: &[u8]) -> Result<Path, Verdict> {
        path(&self.site.address.prefix, key)
    }

    fn failed<'a>(&'a self, what: &'static str, key: &'a [u8]) -> impl Fn(Verdict) -> StorageError + 'a {
        move |verdict| verdict.fault.at(what, self.place(key)).because(verdict.detail)
    }

    fn get_pieces(
        &self,
        key: &[u8],
        range: Option<std::ops::Range<u64>>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<u64, Verdict> {
        let (store, path) = (self.store()?, self.path(key)?);
        let mut body = self.wait(async move { requests::get(&store, &path, range).await })?;
        let mut size = 0;
        loop {
            let (piece, rest) = self.wait(async move {
                let piece = body.next().await.transpose().map_err(|error| verdict(&error))?;
                Ok((piece, body))
            })?;
            let Some(piece) = piece else { return Ok(size) };
            sink(&piece);
            size += piece.len() as u64;
            body = rest;
        }
    }

    fn list_page(&self, prefix: &[u8], token: Option<&Token>, limit: usize) -> Result<Page, Verdict> {
        let root = self.site.address.prefix.clone();
        let text =
            |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| invalid("the prefix is no UTF-8"));
        let below = [&*root, &text(prefix)?].concat();
        let token = token.map(|token| text(&token.0)).transpose()?;
        let store = self.store()?;
        let listed = self.wait(async move { requests::list(&store, &below, token, limit).await })?;
        let key = |path: &Path| path.as_ref().strip_prefix(&*root).map(|key| key.as_bytes().to_vec());
        Ok(Page {
            objects: listed
                .objects
                .iter()
                .filter_map(|(path, size)| Some((key(path)?, Some(*size))))
                // The marker of a directory, an object whose name is the prefix itself: a path has lost its slash.
                .filter(|(key, _)| key.starts_with(prefix))
                .collect(),
            directories: listed
                .directories
                .iter()
                .filter_map(|path| Some([&key(path)?[..], b"/"].concat()))
                .collect(),
            next: listed.next.map(|token| Token(token.into_bytes())),
        })
    }

    fn put_whole(&self, key: &[u8], content: &dyn Content) -> Result<(), Verdict> {
        let (store, path) = (self.store()?, self.path(key)?);
        let multipart = self.site.options.multipart;
        if content.size() >= multipart.threshold.max(1) {
            return self.put_parts(store, path, content);
        }
        let payload = PutPayload::from_bytes(gather(content, 0, content.size())?);
        self.wait(async move { requests::put(&store, &path, payload, false).await })
    }

    fn put_parts(&self, store: Arc<dyn Store>, path: Path, content: &dyn Content) -> Result<(), Verdict> {
        let (to, at) = (Arc::clone(&store), path.clone());
        let id = self.wait(async move { to.create_multipart(&at).await.map_err(|error| verdict(&error)) })?;
        let result = self.send_parts(&store, &path, &id, content);
        if result.is_err() {
            let _best_effort = self.wait(async move {
                upload::abort(&store, &path, &id).await;
                Ok(())
            });
        }
        result
    }

    fn send_parts(
        &self,
        store: &Arc<dyn Store>,
        path: &Path,
        id: &MultipartId,
        content: &dyn Content,
    ) -> Result<(), Verdict> {
        let step = self.site.options.multipart.part_size.max(1);
        let mut parts = Vec::new();
        for number in 0..content.size().div_ceil(step) {
            let offset = number * step;
            let payload = PutPayload::from_bytes(gather(content, offset, step.min(content.size() - offset))?);
            let (store, path, id) = (Arc::clone(store), path.clone(), id.clone());
            parts.push(self.wait(async move {
                let part = store.put_part(&path, &id, number as usize, payload).await;
                part.map_err(|error| verdict(&error))
            })?);
        }
        let (store, path, id) = (Arc::clone(store), path.clone(), id.clone());
        self.wait(async move {
            let whole = store.complete_multipart(&path, &id, parts).await;
            whole.map(drop).map_err(|error| verdict(&error))
        })
    }
}

/// A copy of some bytes of a content.
fn gather(content: &dyn Content, offset: u64, length: u64) -> Result<Bytes, Verdict> {
    let length = usize::try_from(length).map_err(|_| invalid("the object does not fit into memory"))?;
    let mut bytes = BytesMut::with_capacity(length);
    while bytes.len() < length {
        let piece = content.piece(offset + bytes.len() as u64, length - bytes.len());
        bytes.extend_from_slice(piece.ok_or(Fault::os(libc::ECANCELED))?);
    }
    Ok(bytes.freeze())
}

impl Storage for Objects {
    fn put(&self, key: &[u8], content: &dyn Content) -> Result<(), StorageError> {
        self.put_whole(key, content).map_err(self.failed("write", key))
    }

    fn get(&self, key: &[u8], _buffer: &mut [u8], sink: &mut dyn FnMut(&[u8])) -> Result<u64, StorageError> {
        self.get_pieces(key, None, sink).map_err(self.failed("read", key))
    }

    fn read(&self, key: &[u8], offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let range = Some(offset..offset + buffer.len() as u64);
        let mut read = 0;
        let mut sink = |piece: &[u8]| {
            let length = piece.len().min(buffer.len() - read);
            buffer[read..read + length].copy_from_slice(&piece[..length]);
            read += length;
        };
        match self.get_pieces(key, range, &mut sink) {
            // Behind the end there is nothing.
            Err(Verdict { fault: BEHIND_THE_END, .. }) => Ok(0),
            result => result.map(|_| read).map_err(self.failed("read", key)),
        }
    }

    fn write(&self, key: &[u8], _offset: u64, _data: &[u8]) -> Result<(), StorageError> {
        Err(self.failed("write a block of", key)(invalid(
            "object stores have no blocks; write whole objects",
        )))
    }

    fn stat(&self, key: &[u8]) -> Result<u64, StorageError> {
        let found = self.store().and_then(|store| {
            let path = self.path(key)?;
            self.wait(async move { requests::head(&store, &path).await })
        });
        found.map_err(self.failed("look at", key))
    }

    fn list(&self, prefix: &[u8], token: Option<&Token>, limit: usize) -> Result<Page, StorageError> {
        self.list_page(prefix, token, limit).map_err(self.failed("list", prefix))
    }

    /// Object stores do not say whether there was anything to remove: they are asked before.
    fn delete(&self, key: &[u8]) -> Result<(), StorageError> {
        let gone = self.store().and_then(|store| {
            let path = self.path(key)?;
            self.wait(async move {
                requests::head(&store, &path).await?;
                requests::delete(&store, vec![path]).await
            })
        });
        gone.map(drop).map_err(self.failed("remove", key))
    }

    fn mkdir(&self, _key: &[u8]) -> Result<(), StorageError> {
        Ok(())
    }

    fn rmdir(&self, _key: &[u8]) -> Result<(), StorageError> {
        Ok(())
    }

    fn rename(&self, from: &[u8], to: &[u8]) -> Result<(), StorageError> {
        let moved = self.store().and_then(|store| {
            let (old, new) = (self.path(from)?, self.path(to)?);
            self.wait(async move {
                requests::copy(&store, &old, &new).await?;
                requests::delete(&store, vec![old]).await
            })
        });
        moved.map(drop).map_err(self.failed("rename", from))
    }

    fn sync(&self, key: &[u8]) -> Result<(), StorageError> {
        self.stat(key).map(drop)
    }

    fn sync_all(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn drop_cache(&self, _key: &[u8]) -> Result<(), StorageError> {
        Ok(())
    }

    fn is_object_store(&self) -> bool {
        true
    }

    fn place(&self, key: &[u8]) -> String {
        self.site.target.join(&String::from_utf8_lossy(key)).to_string()
    }
}
