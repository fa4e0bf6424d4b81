//! Runs one of the servers of the tests until standard input ends, and says how to reach it.
//!
//! `cargo run -p iobench-servers --example serve -- weed|weed-keyed|azurite|s3s-fs|s3s-fs-keyed|gcs`

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to a person")]

use iobench_servers::{Azurite, FakeGcs, Keys, S3sFs, Weed};
use std::process::ExitCode;

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    match name.as_str() {
        "weed" => weed(Weed::open(), None),
        "weed-keyed" => weed(Weed::keyed(), Some(Weed::KEYS)),
        "azurite" => {
            let azurite = Azurite::shared();
            serve("az", &azurite.endpoint(), &azurite.container(), Some(Azurite::KEYS));
        }
        "s3s-fs" => s3s_fs(&S3sFs::open(), None),
        "s3s-fs-keyed" => s3s_fs(&S3sFs::keyed(), Some(S3sFs::KEYS)),
        "gcs" => {
            let server = FakeGcs::open();
            serve("gs", &server.endpoint(), &server.bucket(), None);
        }
        _ => {
            eprintln!("which one? weed, weed-keyed, azurite, s3s-fs, s3s-fs-keyed or gcs");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn weed(weed: &Weed, keys: Option<Keys>) {
    serve("s3", &weed.endpoint(), &weed.bucket(), keys);
}

fn s3s_fs(server: &S3sFs, keys: Option<Keys>) {
    serve("s3", &server.endpoint(), &server.bucket(), keys);
}

/// Says where the server is, and returns when standard input ends.
fn serve(scheme: &str, endpoint: &str, bucket: &str, keys: Option<Keys>) {
    println!("endpoint {endpoint}\ntarget {scheme}://{bucket}/");
    if let Some(Keys { id, secret }) = keys {
        println!("id {id}\nsecret {secret}");
    }
    let _end = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
}
