//! What several agents have to say in almost the same words, told once.

/// More are told by their number.
const NAMED_MAX: usize = 3;

/// A line for each thing that is said, with those of `all` agents who say it. Texts that differ in numbers alone (sizes,
/// the agent's own directory) are one thing, told in the words of the first.
#[must_use]
pub fn together<'a>(said: impl IntoIterator<Item = (&'a str, &'a str)>, all: usize) -> Vec<String> {
    let mut things: Vec<(Vec<&str>, &str, bool)> = Vec::new();
    for (agent, text) in said {
        match things.iter_mut().find(|(_, known, _)| same(known, text)) {
            Some((agents, known, equal)) => {
                *equal &= *known == text;
                agents.push(agent);
            }
            None => things.push((vec![agent], text, true)),
        }
    }
    let line = |(agents, text, equal): &(Vec<&str>, &str, bool)| {
        let example = if *equal { String::new() } else { format!(", here {}", agents[0]) };
        let who = match (&agents[..], all) {
            (_, 0 | 1) => return (*text).to_owned(),
            ([one], _) => format!("agent {one}"),
            (some, all) if some.len() == all => format!("all {all} agents"),
            (some, _) if some.len() <= NAMED_MAX => format!("agents {}", some.join(", ")),
            (some, all) => format!("{} of {all} agents", some.len()),
        };
        format!("{who}{example}: {text}")
    };
    things.iter().map(line).collect()
}

fn same(one: &str, other: &str) -> bool {
    let words =
        |text: &'_ str| text.chars().filter(|letter| !letter.is_ascii_digit() && *letter != '.').collect();
    let (one, other): (String, String) = (words(one), words(other));
    one == other
}

#[cfg(test)]
mod tests {
    use super::together;

    #[test]
    fn one_line_says_who_says_it() {
        let said = [("a", "x"), ("b", "x"), ("b", "/b-1/ is there"), ("c", "/b-2/ is there"), ("c", "z")];
        let expected = ["agents a, b: x", "agents b, c, here b: /b-1/ is there", "agent c: z"];
        assert_eq!(together(said, 9), expected);
        assert_eq!(together([("a", "x"), ("b", "x")], 2), ["all 2 agents: x"]);
        assert_eq!(together([("a", "x"); 4], 9), ["4 of 9 agents: x"]);
        assert_eq!(together([("local", "x")], 1), ["x"]);
    }
}
