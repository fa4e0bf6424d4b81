//! The address of a value: `workload.0.weight`, as messages and `--set` write it.

use std::fmt;

/// Keys and list indices from the root down.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Path(Vec<String>);

impl Path {
    pub(super) fn steps(&self) -> &[String] {
        &self.0
    }

    pub(super) fn child(&self, step: impl fmt::Display) -> Self {
        let mut steps = self.0.clone();
        steps.push(step.to_string());
        Self(steps)
    }

    /// The address without its last step; `None` for the root.
    pub(super) fn parent(&self) -> Option<Self> {
        self.0.split_last().map(|(_, rest)| Self(rest.to_vec()))
    }

    pub(super) fn starts_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// Whether this is the place that a pattern names, of which `*` is any step.
    pub(super) fn is(&self, pattern: &str) -> bool {
        self.0.len() == Self::from(pattern).0.len() && self.meets(pattern)
    }

    /// Whether this is that place, one below it, or one that it is in.
    pub(super) fn meets(&self, pattern: &str) -> bool {
        let pattern = Self::from(pattern).0;
        let same = |(step, wanted): (&String, &String)| wanted == "*" || step == wanted;
        self.0.iter().zip(&pattern).all(same)
    }

    /// With one name for a key instead of another.
    pub(super) fn renamed(self, from: &str, to: &str) -> Self {
        Self(self.0.into_iter().map(|step| if step == from { to.to_owned() } else { step }).collect())
    }
}

/// Reads `workload.0.weight`; the empty text is the root.
impl From<&str> for Path {
    fn from(text: &str) -> Self {
        Self(text.split('.').filter(|step| !step.is_empty()).map(str::to_owned).collect())
    }
}

impl From<String> for Path {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}
