//! Several agents.

use super::{bad, good, with, wrong};
use crate::plan::Share;
use std::time::Duration;

fn distributed(keys: &str) -> String {
    with(&format!("distributed: {{{keys}}}"))
}

fn placed(keys: &str) -> Vec<(String, String, String)> {
    let agents = good(&distributed(keys)).agents.into_iter();
    agents.map(|agent| (agent.id, agent.address, agent.target.to_string())).collect()
}

#[test]
fn agents_that_share_nothing_work_in_directories_of_their_own() {
    let run = good(&distributed("agents: ['host[1-3]']"));
    assert_eq!(run.start_delay, Duration::from_secs(2));
    let third = run.plan(2, 9);
    assert_eq!(
        (third.target.to_string().as_str(), third.share, third.seed),
        ("file:///tmp/x/agent-host3", Share::WHOLE, 9)
    );
    assert_eq!(run.agents[2].address, "host3:7420");
}

#[test]
fn agents_that_share_a_data_set_split_it() {
    let run = good(&distributed("shared_filesystem: true, agents: ['host[1-3]']"));
    let shares = (0..3).map(|index| run.plan(index, 9)).map(|plan| (plan.target.to_string(), plan.share));
    let expected = (0..3).map(|index| ("file:///tmp/x".to_owned(), Share { index, count: 3 }));
    assert!(shares.eq(expected));
}

#[test]
fn one_agent_works_in_the_target_itself() {
    assert_eq!(
        placed("agents: [host:99]"),
        [("host".to_owned(), "host:99".to_owned(), "file:///tmp/x".to_owned())]
    );
    assert_eq!(placed("agents: [host], path_template: 'at-{id}'")[0].2, "file:///tmp/x/at-host");
}

#[test]
fn agents_can_differ() {
    let run = good(&distributed(
        "agents: [a, {address: 'b[1-2]:5', id: 'B[1-2]', concurrency_override: 3}, {address: c, target_override: 'file:///y', path_template: z/}]",
    ));
    let found =
        run.agents.iter().map(|agent| (agent.id.as_str(), agent.target.to_string(), agent.concurrency));
    assert_eq!(
        found.collect::<Vec<_>>(),
        [
            ("a", "file:///tmp/x/agent-a".to_owned(), 16),
            ("B1", "file:///tmp/x/agent-B1".to_owned(), 3),
            ("B2", "file:///tmp/x/agent-B2".to_owned(), 3),
            ("c", "file:///y/z".to_owned(), 16),
        ]
    );
    assert_eq!(run.plan(1, 0).concurrency, 3);
}

#[test]
fn an_agent_with_a_direct_target_bypasses_the_page_cache_alone() {
    let keys = "agents: [a, {address: b, target_override: 'direct:///y'}]";
    let run = good(&distributed(keys));
    assert_eq!((run.plan(0, 0).file.direct, run.plan(1, 0).file.direct), (false, true));
    let blocks = distributed(keys).replace("op: get", "block_size: 1000, op: read");
    assert_eq!(wrong(&blocks), ["6:18 direct access needs blocks in multiples of 512 bytes, not 1000"]);
    let contradiction = distributed(keys) + "file: {direct: false}\n";
    assert_eq!(wrong(&contradiction), ["8:16 this contradicts the `direct://` target"]);
}

#[test]
fn agents_on_one_host_are_told_apart_by_their_ports() {
    let placed = placed("agents: ['127.0.0.1:[7420-7421]', '[::1]:7420']");
    let ids = placed.iter().map(|(id, ..)| id.as_str()).collect::<Vec<_>>();
    assert_eq!(ids, ["127.0.0.1-7420", "127.0.0.1-7421", "--1"]);
}

#[test]
fn a_target_may_come_from_every_agent() {
    let own =
        "workload: [{op: get, path: a/}]\ndistributed: {agents: [{address: a, target_override: 'null://'}]}";
    assert_eq!(good(own).plan(0, 0).target.to_string(), "null://");
    let some = own.replace("agents: [", "agents: [b, ");
    assert_eq!(wrong(&some), ["the key `target` is missing"]);
}

#[test]
fn agents_that_would_be_one_or_in_each_others_way_are_refused() {
    for (keys, expected) in [
        ("agents: []", "7:23 `distributed` names no agents"),
        ("agents: [a, a]", "7:27 two agents have the address `a:7420`"),
        ("agents: [{address: a, id: x}, {address: b, id: x}]", "7:62 two agents have the id `x`"),
        ("agents: [{address: a, id: x}, {address: a, id: y}]", "7:55 two agents have the address `a:7420`"),
        ("agents: [{address: a, id: ../x}]", "7:41 `../x` cannot be an agent's id"),
        (
            "agents: [{address: 'a[1-2]', id: x}]",
            "7:48 the id stands for 1 and the address for 2 agents; give both the same ranges",
        ),
        ("agents: ['a[2-1]']", "7:24 `[2-1]` runs backwards"),
        ("agents: [a b]", "7:24 `a b` is not an address"),
        ("agents: [{id: x}]", "7:24 the key `address` is missing here"),
        ("agents: [{address: a, concurrency_override: 0}]", "7:59 a concurrency of 0 is not possible"),
        (
            "agents: [{address: a, target_override: x}]",
            "7:54 `x` has no scheme; write for example `file:///mnt/data` or `s3://bucket/prefix`",
        ),
        (
            "agents: ['a:[1-2]'], path_template: same/",
            "7:14 `a-1` and `a-2` would work in the same directory of one host",
        ),
        ("agents: ['a[1-2]'], path_template: ../up", "7:50 `../up` is not a directory below the target"),
        (
            "agents: ['a[1-2]'], path_template: 'agent-{name}'",
            "7:50 `agent-{name}` is not a directory below the target",
        ),
        (
            "agents: ['a[1-2]'], path_template: x, shared_filesystem: true",
            "7:35 this has no meaning when agents share one data set",
        ),
        (
            "agents: ['a[1-2]'], tree_creation_mode: coordinator",
            "7:55 this contradicts `shared_filesystem: false`",
        ),
        (
            "agents: ['a[1-2]'], tree_creation_mode: isolated, shared_filesystem: true",
            "7:55 this contradicts `shared_filesystem: true`",
        ),
    ] {
        let found = wrong(&distributed(keys));
        assert_eq!(found, [expected], "{keys}");
    }
}

#[test]
fn an_agent_that_is_listed_twice_is_shown_at_both_places() {
    let twice = distributed("agents: [{address: a, id: x}, b, {address: 'a:7420', id: x}]");
    let expected = "\
error: two agents have the address `a:7420`
 --> bench.yaml:7:58
  |
7 | distributed: {agents: [{address: a, id: x}, b, {address: 'a:7420', id: x}]}
  |                                  - also here             ^^^^^^^^
  |
  = help: list each agent once";
    assert_eq!(bad(&twice).to_string(), expected);
    let thrice = distributed("agents: ['a[1-2]', a1, a1]");
    assert_eq!(wrong(&thrice), ["7:38 3 agents have the address `a1:7420`"]);
    assert_eq!(bad(&thrice).to_string().matches("also here").count(), 2);
}
