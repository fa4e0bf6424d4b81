//! TLS between a controller and an agent as real processes, with certificates made here.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod support;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::path::PathBuf;
use std::time::Duration;
use support::{Agent, Place, controller};

/// An authority, and certificates it has signed for 127.0.0.1.
struct Authority {
    certificate: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(place: &Place, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate: place.file(&format!("{name}.pem"), &certificate.pem()),
            issuer: Issuer::new(params, key),
        }
    }

    fn sign(&self, place: &Place, name: &str) -> [String; 2] {
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        [
            text(place.file(&format!("{name}.crt"), &certificate.pem())),
            text(place.file(&format!("{name}.key"), &key.serialize_pem())),
        ]
    }

    fn path(&self) -> &str {
        self.certificate.to_str().unwrap()
    }
}

const RUN: &str = "target: null://\nduration: 1s\ndistributed: {start_delay: 3s}\nworkload:\n  - {op: put, path: a/, object_size: 4KiB}\n";

#[test]
fn a_run_over_mutual_tls_completes_and_strangers_are_refused() {
    let place = Place::new();
    let file = place.file("run.yaml", RUN);
    let (ours, strangers) = (Authority::new(&place, "ours"), Authority::new(&place, "strangers"));
    let [cert, key] = ours.sign(&place, "agent");
    let [client_cert, client_key] = ours.sign(&place, "controller");
    let agent = Agent::start_with(
        &place,
        "a",
        &["--tls-cert", &cert, "--tls-key", &key, "--tls-client-ca", ours.path()],
    );
    let limit = Duration::from_secs(60);
    let with = |arguments: &[&str]| controller(&place, &file, &[&agent], arguments).end(limit);
    let mutual = ["--tls-ca", ours.path(), "--tls-cert", &client_cert, "--tls-key", &client_key];
    let (code, _, stderr) = with(&mutual);
    assert_eq!(code, 0, "{stderr}");

    let (code, _, stderr) =
        with(&["--tls-ca", strangers.path(), "--tls-cert", &client_cert, "--tls-key", &client_key]);
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.contains("not signed by the given authority"), "{stderr}");

    let (code, _, stderr) = with(&["--tls-ca", ours.path()]);
    assert_eq!(code, 4, "{stderr}");
    // As the agent's alert says, or as is guessed where the end of the connection overtakes it.
    assert!(stderr.contains("a client certificate"), "{stderr}");

    let (code, _, stderr) = with(&[]);
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.contains("TLS"), "a controller without TLS is told what may be wrong: {stderr}");
}
