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

#[cfg(test)]
pub(crate) mod testing {
    use http_body_util::StreamBody;
    use iobench_proto::codec::LenientCodec;
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::ReceiverStream;
    use tonic::codec::Codec;
    use tonic::{Status, Streaming};

    /// A stream on which nothing arrives, and a future that is ready when nobody listens to it any more.
    pub(crate) fn open_stream<T>() -> (Streaming<T>, impl Future<Output = ()>)
    where
        LenientCodec<T, T>: Codec<Decode = T>,
    {
        let (peer, frames) = mpsc::channel::<Result<_, Status>>(1);
        let body = tonic::body::Body::new(StreamBody::new(ReceiverStream::new(frames)));
        let decoder = LenientCodec::<T, T>::default().decoder();
        (Streaming::new_request(decoder, body, None, None), async move { peer.closed().await })
    }
}
