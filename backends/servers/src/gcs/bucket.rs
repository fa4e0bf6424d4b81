//! What a bucket holds, and the rules of generations.

use hyper::StatusCode;
use hyper::body::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// Why an operation is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) StatusCode);

#[derive(Debug, Default)]
pub(super) struct Bucket {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, BTreeMap<u32, Bytes>>,
    /// How many versions and uploads there have been.
    made: u64,
}

#[derive(Debug)]
pub(super) struct Object {
    pub(super) content: Bytes,
    pub(super) generation: u64,
}

/// What to list.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) prefix: String,
    pub(super) delimiter: String,
    pub(super) after: String,
    pub(super) size: usize,
}

#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Key, size and generation.
    pub(super) objects: Vec<(String, usize, u64)>,
    pub(super) prefixes: BTreeSet<String>,
    /// Where the next page goes on.
    pub(super) next: Option<String>,
}

impl Bucket {
    pub(super) fn get(&self, key: &str) -> Result<&Object, Refusal> {
        self.objects.get(key).ok_or(Refusal(StatusCode::NOT_FOUND))
    }

    /// Writes an object if its generation is `condition` (0: if there is none); its new generation.
    pub(super) fn put(&mut self, key: &str, content: Bytes, condition: Option<u64>) -> Result<u64, Refusal> {
        let present = self.objects.get(key).map_or(0, |object| object.generation);
        if condition.is_some_and(|wanted| wanted != present) {
            return Err(Refusal(StatusCode::PRECONDITION_FAILED));
        }
        self.made += 1;
        self.objects.insert(key.to_owned(), Object { content, generation: self.made });
        Ok(self.made)
    }

    pub(super) fn delete(&mut self, key: &str) -> Result<(), Refusal> {
        self.objects.remove(key).map(drop).ok_or(Refusal(StatusCode::NOT_FOUND))
    }

    pub(super) fn begin_upload(&mut self) -> String {
        self.made += 1;
        let upload = format!("upload-{}", self.made);
        self.uploads.insert(upload.clone(), BTreeMap::new());
        upload
    }

    pub(super) fn put_part(&mut self, upload: &str, part: u32, content: Bytes) -> Result<(), Refusal> {
        let parts = self.uploads.get_mut(upload).ok_or(Refusal(StatusCode::NOT_FOUND))?;
        parts.insert(part, content);
        Ok(())
    }

    pub(super) fn complete_upload(
        &mut self,
        upload: &str,
        key: &str,
        condition: Option<u64>,
    ) -> Result<u64, Refusal> {
        let parts = self.uploads.get(upload).ok_or(Refusal(StatusCode::NOT_FOUND))?;
        let content: Vec<u8> = parts.values().flatten().copied().collect();
        let generation = self.put(key, Bytes::from(content), condition)?;
        self.uploads.remove(upload);
        Ok(generation)
    }

    pub(super) fn abort_upload(&mut self, upload: &str) -> Result<(), Refusal> {
        self.uploads.remove(upload).map(drop).ok_or(Refusal(StatusCode::NOT_FOUND))
    }

    pub(super) fn list(&self, page: &Page) -> Listing {
        let mut listing = Listing::default();
        let mut last = String::new();
        for (key, object) in &self.objects {
            let Some(rest) = key.strip_prefix(&page.prefix) else { continue };
            let folder = (!page.delimiter.is_empty()).then(|| rest.split_once(&page.delimiter)).flatten();
            let name =
                folder.map_or(key.clone(), |(first, _)| format!("{}{first}{}", page.prefix, page.delimiter));
            if name <= page.after || listing.prefixes.contains(&name) {
                continue;
            }
            if listing.objects.len() + listing.prefixes.len() == page.size {
                listing.next = Some(last);
                break;
            }
            last.clone_from(&name);
            match folder {
                Some(_) => _ = listing.prefixes.insert(name),
                None => listing.objects.push((name, object.content.len(), object.generation)),
            }
        }
        listing
    }
}
