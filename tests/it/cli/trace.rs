//! Memory traces: run by name, by file, compressed or not; refused with their line.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::Value;

use super::{Directory, Finished};

fn run(here: &Directory, arguments: &[&str]) -> Finished {
    here.flynn(&[&["run"], arguments].concat())
}

fn record(here: &Directory, arguments: &[&str]) -> Value {
    run(here, &[arguments, &["--format", "json"]].concat()).ends_with(0).json()["record"].clone()
}

/// Reads and writes of words 64 bytes apart, with a fetch before each.
fn din() -> String {
    (0..2000_u32).map(|n| format!("2 {:x}\n{} {:x}\n", 0x40_0000 + 4 * (n % 50), n % 2, 64 * (n % 300))).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

/// Of gcc's code for the inner loop, 7 instructions run 32^3 times, with two loads; each matrix is written once.
#[test]
fn the_shipped_trace_runs_in_time_and_without_to_the_same_counts() {
    let here = Directory::new();
    let timed = record(&here, &["split-caches", "matmul-trace"]);
    let counted = record(&here, &["split-caches", "matmul-trace", "--functional"]);
    assert_eq!((&counted["time_ps"], &counted["start"]), (&Value::from(0), &Value::from("cold")));
    assert!(timed["time_ps"].as_u64().unwrap() > 250_285 * 500, "a cycle of 500 ps for each instruction, and the misses");
    for (path, value) in counted["metrics"].as_object().unwrap() {
        assert_eq!(timed["metrics"][path], *value, "{path}");
    }
    // Translated, too: walks are the same ones.
    let tlbs = ["--set", "node.tlb.L1d.entries=4", "--set", "node.tlb.L1d.ways=4"];
    let [timed_walks, counted_walks] = [&[][..], &["--functional"]].map(|more| {
        let metrics = record(&here, &[&["split-caches", "matmul-trace"], &tlbs[..], more].concat())["metrics"].take();
        ["tlb.walks", "tlb.walk_loads", "l1d.misses", "l2.misses"]
            .map(|name| metrics[format!("node[0].core[0].{name}")].as_u64().unwrap())
    });
    assert_eq!(timed_walks, counted_walks);
    assert!(counted_walks[0] > 6 && counted_walks[1] == 4 * counted_walks[0], "{counted_walks:?}");
    assert_eq!(counted["workload"]["parameters"], timed["workload"]["parameters"]);
    let parameters = &counted["workload"]["parameters"];
    assert_eq!((&parameters["reads"], &parameters["writes"]), (&Value::from(2 * 32 * 32 * 32), &Value::from(3 * 32 * 32)));
    let misses = |set: &str| {
        let record = record(&here, &["split-caches", "matmul-trace", "--functional", "--set", set]);
        record["metrics"]["node[0].core[0].l1d.misses"].as_u64().unwrap()
    };
    assert!(misses("node.cache.L1d.size=\"32 KiB\"") == 3 * 8192 / 32, "all three matrices fit: each line misses once");
    assert!(misses("node.cache.L1d.size=\"8 KiB\"") > 3 * 8192 / 32);
}

#[test]
fn a_trace_needs_no_text_and_may_be_compressed() {
    let here = Directory::new();
    let din = din();
    here.file("a.din", &din).file("b.din.gz", &gzip(din.as_bytes())).file("named-anyhow", &zstd(din.as_bytes()));
    let two_frames = [zstd(&din.as_bytes()[..1000]), b"\x50\x2a\x4d\x18\x02\x00\x00\x00??".to_vec(), zstd(&din.as_bytes()[1000..])];
    here.file("c.zst", &two_frames.concat());
    here.file("w/t.toml", "kind = \"trace\"\nfile = \"../a.din\"\nformat = \"din\"\n");
    let [a, b, c, d, e] = ["a.din", "b.din.gz", "c.zst", "named-anyhow", "w/t.toml"]
        .map(|file| record(&here, &["split-caches", file, "--functional"]));
    assert_eq!(a["workload"]["parameters"]["fetches"], 2000);
    for other in [&b, &c, &d, &e] {
        assert_eq!((&other["metrics"], &other["workload"]["parameters"]), (&a["metrics"], &a["workload"]["parameters"]));
    }
    assert_eq!((a["workload"]["name"].as_str(), b["workload"]["name"].as_str()), (Some("a"), Some("b")));
    let text = run(&here, &["split-caches", "a.din"]).ends_with(0);
    assert!(text.out.contains("L1d misses") && text.out.contains("output/split-caches-a"), "{}", text.out);
    let text = run(&here, &["split-caches", "a.din", "--functional"]).ends_with(0);
    assert!(text.out.contains("not simulated") && text.out.contains("No time was simulated"), "{}", text.out);
    let checked = here.flynn(&["check", "w/t.toml"]).ends_with(0);
    assert!(checked.out.contains("2000 instruction fetches, 1000 reads, 1000 writes"), "{}", checked.out);
}

/// The shipped trace of several cores is what its description says.
#[test]
fn the_shipped_partial_sums_are_as_described() {
    let element = |core: u32, n: u32| {
        let (double, sum) = (0x10000 + 8 * (128 * core + n), 0x20000 + 8 * core);
        format!("{core} I  00401000,4\n{core}  L {double:x},8\n{core} I  00401004,4\n{core}  M {sum:x},8\n")
    };
    let sums: String = (0..128).flat_map(|n| (0..4).map(move |core| element(core, n))).collect();
    let end: String = (0..4).map(|core| format!("0 I  00401010,4\n0  L {:x},8\n", 0x20000 + 8 * core)).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/workloads/partial-sums-trace.lackey");
    assert_eq!(std::fs::read_to_string(path).unwrap(), sums + &end);
    let checked = Directory::new().flynn(&["check", "partial-sums-trace"]).ends_with(0);
    assert!(checked.out.contains("1028 instruction fetches, 1028 reads, 512 writes by cores 0 to 3"), "{}", checked.out);
}

/// In the order of the trace each core but the first to come finds the line of the sums in another's cache, reads its own word, which no
/// one else has written (false sharing), and has to ask before it writes it; only the very first writer has the line alone, which MESI
/// knows and MSI does not. At the end core 0 reads its own word first. With updates no one loses the line. Each core reads 16 lines of
/// the array and one of instructions.
#[test]
fn false_sharing_in_a_trace_counts_what_its_protocol_says() {
    let here = Directory::new();
    let of = |protocol: &str| {
        let set = format!("address_space.protocol={protocol}");
        let metrics = record(&here, &["uma-bus-4", "partial-sums-trace", "--functional", "--set", &set])["metrics"].take();
        let counts = |path: &str, names: &[&str]| {
            names.iter().map(|name| metrics[format!("node[0].{path}.{name}")].as_u64().unwrap()).collect::<Vec<u64>>()
        };
        let causes = ["accesses", "misses_cold", "misses_true_sharing", "misses_false_sharing", "invalidations"];
        let bus = counts("interconnect", &["bus_rd", "bus_rdx", "bus_upgr", "bus_upd", "flushes"]);
        [bus, counts("memory", &["reads", "writes"]), counts("core[0].l1d", &causes), counts("core[3].l1d", &causes)]
    };
    let (array, sums, instructions) = (4 * 16, 4 * 128, 4);
    let reads = array + sums + 1 + instructions;
    // Core 3 is the last to write: then no one takes the line from it.
    let [first, last] = [vec![388, 17, 0, 128, 128], vec![384, 17, 0, 127, 127]];
    let mesi = [vec![reads, 0, sums - 1, 0, sums], vec![reads - sums, sums], first, last];
    assert_eq!(of("mesi"), mesi);
    let msi = [vec![reads, 0, sums, 0, sums], mesi[1].clone(), mesi[2].clone(), mesi[3].clone()];
    assert_eq!(of("msi"), msi);
    let cold = array + 4 + instructions;
    let dragon = [vec![cold, 0, 0, sums - 1, 3], vec![cold - 3, 0], vec![388, 17, 0, 0, 0], vec![384, 17, 0, 0, 0]];
    assert_eq!(of("dragon"), dragon);
}

/// Every kind of machine of several cores runs it in time, and core 0, with the most to do, takes at least its cycles.
#[test]
fn a_trace_of_several_cores_runs_in_time() {
    let here = Directory::new();
    for machine in ["uma-bus-4", "uma-bus-4-llc", "uma-bus-4-tso", "uma-bus-4-exclusive", "uma-crossbar-16", "uma-ring-16", "ideal"]
    {
        let record = record(&here, &[machine, "partial-sums-trace"]);
        let metric = |name: &str| record["metrics"][format!("node[0].{name}")].as_u64();
        assert_eq!(metric("core[0].fetches"), Some(2 * 128 + 4), "{machine}");
        assert_eq!(metric("core[3].accesses"), Some(3 * 128), "{machine}");
        assert_eq!(record["workload"]["parameters"]["cores"], 4, "{machine}");
        if let Some(sharing) = metric("core[0].l1d.misses_false_sharing") {
            // Its own word no one else writes; at the end it reads those of three others.
            assert!(sharing > 0 && metric("core[0].l1d.misses_true_sharing") <= Some(3), "{machine}");
        }
    }
    let text = run(&here, &["uma-bus-4", "partial-sums-trace"]).ends_with(0).out;
    assert!(text.contains("cores = 4") && text.contains("that other cores write"), "{text}");
}

#[test]
fn wrong_traces_end_with_two_and_say_where() {
    let here = Directory::new();
    let din = din();
    let mut damaged_gzip = gzip(din.as_bytes());
    let half = damaged_gzip.len() / 2;
    damaged_gzip[half] ^= 0x55;
    let cut_zstd = zstd(din.as_bytes());
    here.file("a.din", &format!("{din}7 10\n")).file("gone.din.gz", &damaged_gzip).file("cut.zst", &cut_zstd[..cut_zstd.len() / 2]);
    here.file("other.zst", b"\x28\xb5\x2f\xfdnothing of the kind");
    here.file("t.toml", "kind = \"trace\"\nfile = \"nowhere.din\"\n");
    let fault = |machine: &str, file: &str| run(&here, &[machine, file, "--functional"]).ends_with(2).err;
    assert!(fault("split-caches", "a.din").contains("a.din:4001: expected 0 (read), 1 (write) or 2"));
    assert!(fault("split-caches", "gone.din.gz").contains("gone.din.gz: after line"));
    assert!(fault("split-caches", "cut.zst").contains("what zstd compressed is damaged"));
    assert!(fault("split-caches", "other.zst").contains("what zstd compressed is damaged"));
    assert!(fault("split-caches", "nowhere.din").contains("cannot read nowhere.din"));
    assert!(fault("split-caches", "t.toml").contains("t.toml:2:8"));
    here.file("two.lackey", "0  L 10,4\n1  L 20,4\n");
    assert!(fault("uniprocessor", "two.lackey").contains("two.lackey:2: a reference of core 1, and the machine has one core"));
    assert!(fault("uniprocessor-prefetch", "a.din").contains("without time there is no telling which prefetches come in time"));
    assert!(fault("split-caches", "triad").contains("only traces can be run without time"));
    let timed = run(&here, &["split-caches", "a.din"]).ends_with(2);
    assert!(timed.err.contains("a.din:4001"), "{}", timed.err);
    let coherent = run(&here, &["uma-bus-4", "a.din"]).ends_with(2);
    assert!(coherent.err.contains("a.din:4001"), "{}", coherent.err);
    let out_of_order = run(&here, &["uniprocessor-out-of-order", "two.lackey"]).ends_with(2);
    assert!(out_of_order.err.contains("a trace does not say which operations depend on which"), "{}", out_of_order.err);
    let watched = run(&here, &["uma-bus-4", "partial-sums-trace", "--watch", "partial[0]"]).ends_with(2);
    assert!(watched.err.contains("only the objects of a program can be watched"), "{}", watched.err);
    let limited = run(&here, &["split-caches", "a.din", "--limit", "100"]).ends_with(1);
    assert!(limited.err.contains("more than 100 references"), "{}", limited.err);
    assert!(here.names("output").is_empty(), "nothing is written for a run that did not end");
}
