//! `explain`: what it tries, in which order it tells, and times that can be counted by hand.

use serde_json::Value as Json;

use super::Directory;

/// Names and times of the gains, in the order told.
fn gains(arguments: &[&str]) -> (u64, Vec<(String, u64)>) {
    let here = Directory::new();
    let document = here.flynn(&[&["explain", "--format", "json"], arguments].concat()).ends_with(0).json();
    assert_eq!(document["results_equal"], true);
    let gain = |gain: &Json| (gain["name"].as_str().unwrap().to_owned(), gain["time_ps"].as_u64().unwrap());
    (document["time_ps"].as_u64().unwrap(), document["gains"].as_array().unwrap().iter().map(gain).collect())
}

fn first(arguments: &[&str]) -> String {
    gains(arguments).1.swap_remove(0).0
}

#[test]
fn the_textbook_case_by_hand() {
    // Half of 4,096 words at 20 ns and half at 60, of which 40 are the way.
    let (base, gains) = gains(&["textbook-numa", "read-once"]);
    assert_eq!(base, 163_840_000);
    let without_way = 4096 * 20_000;
    let without_memory = 2048 * 40_000;
    assert_eq!(gains, [("network latency".to_owned(), without_way), ("memory latency".to_owned(), without_memory)]);
}

#[test]
fn what_a_program_waits_for_comes_first() {
    assert_eq!(first(&["uma-bus-4", "sum-lock", "--param", "n=300"]), "synchronisation");
    assert_eq!(first(&["cluster-star-16", "ping-pong", "--param", "n=1"]), "network latency");
    assert_eq!(first(&["cluster-star-16", "ping-pong", "--param", "n=100000"]), "network bandwidth");
    // Sixteen cores fill the bus with lines of arrays that fit no cache. Caches that keep them leave nothing to carry.
    let (_, gains) = gains(&["uma-bus-16", "triad", "--param", "n=200000", "--cold"]);
    assert_eq!(gains.iter().map(|(name, _)| name.as_str()).take(2).collect::<Vec<_>>(), ["private caches", "local interconnect"]);
}

#[test]
fn it_says_what_to_set_and_that_gains_do_not_add_up() {
    let here = Directory::new();
    let told = |jobs| here.flynn(&["explain", "uma-bus-2", "dot", "--param", "n=5000", "--jobs", jobs]).ends_with(0).out;
    let (one, two) = (told("1"), told("2"));
    for part in ["as it is", "--set 'node.memory.latency=0 ns'", "do not add up", "left as it is  network: there is one node"] {
        assert!(one.contains(part), "{part}\n{one}");
    }
    assert_eq!(one, two.replace("dot-2/", "dot/"));
    assert_eq!(here.names("output/explain-uma-bus-2-dot"), ["records", "report.html"]);
}

#[test]
fn what_cannot_be_explained_is_refused() {
    let here = Directory::new();
    let refused = here.flynn(&["explain", "uma-bus-4", "bus-traffic"]).ends_with(2);
    assert!(refused.err.contains("is no program"), "{}", refused.err);
    let refused = here.flynn(&["explain", "uma-bus-4", "triad", "--set", "node.coars=2"]).ends_with(2);
    assert!(refused.err.contains("did you mean `cores`?"), "{}", refused.err);
}
