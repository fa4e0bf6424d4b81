//! TLS between a controller and its agents.
//!
//! An agent shows a certificate ([`ServerTls`]); a controller trusts the authority that signed it ([`ClientTls`]).
//! When the agent is given an authority too, it lets in only controllers that show a certificate signed by that one
//! (mutual TLS). All files are PEM. They are read and tried out at once, so that a wrong file stops a program while
//! it starts, by name; what goes wrong later, between two hosts, [`next_step`] puts into words.

use anyhow::{Context, Result, bail};
use std::error::Error;
use std::path::{Path, PathBuf};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig};

/// What an agent needs to serve TLS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerTls {
    /// Its certificate, followed by any intermediate ones.
    pub cert: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// The authority that must have signed a controller's certificate; `None`: any controller is let in.
    pub client_ca: Option<PathBuf>,
}

/// What a controller needs to speak TLS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientTls {
    /// The authority that must have signed an agent's certificate.
    pub ca: PathBuf,
    /// The name that an agent's certificate must bear; `None`: the host in its address.
    pub domain: Option<String>,
    /// The certificate to show to agents that ask for one; goes with `key`.
    pub cert: Option<PathBuf>,
    /// The certificate's private key.
    pub key: Option<PathBuf>,
}

impl ServerTls {
    /// The configuration for a tonic server.
    ///
    /// # Errors
    /// When a file cannot be read, is not what it should be, or key and certificate do not belong together.
    pub fn config(&self) -> Result<ServerTlsConfig> {
        let own =
            ServerTlsConfig::new().timeout(super::server::OPEN).identity(identity(&self.cert, &self.key)?);
        try_to_serve(own.clone()).with_context(|| mismatch(&self.cert, &self.key))?;
        let Some(ca) = &self.client_ca else { return Ok(own) };
        let mutual = own.client_ca_root(certificate(ca)?);
        try_to_serve(mutual.clone())
            .with_context(|| format!("{} contains no usable certificate authority", ca.display()))?;
        Ok(mutual)
    }
}

impl ClientTls {
    /// The configuration for a tonic endpoint.
    ///
    /// # Errors
    /// When a file cannot be read or is not what it should be, key and certificate do not belong together or only one
    /// of them is given, or the name cannot be one.
    pub fn config(&self) -> Result<ClientTlsConfig> {
        let mut config = ClientTlsConfig::new().ca_certificate(certificate(&self.ca)?);
        if let Some(domain) = &self.domain {
            config = config.domain_name(domain);
            try_to_connect(config.clone()).with_context(|| {
                format!("{domain:?} cannot be the name in a certificate; give a host name or an IP address")
            })?;
        }
        match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                config = config.identity(identity(cert, key)?);
                try_to_connect(config.clone()).with_context(|| mismatch(cert, key))?;
            }
            (None, None) => {}
            (Some(cert), None) => bail!("{} needs its private key too; give both files", cert.display()),
            (None, Some(key)) => bail!("{} needs its certificate too; give both files", key.display()),
        }
        Ok(config)
    }
}

/// Builds what tonic would build from it, and throws it away.
fn try_to_serve(config: ServerTlsConfig) -> Result<()> {
    Server::builder().tls_config(config)?;
    Ok(())
}

/// Builds what tonic would build from it, and throws it away.
fn try_to_connect(config: ClientTlsConfig) -> Result<()> {
    Endpoint::from_static("https://localhost").tls_config(config)?;
    Ok(())
}

fn mismatch(cert: &Path, key: &Path) -> String {
    format!(
        "{} and {} do not form a TLS identity; give a certificate and the private key it was made for",
        cert.display(),
        key.display()
    )
}

fn certificate(path: &Path) -> Result<Certificate> {
    Ok(Certificate::from_pem(read(path, "CERTIFICATE", "a certificate")?))
}

fn identity(cert: &Path, key: &Path) -> Result<Identity> {
    let cert = read(cert, "CERTIFICATE", "a certificate")?;
    Ok(Identity::from_pem(cert, read(key, "PRIVATE KEY", "a private key without a passphrase")?))
}

/// The file, which must hold a PEM section of this kind.
fn read(path: &Path, section: &str, what: &str) -> Result<Vec<u8>> {
    let wanted = || format!("it must be a PEM file with {what}");
    let content =
        std::fs::read(path).with_context(|| format!("cannot read {}; {}", path.display(), wanted()))?;
    let kinds = sections(&content);
    if kinds.iter().any(|kind| kind.ends_with(section) && !kind.starts_with("ENCRYPTED")) {
        return Ok(content);
    }
    if kinds.is_empty() {
        bail!("{} is not PEM; {}", path.display(), wanted());
    }
    bail!("{} holds {}; {}", path.display(), kinds.join(", "), wanted());
}

/// The kinds of its PEM sections (RFC 7468), e.g. `EC PRIVATE KEY`.
fn sections(content: &[u8]) -> Vec<String> {
    let lines = String::from_utf8_lossy(content);
    let kind = |line: &str| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----").map(str::to_owned);
    lines.lines().filter_map(kind).collect()
}

/// What a person can do about a connection that failed for TLS reasons; `None` when TLS was not the reason.
///
/// rustls does not give these reasons as values through tonic, so they are known by their words, anywhere in the
/// chain of causes.
#[must_use]
pub fn next_step(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let causes: Vec<String> =
        std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string).collect();
    let says = |words: &str| causes.iter().any(|cause| cause.contains(words));
    NEXT_STEPS.iter().find(|(words, _)| words.iter().any(|words| says(words))).map(|&(_, step)| step)
}

const NEXT_STEPS: [(&[&str], &str); 6] = [
    (
        &["invalid peer certificate: UnknownIssuer", "invalid peer certificate: BadSignature"],
        "the agent's certificate was not signed by the given authority; give the one that signed it",
    ),
    (
        &["certificate not valid for name"],
        "the agent's certificate has a name other than its address; give the name in it as the TLS domain",
    ),
    (
        &["certificate expired", "certificate not valid yet", "alert: CertificateExpired"],
        "a certificate is out of date; renew it, or set the clock of the host that is wrong",
    ),
    (&["alert: CertificateRequired"], "the agent wants a client certificate; give one and its private key"),
    (
        &["alert: UnknownCA", "alert: DecryptError", "alert: BadCertificate"],
        "the agent does not trust this client certificate; give one signed by the agent's client authority",
    ),
    (
        &["received corrupt message of type InvalidContentType"],
        "the agent does not speak TLS; start it with a certificate, or connect without TLS",
    ),
];

#[cfg(test)]
mod tests;
