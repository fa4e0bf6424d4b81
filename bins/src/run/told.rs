//! A person who does not want to wait for a disk.

use crate::drive::controller::Handle;
use crate::signals::when_told_to_end;
use anyhow::Context;
use std::io;
use std::time::Duration;
use tokio::sync::watch;

/// A disk that is well has written what is left within this time, so that it is not lost to a signal given twice.
const GRACE: Duration = Duration::from_secs(1);

/// How often the process was told to end.
#[derive(Clone, Debug)]
pub(super) struct Told(watch::Receiver<u32>);

impl Told {
    /// Counts from now on, and tells the controller each time.
    pub(super) fn from_now_on(controller: &Handle) -> io::Result<Self> {
        let (count, told) = watch::channel(0);
        let controller = controller.clone();
        when_told_to_end(move || {
            count.send_modify(|told| *told += 1);
            controller.interrupt();
        })?;
        Ok(Self(told))
    }

    /// Does what may wait for a disk for ever; `None` when the process is told to end before it is done. The second
    /// time ends everything, and so does the first if nothing else is left to be ended. What is abandoned goes on in
    /// its thread until the process has ended.
    pub(super) async fn or<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> anyhow::Result<Option<T>> {
        let mut told = self.0.clone();
        let enough = (*told.borrow() + 1).min(2);
        let impatient = async {
            if told.wait_for(|&told| told >= enough).await.is_err() {
                // Nobody is left who could tell.
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            biased;
            done = tokio::task::spawn_blocking(work) => done.map(Some).context("writing the results failed"),
            () = impatient => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// What becomes of work that hangs in a process that was told to end so often before, and is told so often now.
    async fn hanging(before: u32, now: u32) -> Option<()> {
        let (count, told) = watch::channel(before);
        let (release, hang) = mpsc::channel::<()>();
        let told = Told(told);
        let work = told.or(move || hang.recv().unwrap_or_default());
        let telling = async {
            // In between, the other side sees what has happened.
            tokio::task::yield_now().await;
            count.send_modify(|told| *told += now);
            tokio::task::yield_now().await;
            tokio::time::advance(2 * GRACE).await;
            tokio::task::yield_now().await;
            drop(release);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            done = work => done.unwrap(),
            () = telling => unreachable!("it has no end"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_hangs_is_left_when_told_to_end_once_more_and_at_once_when_told_twice_before() {
        for (before, now, left) in [(0, 1, true), (1, 1, true), (2, 0, true), (0, 0, false), (1, 0, false)] {
            assert_eq!(hanging(before, now).await.is_none(), left, "{before} before, {now} now");
        }
    }
}
