//! What may be a secret is never shown: a diagnostic quotes the line it is about, and may end up in a log.
//!
//! Secrets have no place in a configuration, and whoever writes one is told so. That, or any other message about the
//! same line, must not repeat it.

use super::path::Path;
use super::values::Secret;
use super::yaml::Node;

/// Parts of the names of keys, in any case, under which people write secrets.
const TELLING: [&str; 9] =
    ["secret", "token", "password", "passwd", "credential", "access_key", "account_key", "api_key", "sas"];

/// Every scalar that may be a secret, or hold one.
pub(super) fn secrets(root: &Node) -> Vec<Path> {
    let mut found = Vec::new();
    walk(root, &Path::default(), false, &mut found);
    found
}

fn walk(node: &Node, path: &Path, telling: bool, found: &mut Vec<Path>) {
    match node {
        Node::Map(entries) => {
            for (key, value) in entries {
                let name = key.to_ascii_lowercase();
                let telling = telling || TELLING.iter().any(|part| name.contains(part));
                walk(value, &path.child(key), telling, found);
            }
        }
        Node::List(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &path.child(index), telling, found);
            }
        }
        Node::Text(text) if telling && !is_harmless(text) || has_user(text) => found.push(path.clone()),
        Node::Unsigned(_) | Node::Signed(_) | Node::Float(_) if telling => found.push(path.clone()),
        _ => {}
    }
}

/// References, the words for credentials, and paths.
fn is_harmless(text: &str) -> bool {
    let word = matches!(text, "env" | "anonymous") || text.starts_with("profile:") || text.starts_with('/');
    word || Secret::parse(text).is_some()
}

/// `scheme://user:password@host`, or a query, which may be a signature.
fn has_user(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| rest.contains(['@', '?']))
}
