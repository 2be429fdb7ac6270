//! Closed forms of textbooks, and ways that end.

use super::*;

/// Topologies of a few sizes.
fn examples() -> Vec<(Topology, u32)> {
    let fixed = [
        (Topology::Line, 7),
        (Topology::Ring, 1),
        (Topology::Ring, 2),
        (Topology::Ring, 3),
        (Topology::Ring, 8),
        (Topology::Star, 6),
        (Topology::Crossbar, 16),
        (Topology::Full, 9),
        (Topology::Mesh(vec![4, 3]), 12),
        (Topology::Mesh(vec![3, 2, 4]), 24),
        (Topology::Torus(vec![4, 4]), 16),
        (Topology::Torus(vec![5, 3]), 15),
        (Topology::Torus(vec![4, 2, 3]), 24),
        (Topology::Hypercube, 1),
        (Topology::Hypercube, 16),
        (Topology::Tree { arity: 2 }, 8),
        (Topology::Tree { arity: 3 }, 27),
        (Topology::FatTree { arity: 2 }, 8),
        (Topology::FatTree { arity: 4 }, 64),
        (Topology::Butterfly { arity: 2 }, 8),
        (Topology::Butterfly { arity: 4 }, 64),
        (Topology::Omega { arity: 2 }, 16),
        (Topology::Omega { arity: 3 }, 27),
        (Topology::Dragonfly { routers: 4, global: 2, nodes: 2 }, 72),
        (Topology::Dragonfly { routers: 2, global: 1, nodes: 1 }, 6),
    ];
    let node = Vertex::Node;
    let switch = Vertex::Switch;
    let links =
        vec![(node(0), switch(0)), (node(1), switch(0)), (switch(0), switch(1)), (switch(1), node(2)), (switch(1), switch(2))];
    let around = [(switch(2), switch(0)), (node(3), switch(2)), (node(3), node(2))];
    let custom = Topology::Custom { switches: 3, links: [links, around.to_vec()].concat() };
    fixed.into_iter().chain([(custom, 4)]).collect()
}

fn routed(topology: &Topology, n: u32) -> (Network, Routes) {
    let network = topology.build(n).unwrap();
    let routing = Routing::usual(topology);
    let routes = Routes::new(topology, &network, routing, routing.virtual_channels(topology)).unwrap();
    (network, routes)
}

fn figures(topology: &Topology, n: u32) -> Figures {
    let (network, routes) = routed(topology, n);
    Figures::new(&network, &routes)
}

#[test]
fn every_packet_arrives_and_none_can_be_blocked_for_ever() {
    for (topology, n) in examples() {
        let (network, routes) = routed(&topology, n);
        for from in 0..n {
            for to in 0..n {
                let way: Vec<Hop> = routes.way(&network, from, to).take(100).collect();
                let mut at = from;
                for hop in &way {
                    let (begin, end) = network.ends(hop.channel);
                    assert_eq!(begin, at, "{topology:?}");
                    at = end;
                }
                assert_eq!(at, to, "{topology:?} from {from} to {to}: {way:?}");
            }
        }
        assert_eq!(cycle(&network, &routes), None, "{topology:?}");
    }
}

#[test]
fn other_routings_arrive_too() {
    for (topology, n) in examples() {
        for (_, routing) in Routing::ALL {
            let network = topology.build(n).unwrap();
            let Ok(routes) = Routes::new(&topology, &network, routing, 2) else { continue };
            for (from, to) in (0..n).flat_map(|from| (0..n).map(move |to| (from, to))) {
                let last = routes.way(&network, from, to).take(200).last().map_or(from, |hop| network.ends(hop.channel).1);
                assert_eq!(last, to, "{topology:?} by {routing:?} from {from}");
            }
            // Up and down needs links; stages go one way.
            assert!(routing != Routing::UpDown || !matches!(topology, Topology::Butterfly { .. } | Topology::Omega { .. }));
            if routing == Routing::UpDown {
                assert_eq!(cycle(&network, &routes), None, "{topology:?}");
            }
        }
    }
}

#[test]
fn usual_routings_are_shortest_where_they_can_be() {
    for (topology, n) in examples() {
        let figures = figures(&topology, n);
        match Routing::usual(&topology) {
            Routing::UpDown => assert!(figures.mean_way >= figures.mean_distance),
            // Two links between groups can be shorter than one with steps inside groups before and after it.
            Routing::MinimalDragonfly => assert!(figures.longest_way <= 5),
            _ => assert_eq!((figures.longest_way, figures.mean_way), (figures.diameter, figures.mean_distance), "{topology:?}"),
        }
    }
}

/// Diameter, mean distance between different nodes, channels of the bisection (Dally and Towles, chapters 3 to 5).
#[test]
fn figures_are_those_of_textbooks() {
    let check = |topology: Topology, n: u32, diameter: u32, all_distances: u64, bisection: u32| {
        let figures = figures(&topology, n);
        let mean = all_distances as f64 / (f64::from(n) * f64::from(n - 1));
        assert_eq!((figures.diameter, figures.mean_distance), (diameter, mean), "{topology:?} of {n}");
        assert_eq!(figures.bisection.channels, bisection, "{topology:?} of {n}");
    };
    for n in [4_u32, 8, 16, 64] {
        let wide = u64::from(n);
        check(Topology::Line, n, n - 1, wide * (wide * wide - 1) / 3, 1);
        check(Topology::Ring, n, n / 2, wide * wide * wide / 4, 2);
        check(Topology::Full, n, 1, wide * (wide - 1), n * n / 4);
        check(Topology::Star, n, 2, 2 * wide * (wide - 1), n / 2);
        let d = n.ilog2();
        check(Topology::Hypercube, n, d, wide * wide * u64::from(d) / 2, n / 2);
        check(Topology::Butterfly { arity: 2 }, n, d + 1, wide * (wide - 1) * u64::from(d + 1), n / 2);
        check(Topology::Omega { arity: 2 }, n, d + 1, wide * (wide - 1) * u64::from(d + 1), n / 2);
        // To a node of which l digits differ it is 2 l, of which there are arity^l - arity^(l - 1).
        let in_tree: u64 = (1..=d).map(|l| 2 * u64::from(l) * ((1 << l) - (1 << (l - 1)))).sum();
        check(Topology::FatTree { arity: 2 }, n, 2 * d, wide * in_tree, n / 2);
        check(Topology::Tree { arity: 2 }, n, 2 * d, wide * in_tree, 1);
    }
    for k in [4_u32, 6, 8] {
        let wide = u64::from(k);
        // Of a dimension: ordered pairs of places at their distances, for each pair of rows.
        let (line, ring) = (wide * (wide * wide - 1) / 3, wide * wide * wide / 4);
        check(Topology::Mesh(vec![k, k]), k * k, 2 * (k - 1), 2 * line * wide * wide, k);
        check(Topology::Torus(vec![k, k]), k * k, 2 * (k / 2), 2 * ring * wide * wide, 2 * k);
    }
    check(Topology::Mesh(vec![4, 4, 4]), 64, 9, 3 * 20 * 256, 16);
    check(Topology::Torus(vec![4, 4, 4]), 64, 6, 3 * 16 * 256, 32);
}

#[test]
fn degrees_are_those_of_textbooks() {
    let degrees = |topology: Topology, n| {
        let figures = figures(&topology, n);
        (figures.node_degree, figures.switch_degree)
    };
    assert_eq!(degrees(Topology::Line, 8), ((1, 2), None));
    assert_eq!(degrees(Topology::Ring, 8), ((2, 2), None));
    assert_eq!(degrees(Topology::Mesh(vec![4, 4]), 16), ((2, 4), None));
    assert_eq!(degrees(Topology::Torus(vec![4, 4, 4]), 64), ((6, 6), None));
    assert_eq!(degrees(Topology::Hypercube, 32), ((5, 5), None));
    assert_eq!(degrees(Topology::FatTree { arity: 4 }, 64), ((1, 1), Some((4, 8))));
    // A router: 3 others of its group, 2 links to other groups, 2 nodes.
    assert_eq!(degrees(Topology::Dragonfly { routers: 4, global: 2, nodes: 2 }, 72), ((1, 1), Some((7, 7))));
    let dragonfly = figures(&Topology::Dragonfly { routers: 4, global: 2, nodes: 2 }, 72);
    assert_eq!(dragonfly.diameter, 5, "to a router, within the group, over, within the group, to the node");
}

#[test]
fn without_a_second_virtual_channel_a_ring_can_block() {
    for (topology, n, length) in [(Topology::Ring, 5, 5), (Topology::Torus(vec![4, 4]), 16, 4)] {
        let network = topology.build(n).unwrap();
        let routes = Routes::new(&topology, &network, Routing::DimensionOrder, 1).unwrap();
        let round = cycle(&network, &routes).unwrap();
        assert_eq!(round.len(), length, "{round:?}");
        for (hop, next) in round.iter().zip(round.iter().cycle().skip(1)) {
            assert_eq!(network.ends(hop.channel).1, network.ends(next.channel).0);
        }
    }
    // In a ring of four no way is longer than two channels, and in one direction all wait for the next.
    let network = Topology::Ring.build(4).unwrap();
    let routes = Routes::new(&Topology::Ring, &network, Routing::DimensionOrder, 1).unwrap();
    assert_eq!(cycle(&network, &routes).unwrap().len(), 4);
    // Packets of a ring of three never wait for a second channel.
    let network = Topology::Ring.build(3).unwrap();
    let routes = Routes::new(&Topology::Ring, &network, Routing::DimensionOrder, 1).unwrap();
    assert_eq!(cycle(&network, &routes), None);
}

#[test]
fn a_fat_tree_shares_out_its_ways_up() {
    // D-mod-k: of packets from one switch to the nodes elsewhere, each way up takes as many.
    let (network, routes) = routed(&Topology::FatTree { arity: 4 }, 64);
    let mut taken = std::collections::BTreeMap::new();
    for to in 4..64 {
        *taken.entry(routes.next(64, to).unwrap().channel).or_insert(0) += 1;
    }
    assert_eq!(taken.values().copied().collect::<Vec<u32>>(), [15; 4]);
    assert_eq!(network.vertex(64), Vertex::Switch(0));
}

#[test]
fn what_does_not_fit_is_said() {
    let told: Vec<String> = [
        (Topology::Hypercube, 12),
        (Topology::Mesh(vec![4, 4]), 12),
        (Topology::Torus(vec![]), 4),
        (Topology::Tree { arity: 1 }, 8),
        (Topology::FatTree { arity: 4 }, 32),
        (Topology::Butterfly { arity: 2 }, 1),
        (Topology::Dragonfly { routers: 4, global: 2, nodes: 2 }, 64),
        (Topology::Full, 5000),
        (Topology::Ring, 5000),
        (Topology::Ring, 0),
        (Topology::Custom { switches: 1, links: vec![(Vertex::Node(0), Vertex::Switch(1))] }, 2),
        (Topology::Custom { switches: 1, links: vec![(Vertex::Node(0), Vertex::Switch(0))] }, 2),
        (Topology::Custom { switches: 1, links: vec![(Vertex::Node(0), Vertex::Node(0))] }, 2),
    ]
    .iter()
    .map(|(topology, n)| {
        let fault = topology.build(*n).unwrap_err();
        format!("{} ({})", fault.message, fault.help.unwrap_or_default())
    })
    .collect();
    insta::assert_snapshot!(told.join("\n"));
}
