//! The one place where everything that happens to a driver arrives.

use tokio::sync::mpsc;

/// Messages of peers that may wait; a full inbox pushes back on their streams.
const REMOTE_CAPACITY: usize = 1024;

/// What a driver waits on.
///
/// Two queues: *remote* events come from peers, who may send as fast as they like, and is bounded. *Local* events come
/// from our own engine, disk and connections, which speak a few times a second or once for each thing we asked of
/// them, and must never wait. Local ones are taken first.
#[derive(Debug)]
pub struct Inbox<E> {
    local: mpsc::UnboundedReceiver<E>,
    remote: mpsc::Receiver<E>,
    local_sender: mpsc::UnboundedSender<E>,
    remote_sender: mpsc::Sender<E>,
}

/// Sends local events.
#[derive(Debug)]
pub struct Local<E>(mpsc::UnboundedSender<E>);

/// Sends what came from a peer.
#[derive(Debug)]
pub struct Remote<E>(mpsc::Sender<E>);

impl<E> Default for Inbox<E> {
    fn default() -> Self {
        let (local_sender, local) = mpsc::unbounded_channel();
        let (remote_sender, remote) = mpsc::channel(REMOTE_CAPACITY);
        Self { local, remote, local_sender, remote_sender }
    }
}

impl<E> Inbox<E> {
    /// For our own events.
    #[must_use]
    pub fn local(&self) -> Local<E> {
        Local(self.local_sender.clone())
    }

    /// For events of peers.
    #[must_use]
    pub fn remote(&self) -> Remote<E> {
        Remote(self.remote_sender.clone())
    }

    /// The next event. Can be dropped before it is ready without losing one.
    pub(super) async fn next(&mut self) -> Option<E> {
        tokio::select! {
            biased;
            event = self.local.recv() => event,
            event = self.remote.recv() => event,
        }
    }
}

impl<E> Local<E> {
    /// Queues an event; returns at once. After the driver has ended, nothing happens.
    pub fn send(&self, event: E) {
        // An error means that the driver has ended: there is nobody left to tell.
        self.0.send(event).ok();
    }
}

impl<E> Remote<E> {
    /// Queues an event, waiting for room; `false` when the driver has ended.
    pub async fn send(&self, event: E) -> bool {
        self.0.send(event).await.is_ok()
    }
}

impl<E> Clone for Local<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E> Clone for Remote<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
