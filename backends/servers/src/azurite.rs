//! Azurite, the emulator of Azure Blob Storage that its maker provides.

use crate::process::{Server, data_directory, insist};
use crate::{Keys, http, install, ports};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An Azurite server with its blob port; it keeps its data in memory.
#[derive(Debug)]
pub struct Azurite {
    address: SocketAddr,
    handed_out: AtomicUsize,
    _server: Server,
}

impl Azurite {
    /// Its only account; the key is base64, as Azure's are.
    pub const KEYS: Keys = Keys { id: "iobench", secret: "dGhlLWFjY291bnQta2V5LW9mLXRoZS10ZXN0cw==" };

    /// The server of this test program.
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<Azurite> = OnceLock::new();
        SERVER.get_or_init(|| insist("azurite", Self::start))
    }

    /// Where its blob port is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the account: here its name is the first part of the path, not of the host's name.
    pub fn endpoint(&self) -> String {
        format!("http://{}/{}", self.address, Self::KEYS.id)
    }

    /// An empty container that nobody else uses.
    pub fn container(&self) -> String {
        let name = format!("container-{}", self.handed_out.fetch_add(1, Ordering::Relaxed));
        let (date, version) = ("Mon, 01 Jan 2024 00:00:00 GMT", "2021-12-02");
        let path = format!("/{}/{name}", Self::KEYS.id);
        let authorization = authorization(&path, date, version);
        let headers =
            [("Authorization", authorization.as_str()), ("x-ms-date", date), ("x-ms-version", version)];
        let answer = http::request(self.address, "PUT", &format!("{path}?restype=container"), &headers);
        assert!(matches!(answer, Ok((201, _))), "azurite makes no container: {answer:?}");
        name
    }

    fn start() -> Result<Self, String> {
        let port = ports::free();
        let directory = data_directory("azurite-");
        let mut command = Command::new("node");
        command.arg(install::azurite());
        command.args(["--inMemoryPersistence", "--skipApiVersionCheck", "--silent", "--disableTelemetry"]);
        command.args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()]);
        command.env("AZURITE_ACCOUNTS", format!("{}:{}", Self::KEYS.id, Self::KEYS.secret));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        // It refuses a request without a signature: then it is ready.
        let server =
            Server::start("azurite", directory, &[], &command, || http::status(address, "/").is_some())?;
        Ok(Self { address, handed_out: AtomicUsize::new(0), _server: server })
    }
}

/// The shared key signature of a request to make a container, as Azure's documentation of "authorize with shared key" has it.
fn authorization(path: &str, date: &str, version: &str) -> String {
    let Keys { id, secret } = Azurite::KEYS;
    // The verb and eleven standard headers, all empty; then our headers and the resource. In an emulator's URL
    // the account is part of the path, so it stands there twice.
    let standard = "\n".repeat(12);
    let signed =
        format!("PUT{standard}x-ms-date:{date}\nx-ms-version:{version}\n/{id}{path}\nrestype:container");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64_STANDARD.decode(secret).expect("base64"));
    format!("SharedKey {id}:{}", BASE64_STANDARD.encode(hmac::sign(&key, signed.as_bytes())))
}
