//! Formulas that stand beside simulated results. None of them stands in for a part: tests hold the two together.

/// Mean time a request waits in front of one server with Poisson arrivals and a constant service time (the M/D/1 queue; Kleinrock,
/// *Queueing Systems*, volume 1, 1975, section 5.6): `U * S / (2 * (1 - U))` in the unit of `service`, for a utilisation `0 <= U < 1`.
///
/// ```
/// assert_eq!(flynn::experiment::theory::md1_wait(0.5, 10.0), 5.0);
/// ```
pub fn md1_wait(utilisation: f64, service: f64) -> f64 {
    utilisation * service / (2.0 * (1.0 - utilisation))
}

/// The same where service can only begin at the edges of a clock of this `period` and lasts whole periods: half a period more. An
/// idle server then behaves like one on vacation until the next edge, and a vacation of constant length V adds V / 2 (Doshi,
/// "Queueing systems with vacations", Queueing Systems 1, 1986).
pub fn slotted_md1_wait(utilisation: f64, service: f64, period: f64) -> f64 {
    md1_wait(utilisation, service) + period / 2.0
}
