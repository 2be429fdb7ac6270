//! Programs that use all of the notation.

/// STREAM triad.
pub(super) const TRIAD: &str = "\
# STREAM triad: three arrays, no reuse.
# Its time is the time of its bytes.
param n = 1_000_000
param s = 3.0
array a: f64[n]
array b: f64[n]
array c: f64[n]
setup {
    parallel for i in 0..n {
        b[i] = 1.0; c[i] = i
    }
}
parallel for i in 0..n {
    a[i] = b[i] + s * c[i]
}
result sum(a)
work flops 2*n bytes 24*n
";

/// The dining philosophers, each taking the left fork first.
pub(super) const PHILOSOPHERS: &str = "\
param n = 5
param meals = 3
mutex fork[n]
array eaten: i64[n] = 0 padded
parallel n {
    for meal in 0..meals {
        lock fork[thread] {
            busy(10)
            lock fork[(thread + 1) % n] { eaten[thread] += 1; busy(100) }
        }
    }
}
result sum(eaten)
";

/// An all-reduce by messages round a ring.
pub(super) const RING: &str = "\
param m = 1024
require m % ranks == 0
let part = m / ranks
array x: f64[m] = rank + i
array t: f64[part]
let right = (rank + 1) % ranks
let left = (rank - 1) % ranks
for step in 0..ranks - 1 {
    let o = (rank - step) % ranks * part
    let e = (rank - step - 1) % ranks * part
    exchange x[o..o + part] to right, t[..] from left
    for i in 0..part { x[e + i] += t[i] }
}
";

/// A pipeline of three kinds of stage.
pub(super) const PIPELINE: &str = "\
param n = 1000
array x: f64[n] = i
array y: f64[n]
pipeline i in 0..n depth 4 {
    stage scale { let u = 2.0 * x[i] + 1.0 }
    stage smooth keep old = 0.0 { let v = 0.5 * (u + old); old = u }
    stage root times 2 { y[i] = sqrt(v) }
}
result sum(y)
";

/// Everything of one address space that is built.
pub(super) const EVERYTHING: &str = "\
# Uses what there is.
param n = 64
param eps = 1e-6
param verbose = false
require n % threads == 0 && n > 0
let half = n / 2
array a: f64[n, n] = i * n + j
array b: f64[n, n] = random(0.0, 1.0)
array line: i64[n] = permutation()
array next: i32[n] = cycle()
array cube: f32[4, 4, 4] = i + j + k
array partial: f64[threads] padded
array flags: bool[threads] = false
shared total: f64 = 0.0
shared largest: f64 = -1.0e300
shared turn: i64 = 0
shared ready: bool = false
mutex one
mutex many[half]
semaphore slots[2] = half - 30
fn square(x: f64) -> f64 { x * x }
fn clamp(x: f64, lo: f64, hi: f64) -> f64 {
    let y = max(x, lo)
    min(y, hi)
}
fn meet(round: i64) {
    atomic turn += round
    barrier
}
setup {
    parallel for i in 0..n, j in 0..n schedule(guided) { b[i, j] = 1.0 }
    line[..] = 0
}
let sweeps = 0
let error = 1.0
while error > eps && sweeps < 3 {
    parallel for i in 1..n - 1, j in 1..n - 1 by 2 reduce(+: total) reduce(max: largest) schedule(dynamic, half / 8) {
        let old = a[i, j]
        a[i, j] = 0.25 * (a[i - 1, j] + a[i + 1, j] +
                          a[i, j - 1] + a[i, j + 1])
        total += square(a[i, j] - old)
        largest = max(largest, abs(old))
    }
    error = sqrt(total) / n
    sweeps += 1
    if verbose { busy(1) } else if sweeps == 2 { busy(2) }
    else { busy(3) }
}
parallel {
    let mine = 0.0
    for i in thread * n / threads..(thread + 1) * n / threads {
        mine += clamp(a[i, i], 0, 1)
    }
    partial[thread] = mine
    meet(1)
    await turn == threads
    parallel for i in 0..n { line[i] += thread }
    if thread == 0 {
        atomic ready = true release
        fence
    }
    await ready
    await !flags[thread]
    lock one { total += mine }
    lock many[thread % half] { line[0] ^= 3; line[1] min= 7; line[2] <<= 2 }
    acquire slots[0]; release slots[0]
    let ticket = fetch_add(turn, 1)
    let seen = atomic turn acquire
    if compare_exchange(turn, seen, ticket) == seen { exchange(turn, 0) }
    fetch_max(line[3], i64(mine))
    compare_exchange(flags[0], false, true)
    atomic partial[0] -= 0.5 relaxed
    atomic largest max= mine
}
a[.., ..] = b[.., ..] + 1
a[0, 1..half] = 2.0 * b[1, 0..half - 1] + line[0..half - 1]
cube[.., 0, 1..3] += f32(eps)
line[..] = line[..] * 2 + (-1) % n << 1 & 0xFF
let r = random(sweeps * 7) % 6
for i in n - 1..-1 by -1 { next[i] = i32(line[i]) / 2 }
result sum(a[1, ..]), total, largest, r, fma(total, 2, 1), next[0] within 1e-6
work flops 2 * n * n bytes 8 * n
";

/// Constructs of later issues, each on its own.
pub(super) const NOT_BUILT: &[(&str, &str)] = &[
    ("condition", "condition full\n"),
    ("rwlock", "rwlock table[4]\n"),
    ("lock ... for reading", "mutex m\nparallel { lock m for reading { busy(1) } }\n"),
    ("queue", "queue q: i64[16]\nparallel { put q, 1; close q }\n"),
    ("for ... in QUEUE", "for x in q { busy(x) }\n"),
    ("spawn", "fn f(n: i64) { busy(n) }\nlet h = spawn f(3)\nspawn f(2)\nwait_for(h)\n"),
    ("signal", "signal c\n"),
    ("on accelerator", "array x: f64[4]\non accelerator copy in(x) out(x) { x[0] = 1.0 }\n"),
    ("sleep", "sleep(1.5)\n"),
    ("task", "fn f(h: task) { busy(1) }\n"),
];

/// What all ranks do together.
pub(super) const COLLECTIVES: &str = "\
array x: f64[4]
array all: f64[4 * ranks]
array all_of_them: f64[4 * ranks]
shared best: i64 = rank
broadcast x[1..3] from 0
reduce(+) x to ranks - 1
allreduce(max) best
gather x into all at 0
gather x into all
scatter all into x at 0
alltoall all into all_of_them
barrier
finish { broadcast all from 0 }
result sum(all)
";
