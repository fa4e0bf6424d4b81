//! The body of an answer that may end otherwise than the server meant.

use super::FLUSH;
use super::wire::Reset;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::time::{Sleep, sleep};

/// Any body.
pub(super) type Bytewise = BoxBody<Bytes, io::Error>;

/// How a body ends after what is let through.
pub(super) enum Ending {
    /// As if that were all.
    Regular,
    /// Not at all.
    Never,
    /// By closing the connection.
    Close,
    /// By resetting the connection.
    Reset(Reset),
}

pub(super) struct Shaped {
    inner: Bytewise,
    cut: Option<Cut>,
}

struct Cut {
    left: u64,
    ending: Ending,
    /// Runs when everything before an error has been handed over, so that it reaches the client.
    flush: Option<Pin<Box<Sleep>>>,
}

impl Shaped {
    pub(super) fn whole(inner: Bytewise) -> Self {
        Self { inner, cut: None }
    }

    pub(super) fn cut(inner: Bytewise, after: u64, ending: Ending) -> Self {
        Self { inner, cut: Some(Cut { left: after, ending, flush: None }) }
    }
}

impl Body for Shaped {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Self { inner, cut } = self.get_mut();
        let Some(cut) = cut else { return Pin::new(inner).poll_frame(cx) };
        if cut.left == 0 {
            return cut.end(cx);
        }
        let frame = ready!(Pin::new(inner).poll_frame(cx));
        let Some(Ok(frame)) = frame else { return Poll::Ready(frame) };
        let Ok(mut data) = frame.into_data() else { return Poll::Ready(None) };
        data.truncate(usize::try_from(cut.left).unwrap_or(usize::MAX));
        cut.left -= data.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn size_hint(&self) -> SizeHint {
        // With a cut the header `Content-Length` rules, whatever it says.
        if self.cut.is_some() { SizeHint::default() } else { self.inner.size_hint() }
    }

    fn is_end_stream(&self) -> bool {
        self.cut.is_none() && self.inner.is_end_stream()
    }
}

impl Cut {
    fn end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &self.ending {
            Ending::Regular => return Poll::Ready(None),
            Ending::Never => return Poll::Pending,
            Ending::Close | Ending::Reset(_) => {}
        }
        let flush = self.flush.get_or_insert_with(|| Box::pin(sleep(FLUSH)));
        ready!(flush.as_mut().poll(cx));
        if let Ending::Reset(reset) = &self.ending {
            reset.arm();
        }
        Poll::Ready(Some(Err(io::Error::other("cut by a rule"))))
    }
}
