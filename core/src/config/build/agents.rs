//! Agents as written → one entry for each agent, with its place in the data set.

use super::paths::Relative;
use crate::config::file;
use crate::config::path::Path;
use crate::config::problems::Problems;
use crate::config::source::Part;
use crate::plan::{Share, Spread, Uri};
use std::collections::BTreeMap;

/// One agent of a distributed run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgentEntry {
    /// Its name in results; unique.
    pub id: String,
    /// `host:port`; unique.
    pub address: String,
    /// Where it works.
    pub target: Uri,
    /// Operations in flight.
    pub concurrency: u32,
    /// Which part of the data set it prepares and cleans up.
    pub share: Share,
    /// Services of its own, and how operations are spread over them.
    pub services: Option<(Spread, Vec<String>)>,
}

/// The most agents of a run.
const AGENTS_MAX: usize = 4096;
const DEFAULT_PORT: u16 = 7420;
const DEFAULT_TEMPLATE: &str = "agent-{id}/";

/// What holds for every agent that does not say otherwise.
pub(super) struct Common<'a> {
    pub(super) target: Option<&'a Uri>,
    pub(super) concurrency: u32,
}

/// An agent before its place is known.
struct Named<'a> {
    /// Where it was written.
    at: Path,
    id: String,
    address: String,
    written: &'a file::Agent,
}

/// All agents, in order, and each as it could have been written. Empty when something is wrong, which is then
/// reported.
pub(super) fn entries(
    distributed: &file::Distributed,
    common: &Common<'_>,
    problems: &mut Problems<'_>,
) -> (Vec<AgentEntry>, Vec<file::Agent>) {
    let Some(named) = expand_all(&distributed.agents, problems) else { return Default::default() };
    let unique = check_unique(&named, problems);
    check_sharing(distributed, named.len(), problems);
    let count = named.len() as u64;
    let mut entries = Vec::new();
    for (index, agent) in named.iter().enumerate() {
        let share = match distributed.shared_filesystem {
            true => Share { index: index as u64, count },
            false => Share::WHOLE,
        };
        let Some(target) = target_of(agent, distributed, common, named.len() > 1, problems) else { continue };
        let concurrency = match agent.written.concurrency_override {
            Some(count) => super::concurrency(count, agent.at.child("concurrency_override"), problems),
            None => common.concurrency,
        };
        let services = agent.written.multi_endpoint.as_ref().map(|several| {
            super::storage::services(several, &agent.at.child("multi_endpoint"), &target, problems)
        });
        let (id, address) = (agent.id.clone(), agent.address.clone());
        entries.push(AgentEntry { id, address, target, concurrency, share, services });
    }
    if unique && !distributed.shared_filesystem {
        check_apart(&entries, problems);
    }
    (entries, named.iter().map(Named::written).collect())
}

impl Named<'_> {
    fn written(&self) -> file::Agent {
        let (id, address) = (Some(self.id.clone()), self.address.clone());
        file::Agent { id, address, ..self.written.clone() }
    }
}

fn expand_all<'a>(agents: &'a [file::Agent], problems: &mut Problems<'_>) -> Option<Vec<Named<'a>>> {
    let list = Path::from("distributed.agents");
    if agents.is_empty() {
        problems.error(
            list,
            "`distributed` names no agents",
            "write `agents: [host1:7420]`, or remove the section to run here",
        );
        return None;
    }
    let mut named = Vec::new();
    for (index, written) in agents.iter().enumerate() {
        let at = list.child(index);
        match expand(written, &at) {
            Ok(some) => named.extend(some),
            Err((key, message)) => {
                problems.certain(
                    Part::Value,
                    at.child(key),
                    message,
                    "write for example `host1:7420` or `host[1-8]:7420`",
                );
            }
        }
        if named.len() > AGENTS_MAX {
            problems.error(at, format!("there are more than {AGENTS_MAX} agents"), "");
            return None;
        }
    }
    name_the_rest(&mut named);
    for agent in &named {
        if !is_name(&agent.id) {
            let help = "use up to 64 letters, digits, `.`, `_` and `-`: it names a directory in the results";
            problems.certain(
                Part::Value,
                agent.at.child("id"),
                format!("`{}` cannot be an agent's id", agent.id),
                help,
            );
        }
    }
    Some(named)
}

/// Whether this can name a directory.
pub(super) fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=64).contains(&text.len()) && text.chars().all(allowed) && !text.starts_with('.')
}

type Wrong = (&'static str, String);

/// The agents that one entry stands for; ids that are not given are still empty.
fn expand<'a>(written: &'a file::Agent, at: &Path) -> Result<Vec<Named<'a>>, Wrong> {
    let addresses = addresses(&written.address).map_err(|message| ("address", message))?;
    let ids = match &written.id {
        None => vec![String::new(); addresses.len()],
        Some(id) => expand_ranges(id).map_err(|message| ("id", message))?,
    };
    if ids.len() != addresses.len() {
        let message = format!(
            "the id stands for {} and the address for {} agents; give both the same ranges",
            ids.len(),
            addresses.len()
        );
        return Err(("id", message));
    }
    let named = ids.into_iter().zip(addresses);
    Ok(named.map(|(id, address)| Named { at: at.clone(), id, address, written }).collect())
}

/// The addresses, each with its port, that one text such as `host[1-3]:7420` or `host` stands for.
///
/// # Errors
/// What is wrong with it, as a sentence.
pub fn addresses(text: &str) -> Result<Vec<String>, String> {
    expand_ranges(text)?.iter().map(|address| with_port(address)).collect()
}

/// `host[1-3]` → `host1 host2 host3`, each range in turn; `[01-10]` keeps its zeros. A leading bracket is an IPv6
/// address.
fn expand_ranges(text: &str) -> Result<Vec<String>, String> {
    let skip = if text.starts_with('[') { text.find(']').map_or(text.len(), |end| end + 1) } else { 0 };
    let mut expanded = vec![text[..skip].to_owned()];
    let mut rest = &text[skip..];
    while let Some(open) = rest.find('[') {
        let close = rest.find(']').filter(|&close| close > open).ok_or("a `[` is not closed")?;
        let numbers = range(&rest[open + 1..close])?;
        if expanded.len() * numbers.len() > AGENTS_MAX {
            return Err(format!("it stands for more than {AGENTS_MAX} agents"));
        }
        let append = |start: &String, number: &String| format!("{start}{}{number}", &rest[..open]);
        expanded = expanded
            .iter()
            .flat_map(|start| numbers.iter().map(move |number| append(start, number)))
            .collect();
        rest = &rest[close + 1..];
    }
    expanded.iter_mut().for_each(|start| start.push_str(rest));
    Ok(expanded)
}

fn range(text: &str) -> Result<Vec<String>, String> {
    let bad = || format!("`[{text}]` is not a range such as `[1-8]`");
    let (from, to) = text.split_once('-').ok_or_else(bad)?;
    let digits = |text: &str| (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(from) || !digits(to) {
        return Err(bad());
    }
    let (first, last): (usize, usize) = (from.parse().map_err(|_| bad())?, to.parse().map_err(|_| bad())?);
    if first > last {
        return Err(format!("`[{text}]` runs backwards"));
    }
    if last - first >= AGENTS_MAX {
        return Err(format!("`[{text}]` stands for more than {AGENTS_MAX} agents"));
    }
    let width = from.len();
    Ok((first..=last).map(|number| format!("{number:0width$}")).collect())
}

/// The address with a port: the default one when it has none.
fn with_port(address: &str) -> Result<String, String> {
    let bad = |what: &str| Err(format!("`{address}` {what}"));
    if address.contains("://") {
        return bad("is a URI; an address is `host:port`");
    }
    let host_end = if address.starts_with('[') { address.find(']').map_or(0, |end| end + 1) } else { 0 };
    let (host, port) = match address[host_end..].rfind(':') {
        Some(colon) => (&address[..host_end + colon], Some(&address[host_end + colon + 1..])),
        None => (address, None),
    };
    if host.is_empty()
        || host.contains(|c: char| c.is_whitespace() || c == '/')
        || (host_end == 0 && host.contains(':'))
    {
        return bad("is not an address");
    }
    match port.map(str::parse::<u16>) {
        None => Ok(format!("{host}:{DEFAULT_PORT}")),
        Some(Ok(port)) if port > 0 => Ok(format!("{host}:{port}")),
        Some(_) => bad("needs a port from 1 to 65535"),
    }
}

/// Agents without an id are called after their host; where several are on one host, also after their port.
fn name_the_rest(agents: &mut [Named<'_>]) {
    let host = |agent: &Named<'_>| {
        agent.address.rsplit_once(':').map(|(host, _)| host.to_owned()).unwrap_or_default()
    };
    let mut agents_on = BTreeMap::<String, usize>::new();
    for agent in agents.iter() {
        *agents_on.entry(host(agent)).or_default() += 1;
    }
    for agent in agents.iter_mut().filter(|agent| agent.written.id.is_none()) {
        let host = host(agent);
        let name = if agents_on.get(&host) == Some(&1) { host } else { agent.address.clone() };
        let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
        agent.id = name.trim_matches(['[', ']']).chars().map(safe).take(64).collect();
    }
}

fn check_unique(agents: &[Named<'_>], problems: &mut Problems<'_>) -> bool {
    let (mut by_id, mut by_address) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
    for agent in agents {
        by_id.entry(&agent.id).or_default().push(agent);
        by_address.entry(&agent.address).or_default().push(agent);
    }
    let several = |count: usize| if count == 2 { "two".to_owned() } else { count.to_string() };
    let places = |same: &[&Named<'_>], key| same.iter().map(|agent| agent.at.child(key)).collect::<Vec<_>>();
    for (address, same) in by_address.iter().filter(|(_, same)| same.len() > 1) {
        let message = format!("{} agents have the address `{address}`", several(same.len()));
        problems.repeated(&places(same, "address"), message, "list each agent once");
    }
    // One that is listed twice is one, whatever it is called.
    let differ = |same: &[&Named<'_>]| same.iter().any(|agent| agent.address != same[0].address);
    for (id, same) in by_id.iter().filter(|(_, same)| differ(same)) {
        let message = format!("{} agents have the id `{id}`", several(same.len()));
        problems.repeated(&places(same, "id"), message, "give each its own `id`");
    }
    by_id.len() == agents.len() && by_address.len() == agents.len()
}

/// Whether what is said about sharing fits together.
fn check_sharing(distributed: &file::Distributed, agents: usize, problems: &mut Problems<'_>) {
    let shared = distributed.shared_filesystem;
    if let Some(mode) = distributed.tree_creation_mode {
        let isolated = mode == file::TreeCreation::Isolated;
        if agents > 1 && isolated == shared {
            let help =
                "isolated trees: `shared_filesystem: false`; one tree for all: `shared_filesystem: true`";
            let message = format!("this contradicts `shared_filesystem: {shared}`");
            problems.error("distributed.tree_creation_mode", message, help);
        }
    }
    if shared {
        let help = "remove it: with `shared_filesystem: true` all agents work in the target itself";
        let in_common = distributed.path_template.iter().map(|_| "distributed.path_template".to_owned());
        let own = distributed.agents.iter().enumerate().filter(|(_, agent)| agent.path_template.is_some());
        for path in in_common.chain(own.map(|(index, _)| format!("distributed.agents.{index}.path_template")))
        {
            problems.key_error(path, "this has no meaning when agents share one data set", help);
        }
    }
}

/// Where an agent works: its target, and below it its own directory unless it is alone or shares all.
fn target_of(
    agent: &Named<'_>,
    distributed: &file::Distributed,
    common: &Common<'_>,
    several: bool,
    problems: &mut Problems<'_>,
) -> Option<Uri> {
    let target = match &agent.written.target_override {
        Some(text) => super::target(text, agent.at.child("target_override"), problems)?,
        // That there is none has been reported.
        None => common.target?.clone(),
    };
    let own =
        agent.written.path_template.as_deref().map(|template| (template, agent.at.child("path_template")));
    let for_all = distributed
        .path_template
        .as_deref()
        .map(|template| (template, Path::from("distributed.path_template")));
    let default = (several && !distributed.shared_filesystem).then(|| (DEFAULT_TEMPLATE, Path::default()));
    let Some((template, at)) = own.or(for_all).or(default) else { return Some(target) };
    let directory = template.replace("{id}", &agent.id);
    match Relative::parse(&directory, &target) {
        Ok(relative) if !relative.is_glob() && !relative.path.contains(['{', '}']) => {
            Some(target.join(&relative.path))
        }
        _ => {
            let help = "write a relative path, as in `agent-{id}/`";
            problems.error(at, format!("`{template}` is not a directory below the target"), help);
            None
        }
    }
}

/// Agents on one host that share nothing must not work in one directory.
fn check_apart(entries: &[AgentEntry], problems: &mut Problems<'_>) {
    let mut taken = BTreeMap::new();
    for entry in entries {
        let host = entry.address.rsplit_once(':').map(|(host, _)| host);
        if let Some(other) = taken.insert((host, entry.target.to_string()), &entry.id) {
            let message =
                format!("`{other}` and `{}` would work in the same directory of one host", entry.id);
            let help = "write `path_template: agent-{id}/`, or `shared_filesystem: true`";
            problems.error("distributed", message, help);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_expand_in_order_and_keep_their_zeros() {
        assert_eq!(expand_ranges("host[1-3]:7420").unwrap(), ["host1:7420", "host2:7420", "host3:7420"]);
        assert_eq!(expand_ranges("n[08-10]").unwrap(), ["n08", "n09", "n10"]);
        assert_eq!(expand_ranges("r[1-2]n[1-2]").unwrap(), ["r1n1", "r1n2", "r2n1", "r2n2"]);
        assert_eq!(expand_ranges("[::1]:[1-2]").unwrap(), ["[::1]:1", "[::1]:2"]);
        for bad in
            ["h[1-", "h[1]", "h[a-b]", "h[3-1]", "h[1-9999]", "h[1-100][1-100]", "h[1-99999999999]", "h]["]
        {
            assert!(expand_ranges(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_has_a_port() {
        assert_eq!(with_port("host").unwrap(), "host:7420");
        assert_eq!(with_port("10.0.0.1:99").unwrap(), "10.0.0.1:99");
        assert_eq!(with_port("[::1]").unwrap(), "[::1]:7420");
        assert_eq!(with_port("[::1]:99").unwrap(), "[::1]:99");
        for bad in ["", ":7420", "host:0", "host:65536", "host:x", "http://host", "a b", "::1", "host:"] {
            assert!(with_port(bad).is_err(), "{bad}");
        }
    }
}
