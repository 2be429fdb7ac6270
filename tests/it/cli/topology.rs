//! `topology`: figures, the verdict on deadlock, the graph.

use super::{Directory, Finished};

fn topology(here: &Directory, arguments: &[&str]) -> Finished {
    here.flynn(&[&["topology"], arguments].concat())
}

#[test]
fn a_torus_is_described_and_cannot_block() {
    let here = Directory::new();
    insta::assert_snapshot!(topology(&here, &["torus", "--shape", "8,8"]).ends_with(0).out, @"
    torus of 8 x 8: 64 nodes, 256 channels
      degree     4 channels out of a node
      diameter   8 channels; the mean distance is 4.063
      bisection  16 channels each way, the least of halves by the digits of the nodes' numbers
      routing    dimension-order, 2 virtual channels: every way is as short as can be
      deadlock   cannot happen: no chain of channels that packets hold and wait for closes
    ");
    insta::assert_snapshot!(topology(&here, &["fat-tree", "--nodes", "64", "--arity", "4"]).ends_with(0).out, @"
    fat-tree: 64 nodes, 48 switches, 384 channels
      degree     1 channel out of a node, 4 to 8 out of a switch
      diameter   6 channels; the mean distance is 5.429
      bisection  32 channels each way, the least of halves by the digits of the nodes' numbers
      routing    nearest-common-ancestor, 1 virtual channel: every way is as short as can be
      deadlock   cannot happen: no chain of channels that packets hold and wait for closes
    ");
}

#[test]
fn packets_that_wait_in_a_circle_are_named_and_the_answer_is_no() {
    let here = Directory::new();
    insta::assert_snapshot!(topology(&here, &["ring", "--nodes", "4", "--virtual-channels", "1"]).ends_with(1).out, @"
    ring: 4 nodes, 8 channels
      degree     2 channels out of a node
      diameter   2 channels; the mean distance is 1.333
      bisection  2 channels each way, the least of all halves
      routing    dimension-order, 1 virtual channel: every way is as short as can be
      deadlock   can happen: packets that hold these channels wait each for the next, the last for the first
                 node[0] > node[1]
                 node[1] > node[2]
                 node[2] > node[3]
                 node[3] > node[0]
    ");
    let json = topology(&here, &["ring", "--nodes", "4", "--virtual-channels", "1", "--format", "json"]).ends_with(1).json();
    assert_eq!((&json["ok"], json["deadlock"].as_array().map(Vec::len)), (&false.into(), Some(4)));
    let json = topology(&here, &["hypercube", "--nodes", "16", "--format", "json"]).ends_with(0).json();
    assert_eq!((&json["ok"], &json["diameter"], &json["bisection"]["channels"]), (&true.into(), &4.into(), &8.into()));
    assert!(json["deadlock"].is_null());
}

#[test]
fn the_usual_sizes_are_taken_where_nothing_is_said() {
    let here = Directory::new();
    for (name, nodes) in
        [("line", 16), ("mesh", 16), ("tree", 16), ("omega", 16), ("crossbar", 16), ("full", 16), ("star", 16), ("dragonfly", 72)]
    {
        let json = topology(&here, &[name, "--format", "json"]).ends_with(0).json();
        assert_eq!(json["nodes"], nodes, "{name}");
    }
}

#[test]
fn what_cannot_be_joined_or_routed_is_said() {
    let here = Directory::new();
    let told: Vec<String> = [
        &["torus", "--nodes", "60", "--shape", "8,8"][..],
        &["hypercube", "--nodes", "12"],
        &["ring", "--arity", "4"],
        &["star", "--routing", "destination-tag"],
        &["butterfly", "--routing", "up-down"],
        &["dragonfly", "--routers", "64", "--global", "64", "--per-router", "64"],
    ]
    .map(|arguments| topology(&here, arguments).ends_with(2).err)
    .to_vec();
    insta::assert_snapshot!(told.join("\n"), @r#"
    error: a torus of 8 x 8 has no place for 60 nodes one to one
    help: the product of the shape's lengths is the number of nodes

    error: 12 nodes make no hypercube
    help: a power of two: 8 or 16

    error: `--arity` says nothing about a ring
    help: `flynn topology --help` says which it belongs to

    error: destination-tag knows no way on a star: its channels form no stages
    help: "shortest-path" is usual there

    error: up-down knows no way on a butterfly: packets from node[8] to node[0] do not get through
    help: "destination-tag" is usual there

    error: a dragonfly of 16781312 nodes has 17043520 vertices and 67125248 channels
    help: at most 65536 vertices and 1048576 channels can be built
    "#);
    insta::assert_snapshot!(
        [
            topology(&here, &["moebius"]),
            topology(&here, &["uma-bus-4"]),
            topology(&here, &["norma-hypercube-16", "--nodes", "8"]),
            topology(&here, &["ring", "--set", "node.count=8"]),
        ]
        .map(|finished| finished.ends_with(2).err)
        .join("\n"),
        @"
        error: there is neither a machine nor a topology called `moebius`
        help: `flynn list machines` shows the machines; topologies are line, ring, star, crossbar, full, mesh, torus, hypercube, tree, fat-tree, butterfly, omega, dragonfly

        error: uma-bus-4 has one node: there is nothing between nodes
        help: take one of several nodes, or a topology: line, ring, star, crossbar, full, mesh, torus, hypercube, tree, fat-tree, butterfly, omega, dragonfly

        error: `--nodes` belongs to a topology, and norma-hypercube-16 is none
        help: the machine says that itself: `--set interconnect.KEY=VALUE`; topologies are line, ring, star, crossbar, full, mesh, torus, hypercube, tree, fat-tree, butterfly, omega, dragonfly

        error: `--set` gives keys of a machine other values
        help: name a machine
        "
    );
}

#[test]
fn what_joins_a_machines_nodes_is_told_and_drawn() {
    let here = Directory::new();
    insta::assert_snapshot!(topology(&here, &["norma-hypercube-16", "--picture", "cube.svg"]).ends_with(0).out, @"
    hypercube: 16 nodes, 64 channels
      degree     4 channels out of a node
      diameter   4 channels; the mean distance is 2.133
      bisection  8 channels each way, the least of halves by the digits of the nodes' numbers
      routing    dimension-order, 1 virtual channel: every way is as short as can be
      deadlock   cannot happen: no chain of channels that packets hold and wait for closes
      LogGP      o 300 ns to send and 300 ns to receive, g 100 ns between messages; L 103 ns to the nearest node,
                 330 ns on average, 703 ns to the farthest for a word; G 0.081 ns a byte (12.40 GB/s, headers
                 taken off)
      picture    cube.svg
    ");
    let picture = std::fs::read_to_string(here.path().join("cube.svg")).unwrap();
    assert!(picture.starts_with("<svg") && picture.contains("node[15]") && picture.matches("<line").count() == 32, "{picture}");
    let json =
        topology(&here, &["norma-hypercube-16", "--set", "interconnect.topology=ring", "--format", "json"]).ends_with(0).json();
    assert_eq!((&json["topology"], &json["nodes"], &json["diameter"]), (&"ring".into(), &16.into(), &8.into()));
}

#[test]
fn the_graph_can_be_drawn() {
    let here = Directory::new();
    let dot = topology(&here, &["mesh", "--shape", "3,2", "--dot"]).ends_with(0).out;
    assert!(dot.starts_with("digraph") && dot.matches("dir=none").count() == 7, "{dot}");
}
