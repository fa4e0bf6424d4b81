//! Where tonic meets the drivers.

mod client;
mod memory;
mod preface;
mod server;
pub mod tls;

pub use client::{Dial, Tcp, cause_of, describe, open};
pub use memory::{Memory, memory};
pub use server::{listen, serve};

use iobench_core::message::Gone;
use std::future::Future;
use tokio_stream::StreamExt;
use tonic::Streaming;

/// Forwards what arrives on a stream, in order, then says how the stream ended. Ends early when nobody listens.
pub(crate) async fn pump<T, F, G>(
    mut incoming: Streaming<T>,
    forward: impl Fn(T) -> F,
    closed: impl FnOnce(Gone) -> G,
) where
    F: Future<Output = bool>,
    G: Future<Output = bool>,
{
    let gone = loop {
        match incoming.next().await {
            Some(Ok(message)) => {
                if !forward(message).await {
                    return;
                }
            }
            Some(Err(_)) => break Gone::Broken,
            None => break Gone::Ended,
        }
    };
    closed(gone).await;
}
