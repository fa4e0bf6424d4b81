//! The sections about object stores → [`StorageOptions`].

use crate::config::file::{self, Config, MultiEndpoint};
use crate::config::path::Path;
use crate::config::problems::Problems;
use crate::config::source::Part;
use crate::config::units::{Count, Size};
use crate::config::values::{self, CredentialKeys};
use crate::plan::{
    Checksum, Credentials, Encryption, Multipart, Pool, PoolId, Ranges, Reference, Scheme, Spread, Stage,
    StageKind, StorageOptions, Uri,
};
use std::path::PathBuf;

/// S3 takes no smaller part but the last.
const S3_PART_MIN: u64 = 5 << 20;
/// Nor a larger one.
const S3_PART_MAX: u64 = 5 << 30;
const IN_FLIGHT_MAX: u64 = 1024;
const ENDPOINTS_MAX: usize = 1024;

/// The services of `multi_endpoint`, and how operations are spread over them.
pub(super) type Services = (Spread, Vec<String>);

/// How object stores are used, for targets of these kinds. The written section is completed, and other names for
/// parts of it are taken out.
pub(super) fn options(
    config: &mut Config,
    target: &Uri,
    schemes: &[Scheme],
    problems: &mut Problems<'_>,
) -> StorageOptions {
    take_range_engine(config, problems);
    let storage = &config.storage;
    let at = Path::from("storage");
    let (spread, endpoints) = all_endpoints(config, target, problems);
    if storage.tls_roots.is_some()
        && !endpoints.is_empty()
        && endpoints.iter().all(|one| one.starts_with("http:"))
    {
        let help = "write `https://` endpoints, or remove `tls_roots`";
        problems.error(at.child("tls_roots"), "no endpoint uses TLS", help);
    }
    check_abilities(storage, schemes, problems);
    let credentials = credentials(&storage.credentials, schemes, problems);
    if matches!(credentials, Credentials::Token(_)) && endpoints.iter().any(|one| one.starts_with("http:")) {
        let help = "write an `https://` endpoint unless the network is yours alone";
        problems.warning(
            at.child("endpoint"),
            "the token is sent unencrypted to an `http://` endpoint",
            help,
        );
    }
    StorageOptions {
        endpoints,
        spread,
        region: storage.region.clone(),
        credentials,
        virtual_host: storage.virtual_host,
        tls_roots: storage
            .tls_roots
            .as_deref()
            .and_then(|path| absolute(path, &at.child("tls_roots"), problems)),
        connections: storage
            .connections
            .map(|count| super::concurrency(count, at.child("connections"), problems)),
        multipart: multipart(&storage.multipart, schemes, problems),
        ranges: storage.ranges.as_ref().map(|written| ranges(written, problems)),
        checksum: match storage.checksum {
            file::Checksum::None => Checksum::None,
            file::Checksum::Sha256 => Checksum::Sha256,
            file::Checksum::Crc64Nvme => Checksum::Crc64Nvme,
        },
        encryption: match &storage.sse {
            file::Sse::None => Encryption::Store,
            file::Sse::S3 => Encryption::S3,
            file::Sse::Kms(key) => Encryption::Kms(key.clone()),
        },
    }
}

/// `range_engine` is another place for `storage.ranges`.
fn take_range_engine(config: &mut Config, problems: &mut Problems<'_>) {
    let Some(other) = config.range_engine.take().filter(|other| other.enabled) else { return };
    if config.storage.ranges.is_some() {
        let message = "this is another place for `storage.ranges`, which is given too";
        problems.key_error("range_engine", message, "keep one of them");
    }
    config.storage.ranges = Some(other.into());
}

fn all_endpoints(config: &Config, target: &Uri, problems: &mut Problems<'_>) -> Services {
    let single = config.storage.endpoint.as_deref();
    let addressed = target.bucket().is_some_and(|bucket| bucket.endpoint.is_some());
    if addressed && (single.is_some() || config.multi_endpoint.is_some()) {
        let at = if single.is_some() { "storage.endpoint" } else { "multi_endpoint" };
        let message = format!("`{target}` addresses an endpoint itself");
        problems.key_error(at, message, "remove this, or write the target without `host:port/`");
    }
    match (single, &config.multi_endpoint) {
        (None, None) => (Spread::RoundRobin, Vec::new()),
        (Some(one), None) => {
            let found = endpoint(one, target, &"storage.endpoint".into(), problems);
            (Spread::RoundRobin, found.into_iter().collect())
        }
        (None, Some(several)) => services(several, &"multi_endpoint".into(), target, problems),
        (Some(_), Some(several)) => {
            let message = "the endpoints are given here and in `multi_endpoint`";
            problems.key_error("storage.endpoint", message, "keep one of the two");
            services(several, &"multi_endpoint".into(), target, problems)
        }
    }
}

/// The services of one `multi_endpoint` section.
pub(super) fn services(
    written: &MultiEndpoint,
    at: &Path,
    target: &Uri,
    problems: &mut Problems<'_>,
) -> Services {
    let spread = match written.strategy {
        file::Strategy::RoundRobin => Spread::RoundRobin,
        file::Strategy::LeastConnections => Spread::LeastConnections,
    };
    let list = at.child("endpoints");
    if written.endpoints.is_empty() || written.endpoints.len() > ENDPOINTS_MAX {
        let help = "write for example `endpoints: [http://10.0.0.1:9000, http://10.0.0.2:9000]`";
        problems.error(list, format!("write 1 to {ENDPOINTS_MAX} endpoints"), help);
        return (spread, Vec::new());
    }
    let mut found = Vec::<String>::new();
    for (index, text) in written.endpoints.iter().enumerate() {
        let at = list.child(index);
        let Some(endpoint) = endpoint(text, target, &at, problems) else { continue };
        if found.contains(&endpoint) {
            problems.error(at, format!("`{endpoint}` is given twice"), "list each endpoint once");
        }
        found.push(endpoint);
    }
    (spread, found)
}

/// `http://host:port` or `https://host:port`; in the other dialect also `s3://host:port/bucket/…` of the target.
fn endpoint(text: &str, target: &Uri, at: &Path, problems: &mut Problems<'_>) -> Option<String> {
    const FORM: &str = "write for example `http://10.0.0.1:9000` or `https://s3.example.com`";
    let refuse = |message: String, problems: &mut Problems<'_>| {
        problems.certain(Part::Value, at.clone(), message, FORM);
        None
    };
    // What another target would make right.
    let unfit = |message: String, problems: &mut Problems<'_>| {
        problems.error(at.clone(), message, FORM);
        None
    };
    let Some((scheme, rest)) = text.split_once("://") else {
        return refuse("an endpoint begins with `http://` or `https://`".to_owned(), problems);
    };
    if rest.contains(['@', '?', '#']) {
        // Not quoted: it may hold a secret.
        return refuse(
            "an endpoint must not contain a user, password or query; see `storage.credentials`".to_owned(),
            problems,
        );
    }
    if !matches!(scheme, "http" | "https") {
        let uri = text.parse::<Uri>().ok().filter(|uri| uri.scheme == target.scheme);
        let Some(bucket) = uri.as_ref().and_then(Uri::bucket) else {
            let message = format!("`{scheme}://` cannot reach a service of `{}://`", target.scheme.name());
            return unfit(message, problems);
        };
        let Some(address) = bucket.endpoint else {
            return refuse(format!("`{text}` names no `host:port`"), problems);
        };
        let same = target.bucket().is_some_and(|of| (of.name, of.prefix) == (bucket.name, bucket.prefix));
        if !same {
            return unfit(
                format!("`{text}` points to a different place than the target `{target}`"),
                problems,
            );
        }
        return Some(Uri::service(address));
    }
    let authority = rest.trim_end_matches('/');
    let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
    let bad_port = port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0));
    let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '\\');
    if authority.is_empty() || authority.starts_with(':') || authority.contains(bad) || bad_port {
        return refuse(
            format!(
                "`{text}` is not of the form `{scheme}://host:port`; buckets and paths belong to `target`"
            ),
            problems,
        );
    }
    Some(format!("{scheme}://{authority}"))
}

/// Deleting at the root of a bucket, where others keep things too, wants a clear word. At the root of all file systems
/// no word is clear enough.
pub(super) fn check_root<'a>(
    targets: impl Iterator<Item = &'a Uri>,
    stages: &[Stage],
    pools: &[Pool],
    allowed: bool,
    problems: &mut Problems<'_>,
) {
    let at_root = |id: &PoolId| pools.get(usize::from(id.0)).is_some_and(|pool| pool.base.is_empty());
    let deletes = |stage: &Stage| match &stage.kind {
        StageKind::Cleanup { pools, .. } => pools.iter().any(at_root),
        StageKind::Execute { .. } | StageKind::Prepare { .. } => false,
    };
    if !stages.iter().any(deletes) {
        return;
    }
    let whole_bucket = |target: &Uri| target.bucket().is_some_and(|bucket| bucket.prefix.is_empty());
    let targets = targets.collect::<Vec<_>>();
    if let Some(root) = targets.iter().find(|target| !allowed && whole_bucket(target)) {
        let message = format!("cleaning up would delete at the root of the bucket `{root}`");
        let help = "write a prefix, as in `s3://bucket/bench`, or give `--yes-delete-everything`";
        problems.error("target", message, help);
    }
    if let Some(root) = targets.iter().find(|target| is_root_of_files(target)) {
        let message = format!("cleaning up in `{root}`, the root of all file systems, is refused");
        problems.error("target", message, "write a directory of its own, as in `file:///mnt/data/bench`");
    }
}

fn is_root_of_files(target: &Uri) -> bool {
    matches!(target.scheme, Scheme::File | Scheme::Direct)
        && target.path.split('/').all(|segment| matches!(segment, "" | "."))
}

/// What only some stores can do must not silently be left undone.
fn check_abilities(storage: &file::Storage, schemes: &[Scheme], problems: &mut Problems<'_>) {
    let others = schemes.iter().filter(|scheme| scheme.is_object_store() && **scheme != Scheme::S3);
    let Some(other) = others.map(|scheme| scheme.name()).next() else { return };
    let wanted =
        [("checksum", storage.checksum != file::Checksum::None), ("sse", storage.sse != file::Sse::None)];
    for (key, _) in wanted.into_iter().filter(|(_, wanted)| *wanted) {
        let message = format!("`{key}` is not supported for `{other}://`");
        problems.error(Path::from("storage").child(key), message, "remove it: only `s3://` has it");
    }
}

fn credentials(
    written: &values::Credentials,
    schemes: &[Scheme],
    problems: &mut Problems<'_>,
) -> Credentials {
    let at = Path::from("storage.credentials");
    let mut only = |at: &Path, what: &str, these: &[Scheme]| {
        let other = schemes.iter().find(|scheme| scheme.is_object_store() && !these.contains(scheme));
        if let Some(other) = other {
            let message = format!("{what} mean nothing to `{}://`", other.name());
            problems.error(at.clone(), message, kinds_of(*other));
        }
    };
    match written {
        values::Credentials::Environment => Credentials::Environment,
        values::Credentials::Anonymous => Credentials::Anonymous,
        values::Credentials::Profile(name) => {
            only(&at, "profiles", &[Scheme::S3]);
            Credentials::Profile(name.clone())
        }
        values::Credentials::Referred(keys) => {
            if keys.access_key.is_some() || keys.secret_key.is_some() {
                only(&at, "`access_key` and `secret_key`", &[Scheme::S3, Scheme::Az]);
            }
            if keys.session_token.is_some() {
                only(&at.child("session_token"), "session tokens", &[Scheme::S3]);
            }
            if keys.token.is_some() {
                only(&at.child("token"), "tokens alone", &[Scheme::Az, Scheme::Gs]);
            }
            if keys.service_account.is_some() {
                only(&at.child("service_account"), "service accounts", &[Scheme::Gs]);
            }
            referred(keys, &at, problems)
        }
    }
}

fn kinds_of(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Az => {
            "write `env`, `anonymous`, `{access_key, secret_key}` (account and its key) or `{token}` (SAS)"
        }
        Scheme::Gs => "write `env`, `anonymous`, `{service_account}` or `{token}`",
        _ => "write `env`, `anonymous`, `profile:NAME` or `{access_key, secret_key, session_token}`",
    }
}

fn referred(keys: &CredentialKeys, at: &Path, problems: &mut Problems<'_>) -> Credentials {
    let reference = |secret: &values::Secret| -> Reference { secret.0.clone() };
    match keys {
        CredentialKeys {
            access_key: Some(access_key),
            secret_key: Some(secret_key),
            session_token,
            token: None,
            service_account: None,
        } => Credentials::Keys {
            access_key: reference(access_key),
            secret_key: reference(secret_key),
            session_token: session_token.as_ref().map(reference),
        },
        CredentialKeys {
            access_key: None,
            secret_key: None,
            session_token: None,
            token: Some(token),
            service_account: None,
        } => Credentials::Token(reference(token)),
        CredentialKeys {
            access_key: None,
            secret_key: None,
            session_token: None,
            token: None,
            service_account: Some(path),
        } => absolute(path, &at.child("service_account"), problems)
            .map_or(Credentials::Anonymous, Credentials::ServiceAccount),
        _ => {
            let help = "write `access_key` and `secret_key` (with `session_token` if need be), or `token` alone, or \
                        `service_account` alone";
            problems.error(at.clone(), "these keys do not form one kind of credentials", help);
            Credentials::Anonymous
        }
    }
}

/// Agents resolve paths on their own hosts, where nobody knows the directory that they were started in.
fn absolute(path: &str, at: &Path, problems: &mut Problems<'_>) -> Option<PathBuf> {
    if path.starts_with('/') {
        return Some(path.into());
    }
    problems.error(
        at.clone(),
        "this is not an absolute path",
        "write the whole path, which each agent opens on its host",
    );
    None
}

fn multipart(written: &file::Multipart, schemes: &[Scheme], problems: &mut Problems<'_>) -> Multipart {
    let at = Path::from("storage.multipart");
    let part = written.part_size.0;
    if schemes.contains(&Scheme::S3) && !(S3_PART_MIN..=S3_PART_MAX).contains(&part) {
        let message = format!("S3 takes no parts of {}", written.part_size);
        problems.error(at.child("part_size"), message, "write 5MiB to 5GiB");
    }
    positive(written.part_size, at.child("part_size"), problems);
    positive(written.threshold, at.child("threshold"), problems);
    Multipart {
        threshold: written.threshold.0,
        part_size: part,
        concurrency: in_flight(written.concurrency, at.child("concurrency"), problems),
    }
}

fn ranges(written: &file::Ranges, problems: &mut Problems<'_>) -> Ranges {
    let at = Path::from("storage.ranges");
    positive(written.chunk_size, at.child("chunk_size"), problems);
    positive(written.threshold, at.child("threshold"), problems);
    Ranges {
        threshold: written.threshold.0,
        chunk_size: written.chunk_size.0,
        concurrency: in_flight(written.concurrency, at.child("concurrency"), problems),
    }
}

fn positive(size: Size, at: Path, problems: &mut Problems<'_>) {
    if size.0 == 0 {
        problems.certain(Part::Value, at, "0 bytes are not possible here", "write for example `16MiB`");
    }
}

fn in_flight(count: Count, at: Path, problems: &mut Problems<'_>) -> u32 {
    match u32::try_from(count.0) {
        Ok(number) if (1..=IN_FLIGHT_MAX).contains(&count.0) => number,
        _ => {
            let message = format!("{count} requests in flight for one object are not possible");
            problems.error(at, message, format!("write 1 to {IN_FLIGHT_MAX}"));
            1
        }
    }
}
