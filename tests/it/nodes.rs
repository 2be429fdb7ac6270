//! Machines of several nodes: the textbook case, exactly, and what is refused.

use flynn::experiment::run::{RunError, simulate};
use flynn::machine::Machine;
use flynn::machine::catalogue::{Catalogue, Kind};

use super::shipped::{MESSAGES, machine, request, run, workload};

fn cycles(name: &str, set: &[(&str, &str)]) -> u64 {
    let catalogue = Catalogue::built_in();
    let (machine, workload) = (machine(&catalogue, name, set), workload(&catalogue, "read-once"));
    run(&request(&machine, &workload, &[]), &catalogue).time_ps / 1000
}

#[test]
fn the_textbook_case_is_exact() {
    assert_eq!((cycles("textbook-uma", &[]), cycles("textbook-numa", &[])), (4096 * 40, 2048 * (20 + 60)));
    let placement = "address_space.placement";
    // Page by page it is half and half, too; all on one node is all near for one core and all far for the other, which ends last.
    assert_eq!(cycles("textbook-numa", &[(placement, "interleave")]), 2048 * (20 + 60));
    assert_eq!(cycles("textbook-numa", &[(placement, "node 0")]), 4096 * 60);
    assert_eq!(cycles("textbook-numa", &[(placement, "node 1")]), 4096 * 60);
    // A ring of four: a quarter is near, two quarters a hop away and one two hops.
    assert_eq!(cycles("textbook-numa", &[("node.count", "4"), ("interconnect.topology", "ring")]), 1024 * (20 + 60 + 60 + 100));
}

fn refused(set: &[(&str, &str)]) -> String {
    let catalogue = Catalogue::built_in();
    let source = &catalogue.find(Kind::Machine, "textbook-numa").unwrap().source;
    let set: Vec<(String, String)> = set.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let faults = Machine::resolve(source, &set, &catalogue).unwrap_err();
    faults
        .iter()
        .map(|fault| {
            format!("{}: {}\n  {}\n", fault.key.as_deref().unwrap_or(""), fault.message, fault.help.as_deref().unwrap_or(""))
        })
        .collect()
}

#[test]
fn what_cannot_be_joined_is_refused() {
    let topology = "interconnect.topology";
    insta::assert_snapshot!(
        [
            refused(&[(topology, "mesh"), ("interconnect.shape", "[3, 3]")]),
            refused(&[(topology, "ring"), ("interconnect.arity", "4")]),
            refused(&[(topology, "hypercube"), ("node.count", "3")]),
            refused(&[(topology, "ring"), ("node.count", "5"), ("interconnect.virtual_channels", "1")]),
            refused(&[(topology, "ring"), ("interconnect.routing", "destination-tag")]),
            refused(&[(topology, "custom"), ("interconnect.links", "[\"node[0] to node[1]\"]")]),
            refused(&[(topology, "custom"), ("interconnect.links", "[\"node[0] - switch[0]\"]")]),
            refused(&[("address_space.placement", "node 2")]),
            refused(&[("address_space.placement", "everywhere")]),
            refused(&[("node.interconnect", "{ kind = \"ring\", width = \"8 B\", clock = \"1 GHz\" }")]),
            refused(&[("node.count", "2000")]),
            refused(&[("interconnect.link.bandwidth", "0 GB/s")]),
        ]
        .concat(),
        @r#"
        interconnect.topology: a mesh of 3 x 3 has no place for 2 nodes one to one
          the product of the shape's lengths is the number of nodes
        interconnect.arity: `interconnect.arity` says nothing about a ring
          it belongs to tree, fat-tree, butterfly, omega; leave it out
        interconnect.topology: 3 nodes make no hypercube
          a power of two: 2 or 4
        interconnect.virtual_channels: packets can wait for each other in a circle: node[0] > node[1], node[1] > node[2], node[2] > node[3], node[3] > node[4], node[4] > node[0], then the first again
          2 virtual channels are free of it; `check_deadlock = false` lets it happen
        interconnect.routing: destination-tag knows no way on a ring: its channels form no stages
          "dimension-order" is usual there
        interconnect.links: "node[0] to node[1]" is not a link
          write "node[0] - switch[0]", or "node[0] - node[1]"
        interconnect.topology: a link ends at switch[0], which is not there
          there are 2 nodes and 0 switches, numbered from 0
        address_space.placement: there is no node 2
          nodes are numbered from 0 to 1
        address_space.placement: `address_space.placement` must be a placement of pages such as "first-touch" or "interleave", not the text "everywhere"
          "first-touch", "interleave" or "node N"
        node.interconnect.kind: the nodes of a NUMA machine have no rings inside: a ring orders transactions by passing every cache
          "bus", "crossbar" or "ideal"; a ring between nodes is `[interconnect] topology = "ring"`
        node.count: 2000 nodes with cores = 1 are 2000 cores
          a machine has at most 1024 cores in all
        interconnect.link.bandwidth: `interconnect.link.bandwidth`: a bandwidth of 0 GB/s never moves a byte
          write a bandwidth such as "25.6 GB/s"
        "#
    );
}

/// Microseconds of a message program of so many words on a star of so many nodes.
fn microseconds(workload_name: &str, nodes: &str, words: usize) -> f64 {
    let catalogue = Catalogue::built_in();
    let (machine, workload) =
        (machine(&catalogue, "cluster-star-16", &[("node.count", nodes)]), workload(&catalogue, workload_name));
    let parameters = vec![("n".to_string(), words.to_string())];
    run(&request(&machine, &workload, &parameters), &catalogue).time_ps as f64 / 1e6
}

/// Figures of SimGrid 3.32 (model CM02 without cross traffic): hosts on a switch, links of 1.25 GB/s and 1 us, in microseconds. A core's
/// next cycle is up to a nanosecond late.
#[test]
fn messages_on_a_star_take_what_simgrid_says() {
    for (workload, nodes, words, expected) in [
        ("ping-pong", "16", 1, 4.0128),
        ("ping-pong", "16", 8192, 108.8576),
        ("ping-pong", "16", 131_072, 1681.7216),
        ("allreduce-ring", "16", 128, 61.5360),
        ("allreduce-ring", "16", 8192, 158.3040),
        ("allreduce-doubling", "16", 1, 8.0256),
        ("allreduce-doubling", "16", 8192, 217.7152),
        ("alltoall-pairwise", "16", 128, 42.2880),
        ("ping-pong", "8", 128, 5.6384),
        ("allreduce-ring", "8", 8192, 119.7504),
        ("allreduce-doubling", "8", 8192, 163.2864),
    ] {
        let time = microseconds(workload, nodes, words);
        assert!((time / expected - 1.0).abs() < 0.001, "{workload} of {words} words on {nodes}: {time} us, {expected} expected");
    }
}

#[test]
fn messages_and_threads_give_the_same_values_on_every_machine_of_ranks() {
    let catalogue = Catalogue::built_in();
    for name in MESSAGES {
        let workload = workload(&catalogue, name);
        let parameters = [("n".to_string(), "64".to_string())];
        let on = |name: &str, set: &[(&str, &str)], run_ahead: bool| {
            let machine = machine(&catalogue, name, set);
            let record =
                run(&flynn::experiment::run::RunRequest { run_ahead, ..request(&machine, &workload, &parameters) }, &catalogue);
            (record.result.checksum.clone(), record.time_ps)
        };
        let star = on("cluster-star-16", &[], true);
        let cube = on("norma-hypercube-16", &[], true);
        let fat = on("cluster-fat-tree-64", &[("node.count", "16")], true);
        assert!(star.0 == cube.0 && star.0 == fat.0, "{name}");
        assert_eq!(on("norma-hypercube-16", &[], false), cube, "{name}");
    }
}

#[test]
fn programs_of_ranks_are_refused_where_memory_is_shared() {
    let catalogue = Catalogue::built_in();
    for name in ["uma-bus-4", "textbook-numa"] {
        let (machine, workload) = (machine(&catalogue, name, &[]), workload(&catalogue, "allreduce-ring"));
        let refused = simulate(&request(&machine, &workload, &[]), &catalogue, &mut |_| {}).unwrap_err();
        let RunError::Input(faults) = refused else { panic!("{refused:?}") };
        assert!(faults[0].message.contains("one address space"), "{}", faults[0]);
    }
}
