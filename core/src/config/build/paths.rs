//! Paths in a configuration → paths relative to the target.

use crate::config::path::Path;
use crate::config::problems::Problems;
use crate::config::source::Part;
use crate::plan::{Scheme, Uri, UriError};

/// What a `path` or `base_uri` names, relative to the target, without slashes at its ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Relative {
    pub(super) path: String,
    /// Whether it was written as a directory: with a slash at its end, or as the target itself.
    pub(super) directory: bool,
}

impl Relative {
    /// Reads a path relative to `target`, or a URI that lies below it. An error says what is wrong, without the path.
    pub(super) fn parse(text: &str, target: &Uri) -> Result<Self, String> {
        let below = if text.contains("://") { below_target(text, target)? } else { text.to_owned() };
        let path = below.trim_matches('/');
        if path.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err("it contains `.` or `..`; write the path without them".to_owned());
        }
        if path.chars().any(char::is_control) {
            return Err("it contains a control character".to_owned());
        }
        if path.contains("//") {
            return Err("it contains an empty name (`//`)".to_owned());
        }
        if path.contains('{') && path.contains('}') && (path.contains("..") || path.contains(',')) {
            return Err("braces are not expanded; use `*`".to_owned());
        }
        Ok(Self { path: path.to_owned(), directory: path.is_empty() || below.ends_with('/') })
    }

    pub(super) fn is_glob(&self) -> bool {
        self.path.contains('*')
    }

    /// As the prefix of keys: empty or ending in `/`.
    pub(super) fn base(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!("{}/", self.path) }
    }

    /// The directory that surely contains what is named, as the prefix of keys.
    pub(super) fn fixed_base(&self) -> String {
        if self.directory && !self.is_glob() {
            return self.base();
        }
        let fixed = self.path.split('*').next().unwrap_or_default();
        fixed.rfind('/').map_or("", |slash| &fixed[..=slash]).to_owned()
    }

    /// A glob over keys: a directory stands for everything in it.
    pub(super) fn glob(&self) -> String {
        if self.directory { format!("{}**", self.base()) } else { self.path.clone() }
    }
}

/// What is wrong with a path that [`Relative::parse`] refused: only of a URI it may be the target.
pub(super) fn unusable(written: &str, why: &str, at: Path, problems: &mut Problems<'_>) {
    let message = format!("`{written}` cannot be used: {why}");
    if written.contains("://") {
        problems.error(at, message, "");
    } else {
        problems.certain(Part::Value, at, message, "");
    }
}

fn below_target(text: &str, target: &Uri) -> Result<String, String> {
    let uri: Uri = text.parse().map_err(|error: UriError| error.to_string())?;
    let kin = |scheme| if scheme == Scheme::Direct { Scheme::File } else { scheme };
    let rest = uri.path.strip_prefix(&target.path);
    let rest = rest.filter(|rest| {
        rest.is_empty() || rest.starts_with('/') || target.path.ends_with('/') || target.path.is_empty()
    });
    match rest {
        Some(rest) if kin(uri.scheme) == kin(target.scheme) => {
            Ok(if text.ends_with('/') { format!("{rest}/") } else { rest.to_owned() })
        }
        _ => Err(format!("it does not lie below the target `{target}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Relative, String> {
        Relative::parse(text, &"file:///mnt/data".parse().unwrap())
    }

    #[test]
    fn paths_are_relative_to_the_target_however_they_are_written() {
        for text in [
            "a/b",
            "a/b/",
            "/a/b/",
            "file:///mnt/data/a/b",
            "file:///mnt/data/a/b/",
            "direct:///mnt/data/a/b",
        ] {
            assert_eq!(parse(text).unwrap().base(), "a/b/", "{text}");
        }
        for text in ["", "/", "file:///mnt/data", "file:///mnt/data/"] {
            assert_eq!(parse(text).unwrap(), Relative { path: String::new(), directory: true }, "{text}");
        }
        assert!(parse("a/").unwrap().directory && !parse("a").unwrap().directory);
        let root = Relative::parse("file:///a", &"file:///".parse().unwrap()).unwrap();
        assert_eq!(root.path, "a");
    }

    #[test]
    fn a_path_elsewhere_is_refused() {
        for text in ["file:///mnt/database/x", "file:///mnt", "s3://mnt/data/x", "file:///mnt/data/../x"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("a/../b").unwrap_err().contains("`..`"));
        assert!(parse("a//b").unwrap_err().contains("empty name"));
        assert!(parse("obj_{0..9}").unwrap_err().contains("use `*`"));
    }

    #[test]
    fn a_directory_stands_for_everything_in_it() {
        assert_eq!(parse("a/").unwrap().glob(), "a/**");
        assert_eq!(parse("/").unwrap().glob(), "**");
        assert_eq!(parse("a/*.dat").unwrap().glob(), "a/*.dat");
        assert_eq!(parse("a/*/").unwrap().glob(), "a/*/**");
        assert_eq!(parse("a/b").unwrap().glob(), "a/b");
        assert_eq!(parse("a/b*/c").unwrap().fixed_base(), "a/");
        assert_eq!(parse("*").unwrap().fixed_base(), "");
        assert_eq!(parse("a/b/").unwrap().fixed_base(), "a/b/");
        assert_eq!(parse("a/b").unwrap().fixed_base(), "a/");
    }
}
