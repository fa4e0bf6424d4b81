//! What a client sees of each fault.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod clients;

use clients::s3_anonymous;
use iobench_servers::{Authority, Exchange, Fault, Proxy, Rule, S3sFs};
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const SIZE: u64 = 100_000;

/// A server that holds one object, a proxy before it and a client of the proxy.
struct Bench {
    proxy: Proxy,
    store: AmazonS3,
    key: Path,
    _server: S3sFs,
}

impl Bench {
    async fn new() -> Self {
        let server = S3sFs::open();
        let proxy = Proxy::start(server.address());
        let store = s3_anonymous(&format!("http://{}", proxy.address()), &server.bucket());
        let key = Path::from("object");
        let content: Vec<u8> = (0..SIZE).map(|index| index.to_le_bytes()[0]).collect();
        store.put(&key, PutPayload::from(content)).await.unwrap();
        Self { proxy, store, key, _server: server }
    }

    /// The length of the object, or everything that is said about the failure.
    async fn get(&self) -> Result<usize, String> {
        let result = self.store.get(&self.key).await.map_err(|error| format!("{error:?}"))?;
        result.bytes().await.map(|content| content.len()).map_err(|error| format!("{error:?}"))
    }

    fn gets(&self) -> usize {
        self.proxy.count(|exchange| exchange.method == "GET")
    }
}

#[tokio::test]
async fn a_storm_hits_its_share_of_requests() {
    let bench = Bench::new().await;
    bench.proxy.add(Rule::new(Fault::slow_down()).method("GET").path("object").of_every(2, 3));
    let mut failed = Vec::new();
    for _ in 0..6 {
        failed
            .push(bench.get().await.is_err_and(|error| error.contains("503") && error.contains("SlowDown")));
    }
    assert_eq!(failed, [true, true, false, true, true, false]);
    assert!(bench.store.head(&bench.key).await.is_ok(), "another method is spared");
    assert_eq!(bench.gets(), 6);
    bench.proxy.heal();
    assert_eq!(bench.get().await, Ok(100_000));
}

#[tokio::test]
async fn the_first_requests_fail_and_the_others_do_not() {
    let bench = Bench::new().await;
    bench.proxy.add(Rule::new(Fault::too_many_requests(1)).first(1));
    let error = bench.get().await.unwrap_err();
    assert!(error.contains("429"), "{error}");
    assert_eq!(bench.get().await, Ok(100_000));
}

#[tokio::test]
async fn credentials_expire_in_the_middle() {
    let bench = Bench::new().await;
    bench.proxy.add(Rule::new(Fault::expired_credentials()).from(3));
    let results = [bench.get().await, bench.get().await, bench.get().await, bench.get().await];
    assert_eq!(results.map(|result| result.is_ok()), [true, true, false, false]);
    let error = bench.store.put(&bench.key, vec![0; 1 << 20].into()).await.unwrap_err();
    assert!(error.to_string().contains("403"), "also with a body to send: {error}");
}

#[tokio::test]
async fn a_slow_first_byte_is_slow() {
    let bench = Bench::new().await;
    let delay = Duration::from_millis(300);
    bench.proxy.add(Rule::new(Fault::SlowFirstByte(delay)));
    let start = Instant::now();
    assert_eq!(bench.get().await, Ok(100_000));
    assert!(start.elapsed() >= delay);
}

#[tokio::test]
async fn a_stalled_body_never_ends() {
    let bench = Bench::new().await;
    bench.proxy.add(Rule::new(Fault::Stall { after: 1_000 }));
    let patience = Duration::from_millis(300);
    assert!(tokio::time::timeout(patience, bench.get()).await.is_err());
    let head = bench.store.get(&bench.key).await.unwrap();
    assert_eq!(head.meta.size, SIZE, "the head does arrive");
}

#[tokio::test]
async fn a_truncated_body_is_an_error() {
    let bench = Bench::new().await;
    bench.proxy.add(Rule::new(Fault::Truncate { after: 1_000 }));
    let error = bench.get().await.unwrap_err();
    assert!(error.contains("IncompleteMessage") || error.contains("UnexpectedEof"), "{error}");
}

#[tokio::test]
async fn a_reset_is_an_error_before_and_in_the_body() {
    let bench = Bench::new().await;
    for after in [0, 1_000] {
        bench.proxy.add(Rule::new(Fault::Reset { after }));
        let error = bench.get().await.unwrap_err();
        assert!(error.contains("ConnectionReset"), "after {after}: {error}");
        bench.proxy.heal();
    }
    let unanswered = |exchange: &Exchange| exchange.faulty && exchange.status.is_none();
    assert_eq!(bench.proxy.count(unanswered), 1);
}

#[tokio::test]
async fn a_wrong_length_is_a_proper_answer() {
    let bench = Bench::new().await;
    bench.proxy.add(Rule::new(Fault::Shorten { by: 1 }));
    assert_eq!(bench.get().await, Ok(99_999));
    bench.proxy.heal();
    bench.proxy.add(Rule::new(Fault::Lengthen { by: 1 }));
    assert_eq!(bench.get().await, Ok(100_001));
}

#[tokio::test]
async fn what_came_over_the_wire_is_remembered() {
    let bench = Bench::new().await;
    bench.proxy.forget();
    bench.proxy.add(Rule::new(Fault::status(500, "InternalError")).method("HEAD"));
    let _fails = bench.store.head(&bench.key).await;
    let _works = bench.store.get_range(&bench.key, 0..10).await;
    let seen: Vec<_> =
        bench.proxy.seen().into_iter().map(|seen| (seen.method, seen.status, seen.faulty)).collect();
    assert_eq!(seen, [("HEAD".to_owned(), Some(500), true), ("GET".to_owned(), Some(206), false)]);
    assert_eq!(bench.proxy.connections(), 1, "answers of the proxy keep the connection");
}

#[tokio::test]
async fn an_unknown_authority_is_not_trusted() {
    let server = S3sFs::open();
    let authority = Authority::new();
    let proxy = Proxy::start_tls(server.address(), &authority);
    let handshake = |trusted: &Authority| {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(trusted.pem().as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let address = proxy.address();
        async move {
            let stream = TcpStream::connect(address).await.unwrap();
            let name = ServerName::try_from("127.0.0.1").unwrap();
            TlsConnector::from(Arc::new(config)).connect(name, stream).await.map(drop)
        }
    };
    let error = handshake(&Authority::new()).await.unwrap_err();
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    handshake(&authority).await.unwrap();
}
