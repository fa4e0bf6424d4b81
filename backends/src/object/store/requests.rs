//! Single requests, for the executor and the plain view alike.

use super::fault::{Verdict, verdict};
use super::site::Store;
use super::transport::ObjectData;
use crate::error::Fault;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use iobench_core::stats::ErrorClass;
use object_store::list::PaginatedListOptions;
use object_store::path::Path;
use object_store::{CopyOptions, GetOptions, ObjectStore, PutMode, PutOptions, PutPayload};
use std::ops::Range;
use std::sync::Arc;

/// The path of a key below a prefix.
pub(super) fn path(prefix: &str, key: &[u8]) -> Result<Path, Verdict> {
    let key = std::str::from_utf8(key).map_err(|_| invalid("the key is no UTF-8"))?;
    let whole = [prefix, key].concat();
    // `Path` would drop a slash at an end in silence, and so mean another object.
    if key.is_empty() || whole.starts_with('/') || whole.ends_with('/') {
        return Err(invalid("object stores have no key that is empty or begins or ends with a slash"));
    }
    Path::parse(whole).map_err(|error| invalid(&error.to_string()))
}

/// What cannot be done with an object store.
pub(super) fn invalid(detail: &str) -> Verdict {
    Verdict { fault: Fault::of(ErrorClass::Invalid), detail: detail.to_owned(), retry_after: None }
}

/// A body, piece by piece, of the whole object or these bytes of it.
pub(super) async fn get(
    store: &Arc<dyn Store>,
    path: &Path,
    range: Option<Range<u64>>,
) -> Result<BoxStream<'static, object_store::Result<Bytes>>, Verdict> {
    let mut options = GetOptions { range: range.map(Into::into), ..GetOptions::default() };
    options.extensions.insert(ObjectData);
    let answer = store.get_opts(path, options).await.map_err(|error| verdict(&error))?;
    Ok(answer.into_stream())
}

/// The size of an object, bytes.
pub(super) async fn head(store: &Arc<dyn Store>, path: &Path) -> Result<u64, Verdict> {
    let options = GetOptions { head: true, ..GetOptions::default() };
    store.get_opts(path, options).await.map(|answer| answer.meta.size).map_err(|error| verdict(&error))
}

/// Writes an object in one request, on demand only where there is none.
pub(super) async fn put(
    store: &Arc<dyn Store>,
    path: &Path,
    payload: PutPayload,
    if_absent: bool,
) -> Result<(), Verdict> {
    let mode = if if_absent { PutMode::Create } else { PutMode::Overwrite };
    store
        .put_opts(path, payload, PutOptions { mode, ..PutOptions::default() })
        .await
        .map(drop)
        .map_err(|error| verdict(&error))
}

/// Removes objects, in as few requests as the store can; the first failure counts.
pub(super) async fn delete(store: &Arc<dyn Store>, paths: Vec<Path>) -> Result<u64, Verdict> {
    let mut gone = store.delete_stream(futures_util::stream::iter(paths.into_iter().map(Ok)).boxed());
    let mut count = 0;
    while let Some(one) = gone.next().await {
        one.map_err(|error| verdict(&error))?;
        count += 1;
    }
    Ok(count)
}

/// Copies an object within the store.
pub(super) async fn copy(store: &Arc<dyn Store>, from: &Path, to: &Path) -> Result<(), Verdict> {
    store.copy_opts(from, to, CopyOptions::default()).await.map_err(|error| verdict(&error))
}

/// Objects with their sizes, and directories; whole keys of the bucket.
pub(super) struct Listed {
    pub(super) objects: Vec<(Path, u64)>,
    pub(super) directories: Vec<Path>,
    pub(super) next: Option<String>,
}

impl Listed {
    pub(super) fn len(&self) -> usize {
        self.objects.len() + self.directories.len()
    }
}

/// One page of what begins with a prefix and has no further slash behind it.
pub(super) async fn list(
    store: &Arc<dyn Store>,
    prefix: &str,
    token: Option<String>,
    limit: usize,
) -> Result<Listed, Verdict> {
    let options = PaginatedListOptions {
        delimiter: Some("/".into()),
        max_keys: Some(limit.max(1)),
        page_token: token.clone(),
        ..PaginatedListOptions::default()
    };
    let prefix = Some(prefix).filter(|prefix| !prefix.is_empty());
    let page = store.list_paginated(prefix, options).await.map_err(|error| verdict(&error))?;
    if token.is_some() && page.page_token == token {
        // It would go on for ever.
        let fault = Fault::of(ErrorClass::Storage);
        return Err(Verdict { fault, detail: "the same page is given again".to_owned(), retry_after: None });
    }
    Ok(Listed {
        objects: page.result.objects.into_iter().map(|meta| (meta.location, meta.size)).collect(),
        directories: page.result.common_prefixes,
        next: page.page_token.filter(|token| !token.is_empty()),
    })
}
