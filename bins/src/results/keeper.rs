//! The thread on which an agent keeps results: the agent itself never waits for its disk.

use super::kept::KEPT_MAX;
use iobench_core::agent::KeptRun;
use iobench_core::time::Now;
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot;

/// Keeps runs one after another, in the order in which they came.
#[derive(Debug)]
pub struct Keeper {
    queue: KeeperQueue,
    done: oneshot::Receiver<()>,
}

/// Where runs wait to be kept: not more of them than are ever kept.
#[derive(Clone, Debug)]
pub struct KeeperQueue(SyncSender<(Now, KeptRun)>);

impl Keeper {
    /// Calls `keep` for each run, on a thread of its own.
    pub fn start(mut keep: impl FnMut(Now, KeptRun) + Send + 'static) -> io::Result<Self> {
        let (queue, runs) = sync_channel(KEPT_MAX);
        let (end, done) = oneshot::channel();
        thread::Builder::new().name("iobench-kept".to_owned()).spawn(move || {
            runs.iter().for_each(|(now, run)| keep(now, run));
            // Nobody may wait for it any longer.
            end.send(()).ok();
        })?;
        Ok(Self { queue: KeeperQueue(queue), done })
    }

    /// For the agent's driver.
    #[must_use]
    pub fn queue(&self) -> KeeperQueue {
        self.queue.clone()
    }

    /// Waits until every run is dealt with, but not for ever, nor when somebody has had enough: `false` when time was
    /// up. All queues are gone by then.
    pub async fn finish_within(self, limit: Duration, enough: impl Future<Output = ()>) -> bool {
        drop(self.queue);
        tokio::select! {
            biased;
            done = self.done => done.is_ok(),
            () = enough => false,
            () = tokio::time::sleep(limit) => false,
        }
    }
}

impl KeeperQueue {
    /// Queues a run; returns at once. `false`: too many wait already, so that it will not be kept.
    pub fn keep(&self, now: Now, run: KeptRun) -> bool {
        self.0.try_send((now, run)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::testing::at;
    use iobench_core::message::RunId;
    use std::future::{pending, ready};
    use std::sync::mpsc::{Receiver, Sender, channel};

    fn run(number: u128) -> KeptRun {
        KeptRun {
            run: RunId(number),
            agent_id: "a".to_owned(),
            index: 0,
            yaml: String::new(),
            overrides: Vec::new(),
            seed: 0,
            messages: Vec::new(),
        }
    }

    /// A keeper whose disk answers whenever it is let.
    fn held() -> (Keeper, Receiver<u128>, Sender<()>) {
        let ((began, begins), (answer, answers)) = (channel(), channel());
        let keeper = Keeper::start(move |_, run| {
            began.send(run.run.0).unwrap();
            answers.recv().unwrap_or_default();
        });
        (keeper.unwrap(), begins, answer)
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_disk_that_does_not_answer_not_even_at_the_end() {
        let (keeper, begins, answer) = held();
        let queue = keeper.queue();
        assert!(queue.keep(at(0), run(0)));
        assert_eq!(begins.recv().unwrap(), 0);
        for number in 1..=KEPT_MAX as u128 {
            assert!(queue.keep(at(0), run(number)));
        }
        assert!(!queue.keep(at(0), run(99)), "more than that is not held");
        drop(queue);
        assert!(!keeper.finish_within(Duration::from_secs(10), pending()).await);
        drop(answer);
    }

    #[tokio::test]
    async fn a_disk_that_does_not_answer_is_left_when_somebody_has_had_enough() {
        let (keeper, _begins, _answer) = held();
        assert!(keeper.queue().keep(at(0), run(0)));
        assert!(!keeper.finish_within(Duration::from_secs(86_400), ready(())).await);
    }

    #[tokio::test]
    async fn runs_are_kept_in_order_and_waited_for_at_the_end() {
        let (keeper, begins, answer) = held();
        assert!((0..5).all(|number| keeper.queue().keep(at(0), run(number))));
        drop(answer);
        assert!(keeper.finish_within(Duration::from_secs(60), pending()).await);
        assert_eq!(begins.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }
}
