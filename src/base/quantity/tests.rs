//! Tests of quantities: exact values, round trips, and every sentence a wrong one is answered with.

use proptest::prelude::*;

use super::*;

fn size(text: &str) -> u64 {
    text.parse::<ByteSize>().unwrap().0
}

fn picoseconds(text: &str) -> u64 {
    text.parse::<Duration>().unwrap().0.0
}

fn bandwidth(text: &str) -> u64 {
    text.parse::<Bandwidth>().unwrap().bytes_per_second()
}

#[test]
fn texts_mean_exactly_what_they_say() {
    assert_eq!([size("32 B"), size("1 kB"), size("64KiB"), size(" 1.5  MiB ")], [32, 1000, 65536, 3 << 19]);
    assert_eq!([size("16 GiB"), size("2 TB"), size("1_024 B"), size("0.5 KiB")], [16 << 30, 2_000_000_000_000, 1024, 512]);
    assert_eq!(
        [picoseconds("60 ns"), picoseconds("1.5 us"), picoseconds("1.5 µs"), picoseconds("1.5 μs")],
        [60_000, 1_500_000, 1_500_000, 1_500_000]
    );
    assert_eq!(
        [picoseconds("0.25 ns"), picoseconds("7 ps"), picoseconds("2 ms"), picoseconds("3 s")],
        [250, 7, 2_000_000_000, 3_000_000_000_000]
    );
    assert_eq!([bandwidth("25.6 GB/s"), bandwidth("32 GiB/s"), bandwidth("1 B/s")], [25_600_000_000, 32 << 30, 1]);
    assert_eq!(["4 cycles", "1 cycle"].map(|text| text.parse::<Cycles>().unwrap().0), [4, 1]);
    assert_eq!("2.6 GHz".parse::<Frequency>().unwrap().clock(), Clock::from_hertz(2_600_000_000, 1).unwrap());
    assert_eq!("33.3333333 MHz".parse::<Frequency>().unwrap().clock(), Clock::from_hertz(333_333_333, 10).unwrap());
    assert_eq!("1000 GHz".parse::<Frequency>().unwrap().clock().edge(5), Time(5));
}

#[test]
fn quantities_are_written_as_people_write_them() {
    let written = |text: &str| text.parse::<ByteSize>().unwrap().to_string();
    assert_eq!(
        ["65536 B", "1000 B", "1536 B", "16384 MiB", "500 B", "0 B", "2048 GiB"].map(written),
        ["64 KiB", "1 kB", "1.5 KiB", "16 GiB", "500 B", "0 B", "2 TiB"]
    );
    let written = |text: &str| text.parse::<Duration>().unwrap().to_string();
    assert_eq!(["60000 ps", "1500 ns", "333 ps", "0 s", "100 ns"].map(written), ["60 ns", "1.5 us", "333 ps", "0 ps", "100 ns"]);
    let written = |text: &str| text.parse::<Frequency>().unwrap().to_string();
    assert_eq!(["1300 MHz", "2600 MHz", "33.3333 MHz", "0.5 Hz"].map(written), ["1.3 GHz", "2.6 GHz", "33.3333 MHz", "0.5 Hz"]);
    assert_eq!("25600 MB/s".parse::<Bandwidth>().unwrap().to_string(), "25.6 GB/s");
    assert_eq!(
        ["4 cycles", "1 cycle", "60 ns"].map(|text| text.parse::<Latency>().unwrap().to_string()),
        ["4 cycles", "1 cycle", "60 ns"]
    );
}

#[test]
fn a_transfer_takes_its_bytes_over_the_bandwidth_rounded_up() {
    let bandwidth: Bandwidth = "25.6 GB/s".parse().unwrap();
    assert_eq!([0, 1, 64, 128].map(|bytes| bandwidth.transfer_time(bytes).0), [0, 40, 2500, 5000]);
    assert_eq!(bandwidth.transfer_time(1 << 40), Time(42_949_672_960_000));
    assert_eq!(Bandwidth::new(1).unwrap().transfer_time(1 << 40), Time::NEVER);
}

#[test]
fn a_latency_is_counted_in_the_clock_of_its_part() {
    let clock = "3 GHz".parse::<Frequency>().unwrap().clock();
    let latency = |text: &str| text.parse::<Latency>().unwrap();
    assert_eq!((latency("4 cycles").cycles(clock), latency("4 cycles").time(clock)), (4, Time(1333)));
    assert_eq!((latency("1.1 ns").cycles(clock), latency("1.1 ns").time(clock)), (4, Time(1100)));
}

#[test]
fn wrong_texts_are_answered_with_what_to_write() {
    fn answers<T: FromStr<Err = QuantityError>>(texts: &[&str]) -> String {
        texts.iter().map(|text| text.parse::<T>().err().map_or("accepted".to_string(), |error| error.to_string()) + "\n").collect()
    }
    let long = "9".repeat(60);
    let sizes =
        ["64", "64 KB", "64 K", "64 M", "64 MHz", "64 kb", "64 Mbit", "64 b", "64 Mib", "64 mb", "64 KiBs", "64 lines", "-4 KiB"];
    insta::assert_snapshot!("sizes", answers::<ByteSize>(&sizes));
    let sizes = ["", "big", "1.2.3 B", "1. B", "0.3 B", "2,5 KiB", "17000000 TiB", &long, &format!("{long} B"), "1e3 B"];
    insta::assert_snapshot!("numbers", answers::<ByteSize>(&sizes));
    insta::assert_snapshot!(
        "frequencies",
        answers::<Frequency>(&[
            "2.6",
            "0 GHz",
            "2.6 ghz",
            "2.6 mHz",
            "2.6 G",
            "1001 GHz",
            "4 cycles",
            "1.00000000000000000001 GHz"
        ])
    );
    insta::assert_snapshot!("times", answers::<Duration>(&["60", "0.0001 ns", "60 sec", "60 NS", "60 KiB", "60 nsec"]));
    insta::assert_snapshot!(
        "bandwidths",
        answers::<Bandwidth>(&["25.6 GB", "10 Gb/s", "10 Gbps", "10 Gbit/s", "64 KB/s", "10 G/s", "10 gb/s", "0 GB/s", "0.1 B/s"])
    );
    insta::assert_snapshot!("cycles", answers::<Cycles>(&["4", "4.5 cycles", "4 clocks", "4 cycels", "4 ns"]));
    insta::assert_snapshot!("latencies", answers::<Latency>(&["4", "4 cycels", "4 KiB", "fast"]));
}

#[test]
fn numbers_without_unit_are_answered_in_every_format() {
    let error = serde_json::from_str::<ByteSize>("64").unwrap_err().to_string();
    assert!(error.starts_with("64 has no unit: write \"64 KiB\" or \"64 B\""), "{error}");
    let error = serde_json::from_str::<Latency>("1.5").unwrap_err().to_string();
    assert!(error.starts_with("1.5 has no unit: write \"1.5 ns\" or \"1.5 cycles\""), "{error}");
    let error = serde_json::from_str::<ByteSize>("-64").unwrap_err().to_string();
    assert!(error.starts_with("\"-64\" is negative"), "{error}");
    assert_eq!(serde_json::to_string(&ByteSize(65536)).unwrap(), "\"64 KiB\"");
    assert_eq!(serde_json::from_str::<ByteSize>("\"64 KiB\"").unwrap(), ByteSize(65536));
}

proptest! {
    #[test]
    fn what_is_written_reads_back(number in prop_oneof![0..u64::MAX, 0u64..1_000_000, (0u32..63).prop_map(|bit| 1 << bit)]) {
        prop_assert_eq!(ByteSize(number).to_string().parse(), Ok(ByteSize(number)));
        prop_assert_eq!(Duration(Time(number)).to_string().parse(), Ok(Duration(Time(number))));
        prop_assert_eq!(Cycles(number).to_string().parse(), Ok(Cycles(number)));
        if let Some(bandwidth) = Bandwidth::new(number) {
            prop_assert_eq!(bandwidth.to_string().parse(), Ok(bandwidth));
        }
    }

    #[test]
    fn frequencies_read_back(megahertz in 1u32..1_000_000, fraction in 0u32..1_000_000) {
        let frequency: Frequency = format!("{megahertz}.{fraction:06} MHz").parse().unwrap();
        prop_assert_eq!(frequency.to_string().parse(), Ok(frequency));
    }

    #[test]
    fn no_text_panics(text in "(-?[0-9_.]{0,50})? ?[a-zA-Zµ/,]{0,8}|\\PC{0,20}") {
        let _ = text.parse::<ByteSize>();
        let _ = text.parse::<Frequency>();
        let _ = text.parse::<Bandwidth>();
        let _ = text.parse::<Latency>();
    }
}
