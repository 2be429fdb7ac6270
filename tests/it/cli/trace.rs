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
    assert!(fault("uniprocessor", "a.din").contains("coherent caches"));
    assert!(fault("uma-bus-4", "a.din").contains("coherent caches"));
    assert!(fault("split-caches", "triad").contains("only traces can be run without time"));
    let timed = run(&here, &["split-caches", "a.din"]).ends_with(2);
    assert!(timed.err.contains("a.din:4001"), "{}", timed.err);
    let limited = run(&here, &["split-caches", "a.din", "--limit", "100"]).ends_with(1);
    assert!(limited.err.contains("more than 100 references"), "{}", limited.err);
    assert!(here.names("output").is_empty(), "nothing is written for a run that did not end");
}
