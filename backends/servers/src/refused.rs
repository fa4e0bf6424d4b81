//! An address at which nobody listens, for as long as it is held.

use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

/// A port that is taken and not listened at: each connection to it is refused.
#[derive(Debug)]
pub struct Refused {
    socket: OwnedFd,
}

impl Refused {
    /// Takes a port.
    #[expect(clippy::new_without_default, reason = "taking a port is no default")]
    pub fn new() -> Self {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("sockets can be made");
        bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port is free");
        Self { socket }
    }

    /// The address to fail at.
    pub fn address(&self) -> SocketAddr {
        let name = getsockname(&self.socket).expect("it is bound");
        name.try_into().expect("an IPv4 address")
    }
}
