//! Machines of several nodes: the textbook case, exactly, and what is refused.

use flynn::machine::Machine;
use flynn::machine::catalogue::{Catalogue, Kind};

use super::shipped::{machine, request, run, workload};

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
        @""
    );
}
