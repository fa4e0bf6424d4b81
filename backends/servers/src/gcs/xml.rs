//! The answers that have a body.

use super::bucket::Listing;
use hyper::StatusCode;

/// The answer to a copy.
pub(super) const COPIED: &str = "<CopyObjectResult></CopyObjectResult>";

/// When every object was written, as XML has it.
const WRITTEN: &str = "2024-01-01T00:00:00.000Z";

/// The entity tag of a generation.
pub(super) fn tag(generation: u64) -> String {
    format!("\"{generation:032x}\"")
}

pub(super) fn begun(upload: &str) -> String {
    format!("<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>")
}

pub(super) fn completed(generation: u64) -> String {
    let tag = escaped(&tag(generation));
    format!("<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>")
}

pub(super) fn error(status: StatusCode) -> String {
    let code = status.canonical_reason().unwrap_or("Error").replace(' ', "");
    format!("<Error><Code>{code}</Code><Message>refused by a fake</Message></Error>")
}

pub(super) fn listing(listing: &Listing) -> String {
    let mut text = String::from("<ListBucketResult>");
    for (key, size, generation) in &listing.objects {
        let (key, tag) = (escaped(key), escaped(&tag(*generation)));
        text.push_str(&format!("<Contents><Key>{key}</Key><Generation>{generation}</Generation>"));
        text.push_str(&format!(
            "<LastModified>{WRITTEN}</LastModified><ETag>{tag}</ETag><Size>{size}</Size></Contents>"
        ));
    }
    for prefix in &listing.prefixes {
        text.push_str(&format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", escaped(prefix)));
    }
    if let Some(next) = &listing.next {
        text.push_str(&format!("<NextContinuationToken>{}</NextContinuationToken>", escaped(next)));
    }
    text.push_str(&format!("<IsTruncated>{}</IsTruncated></ListBucketResult>", listing.next.is_some()));
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
