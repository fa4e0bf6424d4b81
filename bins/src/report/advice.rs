//! What several agents have to say in almost the same words, told once.

/// More are told by their number.
const NAMED_MAX: usize = 3;

/// A line for each thing that is said, with those of `all` agents who say it. Texts of different agents that differ in
/// numbers alone (sizes, the agent's own directory) are one thing, told in the words of the first. Two texts of one agent
/// are two things, whatever they differ in.
#[must_use]
pub fn together<'a>(said: impl IntoIterator<Item = (&'a str, &'a str)>, all: usize) -> Vec<String> {
    // Equal texts first: who says them takes part in nothing that is only like them.
    let mut texts: Vec<(Vec<&str>, &str)> = Vec::new();
    for (agent, text) in said {
        match texts.iter_mut().find(|(_, known)| *known == text) {
            Some((agents, _)) if agents.contains(&agent) => {}
            Some((agents, _)) => agents.push(agent),
            None => texts.push((vec![agent], text)),
        }
    }
    let mut things: Vec<(Vec<&str>, &str, bool)> = Vec::new();
    for (agents, text) in texts {
        let others = |known: &[&str]| !agents.iter().any(|agent| known.contains(agent));
        match things.iter_mut().find(|(known, example, _)| others(known) && same(example, text)) {
            Some((known, _, equal)) => {
                *equal = false;
                known.extend(agents);
            }
            None => things.push((agents, text, true)),
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
        assert_eq!(together(["a", "b", "c", "d"].map(|agent| (agent, "x")), 9), ["4 of 9 agents: x"]);
        assert_eq!(together([("local", "x"); 2], 1), ["x"]);
    }

    #[test]
    fn nothing_that_one_agent_says_hides_something_else_that_it_says() {
        let left = ["1 file of 12; find -12-", "3 file of 345; find -345-"];
        assert_eq!(together(left.map(|text| ("local", text)), 1), left);
        let (one, two) = ("d1/obj_0 exists", "d2/obj_0 exists");
        assert_eq!(
            together([("a", one), ("a", two)], 2),
            ["agent a: d1/obj_0 exists", "agent a: d2/obj_0 exists"]
        );
        // Whoever says the same words is with those who do, not with those who say about the same.
        let expected = ["all 2 agents: d2/obj_0 exists", "agent b: d1/obj_0 exists"];
        assert_eq!(together([("a", two), ("b", one), ("b", two)], 2), expected);
        let expected = ["all 2 agents, here a: d1/obj_0 exists", "agent a: d2/obj_0 exists"];
        assert_eq!(together([("a", one), ("a", two), ("b", "d3/obj_0 exists")], 2), expected);
    }
}
