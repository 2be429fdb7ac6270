//! A prediction held against what the host did.
//!
//! The verdict *inconclusive* is decided from the host's samples alone, before the prediction is looked at.

use crate::base::statistics::quantile;
use crate::experiment::record::{Record, ValidationCase};

/// Above this (p75 - p25) / median the host was too noisy to judge a prediction by.
pub const NOISY_SPREAD: f64 = 0.10;

/// The host's side of a case.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// Seconds of every measured pass, in the order taken; not empty.
    pub samples: Vec<f64>,
    pub checksum: String,
    /// Whether the host's values equal the simulated ones, exactly or within the workload's tolerance.
    pub equal: bool,
}

/// The case of one workload at one number of threads.
pub fn case(record: &Record, threads: u32, measurement: &Measurement) -> ValidationCase {
    let predicted_seconds = record.time_ps as f64 * 1e-12;
    let mut sorted = measurement.samples.clone();
    sorted.sort_by(f64::total_cmp);
    let [lower, median, upper] = [0.25, 0.5, 0.75].map(|q| quantile(&sorted, q).unwrap_or(0.0));
    let measured_spread = if median > 0.0 { (upper - lower) / median } else { 0.0 };
    let error = if lower > 0.0 { predicted_seconds / lower - 1.0 } else { 0.0 };
    let verdict = match (measurement.equal, measured_spread > NOISY_SPREAD) {
        (false, _) => "wrong result",
        (true, true) => "inconclusive",
        (true, false) => "measured",
    };
    ValidationCase {
        workload: record.workload.name.clone(),
        parameters: record.workload.parameters.clone(),
        threads,
        predicted_seconds,
        measured_seconds: lower,
        measured_spread,
        error,
        verdict: verdict.to_string(),
        checksum_simulated: record.result.checksum.clone(),
        checksum_host: measurement.checksum.clone(),
        equal: measurement.equal,
        samples: measurement.samples.clone(),
    }
}

/// What is to be thought of where simulator and host computed different results.
pub const LIKELY_RACE: &str = "\
The likely cause is a data race: several threads write one place, or one writes what another reads, without `atomic`, `lock` or \
`reduce`. Look at the lines inside `parallel` that assign to a `shared` scalar, or to an element whose index is not the thread's own.";

/// How much faster each case is than the case of the same workload with the fewest threads, predicted and measured; `None` for that
/// case itself and where a time is missing.
pub fn speedups(cases: &[ValidationCase]) -> Vec<Option<[f64; 2]>> {
    let base = |case: &ValidationCase| {
        let same = |other: &&ValidationCase| (&other.workload, &other.parameters) == (&case.workload, &case.parameters);
        cases.iter().filter(same).min_by_key(|other| other.threads)
    };
    let speedup = |case: &ValidationCase| {
        let base = base(case).filter(|base| base.threads < case.threads)?;
        let pair = [base.predicted_seconds / case.predicted_seconds, base.measured_seconds / case.measured_seconds];
        pair.iter().all(|speedup| speedup.is_finite() && *speedup > 0.0).then_some(pair)
    };
    cases.iter().map(speedup).collect()
}

/// Figures over several cases: of absolute errors the median, mean, 90th percentile and worst, the mean signed error (bias), and the
/// mean of |ln(predicted / measured)|, which does not flatter predictions that are too low. Inconclusive cases do not count.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Summary {
    pub cases: usize,
    pub inconclusive: usize,
    /// Cases whose results differ.
    pub unequal: usize,
    pub median_error: f64,
    pub mean_error: f64,
    pub p90_error: f64,
    pub worst_error: f64,
    pub bias: f64,
    pub mean_log_error: f64,
}

/// The summary of these cases.
pub fn summary(cases: &[ValidationCase]) -> Summary {
    let judged: Vec<&ValidationCase> = cases.iter().filter(|case| case.verdict == "measured").collect();
    let mut errors: Vec<f64> = judged.iter().map(|case| case.error.abs()).collect();
    errors.sort_by(f64::total_cmp);
    let count = judged.len().max(1) as f64;
    let at = |q: f64| quantile(&errors, q).unwrap_or(0.0);
    let log_error = |case: &&ValidationCase| match case.predicted_seconds / case.measured_seconds {
        ratio if ratio > 0.0 && ratio.is_finite() => libm::log(ratio).abs(),
        _ => 0.0,
    };
    Summary {
        cases: cases.len(),
        inconclusive: cases.iter().filter(|case| case.verdict == "inconclusive").count(),
        unequal: cases.iter().filter(|case| !case.equal).count(),
        median_error: at(0.5),
        mean_error: errors.iter().sum::<f64>() / count,
        p90_error: at(0.9),
        worst_error: at(1.0),
        bias: judged.iter().map(|case| case.error).sum::<f64>() / count,
        mean_log_error: judged.iter().map(log_error).sum::<f64>() / count,
    }
}
