//! A bare loop over object_store as it comes, or the executor of this crate: the same work, and what it costs.
//!
//! `object_loop bare|ours put|get ENDPOINT BUCKET SIZE IN_FLIGHT SECONDS` prints operations per second, microseconds
//! of CPU per operation, and the most memory in MiB. `object_loop serve` is an S3 server in memory-mapped files under
//! a temporary directory: it prints its endpoint and a bucket, and ends with its standard input.
#![expect(clippy::print_stdout, clippy::expect_used, clippy::panic, reason = "an example")]

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use iobench_backends::backend::Backend;
use iobench_backends::executor::{Clock, ExecutorSpec, Manner, ObjectId, Objects, Task};
use iobench_core::plan::{Credentials, FileOptions, PoolId, Reference, StorageOptions};
use iobench_core::stats::Operation;
use iobench_servers::S3sFs;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{ObjectStoreExt, RetryConfig};
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Objects that the loop goes round.
const KEYS: u64 = 1000;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve"] => serve(),
        [who, what, endpoint, bucket, size, in_flight, seconds] => {
            let job = Job {
                put: what == "put",
                endpoint: endpoint.to_owned(),
                bucket: bucket.to_owned(),
                size: size.parse().expect("bytes"),
                in_flight: in_flight.parse().expect("a number"),
                time: Duration::from_secs_f64(seconds.parse().expect("seconds")),
                keys: KEYS.min((1 << 30) / size.parse::<u64>().expect("bytes").max(1)).max(16),
            };
            let (before, begun) = (cpu(), Instant::now());
            let operations = if who == "ours" { ours(&job) } else { bare(&job) };
            let (cpu, elapsed) = (cpu() - before, begun.elapsed());
            println!(
                "{:.0} {:.2} {:.1}",
                operations as f64 / elapsed.as_secs_f64(),
                cpu.as_secs_f64() * 1e6 / operations as f64,
                peak_mib()
            );
        }
        _ => panic!("object_loop bare|ours put|get ENDPOINT BUCKET SIZE IN_FLIGHT SECONDS, or serve"),
    }
}

struct Job {
    put: bool,
    endpoint: String,
    bucket: String,
    size: u64,
    in_flight: u32,
    time: Duration,
    keys: u64,
}

impl Job {
    /// Whether one more is to be begun. Puts go round all keys at least once, so that gets find them.
    fn goes_on(&self, begun: u64, end: Instant) -> bool {
        self.put && begun < self.keys || Instant::now() < end
    }
}

fn serve() {
    let server = S3sFs::keyed();
    println!("{} {}", server.endpoint(), server.bucket());
    let _until_the_end = std::io::stdin().read_to_end(&mut Vec::new());
}

/// object_store over reqwest on one thread, a future for each operation in flight.
fn bare(job: &Job) -> u64 {
    let _first = rustls::crypto::ring::default_provider().install_default();
    let store = AmazonS3Builder::new()
        .with_endpoint(&job.endpoint)
        .with_allow_http(true)
        .with_bucket_name(&job.bucket)
        .with_access_key_id(S3sFs::KEYS.id)
        .with_secret_access_key(S3sFs::KEYS.secret)
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .build()
        .expect("a store");
    let payload = bytes::Bytes::from(vec![7; job.size as usize]);
    let one = |number: u64| {
        let (store, payload) = (&store, payload.clone());
        async move {
            let path = Path::from(format!("data/{:08}", number % job.keys));
            if job.put {
                store.put(&path, payload.into()).await.expect("put");
            } else {
                let mut body = store.get(&path).await.expect("get").into_stream();
                let mut size = 0;
                while let Some(piece) = body.next().await {
                    size += piece.expect("a piece").len() as u64;
                }
                assert_eq!(size, job.size);
            }
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (mut running, mut number, mut done) = (FuturesUnordered::new(), 0, 0);
        let end = Instant::now() + job.time;
        loop {
            while running.len() < job.in_flight as usize && job.goes_on(number, end) {
                running.push(one(number));
                number += 1;
            }
            match running.next().await {
                Some(()) => done += 1,
                None => return done,
            }
        }
    })
}

/// The executor of this crate, driven as the engine drives it.
fn ours(job: &Job) -> u64 {
    let directory = tempfile::tempdir().expect("a directory");
    let reference = |name: &str, value: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, value).expect("write");
        Reference::File(path)
    };
    let credentials = Credentials::Keys {
        access_key: reference("id", S3sFs::KEYS.id),
        secret_key: reference("secret", S3sFs::KEYS.secret),
        session_token: None,
    };
    let storage =
        StorageOptions { credentials, endpoints: vec![job.endpoint.clone()], ..StorageOptions::default() };
    let target = format!("s3://{}", job.bucket).parse().expect("a target");
    let Ok(backend) = Backend::open(&target, &FileOptions::default(), &storage) else { panic!("no backend") };
    let spec = ExecutorSpec {
        slots: job.in_flight,
        buffer: 4096,
        files: 0,
        lists: 0,
        clock: Clock(Instant::now()),
        objects: Arc::new(Pool(vec![7; 4 << 20])),
        inspector: None,
    };
    let mut executor = backend.executor(spec).expect("an executor");
    let operation = if job.put { Operation::Put } else { Operation::Get };
    let mut free: Vec<u32> = (0..job.in_flight).collect();
    let (mut completions, mut number, mut done) = (Vec::new(), 0, 0);
    let end = Instant::now() + job.time;
    loop {
        let open = job.goes_on(number, end);
        while open && let Some(slot) = free.pop() {
            let object = ObjectId { pool: PoolId(0), key: number % job.keys };
            executor
                .start(slot, Task { operation, object, offset: 0, length: job.size, manner: Manner::Plain });
            number += 1;
        }
        executor.turn(Duration::from_millis(100), &mut completions).expect("a turn");
        for completion in completions.drain(..).filter(|completion| completion.last) {
            assert_eq!(completion.outcome, iobench_backends::executor::Outcome::Done(job.size));
            free.push(completion.slot);
            done += 1;
        }
        if !open && free.len() == job.in_flight as usize {
            return done;
        }
    }
}

/// Everything comes from these bytes.
struct Pool(Vec<u8>);

impl Objects for Pool {
    fn name(&self, object: ObjectId, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("data/{:08}", object.key).as_bytes());
    }

    fn payload(&self) -> &[u8] {
        &self.0
    }

    fn start(&self, object: ObjectId, offset: u64) -> usize {
        (object.key + offset) as usize % 4096
    }

    fn longest(&self) -> usize {
        self.0.len() - 4096
    }
}

/// CPU time of this process.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let nanos = u32::try_from(time.tv_nsec).expect("below a second");
    Duration::new(time.tv_sec.unsigned_abs(), nanos)
}

/// The most memory that this process has had resident.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}
