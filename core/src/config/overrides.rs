//! `--set workload.0.weight=5`: single values put over the file.

use super::diagnose::{Diagnostic, Place, Severity};
use super::path::Path;
use super::source::Override;
use super::yaml::{self, Node};
use std::sync::Arc;

/// Puts the settings over `root` in order; what cannot be put there is returned, with the key that it seems to be about.
pub(super) fn apply(root: &mut Node, settings: &[String]) -> (Vec<Override>, Vec<(Path, Diagnostic)>) {
    let origin: Arc<str> = "--set".into();
    let mut applied = Vec::new();
    let mut bad = Vec::new();
    for setting in settings {
        let text: Arc<str> = setting.as_str().into();
        match one(root, setting) {
            Ok(path) => applied.push(Override { path, origin: origin.clone(), text }),
            Err((message, help)) => {
                let place = Some(Place::new(&origin, &text, 0..text.len()));
                let about = Path::from(setting.split('=').next().unwrap_or_default().trim());
                bad.push((about, Diagnostic::new(Severity::Error, &message, help, place)));
            }
        }
    }
    (applied, bad)
}

type Refusal = (String, &'static str);

fn one(root: &mut Node, setting: &str) -> Result<Path, Refusal> {
    const FORM: &str = "write a key, `=` and a value, as in `--set workload.0.weight=5`";
    let (path, value) = setting.split_once('=').ok_or(("this setting has no `=`".to_owned(), FORM))?;
    let path = Path::from(path.trim());
    if path.steps().is_empty() {
        return Err(("this setting names no key".to_owned(), FORM));
    }
    let value = yaml::parse(value).map_err(|bad| (bad.message, bad.help))?;
    if value == Node::Null {
        return Err((format!("`{path}` is set to nothing"), FORM));
    }
    put(root, &path, value)?;
    Ok(path)
}

/// Sets the value at `path`, making the sections above it as needed.
fn put(root: &mut Node, path: &Path, value: Node) -> Result<(), Refusal> {
    let mut node = root;
    let mut walked = Path::default();
    for step in path.steps() {
        walked = walked.child(step);
        if *node == Node::Null {
            *node = if step == "0" { Node::List(Vec::new()) } else { Node::Map(Vec::new()) };
        }
        node = match node {
            Node::Map(entries) => {
                let at = entries.iter().position(|(key, _)| key == step).unwrap_or(entries.len());
                if at == entries.len() {
                    entries.push((step.clone(), Node::Null));
                }
                &mut entries[at].1
            }
            Node::List(items) => {
                let len = items.len();
                let index = step.parse::<usize>().ok().filter(|&index| index <= len);
                let help = "list items are numbered from 0; the number after the last adds one";
                let index = index
                    .ok_or_else(|| (format!("`{walked}` does not exist: the list has {len} items"), help))?;
                if index == len {
                    items.push(Node::Null);
                }
                &mut items[index]
            }
            _ => {
                let above = walked.parent().unwrap_or_default();
                return Err((
                    format!("`{above}` is a single value and has no keys below it"),
                    "set the key itself",
                ));
            }
        };
    }
    *node = value;
    Ok(())
}
