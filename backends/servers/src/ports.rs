//! Free ports for servers that cannot be asked to choose one.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// A server's HTTP port, and its port for gRPC this much above: the one that SeaweedFS's parts expect of each other.
pub(crate) const GRPC_ABOVE: u16 = 10_000;
/// Both are below what kernels hand out to outgoing connections (32768 and more), so that none takes one in between.
const FIRST: u16 = 11_000;
const COUNT: u16 = 10_000;

/// A port that is free together with the one [`GRPC_ABOVE`] it, and is handed out once in this process.
pub(crate) fn free() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test programs that run at the same time begin at different places.
    let own = (std::process::id() % u32::from(COUNT)).wrapping_mul(37) % u32::from(COUNT);
    let own = u16::try_from(own).expect("below the count");
    (0..COUNT)
        .map(|_| FIRST + (own + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT)
        .find(|&port| is_free(port) && is_free(port + GRPC_ABOVE))
        .expect("not all ports are taken")
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
