//! A target with all that is needed to connect to it: what every executor's own clients are made from.

use super::address::Address;
use super::credentials::{self, Environment, Resolved};
use super::transport::Transport;
use iobench_core::message::{Failure, FailureClass};
use iobench_core::plan::{Checksum, Encryption, Scheme, StorageOptions, Uri};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureAccessKey, AzureConfigKey, MicrosoftAzureBuilder, split_sas};
use object_store::client::StaticCredentialProvider;
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use object_store::list::PaginatedListStore;
use object_store::multipart::MultipartStore;
use object_store::{ObjectStore, RetryConfig};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Everything that we ask of a provider.
pub(super) trait Store: ObjectStore + PaginatedListStore + MultipartStore {}

impl<T: ObjectStore + PaginatedListStore + MultipartStore> Store for T {}

/// One service, connected to.
#[derive(Clone)]
pub(super) struct Endpoint {
    /// For all but batches.
    pub(super) store: Arc<dyn Store>,
    /// Deletes many in one request, where the provider can.
    pub(super) batch: Arc<dyn Store>,
}

/// A target, its options and its credentials.
pub(super) struct Site {
    /// As it was configured, for a person.
    pub(super) target: Uri,
    pub(super) address: Address,
    pub(super) options: StorageOptions,
    /// `http://…` or `https://…`; `None` once for the provider's own.
    endpoints: Vec<Option<String>>,
    credentials: Resolved,
    account: Option<String>,
    region: String,
    tls: rustls::ClientConfig,
    pub(super) warnings: Vec<String>,
}

impl Site {
    /// Checks and resolves everything that can be checked without a connection.
    pub(super) fn open(
        target: &Uri,
        options: &StorageOptions,
        env: Environment<'_>,
    ) -> Result<Self, Failure> {
        let address = Address::of(target)
            .map_err(|message| config(message, "docs/STORAGE.md explains how targets are written"))?;
        can_be_done(address.scheme, options)?;
        let found = credentials::resolve(address.scheme, &options.credentials, env)?;
        let endpoints: Vec<_> = match &options.endpoints[..] {
            [] => vec![address.endpoint.clone()],
            some => some.iter().map(|endpoint| Some(endpoint.trim_end_matches('/').to_owned())).collect(),
        };
        let account = match &found.credentials {
            Resolved::Keys { name, .. } => Some(name.clone()),
            _ => address.account.clone().or_else(|| credentials::account(env)),
        };
        let plain =
            |endpoint: &Option<String>| endpoint.as_ref().is_some_and(|url| url.starts_with("http://"));
        let no_tls = endpoints.iter().all(plain) && !matches!(found.credentials, Resolved::Service(_));
        let region =
            options.region.clone().or_else(|| env("AWS_REGION")).or_else(|| env("AWS_DEFAULT_REGION"));
        let site = Self {
            target: target.clone(),
            tls: tls(options.tls_roots.as_deref(), no_tls)?,
            options: options.clone(),
            endpoints,
            credentials: found.credentials,
            account,
            region: region.unwrap_or_else(|| "us-east-1".to_owned()),
            warnings: found.warning.into_iter().collect(),
            address,
        };
        // What only the provider's builder checks shows now and not on a thread of the engine.
        site.connect(1)?;
        Ok(site)
    }

    /// Clients of all endpoints with connections of their own, for so many operations in flight.
    pub(super) fn connect(&self, slots: u32) -> Result<Vec<Endpoint>, Failure> {
        let idle = self.options.connections.unwrap_or(slots.saturating_mul(self.requests_a_task()));
        let transport = Transport::new(self.tls.clone(), idle as usize);
        self.endpoints.iter().map(|endpoint| self.endpoint(endpoint.as_deref(), &transport)).collect()
    }

    /// How an endpoint is called in results; empty where there is no choice.
    pub(super) fn names(&self) -> Vec<String> {
        match &self.endpoints[..] {
            [_] => Vec::new(),
            some => some.iter().flatten().cloned().collect(),
        }
    }

    fn requests_a_task(&self) -> u32 {
        let ranges = self.options.ranges.map_or(1, |ranges| ranges.concurrency);
        self.options.multipart.concurrency.max(ranges).max(1)
    }

    fn endpoint(&self, endpoint: Option<&str>, transport: &Transport) -> Result<Endpoint, Failure> {
        let built = match self.address.scheme {
            Scheme::Az => self.azure(endpoint, transport)?.build().map(|store| {
                let store = Arc::new(store) as Arc<dyn Store>;
                Endpoint { batch: Arc::clone(&store), store }
            }),
            Scheme::Gs => self.google(endpoint, transport).build().map(|store| {
                let store = Arc::new(store) as Arc<dyn Store>;
                Endpoint { batch: Arc::clone(&store), store }
            }),
            _ => self.s3(endpoint, transport).and_then(|builder| {
                let batch = builder.clone().with_disable_bulk_delete(false).build()?;
                let store = builder.with_disable_bulk_delete(true).build()?;
                Ok(Endpoint { store: Arc::new(store), batch: Arc::new(batch) })
            }),
        };
        built.map_err(|error| {
            config(format!("`{}` cannot be used: {error}", self.target), "correct the `storage` section")
        })
    }

    fn s3(&self, endpoint: Option<&str>, transport: &Transport) -> object_store::Result<AmazonS3Builder> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.address.bucket)
            .with_region(&self.region)
            .with_virtual_hosted_style_request(self.options.virtual_host)
            // Under TLS nothing can be changed on the way: hashing everything first would measure the hash.
            .with_unsigned_payload(endpoint.is_none_or(|url| url.starts_with("https://")))
            .with_retry(NO_RETRIES)
            .with_http_connector(transport.clone());
        if let Some(url) = endpoint {
            builder = builder.with_endpoint(match (self.options.virtual_host, url.split_once("://")) {
                (true, Some((scheme, host))) => format!("{scheme}://{}.{host}", self.address.bucket),
                _ => url.to_owned(),
            });
        }
        builder = match self.options.checksum {
            Checksum::None => builder,
            Checksum::Sha256 => builder.with_checksum_algorithm(object_store::aws::Checksum::SHA256),
            Checksum::Crc64Nvme => builder.with_checksum_algorithm(object_store::aws::Checksum::CRC64NVME),
        };
        builder = match &self.options.encryption {
            Encryption::Store => builder,
            Encryption::S3 => builder.with_config("aws_server_side_encryption".parse()?, "AES256"),
            Encryption::Kms(key) => builder.with_sse_kms_encryption(key),
        };
        Ok(match &self.credentials {
            Resolved::Keys { name, secret, token } => {
                builder = builder.with_access_key_id(name).with_secret_access_key(secret.reveal());
                match token {
                    Some(token) => builder.with_token(token.reveal()),
                    None => builder,
                }
            }
            Resolved::Service(settings) => {
                for (name, value) in settings {
                    let key: AmazonS3ConfigKey = name.to_lowercase().parse()?;
                    builder = builder.with_config(key, value.reveal());
                }
                builder
            }
            _ => builder.with_skip_signature(true),
        })
    }

    fn azure(&self, endpoint: Option<&str>, transport: &Transport) -> Result<MicrosoftAzureBuilder, Failure> {
        let account = self.account.as_deref().ok_or_else(|| {
            config(
                format!("`{}` names no account", self.target),
                "set AZURE_STORAGE_ACCOUNT, or write `az://account.blob.core.windows.net/container/prefix`",
            )
        })?;
        let mut builder = MicrosoftAzureBuilder::new()
            .with_account(account)
            .with_container_name(&self.address.bucket)
            .with_retry(NO_RETRIES)
            .with_http_connector(transport.clone());
        if let Some(url) = endpoint {
            // The account is in the host name, or (with emulators) the first segment of the path.
            let in_host =
                url.split_once("://").is_some_and(|(_, host)| host.split('.').next() == Some(account));
            builder =
                builder.with_endpoint(if in_host { url.to_owned() } else { format!("{url}/{account}") });
        }
        let wrong = |what| config(format!("`storage.credentials`: {what}"), "copy it again from the portal");
        Ok(match &self.credentials {
            Resolved::Keys { secret, .. } => {
                AzureAccessKey::try_new(secret.reveal())
                    .map_err(|_| wrong("the account key is not base64"))?;
                builder.with_access_key(secret.reveal())
            }
            Resolved::Token(token) => {
                let pairs =
                    split_sas(token.reveal()).map_err(|_| wrong("this is not a shared access signature"))?;
                builder.with_sas_authorization(pairs)
            }
            Resolved::Service(settings) => {
                for (name, value) in settings {
                    let key: AzureConfigKey = name
                        .to_lowercase()
                        .parse()
                        .map_err(|error: object_store::Error| config(error.to_string(), ""))?;
                    builder = builder.with_config(key, value.reveal());
                }
                builder
            }
            // A key is asked for even where nothing is signed with it.
            _ => builder.with_skip_signature(true).with_access_key(UNUSED_KEY),
        })
    }

    fn google(&self, endpoint: Option<&str>, transport: &Transport) -> GoogleCloudStorageBuilder {
        let mut builder = GoogleCloudStorageBuilder::new()
            .with_bucket_name(&self.address.bucket)
            .with_retry(NO_RETRIES)
            .with_http_connector(transport.clone());
        if let Some(url) = endpoint {
            builder = builder.with_base_url(url);
        }
        // Given credentials keep the builder from looking for others on this host.
        let bearer = |token: &str| {
            Arc::new(StaticCredentialProvider::new(GcpCredential { bearer: token.to_owned() })) as _
        };
        match &self.credentials {
            Resolved::Token(token) => builder.with_credentials(bearer(token.reveal())),
            Resolved::ServiceAccount(path) => builder.with_service_account_path(path.to_string_lossy()),
            Resolved::Service(settings) => settings
                .iter()
                .fold(builder, |builder, (_, path)| builder.with_application_credentials(path.reveal())),
            _ => builder.with_credentials(bearer("")).with_skip_signature(true),
        }
    }
}

/// Retries are the engine's: inside a request they would be a latency that nothing explains.
const NO_RETRIES: RetryConfig = RetryConfig {
    backoff: object_store::BackoffConfig {
        init_backoff: Duration::ZERO,
        max_backoff: Duration::ZERO,
        base: 1.0,
    },
    max_retries: 0,
    retry_timeout: Duration::ZERO,
};

/// Base64 of nothing in particular.
const UNUSED_KEY: &str = "AAAA";

/// What only S3 has.
fn can_be_done(scheme: Scheme, options: &StorageOptions) -> Result<(), Failure> {
    let foreign = [
        (options.checksum != Checksum::None, "storage.checksum"),
        (options.encryption != Encryption::Store, "storage.sse"),
        (options.virtual_host, "storage.virtual_host"),
    ];
    match foreign.iter().find(|(asked, _)| *asked && scheme != Scheme::S3) {
        Some((_, key)) => {
            Err(config(format!("`{key}` is not for `{}://`", scheme.name()), "leave it out, or use s3://"))
        }
        None => Ok(()),
    }
}

/// TLS with the given roots, else the system's; with none at all where no endpoint has TLS, as loading takes time.
fn tls(roots: Option<&Path>, no_tls: bool) -> Result<rustls::ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring offers what TLS 1.2 and 1.3 need");
    let mut store = rustls::RootCertStore::empty();
    match roots {
        Some(path) => {
            let wrong = |error: &dyn std::fmt::Display| {
                let message = format!("`storage.tls_roots`: cannot read `{}`: {error}", path.display());
                config(message, "give the path of a PEM file with certificates on this host")
            };
            let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                store.add(certificate).map_err(|error| wrong(&error))?;
            }
            if store.is_empty() {
                return Err(wrong(&"there is no certificate in it"));
            }
        }
        None if no_tls => {}
        None => {
            use hyper_rustls::ConfigBuilderExt;
            return builder.with_native_roots().map(|builder| builder.with_no_client_auth()).map_err(
                |error| {
                    let message = format!("cannot load this system's certificates: {error}");
                    config(message, "install them (ca-certificates), or set `storage.tls_roots`")
                },
            );
        }
    }
    Ok(builder.with_root_certificates(store).with_no_client_auth())
}

fn config(message: impl Into<String>, next: &str) -> Failure {
    Failure::new(FailureClass::Config, message.into(), next)
}
