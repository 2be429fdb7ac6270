//! What coherence protocols, interconnects and a shared cache are good and bad at, on shipped machines and programs: the shapes that
//! textbooks draw (Culler, Singh and Gupta, section 5.4; Eggers and Katz, "A characterization of sharing in parallel programs and its application to coherency protocol
//! evaluation", ISCA 1988).

use flynn::experiment::record::Record;
use flynn::machine::catalogue::Catalogue;

use crate::shipped::{machine, request, run, workload};

const BUS: &str = "node[0].interconnect";

fn measure(program: &str, protocol: &str) -> Record {
    let catalogue = Catalogue::built_in();
    let machine = machine(&catalogue, "uma-bus-4", &[("address_space.protocol", protocol)]);
    let workload = workload(&catalogue, program);
    run(&request(&machine, &workload, &[]), &catalogue)
}

/// The time of triad on arrays that do not fit the private caches.
fn streaming(machine_name: &str, set: &[(&str, &str)]) -> u64 {
    let catalogue = Catalogue::built_in();
    let set = [&[("node.cache.L2.size", "32 KiB")], set].concat();
    let machine = machine(&catalogue, machine_name, &set);
    let workload = workload(&catalogue, "triad");
    run(&request(&machine, &workload, &[]), &catalogue).time_ps
}

fn metric(record: &Record, name: &str) -> u64 {
    record.metrics[name]
}

#[test]
fn updates_win_where_one_writes_what_another_reads_next() {
    let [mesi, dragon] = ["mesi", "dragon"].map(|protocol| measure("producer-consumer", protocol));
    let bytes = [&mesi, &dragon].map(|record| metric(record, &format!("{BUS}.bytes")));
    let figures = format!("MESI {} ps, Dragon {} ps; bytes over the bus {bytes:?}", mesi.time_ps, dragon.time_ps);
    println!("producer-consumer: {figures}");
    // A hand-over is an upgrade and a miss each for value and flags, or an update each: half the transactions.
    assert!(dragon.time_ps * 3 < mesi.time_ps * 2, "{figures}");
    assert!(bytes[1] * 4 < bytes[0], "{figures}");
}

#[test]
fn updates_lose_where_data_migrate() {
    let [mesi, dragon] = ["mesi", "dragon"].map(|protocol| measure("migratory", protocol));
    let transactions = [&mesi, &dragon].map(|record| metric(record, &format!("{BUS}.transactions")));
    let figures = format!("MESI {} ps, Dragon {} ps; transactions {transactions:?}", mesi.time_ps, dragon.time_ps);
    println!("migratory: {figures}");
    // Each turn writes 64 words of 8 lines: an update for each word against a miss and an upgrade for each line.
    assert!(dragon.time_ps * 4 > mesi.time_ps * 5, "{figures}");
    assert!(transactions[1] > 3 * transactions[0], "{figures}");
}

#[test]
fn an_owner_saves_memory_writes() {
    for program in ["producer-consumer", "migratory"] {
        let [mesi, moesi] = ["mesi", "moesi"].map(|protocol| measure(program, protocol));
        let writes = [&mesi, &moesi].map(|record| metric(record, "node[0].memory.writes"));
        let supplies = [&mesi, &moesi].map(|record| metric(record, &format!("{BUS}.supplies")));
        let figures =
            format!("{program}: memory writes MESI {}, MOESI {}; lines supplied past memory {supplies:?}", writes[0], writes[1]);
        println!("{figures}");
        // Every read of a modified line is a write to memory in MESI, and none in MOESI, where nothing has to leave these caches.
        assert!(writes[0] > 1000 && writes[1] == 0, "{figures}");
        assert!(supplies[0] == 0 && supplies[1] >= writes[0], "{figures}");
        assert!(moesi.time_ps <= mesi.time_ps, "{figures}: {} ps, {} ps", mesi.time_ps, moesi.time_ps);
    }
}

#[test]
fn a_forwarder_supplies_clean_lines_in_memorys_place() {
    // Every thread reads all of the table: the first from memory, the others from whoever read last.
    let [mesi, mesif] = ["mesi", "mesif"].map(|protocol| measure("gather", protocol));
    let reads = [&mesi, &mesif].map(|record| metric(record, "node[0].memory.reads"));
    println!("gather: memory reads MESI {}, MESIF {}", reads[0], reads[1]);
    assert!(reads[1] * 4 < reads[0] * 3, "memory reads MESI {}, MESIF {}", reads[0], reads[1]);
    assert!(mesif.time_ps < mesi.time_ps, "MESI {} ps, MESIF {} ps", mesi.time_ps, mesif.time_ps);
}

#[test]
fn padding_removes_false_sharing_and_nothing_else() {
    let [bare, padded] = ["sum-unpadded", "sum-padded"].map(|program| measure(program, "mesi"));
    let causes = |record: &Record| {
        ["cold", "capacity", "conflict", "true_sharing", "false_sharing"]
            .map(|cause| (0..4).map(|core| metric(record, &format!("node[0].core[{core}].l1d.misses_{cause}"))).sum::<u64>())
    };
    let [[.., false_before], [.., false_after]] = [causes(&bare), causes(&padded)];
    println!("cold, capacity, conflict, true, false sharing: without padding {:?}, with {:?}", causes(&bare), causes(&padded));
    assert!(false_before > 1000 && false_after == 0, "{false_before}, {false_after}");
    for (cause, (before, after)) in causes(&bare).into_iter().zip(causes(&padded)).take(4).enumerate() {
        assert!(before.abs_diff(after) <= 8, "cause {cause}: {before} without padding, {after} with");
    }
}

#[test]
fn a_bus_holds_sixteen_cores_back_a_ring_less_and_a_crossbar_hardly() {
    let [bus, ring, crossbar] = ["uma-bus-16", "uma-ring-16", "uma-crossbar-16"].map(|name| streaming(name, &[]));
    let figures = format!("triad on 16 cores: bus {bus} ps, ring {ring} ps, crossbar {crossbar} ps");
    println!("{figures}");
    assert!(ring * 10 < bus * 9 && crossbar * 10 < ring * 9 && crossbar * 3 < bus * 2, "{figures}");
    // The bus is the limit, not the memory behind it: with four channels it is no faster.
    let more_channels = streaming("uma-bus-16", &[("node.memory.channels", "4")]);
    assert!(more_channels * 50 > bus * 49, "{figures}; with four channels {more_channels} ps");
}

#[test]
fn a_shared_cache_saves_the_way_to_memory_and_none_over_the_bus() {
    let [without, with] = ["uma-bus-4", "uma-bus-4-llc"].map(|name| {
        let catalogue = Catalogue::built_in();
        let machine = machine(&catalogue, name, &[("node.cache.L2.size", "32 KiB")]);
        run(&request(&machine, &workload(&catalogue, "pointer-chase"), &[]), &catalogue)
    });
    let reads = [&without, &with].map(|record| metric(record, "node[0].memory.reads"));
    let bytes = [&without, &with].map(|record| metric(record, &format!("{BUS}.bytes")));
    let figures = format!("pointer-chase: {} ps, {} ps; memory reads {reads:?}", without.time_ps, with.time_ps);
    println!("{figures}");
    // The warm-up pass has brought everything into the shared cache.
    assert!(reads[0] > 1000 && reads[1] == 0, "{figures}");
    assert!(bytes[0] == bytes[1] && with.time_ps * 3 < without.time_ps * 2, "{figures}; bytes over the bus {bytes:?}");
}
