//! Whether an object store can be reached and used: looked at before a run, proven with one object when asked for.

use super::preflight::writes;
use crate::backend::Backend;
use crate::error::{Fault, StorageError};
use crate::storage::Storage;
use iobench_core::message::{Failure, FailureClass};
use iobench_core::plan::{Plan, StorageOptions};
use iobench_core::stats::ErrorClass;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// A service that does not answer a small request in this time is not there. Shorter than a controller waits.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a probe's object is called, before the name that nobody else has.
const PROBE: &str = ".iobench-probe-";
/// What is in it.
const CONTENT: &[u8] = b"written by iobench check --connect; it may be deleted\n";

/// Reaches every endpoint of the plan's object store, shows its credentials and lists one page. Changes nothing; does
/// nothing for other targets.
pub(super) fn reach(plan: &Plan, backend: &Backend) -> Result<(), Failure> {
    if !plan.target.scheme.is_object_store() {
        return Ok(());
    }
    let named = |endpoint: &String, failure: Failure| {
        let message = format!("endpoint {endpoint}: {}", failure.message);
        Failure::new(failure.class, message, failure.next_step)
    };
    match &*plan.storage.endpoints {
        [] => list(backend.storage()),
        [one] => list(backend.storage()).map_err(|failure| named(one, failure)),
        several => several.iter().try_for_each(|endpoint| {
            let alone = StorageOptions { endpoints: vec![endpoint.clone()], ..plan.storage.clone() };
            let backend = Backend::open(&plan.target, &plan.file, &alone)?;
            list(backend.storage()).map_err(|failure| named(endpoint, failure))
        }),
    }
}

fn list(storage: &Arc<dyn Storage>) -> Result<(), Failure> {
    patiently(storage, "list", |storage| storage.list(b"", None, 1).map(drop))
        .map_err(|error| explain(&error))
}

/// Does everything with the plan's store that a run would do to it, with one object under a name that nobody else has:
/// gives what was done, for a person. The object is gone afterwards.
pub fn connect(plan: &Plan, id: &str) -> Result<Vec<&'static str>, Failure> {
    let backend = Backend::open(&plan.target, &plan.file, &plan.storage)?;
    if !plan.target.scheme.is_object_store() {
        super::preflight::check_target(plan)?;
        return Ok(vec!["look"]);
    }
    reach(plan, &backend)?;
    let mut done = vec!["reach", "authenticate", "list"];
    if writes(plan) {
        let key = format!("{PROBE}{id}").into_bytes();
        let probed = probe(backend.storage(), &key, &mut done);
        let deleted = delete(backend.storage(), &key);
        probed?;
        deleted?;
        done.push("delete");
    }
    Ok(done)
}

fn probe(storage: &Arc<dyn Storage>, key: &[u8], done: &mut Vec<&'static str>) -> Result<(), Failure> {
    let name = key.to_vec();
    patiently(storage, "write", move |storage| storage.put(&name, &CONTENT))
        .map_err(|error| explain(&error))?;
    done.push("write");
    let name = key.to_vec();
    let read = patiently(storage, "read", move |storage| {
        let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
        storage.get(&name, &mut buffer, &mut |piece| read.extend_from_slice(piece))?;
        Ok(read)
    });
    if read.map_err(|error| explain(&error))? != CONTENT {
        let message = format!("`{}` does not contain what was just written to it", storage.place(key));
        return Err(Failure::new(FailureClass::Storage, message, "check the store: it is not consistent"));
    }
    done.push("read");
    Ok(())
}

/// Also when it could not be written: part of it may have arrived.
fn delete(storage: &Arc<dyn Storage>, key: &[u8]) -> Result<(), Failure> {
    let name = key.to_vec();
    match patiently(storage, "remove", move |storage| storage.delete(&name)) {
        Err(error) if error.class() != ErrorClass::NotFound => Err(explain(&error)),
        _ => Ok(()),
    }
}

/// Waits for a request in a thread of its own, but not for ever.
fn patiently<T: Send + 'static>(
    storage: &Arc<dyn Storage>,
    what: &'static str,
    request: impl FnOnce(&dyn Storage) -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    let (sender, answer) = sync_channel(1);
    let asked = Arc::clone(storage);
    let ask = move || {
        // Nobody listens any more when it took too long.
        let _taken = sender.send(request(&*asked));
    };
    let started = std::thread::Builder::new().name("connect".to_owned()).spawn(ask);
    let failed = |fault: Fault| fault.at(what, storage.place(b""));
    started.map_err(|error| failed(Fault::from(&error)))?;
    answer.recv_timeout(PATIENCE).unwrap_or_else(|_| Err(failed(Fault::TIMEOUT)))
}

/// A failure with what to do about it.
fn explain(error: &StorageError) -> Failure {
    let (class, next) = match error.class() {
        ErrorClass::NotFound => (FailureClass::Config, "create the bucket or container, or correct `target`"),
        ErrorClass::Denied => (
            FailureClass::Config,
            "look at `storage.credentials` (they are this host's), what they permit, `storage.region`, and this \
             host's clock",
        ),
        ErrorClass::Network => (
            FailureClass::Storage,
            "check that the service runs at the host and port in `storage.endpoint` or `target`, http against \
             https, `storage.tls_roots`, and this host's name resolution",
        ),
        ErrorClass::Timeout => (
            FailureClass::Storage,
            "check that the service runs and that nothing between it and this host drops packets",
        ),
        ErrorClass::Throttled | ErrorClass::Storage => {
            (FailureClass::Storage, "the service answers with errors: check its log, or try again later")
        }
        ErrorClass::Invalid => (
            FailureClass::Config,
            "the service does not understand the request: look at `storage.region`, `storage.virtual_host` and the \
             name of the bucket",
        ),
        _ => (FailureClass::Storage, "check the service's own log"),
    };
    Failure::new(class, error.to_string(), next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_of_failure_has_a_remedy() {
        for class in ErrorClass::ALL {
            let failure = explain(&Fault::of(class).at("list", "s3://bucket"));
            assert!(!failure.next_step.is_empty() && failure.message.contains("s3://bucket"), "{failure}");
        }
        let denied = explain(&Fault { class: ErrorClass::Denied, code: 403 }.at("list", "s3://bucket"));
        assert!(denied.next_step.contains("storage.credentials"), "{denied}");
    }

    #[test]
    fn nobody_listening_is_told_before_a_run() {
        let yaml = "target: s3://127.0.0.1:9/bucket\nworkload: [{op: put, path: x/, object_size: 1}]\n\
                    storage: {credentials: anonymous}";
        let plan = iobench_core::config::load(yaml, &[], "test").unwrap().plan(0, 1);
        let failure = connect(&plan, "test").unwrap_err();
        assert!(failure.next_step.contains("that the service runs"), "{failure}");
    }
}
