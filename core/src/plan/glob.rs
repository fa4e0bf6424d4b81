//! Globs over keys: `*` within one path segment, `**` across segments.

/// Whether `key` matches `glob`; both are relative to the target. A segment `**` stands for any number of
/// segments, also none; `*` for any text without `/`. Nothing else is special. Takes time proportional to the
/// product of both lengths at worst, whatever the glob.
#[must_use]
pub fn glob_matches(glob: &str, key: &str) -> bool {
    let segments = key.split('/').collect::<Vec<_>>();
    // `reached[i]`: the glob so far matches the first `i` segments of the key.
    let mut reached = vec![false; segments.len() + 1];
    reached[0] = true;
    for part in glob.split('/') {
        if part == "**" {
            let first = reached.iter().position(|&yes| yes).unwrap_or(reached.len());
            reached[first..].fill(true);
        } else {
            for i in (0..segments.len()).rev() {
                reached[i + 1] = reached[i] && segment_matches(part.as_bytes(), segments[i].as_bytes());
            }
            reached[0] = false;
        }
    }
    reached[segments.len()]
}

/// One segment. On a mismatch only the last `*` has to be tried again: an earlier one could gain nothing.
fn segment_matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            retry = Some((p, t));
        } else if pattern.get(p) == Some(&text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((after_star, from)) = retry {
            (p, t) = (after_star, from + 1);
            retry = Some((p, t));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::glob_matches;

    #[test]
    fn one_star_stays_within_a_segment_and_two_cross_them() {
        for (glob, key, matches) in [
            ("data/*", "data/a", true),
            ("data/*", "data/a/b", false),
            ("data/**", "data/a/b", true),
            ("data/**/*", "data/a", true),
            ("data/**/*", "data/a/b/c", true),
            ("**", "a", true),
            ("**", "a/b", true),
            ("**/b", "b", true),
            ("**/b", "a/a/b", true),
            ("**/b", "a/bb", false),
            ("a/**/b/**/c", "a/b/x/b/c", true),
            ("a/**/b/**/c", "a/x/c", false),
            ("d*_w*.dir/**/*", "d1_w1.dir/d2_w3.dir/file_00000001.dat", true),
            ("prepared-*.dat", "prepared-00000012.dat", true),
            ("*a*b", "xaxxab", true),
            ("*a*b", "xaxxa", false),
            ("a", "a", true),
            ("a", "ab", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(glob_matches(glob, key), matches, "{glob} {key}");
        }
    }

    #[test]
    fn a_malicious_glob_takes_no_exponential_time() {
        assert!(!glob_matches(&"*a".repeat(200), &"a".repeat(199)));
        assert!(!glob_matches(&"**/a/".repeat(200), &("a/".repeat(400) + "b")));
    }
}
