//! Both ends of a connection, which can be closed or reset while the processes live.

use crate::state::with;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;
use turmoil::net::TcpStream;

/// How often an agent's connections have been cut while it lived.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Cuts {
    /// The agent's end was closed: its peer sees the end of the stream.
    pub(crate) closed: u32,
    /// Something in between has reset them: both ends see that.
    pub(crate) reset: u32,
}

/// One end.
pub(crate) struct Socket {
    stream: TcpStream,
    agent: usize,
    /// Whether it is the agent's.
    accepted: bool,
    /// What had been cut when it was opened.
    before: Cuts,
}

impl Socket {
    pub(crate) fn accepted(stream: TcpStream, agent: usize) -> Self {
        Self { stream, agent, accepted: true, before: cuts(agent) }
    }

    pub(crate) fn dialled(stream: TcpStream, agent: usize) -> Self {
        Self { stream, agent, accepted: false, before: cuts(agent) }
    }

    fn cut(&self) -> io::Result<()> {
        let now = cuts(self.agent);
        if now.reset != self.before.reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if self.accepted && now.closed != self.before.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }
}

fn cuts(agent: usize) -> Cuts {
    with(|state| state.agents[agent].cuts)
}

impl Connected for Socket {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.cut()?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.cut()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
