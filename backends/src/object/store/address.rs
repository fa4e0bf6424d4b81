//! What a target names: provider, endpoint, bucket and prefix.

use iobench_core::plan::{Scheme, Uri};

/// A target of an object store, taken apart.
///
/// The first segment is an endpoint when it has a port, and a bucket otherwise:
/// `s3://bucket/prefix`, `s3://host:port/bucket/prefix`, and the same with `gs`. Without TLS, unless the port is 443.
/// Azure has accounts, too: `az://container/prefix` takes it from the credentials;
/// `az://account.blob.core.windows.net/container/prefix` names it (no container has a dot in its name), with TLS; and
/// `az://host:port/account/container/prefix` is how emulators are addressed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Address {
    /// S3, Azure or Google.
    pub(super) scheme: Scheme,
    /// `http://host:port` or `https://host`; `None`: the provider's.
    pub(super) endpoint: Option<String>,
    /// Azure: the account, when the target names it.
    pub(super) account: Option<String>,
    /// Bucket or container.
    pub(super) bucket: String,
    /// Empty, or ending in `/`.
    pub(super) prefix: String,
}

impl Address {
    /// Takes a target apart; says what is missing, for a person.
    pub(super) fn of(target: &Uri) -> Result<Self, String> {
        let mut rest = target.path.trim_matches('/');
        let mut next = || {
            let (first, others) = rest.split_once('/').unwrap_or((rest, ""));
            rest = others;
            first.to_owned()
        };
        let azure = target.scheme == Scheme::Az;
        let (mut endpoint, mut account) = (None, None);
        let mut bucket = next();
        if let Some(port) = port(&bucket) {
            let tls = if port == 443 { "https" } else { "http" };
            endpoint = Some(format!("{tls}://{bucket}"));
            account = azure.then(&mut next);
            bucket = next();
        } else if azure && bucket.contains('.') {
            endpoint = Some(format!("https://{bucket}"));
            account = bucket.split('.').next().map(str::to_owned);
            bucket = next();
        }
        let prefix = if rest.is_empty() { String::new() } else { format!("{rest}/") };
        if bucket.is_empty() || account.as_ref().is_some_and(String::is_empty) {
            let (scheme, kind) = (target.scheme.name(), if azure { "container" } else { "bucket" });
            return Err(format!("`{target}` names no {kind}; write for example `{scheme}://{kind}/prefix`"));
        }
        Ok(Self { scheme: target.scheme, endpoint, account, bucket, prefix })
    }
}

/// The port of `host:port`, also of `[::1]:port`.
fn port(segment: &str) -> Option<u16> {
    let (host, port) = segment.rsplit_once(':')?;
    if host.is_empty() { None } else { port.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(target: &str) -> (Option<String>, Option<String>, String, String) {
        let Address { endpoint, account, bucket, prefix, .. } =
            Address::of(&target.parse().unwrap()).unwrap();
        (endpoint, account, bucket, prefix)
    }

    #[test]
    fn the_first_segment_is_a_bucket_unless_it_has_a_port() {
        let plain = |bucket: &str, prefix: &str| (None, None, bucket.to_owned(), prefix.to_owned());
        assert_eq!(address("s3://bucket"), plain("bucket", ""));
        assert_eq!(address("s3://my.bucket/a/b/"), plain("my.bucket", "a/b/"));
        assert_eq!(address("gcs://bucket/a"), plain("bucket", "a/"));
        assert_eq!(address("az://container/a"), plain("container", "a/"));
        let (endpoint, _, bucket, prefix) = address("s3://127.0.0.1:9000/bucket/a");
        assert_eq!(
            (endpoint.as_deref(), &*bucket, &*prefix),
            (Some("http://127.0.0.1:9000"), "bucket", "a/")
        );
        assert_eq!(address("s3://[::1]:9000/b").0.as_deref(), Some("http://[::1]:9000"));
        assert_eq!(address("s3://store.example:443/b").0.as_deref(), Some("https://store.example:443"));
    }

    #[test]
    fn azure_names_its_account_in_the_host_or_before_the_container() {
        let named = |target| {
            let (endpoint, account, bucket, prefix) = address(target);
            (endpoint.unwrap(), account.unwrap(), bucket, prefix)
        };
        let expected = |a: &str, b: &str| (a.to_owned(), b.to_owned(), "c".to_owned(), "p/".to_owned());
        assert_eq!(
            named("az://me.blob.core.windows.net/c/p"),
            expected("https://me.blob.core.windows.net", "me")
        );
        assert_eq!(named("az://127.0.0.1:10000/devstoreaccount1/c/p"), {
            expected("http://127.0.0.1:10000", "devstoreaccount1")
        });
    }

    #[test]
    fn a_target_without_a_bucket_says_what_to_write() {
        for target in ["s3://", "s3://127.0.0.1:9000", "az://127.0.0.1:10000/account", "az://a.b"] {
            let error = Address::of(&target.parse().unwrap()).unwrap_err();
            assert!(error.contains("write for example"), "{error}");
        }
    }
}
