//! SeaweedFS.

use crate::process::{Server, data_directory, insist};
use crate::{Keys, http, install, ports};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many buckets are made at the start, to be handed out one by one.
const BUCKETS: usize = 32;
/// The last bucket to be made, which anybody may list: when it is there, everything is.
const PROBE: &str = "probe";

/// A SeaweedFS server with its S3 port.
///
/// The open one also serves `object_store`'s client for Google Cloud Storage, whose `Authorization` header it ignores
/// (with keys configured it refuses that header). It does not know that client's other headers: a put takes place
/// whatever the generation, and a copy leaves an empty object. For these there is [`FakeGcs`](crate::FakeGcs).
#[derive(Debug)]
pub struct Weed {
    address: SocketAddr,
    handed_out: AtomicUsize,
    _server: Server,
}

impl Weed {
    /// These may do everything on the keyed server.
    pub const KEYS: Keys = Keys { id: "IOBENCHTESTOWNER", secret: "owner-secret+of/the=tests" };
    /// These may read and list, but not write, on the keyed server.
    pub const READER: Keys = Keys { id: "IOBENCHTESTREADER", secret: "reader-secret+of/the=tests" };
    /// Its region.
    pub const REGION: &'static str = "us-east-1";

    /// The server of this test program that lets anybody do anything.
    pub fn open() -> &'static Self {
        static SERVER: OnceLock<Weed> = OnceLock::new();
        SERVER.get_or_init(|| insist("weed", || Self::start(None)))
    }

    /// The server of this test program that checks signatures.
    pub fn keyed() -> &'static Self {
        static SERVER: OnceLock<Weed> = OnceLock::new();
        SERVER.get_or_init(|| insist("weed", || Self::start(Some(identities()))))
    }

    /// Where its S3 port is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// An empty bucket that nobody else uses.
    pub fn bucket(&self) -> String {
        let number = self.handed_out.fetch_add(1, Ordering::Relaxed);
        assert!(number < BUCKETS, "a test program needs more buckets: raise BUCKETS in {}", file!());
        bucket(number)
    }

    fn start(identities: Option<String>) -> Result<Self, String> {
        let directory = data_directory("weed-");
        let mut command = Command::new(install::weed());
        command.arg("mini").arg(format!("-dir={}", directory.display()));
        command.args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"]);
        command.args(["-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]);
        let parts = ["master", "volume", "filer", "s3", "admin"].map(|part| (part, ports::free()));
        for (part, port) in parts {
            let grpc = port + ports::GRPC_ABOVE;
            command.args([format!("-{part}.port={port}"), format!("-{part}.port.grpc={grpc}")]);
        }
        let buckets: Vec<_> = (0..BUCKETS).map(bucket).chain([PROBE.to_owned()]).collect();
        command.arg(format!("-bucket={}", buckets.join(",")));
        if let Some(identities) = identities {
            let file = directory.join("identities.json");
            fs::write(&file, identities).expect("the directory is new");
            command.arg(format!("-s3.config={}", file.display()));
        }
        // It logs into the directory for temporary files, but its sockets are always in the system's.
        command.env("TMPDIR", &directory);
        let sockets = parts.map(|(part, port)| {
            let grpc = port + ports::GRPC_ABOVE;
            format!("/tmp/seaweedfs-{part}-{port}.sock /tmp/seaweedfs-{part}-grpc-{grpc}.sock")
        });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, parts[3].1));
        let ready = || http::status(address, &format!("/{PROBE}?max-keys=1")) == Some(200);
        let server = Server::start("weed", directory, &sockets, &command, ready)?;
        Ok(Self { address, handed_out: AtomicUsize::new(0), _server: server })
    }
}

fn bucket(number: usize) -> String {
    format!("bucket-{number:02}")
}

fn identities() -> String {
    let identity = |name: &str, keys: Keys, actions: &str| {
        let Keys { id, secret } = keys;
        format!(
            r#"{{"name":"{name}","credentials":[{{"accessKey":"{id}","secretKey":"{secret}"}}],"actions":[{actions}]}}"#
        )
    };
    let owner = identity("owner", Weed::KEYS, r#""Admin","Read","Write","List","Tagging""#);
    let reader = identity("reader", Weed::READER, r#""Read","List""#);
    let anybody = format!(r#"{{"name":"anonymous","actions":["List:{PROBE}"]}}"#);
    format!(r#"{{"identities":[{owner},{reader},{anybody}]}}"#)
}
