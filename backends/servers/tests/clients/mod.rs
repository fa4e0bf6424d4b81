//! Clients of `object_store` as bare as they can be, without its retries.

#![allow(dead_code, reason = "every test program uses another part of it")]

use iobench_servers::Keys;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::azure::{AzureConfigKey, MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorage, GoogleCloudStorageBuilder};
use object_store::{ClientOptions, RetryConfig};
use std::time::Duration;
use tokio_rustls::rustls::crypto::ring;

fn options() -> ClientOptions {
    // Even a client of plain HTTP wants to know the process's cryptography.
    let _another_test_was_first = ring::default_provider().install_default();
    ClientOptions::new().with_allow_http(true).with_http1_only().with_timeout(Duration::from_secs(60))
}

fn once() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

fn s3_builder(endpoint: &str, bucket: &str) -> AmazonS3Builder {
    let builder = AmazonS3Builder::new().with_endpoint(endpoint).with_region("us-east-1");
    builder.with_bucket_name(bucket).with_client_options(options()).with_retry(once())
}

pub(crate) fn s3(endpoint: &str, bucket: &str, keys: Keys) -> AmazonS3 {
    let builder = s3_builder(endpoint, bucket);
    builder.with_access_key_id(keys.id).with_secret_access_key(keys.secret).build().unwrap()
}

pub(crate) fn s3_anonymous(endpoint: &str, bucket: &str) -> AmazonS3 {
    s3_builder(endpoint, bucket).with_skip_signature(true).build().unwrap()
}

pub(crate) fn azure(endpoint: &str, container: &str, keys: Keys) -> MicrosoftAzure {
    let builder = MicrosoftAzureBuilder::new().with_config(AzureConfigKey::Endpoint, endpoint);
    let builder = builder.with_account(keys.id).with_access_key(keys.secret).with_container_name(container);
    builder.with_client_options(options()).with_retry(once()).build().unwrap()
}

/// Without credentials: `with_skip_signature` alone would not do, since puts, copies and deletes ask for a token all the same.
pub(crate) fn gcs(endpoint: &str, bucket: &str) -> GoogleCloudStorage {
    gcs_with_token(endpoint, bucket, "")
}

pub(crate) fn gcs_with_token(endpoint: &str, bucket: &str, token: &str) -> GoogleCloudStorage {
    let builder = GoogleCloudStorageBuilder::new().with_base_url(endpoint).with_bucket_name(bucket);
    builder.with_bearer_token(token).with_client_options(options()).with_retry(once()).build().unwrap()
}
