//! Tests of the floor: shipped machines, every way to get one wrong, and hostile texts.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::catalogue::{Catalogue, Kind};
use super::schema::schema;
use super::*;
use crate::base::diagnostic::{Diagnostics, SourceText};
use crate::components::predictor::PredictorSpec;
use crate::components::spec::{InterconnectSpec, MemorySpec, SpecFault};

/// A right machine, which the tests break.
const GOOD: &str = r#"name = "Test"

[[node]]
name = "socket"
cores = 4
core = { part = "in-order-scalar", clock = "2 GHz" }
interconnect = { kind = "bus", width = "16 B", clock = "1 GHz" }
memory = { part = "simple-dram", latency = "70 ns" }

[node.cache.L1d]
size = "32 KiB"
ways = 8
latency = "2 cycles"

[node.cache.L2]
size = "256 KiB"
ways = 8
latency = "10 cycles"

[address_space]
organisation = "uma"
protocol = "mesi"

[runtime]
threads = "cores"
schedule = "static"
"#;

fn resolve(text: &str, set: &[(&str, &str)]) -> Result<Machine, Diagnostics> {
    let set: Vec<_> = set.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    Machine::resolve(&SourceText::new("m.toml", text), &set, &Catalogue::built_in())
}

/// The faults of a machine as a person reads them, with their keys.
fn faults(result: Result<Machine, Diagnostics>) -> String {
    match result {
        Ok(_) => "accepted\n".to_string(),
        Err(faults) => faults.iter().map(|fault| format!("[{}] {fault}\n", fault.key.as_deref().unwrap_or("-"))).collect(),
    }
}

/// A good machine in which each of some texts is replaced.
fn broken(edits: &[(&str, &str)]) -> String {
    edits.iter().fold(GOOD.to_string(), |text, (from, to)| {
        assert!(text.contains(from), "the good machine has no {from:?}");
        text.replacen(from, to, 1)
    })
}

#[test]
fn every_shipped_machine_resolves_to_what_it_says() {
    let catalogue = Catalogue::built_in();
    let mut names = Vec::new();
    for entry in catalogue.entries(Kind::Machine) {
        let machine = Machine::resolve(&entry.source, &[], &catalogue).unwrap_or_else(|faults| panic!("{faults:#?}"));
        assert!(machine.description.ends_with('.'), "{}", entry.name);
        names.push((entry.name.as_str(), machine.organisation, machine.cores(), machine.flynn_class));
    }
    assert_eq!(
        names,
        [
            ("cluster-fat-tree-64", "norma", 64, "MIMD"),
            ("cluster-of-multiprocessors", "norma", 16, "MIMD"),
            ("cluster-star-16", "norma", 16, "MIMD"),
            ("coma-mesh-16", "coma", 16, "MIMD"),
            ("ideal", "uma", 64, "MIMD"),
            ("mpp-torus-512", "norma", 512, "MIMD"),
            ("norma-hypercube-16", "norma", 16, "MIMD"),
            ("numa-2-socket", "numa", 8, "MIMD"),
            ("numa-mesh-16", "numa", 16, "MIMD"),
            ("numa-mesh-64", "numa", 64, "MIMD"),
            ("numa-ring-4", "numa", 16, "MIMD"),
            ("split-caches", "uma", 1, "SISD"),
            ("textbook-numa", "numa", 2, "MIMD"),
            ("textbook-uma", "uma", 2, "MIMD"),
            ("uma-bus-2", "uma", 2, "MIMD"),
            ("uma-bus-4", "uma", 4, "MIMD"),
            ("uma-bus-16", "uma", 16, "MIMD"),
            ("uma-bus-4-exclusive", "uma", 4, "MIMD"),
            ("uma-bus-4-llc", "uma", 4, "MIMD"),
            ("uma-bus-4-tso", "uma", 4, "MIMD"),
            ("uma-crossbar-16", "uma", 16, "MIMD"),
            ("uma-ring-16", "uma", 16, "MIMD"),
            ("uniprocessor", "uma", 1, "SISD"),
            ("uniprocessor-out-of-order", "uma", 1, "SISD"),
            ("uniprocessor-prefetch", "uma", 1, "SISD"),
            ("uniprocessor-tlb", "uma", 1, "SISD"),
        ]
    );
}

#[test]
fn the_shipped_bus_machines_differ_in_their_cores_alone() {
    let catalogue = Catalogue::built_in();
    let nodes = ["uniprocessor", "uma-bus-2", "uma-bus-4", "uma-bus-16"].map(|name| {
        let entry = catalogue.find(Kind::Machine, name).unwrap();
        let mut node = Machine::resolve(&entry.source, &[], &catalogue).unwrap().nodes.remove(0);
        node.cores = 0;
        node
    });
    assert!(nodes.iter().all(|node| *node == nodes[0]));
}

#[test]
fn a_resolved_machine_is_a_text_that_resolves_to_the_same_machine() {
    let catalogue = Catalogue::built_in();
    for entry in catalogue.entries(Kind::Machine) {
        let first = Machine::resolve(&entry.source, &[], &catalogue).unwrap();
        let text = first.resolved_text();
        let second = Machine::resolve(&SourceText::new("resolved", &*text), &[], &catalogue)
            .unwrap_or_else(|faults| panic!("{text}\n{faults:#?}"));
        assert_eq!(first.resolved, second.resolved, "{text}");
        assert_eq!(first.nodes, second.nodes);
        assert_eq!(first.runtime, second.runtime);
    }
}

#[test]
fn the_resolved_text_says_where_values_are_from() {
    let machine = resolve(GOOD, &[("node.cache.L1d.size", "16 KiB"), ("runtime.schedule", "dynamic, 8")]).unwrap();
    insta::assert_snapshot!(machine.resolved_text());
}

#[test]
fn keys_become_the_parts_numbers() {
    let machine = resolve(GOOD, &[]).unwrap();
    let node = &machine.nodes[0];
    assert_eq!((node.name.as_str(), node.cores, node.memory_bytes), ("socket", 4, 16 << 30));
    assert_eq!(node.core.costs, [1, 7, 25, 4, 7, 25, 78, 100, 1, 1, 3, 2]);
    assert_eq!(node.caches.iter().map(|cache| (cache.name.as_str(), cache.sets())).collect::<Vec<_>>(), [("L1d", 64), ("L2", 512)]);
    let InterconnectSpec::Snooping(bus) = &node.interconnect else { panic!() };
    assert_eq!((bus.width_bytes, bus.address_cycles, bus.snoop_cycles, bus.outstanding), (16, 1, 2, 8));
    let MemorySpec::Simple(memory) = &node.memory else { panic!() };
    assert_eq!(memory.latency.picoseconds(), 70_000, "what the machine says counts more than the part");
    assert_eq!(memory.bandwidth_bytes_per_second, 25_600_000_000);
    assert_eq!(node.protocol.as_ref().unwrap().name, "MESI");
}

#[test]
fn a_plan_has_a_thread_for_each_core_unless_told_otherwise() {
    let machine = resolve(GOOD, &[]).unwrap();
    let plan = machine.plan(None, 7).unwrap();
    assert_eq!((plan.threads, plan.seed, plan.padding, plan.lock.as_str()), (4, 7, 64, "ticket"));
    assert_eq!(machine.plan(Some(2), 1).unwrap().threads, 2);
    for threads in [0, 5] {
        let faults = machine.plan(Some(threads), 1).unwrap_err();
        assert_eq!(faults[0].help.as_deref(), Some("from 1 to 4 threads"));
    }
    assert_eq!(resolve(GOOD, &[("runtime.threads", "3")]).unwrap().plan(None, 1).unwrap().threads, 3);
}

#[test]
fn a_fault_of_the_parts_points_at_the_key_or_what_stands_for_it() {
    let machine = resolve(GOOD, &[]).unwrap();
    let line = |key: &str| {
        let fault = SpecFault { key: key.to_string(), message: "too small".to_string(), help: None };
        machine.diagnostic(0, fault).report().line
    };
    assert_eq!(line("cores"), Some(5));
    assert_eq!(line("cache.L2.ways"), Some(17));
    assert_eq!(line("interconnect.outstanding"), Some(7), "a default has no line of its own: the table's");
    // A part's value is the part's line.
    let fault = SpecFault { key: "memory.size".to_string(), message: String::new(), help: None };
    assert_eq!(&*machine.diagnostic(0, fault).source.name, "models/memories/simple-dram.toml");
}

/// A shared cache with one key more, before what follows the caches.
fn shared_cache(key: &str) -> String {
    let ways = if key.starts_with("ways") { "" } else { "ways = 16\n" };
    format!("[node.cache.LLC]\nsize = \"1 MiB\"\n{ways}latency = \"20 cycles\"\n{key}\n\n[address_space]")
}

#[test]
fn broken_machines_are_answered_with_the_place_and_what_would_be_right() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("an unknown key at the top", &[("[runtime]", "[run_time]")]),
        ("an unknown key in a node", &[("cores = 4", "cores = 4\nclock = \"2 GHz\"")]),
        ("an unknown key in a cache", &[("ways = 8", "wyas = 8")]),
        ("an unknown key in braces", &[("clock = \"1 GHz\"", "clok = \"1 GHz\"")]),
        ("a key that is not built yet", &[("[address_space]", "[interconnect]\ntopology = \"ring\"\n[address_space]")]),
        ("a cache that two of four cores share", &[("[address_space]", &shared_cache("shared_by = 2"))]),
        ("a cache that someone shares", &[("[address_space]", &shared_cache("shared_by = \"some\""))]),
        ("a shared cache of longer lines", &[("[address_space]", &shared_cache("line = \"128 B\""))]),
        ("a shared cache that is always taken up", &[("[address_space]", &shared_cache("interval = \"0 cycles\""))]),
        ("a shared cache whose sets are no power of two", &[("[address_space]", &shared_cache("ways = 24"))]),
        (
            "a shared cache without a clock",
            &[
                ("{ kind = \"bus\", width = \"16 B\", clock = \"1 GHz\" }", "\"ideal\""),
                ("[address_space]", &shared_cache("ways = 16")),
            ],
        ),
        ("a prefetcher of another kind", &[("ways = 8", "ways = 8\nprefetcher = { kind = \"markov\" }")]),
        ("a prefetcher's odd table", &[("ways = 8", "ways = 8\nprefetcher = { kind = \"stride\", entries = 48 }")]),
        ("a prefetcher behind the first level", &[("[node.cache.L2]", "[node.cache.L2]\nprefetcher = { kind = \"next-line\" }")]),
        (
            "a prefetcher without a protocol",
            &[
                ("cores = 4", "cores = 1"),
                ("ways = 8", "ways = 8\nprefetcher = { kind = \"stream\" }"),
                ("protocol = \"mesi\"", "protocol = \"none\""),
            ],
        ),
        ("an organisation that is not built yet", &[("\"uma\"", "\"coma\"")]),
        ("a single node far from itself", &[("\"uma\"", "\"numa\"")]),
        ("a memory that is not built yet", &[("{ part = \"simple-dram\", latency = \"70 ns\" }", "{ kind = \"dram\" }")]),
        ("several nodes equally far", &[("cores = 4", "cores = 4\ncount = 2")]),
        ("several nodes that nothing joins", &[("cores = 4", "cores = 4\ncount = 2"), ("\"uma\"", "\"numa\"")]),
        ("a directory on a bus", &[("\"mesi\"", "\"directory-mesi\"")]),
        ("a directory's latency where there is none", &[("cores = 4", "cores = 4\ndirectory = { latency = \"5 ns\" }")]),
        (
            "one node joined with nothing",
            &[(
                "[address_space]",
                "[interconnect]\ntopology = \"ring\"\nlink = { latency = \"1 ns\", bandwidth = \"1 GB/s\" }\n[address_space]",
            )],
        ),
        ("messages within one address space", &[("cores = 4", "cores = 4\nnetwork_interface = { gap = \"1 us\" }")]),
        ("one node's pages dealt", &[("\"uma\"", "\"uma\"\nplacement = \"interleave\"")]),
        (
            "two kinds of nodes",
            &[(
                "[address_space]",
                "[[node]]\ncores = 1\ncore = { part = \"ideal\", clock = \"1 GHz\" }\ninterconnect = \"ideal\"\nmemory = \"ideal\"\n[address_space]",
            )],
        ),
        ("no node", &[("[[node]]", "[[nodes]]"), ("[node.cache.L1d]", "[cache]"), ("[node.cache.L2]", "[cache2]")]),
        ("one bracket too few", &[("[[node]]", "[node]")]),
        ("no name", &[("name = \"Test\"", "")]),
        ("a missing key", &[(", clock = \"2 GHz\"", "")]),
        ("a size without a unit", &[("\"32 KiB\"", "32")]),
        ("KB", &[("\"32 KiB\"", "\"32 KB\"")]),
        ("a size where a count is", &[("ways = 8", "ways = \"8\"")]),
        ("cycles where nanoseconds are", &[("\"70 ns\"", "\"70 cycles\"")]),
        ("too many cycles", &[("\"2 cycles\"", "\"20000000 cycles\"")]),
        ("a text without quotes", &[("\"32 KiB\"", "32 KiB")]),
        ("no cores", &[("cores = 4", "cores = 0")]),
        ("too many cores", &[("cores = 4", "cores = 4096")]),
        ("sets that are no power of two", &[("\"32 KiB\"", "\"24 KiB\"")]),
        ("a line that is no power of two", &[("ways = 8", "ways = 8\nline = \"48 B\"")]),
        ("a huge line", &[("ways = 8", "ways = 8\nline = \"5 GiB\"")]),
        ("lines of two lengths", &[("ways = 8", "ways = 8\nline = \"32 B\"")]),
        ("caches the simulator has no room for", &[("cores = 4", "cores = 1000"), ("\"256 KiB\"", "\"256 MiB\"")]),
        ("a cache of no size", &[("\"256 KiB\"", "\"0 B\"")]),
        ("L2 smaller than L1", &[("\"256 KiB\"", "\"16 KiB\"")]),
        ("L2 without L1", &[("[node.cache.L1d]\nsize = \"32 KiB\"\nways = 8\nlatency = \"2 cycles\"", "")]),
        ("caches of several cores that nothing keeps coherent", &[("\"mesi\"", "\"none\"")]),
        (
            "an outermost level that passes writes on",
            &[("\"10 cycles\"", "\"10 cycles\"\nwrite = \"through\"\nwrite_allocate = false")],
        ),
        (
            "words passed on to a level that may lack the line",
            &[("ways = 8", "ways = 8\nwrite = \"through\""), ("\"10 cycles\"", "\"10 cycles\"\ninclusion = \"neither\"")],
        ),
        (
            "no cache for data",
            &[
                ("\"2 cycles\"", "\"2 cycles\"\nholds = \"instructions\""),
                ("\"10 cycles\"", "\"10 cycles\"\nholds = \"instructions\""),
            ],
        ),
        ("a tree of six ways", &[("\"32 KiB\"", "\"24 KiB\""), ("ways = 8", "ways = 6\nreplacement = \"tree-plru\"")]),
        (
            "nothing to exclude",
            &[("cores = 4", "cores = 1"), ("\"mesi\"", "\"none\""), ("\"2 cycles\"", "\"2 cycles\"\ninclusion = \"exclusive\"")],
        ),
        (
            "an exclusive level of longer lines",
            &[
                ("cores = 4", "cores = 1"),
                ("\"mesi\"", "\"none\""),
                ("\"10 cycles\"", "\"10 cycles\"\nline = \"128 B\"\nwrite = \"through\"\ninclusion = \"exclusive\""),
            ],
        ),
        (
            "an inclusive level of shorter lines",
            &[("cores = 4", "cores = 1"), ("\"mesi\"", "\"none\""), ("\"10 cycles\"", "\"10 cycles\"\nline = \"32 B\"")],
        ),
        ("a first level twice", &[("cores = 4", "cores = 1"), ("\"mesi\"", "\"none\""), ("[node.cache.L2]", "[node.cache.L1]")]),
        (
            "a part of what is inside",
            &[
                ("cores = 4", "cores = 1"),
                ("\"mesi\"", "\"none\""),
                ("\"2 cycles\"", "\"2 cycles\"\nholds = \"both\""),
                ("\"10 cycles\"", "\"10 cycles\"\nholds = \"instructions\""),
            ],
        ),
        ("a bus wider than a line", &[("\"16 B\"", "\"128 B\"")]),
        ("a crossbar wider than a line", &[("{ kind = \"bus\", width = \"16 B\"", "{ kind = \"crossbar\", width = \"128 B\"")]),
        ("a ring without hops", &[("{ kind = \"bus\"", "{ kind = \"ring\", hop = \"0 cycles\"")]),
        ("a ring of three directions", &[("{ kind = \"bus\"", "{ kind = \"ring\", directions = 3")]),
        ("a memory of many ports", &[("{ kind = \"bus\"", "{ kind = \"crossbar\", memory_ports = 65")]),
        ("a bus of several ports of memory", &[("{ kind = \"bus\"", "{ kind = \"bus\", memory_ports = 2")]),
        ("a bus of an odd width", &[("\"16 B\"", "\"12 B\"")]),
        ("a clock without a unit", &[("\"2 GHz\"", "2e9")]),
        ("a clock too fast", &[("\"2 GHz\"", "\"2000 GHz\"")]),
        ("an arbitration nobody knows", &[("clock = \"1 GHz\"", "clock = \"1 GHz\", arbitration = \"roundrobin\"")]),
        ("a part nobody knows", &[("in-order-scalar", "in-order-scaler")]),
        ("a part of another kind", &[("part = \"simple-dram\"", "part = \"snooping-bus\"")]),
        ("a kind that is not the part's", &[("part = \"simple-dram\"", "part = \"simple-dram\", kind = \"ideal\"")]),
        ("a protocol nobody knows", &[("\"mesi\"", "\"mesii\"")]),
        ("no protocol", &[("protocol = \"mesi\"", "")]),
        (
            "a protocol without caches",
            &[(
                "[node.cache.L1d]\nsize = \"32 KiB\"\nways = 8\nlatency = \"2 cycles\"\n\n[node.cache.L2]\nsize = \"256 KiB\"\nways = 8\nlatency = \"10 cycles\"",
                "",
            )],
        ),
        ("a page of an odd size", &[("protocol = \"mesi\"", "protocol = \"mesi\"\npage_size = \"5 KiB\"")]),
        (
            "a predictor of no power of two of entries",
            &[("clock = \"2 GHz\"", "clock = \"2 GHz\", predictor = { kind = \"bimodal\", entries = 1000 }")],
        ),
        ("TLBs without a first level", &[("[node.cache.L2]", "[node.tlb.L2]\nentries = 8\nways = 4\n[node.cache.L2]")]),
        (
            "TLBs of no power of two of sets",
            &[("[node.cache.L2]", "[node.tlb.L1d]\nentries = 48\nways = 4\nreplacement = \"tree-plru\"\n[node.cache.L2]")],
        ),
        (
            "a tree of twelve ways of a TLB",
            &[("[node.cache.L2]", "[node.tlb.L1d]\nentries = 48\nways = 12\nreplacement = \"tree-plru\"\n[node.cache.L2]")],
        ),
        (
            "TLBs and pages that no table has",
            &[
                ("[node.cache.L2]", "[node.tlb.L1d]\nentries = 64\nways = 4\n[node.cache.L2]"),
                ("protocol = \"mesi\"", "protocol = \"mesi\"\npage_size = \"64 KiB\""),
            ],
        ),
        (
            "TLBs without caches",
            &[
                (
                    "[node.cache.L1d]\nsize = \"32 KiB\"\nways = 8\nlatency = \"2 cycles\"\n\n[node.cache.L2]\nsize = \"256 KiB\"\nways = 8\nlatency = \"10 cycles\"",
                    "[node.tlb.L1d]\nentries = 64\nways = 4",
                ),
                ("protocol = \"mesi\"", ""),
            ],
        ),
        ("more threads than cores", &[("\"cores\"", "8")]),
        ("threads in words", &[("\"cores\"", "\"many\"")]),
        ("a schedule nobody knows", &[("\"static\"", "\"statik\"")]),
        ("a chunk that is no number", &[("\"static\"", "\"static, few\"")]),
        ("a lock nobody knows", &[("schedule = \"static\"", "lock = \"tiket\"")]),
        ("a memory that never answers", &[("latency = \"70 ns\"", "bandwidth = \"0 B/s\"")]),
        ("memory too slow", &[("\"70 ns\"", "\"70 s\"")]),
        ("no TOML at all", &[("cores = 4", "cores = ")]),
        ("a key twice", &[("cores = 4", "cores = 4\ncores = 5")]),
        ("a date", &[("cores = 4", "cores = 2024-01-01")]),
    ];
    let told: Vec<String> = cases.iter().map(|(what, edits)| format!("{what}\n{}", faults(resolve(&broken(edits), &[])))).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_broken_setting_is_shown_in_its_own_text() {
    let cases: &[(&str, &str)] = &[
        ("node.cache.L1d.size", "32 KB"),
        ("node.cache.L1d.sise", "32 KiB"),
        ("node.cache.L1d.size", "\"32 KiB"),
        ("node[scoket].cores", "2"),
        ("node[7].cores", "2"),
        ("runtime[0].lock", "ticket"),
        ("runtime.lock.kind", "ticket"),
        ("node.cores.number", "3"),
        ("node..cores", "3"),
        ("", "3"),
        ("node[socket", "3"),
        ("node", "3"),
        ("node.core.part", "in-order-scaler"),
        ("runtime.threads", "16"),
        ("runtime.lock", "tikcet"),
        ("nodes.cores", "1"),
    ];
    let told: Vec<String> =
        cases.iter().map(|&(key, value)| format!("--set {key}={value}\n{}", faults(resolve(GOOD, &[(key, value)])))).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn settings_change_what_they_name() {
    let set = [
        ("node[socket].cores", "2"),
        ("node.cache.L1d.size", "64 KiB"),
        ("runtime.lock", "ticket"),
        ("name", "'Quoted'"),
        ("node.cache.L2.ways", "16"),
        ("node.memory", "ideal"),
        ("node[0].interconnect.width", "\"32 B\""),
        ("node.cache.L2.ways", "4"),
    ];
    let machine = resolve(GOOD, &set).unwrap();
    let node = &machine.nodes[0];
    assert_eq!((machine.name.as_str(), node.cores, node.caches[0].size_bytes, node.caches[1].ways), ("Quoted", 2, 65536, 4));
    assert_eq!(node.memory, MemorySpec::Ideal);
    assert_eq!(resolve(GOOD, &[("name", "2024-01-01")]).unwrap().name, "2024-01-01");
    let refined = resolve(GOOD, &[("node.memory", "ideal"), ("node.memory.size", "1 GiB")]).unwrap();
    assert_eq!(refined.nodes[0].memory_bytes, 1 << 30);
    assert_eq!(machine.resolved["node"][0]["interconnect"]["width"], "32 B");
}

#[test]
fn a_table_of_another_kind_takes_no_keys_from_the_part() {
    let set = [("node.core.part", "out-of-order-4-wide"), ("node.core.predictor", "{ kind = \"static\" }")];
    let core = &resolve(GOOD, &set).unwrap().nodes[0].core;
    let own = core.out_of_order.as_ref().unwrap();
    assert_eq!((own.predictor, own.window), (PredictorSpec::Static, 224));
    let set = [("node.core.part", "out-of-order-4-wide"), ("node.core.predictor.entries", "64")];
    let own = resolve(GOOD, &set).unwrap().nodes[0].core.out_of_order.clone().unwrap();
    assert_eq!(own.predictor, PredictorSpec::Tage { entries: 64 });
}

#[test]
fn a_machine_names_the_texts_it_needs() {
    let references = |set: &[(String, String)]| Machine::references(&SourceText::new("m.toml", GOOD), set);
    let named = |kind, name: &str| (kind, name.to_string());
    let usual = [named(Kind::Processor, "in-order-scalar"), named(Kind::Memory, "simple-dram"), named(Kind::Protocol, "mesi")];
    assert_eq!(references(&[]), usual);
    let set = [("node.core.part".to_string(), "mine".to_string()), ("no..key".to_string(), String::new())];
    assert_eq!(references(&set)[0], named(Kind::Processor, "mine"));
    assert!(Machine::references(&SourceText::new("m.toml", "[["), &[]).is_empty());
}

#[test]
fn faults_in_a_part_point_into_the_part() {
    let mut catalogue = Catalogue::built_in();
    let told: Vec<String> = [
        "[core]\nkind = \"in-order\"\ncosts = { integer = \"1 cycle\" }\n",
        "[core]\nkind = \"in-order\"\nclocks = \"1 GHz\"\n",
        "description = \"x\"\n",
        "core = 3\n",
        "[core]\npart = \"in-order-scalar\"\n",
        "[core]\n[memory]\n",
        "[core",
    ]
    .iter()
    .map(|text| {
        catalogue.add(Kind::Processor, "in-order-scalar", SourceText::new("part.toml", *text));
        faults(Machine::resolve(&SourceText::new("m.toml", GOOD), &[], &catalogue))
    })
    .collect();
    insta::assert_snapshot!(told.join("\n"));
}

/// Whether a value fits a schema, of which only what ours use is known.
fn fits(value: &Json, schema: &Json) -> bool {
    let Json::Object(rules) = schema else { panic!("{schema}") };
    rules.iter().all(|(rule, with)| match rule.as_str() {
        "type" => match with.as_str().unwrap() {
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "object" => value.is_object(),
            "array" => value.is_array(),
            other => panic!("{other}"),
        },
        "const" => value == with,
        "enum" => with.as_array().unwrap().contains(value),
        "oneOf" => with.as_array().unwrap().iter().filter(|form| fits(value, form)).count() == 1,
        "anyOf" => with.as_array().unwrap().iter().any(|form| fits(value, form)),
        "minimum" => value.as_u64().unwrap_or(0) >= with.as_u64().unwrap(),
        "maximum" => value.as_u64().unwrap_or(0) <= with.as_u64().unwrap(),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| fits(item, with))),
        "required" => with.as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some()),
        "properties" => value
            .as_object()
            .is_none_or(|table| table.iter().all(|(key, value)| with.get(key).is_none_or(|schema| fits(value, schema)))),
        "additionalProperties" => match with {
            Json::Bool(false) => {
                value.as_object().is_none_or(|table| table.keys().all(|key| rules["properties"].get(key).is_some()))
            }
            _ => panic!("{with}"),
        },
        "$schema" | "title" | "description" | "default" | "examples" => true,
        other => panic!("unknown rule {other}"),
    })
}

#[test]
fn the_schemas_accept_what_is_shipped_and_refuse_what_is_wrong() {
    let catalogue = Catalogue::built_in();
    for kind in [Kind::Machine, Kind::Processor, Kind::Memory, Kind::Link] {
        let schema = schema(kind).unwrap();
        for entry in catalogue.entries(kind) {
            let value: Json = toml::from_str(&entry.source.text).unwrap();
            // What a part supplies a schema cannot see: a machine's schema is held against the resolved machine.
            let value = match kind {
                Kind::Machine => Machine::resolve(&entry.source, &[], &catalogue).unwrap().resolved,
                _ => value,
            };
            assert!(fits(&value, &schema), "{}", entry.source.name);
        }
    }
    let schema = schema(Kind::Machine).unwrap();
    let right = resolve(GOOD, &[]).unwrap().resolved;
    assert!(fits(&right, &schema));
    for (pointer, wrong) in [
        ("/name", Json::from(3)),
        ("/node/0/cores", Json::from(0)),
        ("/node/0/memory/kind", Json::from("dram")),
        ("/node/0/cache/L1d/replacement", Json::from("oldest")),
        ("/runtime/threads", Json::from("many")),
    ] {
        let mut value = right.clone();
        *value.pointer_mut(pointer).unwrap() = wrong;
        assert!(!fits(&value, &schema), "{pointer}");
    }
    let mut value = right.clone();
    value["node"][0]["core"].as_object_mut().unwrap().insert("pace".to_string(), Json::from("2 GHz"));
    assert!(!fits(&value, &schema));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is done to the bytes of a machine, it is answered, and every fault lies inside its text.
    #[test]
    fn edited_machines_never_panic(which in 0usize..6, edits in prop::collection::vec((0usize..4000, any::<u8>(), 0usize..3), 1..6)) {
        let catalogue = Catalogue::built_in();
        let shipped = catalogue.entries(Kind::Machine).nth(which).map(|entry| entry.source.text.clone());
        let mut bytes = shipped.as_deref().unwrap_or(GOOD).as_bytes().to_vec();
        for (at, byte, what) in edits {
            let at = at % bytes.len();
            match what {
                0 => bytes[at] = byte & 0x7f,
                1 => bytes.insert(at, byte & 0x7f),
                _ => drop(bytes.drain(at..(at + usize::from(byte) / 8 + 1).min(bytes.len() - 1).max(at))),
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Err(faults) = resolve(&text, &[]) {
            prop_assert!(!faults.is_empty());
            for fault in faults {
                let _ = fault.report();
                prop_assert!(fault.span.is_none_or(|span| span.start <= span.end && span.end as usize <= fault.source.text.len()), "{fault}");
            }
        }
    }

    /// Whatever is set, it is answered.
    #[test]
    fn any_setting_is_answered(key in "(node|node\\[socket\\]|runtime|memory|a|\\.|\\[|\\]){1,3}(\\.(cores|core|lock|L1d|x))?", value in ".{0,12}") {
        let _ = resolve(GOOD, &[(&key, &value)]).map_err(faults_have_sentences);
    }

    /// Numbers of any size make a machine or a fault, never a panic.
    #[test]
    fn any_number_is_answered(number in any::<u64>(), unit in 0usize..4, key in 0usize..6) {
        let unit = ["", " B", " GiB", " cycles"][unit];
        let key = ["node.cache.L1d.size", "node.cache.L2.ways", "node.cache.L1d.line", "node.interconnect.width", "node.memory.size", "address_space.page_size"][key];
        let _ = resolve(GOOD, &[(key, &format!("{number}{unit}"))]).map_err(faults_have_sentences);
    }
}

fn faults_have_sentences(faults: Diagnostics) {
    assert!(faults.iter().all(|fault| !fault.message.is_empty() && !fault.to_string().is_empty()));
}
