//! Real servers and clients on loopback, with certificates made here.

use super::super::client::{Tcp, describe};
use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::net::SocketAddr;
use tempfile::TempDir;
use tokio_stream::wrappers::TcpListenerStream;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// A directory of certificates: each authority and each identity under its own name.
struct Certificates(TempDir);

impl Certificates {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        std::fs::write(self.path(name), content).expect("writable");
        self.path(name)
    }

    fn authority(&self, name: &str) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let authority = CertifiedIssuer::self_signed(params, new_key()).expect("signed");
        self.write(&format!("{name}.pem"), &authority.pem());
        authority
    }

    /// Writes `<file>.pem` and `<file>.key`, a certificate for this host name or address.
    fn issue(&self, authority: &CertifiedIssuer<'_, KeyPair>, file: &str, host: &str) {
        self.issue_until(authority, file, host, 4096);
    }

    fn issue_until(&self, authority: &CertifiedIssuer<'_, KeyPair>, file: &str, host: &str, year: i32) {
        let mut params = CertificateParams::new([host.to_owned()]).expect("a name");
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = new_key();
        let cert = params.signed_by(&key, authority).expect("signed");
        self.write(&format!("{file}.pem"), &cert.pem());
        self.write(&format!("{file}.key"), &key.serialize_pem());
    }

    fn server(&self, file: &str, client_ca: Option<&str>) -> ServerTls {
        let (cert, key) = (self.path(&format!("{file}.pem")), self.path(&format!("{file}.key")));
        ServerTls { cert, key, client_ca: client_ca.map(|name| self.path(&format!("{name}.pem"))) }
    }

    fn client(&self, ca: &str, identity: Option<&str>) -> ClientTls {
        ClientTls {
            ca: self.path(&format!("{ca}.pem")),
            domain: None,
            cert: identity.map(|file| self.path(&format!("{file}.pem"))),
            key: identity.map(|file| self.path(&format!("{file}.key"))),
        }
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("enough randomness")
}

/// Serves the health service on a free port for as long as the test lasts.
async fn serve(tls: Option<&ServerTls>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let mut server = Server::builder();
    if let Some(tls) = tls {
        server = server.tls_config(tls.config().expect("good files")).expect("tried out");
    }
    let (_, health) = tonic_health::server::health_reporter();
    tokio::spawn(server.add_service(health).serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

/// Connects, asks once, and gives the next step when that fails.
async fn ask(address: SocketAddr, tls: &ClientTls) -> Result<(), String> {
    let explain = |error: &(dyn Error + 'static)| match next_step(error) {
        Some(step) => step.to_owned(),
        None => format!("not explained: {error:?}"),
    };
    let endpoint = Endpoint::from_shared(format!("https://{address}")).expect("an address");
    let endpoint = endpoint.tls_config(tls.config().expect("good files")).expect("tried out");
    let channel = endpoint.connect().await.map_err(|error| explain(&error))?;
    let answer = HealthClient::new(channel).check(HealthCheckRequest::default()).await;
    answer.map(drop).map_err(|status| explain(&status))
}

#[tokio::test]
async fn a_controller_that_trusts_the_authority_reaches_the_agent() {
    let files = Certificates::new();
    files.issue(&files.authority("ca"), "agent", "127.0.0.1");
    let address = serve(Some(&files.server("agent", None))).await;
    assert_eq!(ask(address, &files.client("ca", None)).await, Ok(()));
}

#[tokio::test]
async fn an_agent_signed_by_another_authority_is_not_trusted() {
    let files = Certificates::new();
    files.issue(&files.authority("ca"), "agent", "127.0.0.1");
    files.authority("other");
    let address = serve(Some(&files.server("agent", None))).await;
    let refused = ask(address, &files.client("other", None)).await.expect_err("not trusted");
    assert_eq!(
        refused,
        "the agent's certificate was not signed by the given authority; give the one that signed it"
    );
}

#[tokio::test]
async fn a_certificate_for_another_name_is_accepted_only_under_that_name() {
    let files = Certificates::new();
    files.issue(&files.authority("ca"), "agent", "agent.example");
    let address = serve(Some(&files.server("agent", None))).await;
    let mut tls = files.client("ca", None);
    let refused = ask(address, &tls).await.expect_err("another name");
    assert!(refused.starts_with("the agent's certificate has a name other"), "{refused}");
    tls.domain = Some("agent.example".into());
    assert_eq!(ask(address, &tls).await, Ok(()));
}

#[tokio::test]
async fn a_certificate_out_of_date_is_said_to_be() {
    let files = Certificates::new();
    files.issue_until(&files.authority("ca"), "agent", "127.0.0.1", 2001);
    let address = serve(Some(&files.server("agent", None))).await;
    let refused = ask(address, &files.client("ca", None)).await.expect_err("expired");
    assert!(refused.starts_with("a certificate is out of date"), "{refused}");
}

#[tokio::test]
async fn an_agent_without_tls_is_recognised() {
    let files = Certificates::new();
    files.authority("ca");
    let address = serve(None).await;
    let refused = ask(address, &files.client("ca", None)).await.expect_err("no TLS there");
    assert!(refused.starts_with("the agent does not speak TLS"), "{refused}");
}

/// Takes one connection, waits until it is spoken to, and answers with these bytes and the end.
async fn answer_once(answer: &'static [u8]) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut asked = [0; 1024];
        let spoken_to = stream.read(&mut asked).await.is_ok_and(|length| length > 0);
        assert!(spoken_to, "the client begins");
        stream.write_all(answer).await.expect("the client is still there");
        stream.shutdown().await.expect("the client is still there");
        // Whoever closes with something unread resets the connection, and takes the answer back.
        while stream.read(&mut asked).await.is_ok_and(|length| length > 0) {}
    });
    address
}

#[tokio::test]
async fn an_agent_with_tls_is_recognised_without_it_whether_its_alert_arrives_or_not() {
    // A record of type alert, TLS 1.2 on the wire, two bytes: fatal, protocol_version (RFC 8446, 5.1 and 6).
    for answer in [&[0x15, 3, 3, 0, 2, 2, 70][..], &[]] {
        let address = answer_once(answer).await;
        let refused = describe(&Tcp::default(), &address).await.expect_err("no HTTP/2 there");
        assert!(refused.message.ends_with("does the agent want TLS?"), "{answer:?}: {}", refused.message);
    }
}

#[tokio::test]
async fn mutual_tls_lets_in_whom_the_agent_knows_and_no_one_else() {
    let files = Certificates::new();
    files.issue(&files.authority("ca"), "agent", "127.0.0.1");
    files.issue(&files.authority("controllers"), "controller", "controller");
    files.issue(&files.authority("strangers"), "stranger", "stranger");
    let address = serve(Some(&files.server("agent", Some("controllers")))).await;

    assert_eq!(ask(address, &files.client("ca", Some("controller"))).await, Ok(()));
    let without = ask(address, &files.client("ca", None)).await.expect_err("no certificate");
    assert_eq!(without, "the agent wants a client certificate; give one and its private key");
    let stranger = ask(address, &files.client("ca", Some("stranger"))).await.expect_err("unknown");
    assert!(stranger.starts_with("the agent does not trust this client certificate"), "{stranger}");
}

#[test]
fn a_wrong_file_is_named_with_what_it_should_be() {
    let files = Certificates::new();
    let ca = files.authority("ca");
    files.issue(&ca, "agent", "127.0.0.1");
    files.issue(&ca, "other", "127.0.0.1");
    let good = files.server("agent", Some("ca"));
    good.config().expect("good files");
    let complaint = |change: &dyn Fn(&mut ServerTls)| {
        let mut tls = good.clone();
        change(&mut tls);
        let error = tls.config().expect_err("a wrong file");
        format!("{error:#}").replace(&format!("{}/", files.0.path().display()), "")
    };
    let text = files.write("notes.txt", "hello");
    let encrypted = files.write("encrypted.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
    let hollow =
        files.write("hollow.pem", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n");

    assert_eq!(
        complaint(&|tls| tls.cert = files.path("none.pem")),
        "cannot read none.pem; it must be a PEM file with a certificate: No such file or directory (os error 2)"
    );
    assert_eq!(
        complaint(&|tls| tls.cert = text.clone()),
        "notes.txt is not PEM; it must be a PEM file with a certificate"
    );
    assert_eq!(
        complaint(&|tls| tls.cert = files.path("agent.key")),
        "agent.key holds PRIVATE KEY; it must be a PEM file with a certificate"
    );
    assert_eq!(
        complaint(&|tls| tls.key = encrypted.clone()),
        "encrypted.key holds ENCRYPTED PRIVATE KEY; it must be a PEM file with a private key without a passphrase"
    );
    let mismatch = complaint(&|tls| tls.key = files.path("other.key"));
    assert!(
        mismatch.starts_with(
            "agent.pem and other.key do not form a TLS identity; give a certificate and the private"
        ),
        "{mismatch}"
    );
    let broken = complaint(&|tls| tls.client_ca = Some(hollow.clone()));
    assert!(broken.starts_with("hollow.pem contains no usable certificate authority"), "{broken}");
}

#[test]
fn a_controller_is_told_of_wrong_files_too() {
    let files = Certificates::new();
    let ca = files.authority("ca");
    files.issue(&ca, "controller", "controller");
    files.issue(&ca, "other", "other");
    let good = files.client("ca", Some("controller"));
    good.config().expect("good files");
    let complaint = |change: &dyn Fn(&mut ClientTls)| {
        let mut tls = good.clone();
        change(&mut tls);
        let error = tls.config().expect_err("a wrong file");
        format!("{error:#}").replace(&format!("{}/", files.0.path().display()), "")
    };

    let missing = complaint(&|tls| tls.ca = files.path("none.pem"));
    assert!(
        missing.starts_with("cannot read none.pem; it must be a PEM file with a certificate"),
        "{missing}"
    );
    let mismatch = complaint(&|tls| tls.key = Some(files.path("other.key")));
    assert!(mismatch.starts_with("controller.pem and other.key do not form a TLS identity"), "{mismatch}");
    assert_eq!(complaint(&|tls| tls.key = None), "controller.pem needs its private key too; give both files");
    assert_eq!(
        complaint(&|tls| tls.cert = None),
        "controller.key needs its certificate too; give both files"
    );
    let name = complaint(&|tls| tls.domain = Some("not a name".into()));
    assert!(name.starts_with("\"not a name\" cannot be the name in a certificate"), "{name}");
}
