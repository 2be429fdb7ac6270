//! What this computer is: its processor, caches, pages and memory, and how much of them this process may use.
//!
//! Linux tells it in `/sys/devices/system/cpu`, `/proc` and the control groups (kernel documentation, ABI/testing/sysfs-devices-
//! system-cpu and admin-guide/cgroup-v2), macOS by `sysctl`. Files that are missing, as in many containers, leave a field `None`:
//! discovery never fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// This computer, as far as its operating system tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostDescription {
    /// The processor's name.
    pub model: Option<String>,
    /// Instruction set, such as `x86_64`.
    pub architecture: String,
    /// Operating system, such as `linux`.
    pub operating_system: String,
    /// Packages (sockets).
    pub packages: Option<usize>,
    /// Cores of all packages.
    pub cores: Option<usize>,
    /// Hardware threads of all cores that are switched on.
    pub hardware_threads: Option<usize>,
    /// Memory nodes.
    pub memory_nodes: Option<usize>,
    /// Hardware threads this process may run on, with their places; empty where the system does not say.
    pub usable: Vec<HardwareThread>,
    /// How many threads can run at once: what affinity and control-group quotas leave.
    pub parallelism: usize,
    /// Every cache, nearest the cores first.
    pub caches: Vec<CacheDescription>,
    /// Bytes of a page.
    pub page_bytes: Option<u64>,
    /// When the system uses large pages of itself: `always`, `madvise` (when asked, which programs here are not) or `never`.
    pub large_pages: Option<String>,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
}

/// A hardware thread (what Linux calls a cpu).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HardwareThread {
    /// Its number.
    pub id: usize,
    /// Its core's number in the package.
    pub core: Option<usize>,
    /// Its package's number.
    pub package: Option<usize>,
    /// Its memory node's number.
    pub memory_node: Option<usize>,
}

/// What a cache holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheKind {
    Data,
    Instruction,
    Unified,
}

/// One cache.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CacheDescription {
    /// From 1.
    pub level: u32,
    pub kind: CacheKind,
    pub size_bytes: u64,
    pub line_bytes: Option<u64>,
    /// Lines a set has.
    pub ways: Option<u64>,
    /// Hardware threads that share it, sorted; empty where unknown.
    pub shared_by: Vec<usize>,
}

/// Describes this computer.
pub fn discover() -> HostDescription {
    let mut description = describe_from_files(Path::new("/"));
    description.architecture = std::env::consts::ARCH.to_owned();
    description.operating_system = std::env::consts::OS.to_owned();
    description.parallelism = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    description.page_bytes = page_bytes();
    let allowed = affinity();
    if !allowed.is_empty() {
        description.usable.retain(|thread| allowed.contains(&thread.id));
        if description.usable.is_empty() {
            description.usable = allowed.iter().map(|&id| HardwareThread { id, ..Default::default() }).collect();
        }
    }
    fill_in_from_system(&mut description);
    description
}

/// Bytes of memory a program can get now: what is available, within the limits of the control groups this process is in. `None`
/// where the system does not say.
pub fn available_memory() -> Option<u64> {
    let root = Path::new("/");
    let available = memory_line(root, "MemAvailable:").or_else(|| memory_line(root, "MemTotal:")).or_else(memory_of_system);
    [available, control_group_memory(root)].into_iter().flatten().min()
}

/// The hardware threads to pin `threads` threads to: every core first, then its further hardware threads, package by package.
/// With more threads than hardware threads it begins anew. Empty where threads cannot be pinned.
pub fn placement(description: &HostDescription, threads: usize) -> Vec<usize> {
    // The first hardware thread of each core has rank 0, the second rank 1, ...
    let mut siblings_seen: BTreeMap<(Option<usize>, usize), usize> = BTreeMap::new();
    let mut order: Vec<(usize, Option<usize>, usize)> = Vec::new();
    for thread in &description.usable {
        let core = (thread.package, thread.core.unwrap_or(thread.id));
        let rank = siblings_seen.entry(core).or_default();
        order.push((*rank, thread.package, thread.id));
        *rank += 1;
    }
    order.sort_unstable();
    order.iter().map(|&(_, _, id)| id).cycle().take(if order.is_empty() { 0 } else { threads }).collect()
}

/// Everything files tell, below a root (`/`, or a copy in a test).
fn describe_from_files(root: &Path) -> HostDescription {
    let cpus = root.join("sys/devices/system/cpu");
    let ids = number_list(&read(&cpus.join("online")).unwrap_or_default());
    let threads: Vec<HardwareThread> = ids.iter().map(|&id| describe_thread(&cpus, id)).collect();
    let count = |numbers: BTreeSet<_>| (!numbers.is_empty()).then_some(numbers.len());
    HostDescription {
        model: model_name(root),
        packages: count(threads.iter().filter_map(|thread| thread.package.map(|package| (package, 0))).collect()),
        cores: count(threads.iter().filter_map(|thread| Some((thread.package?, thread.core?))).collect()),
        hardware_threads: (!ids.is_empty()).then_some(ids.len()),
        memory_nodes: read(&root.join("sys/devices/system/node/online"))
            .map(|list| number_list(&list).len())
            .filter(|&nodes| nodes > 0),
        usable: threads,
        caches: caches(&cpus, &ids),
        large_pages: large_pages(root),
        memory_bytes: memory_line(root, "MemTotal:"),
        ..Default::default()
    }
}

fn describe_thread(cpus: &Path, id: usize) -> HardwareThread {
    let directory = cpus.join(format!("cpu{id}"));
    let number = |name: &str| read(&directory.join("topology").join(name)).and_then(|text| text.parse().ok());
    let node = fs::read_dir(&directory)
        .ok()
        .and_then(|entries| entries.flatten().find_map(|entry| entry.file_name().to_str()?.strip_prefix("node")?.parse().ok()));
    HardwareThread { id, core: number("core_id"), package: number("physical_package_id"), memory_node: node }
}

/// Every cache once, though each of the hardware threads that share it lists it.
fn caches(cpus: &Path, ids: &[usize]) -> Vec<CacheDescription> {
    let mut found = BTreeSet::new();
    for id in ids {
        for index in 0..16 {
            let directory = cpus.join(format!("cpu{id}/cache/index{index}"));
            let Some(cache) = describe_cache(&directory) else { break };
            found.insert(cache);
        }
    }
    found.into_iter().collect()
}

fn describe_cache(directory: &Path) -> Option<CacheDescription> {
    let text = |name: &str| read(&directory.join(name));
    let positive = |name: &str| text(name).and_then(|text| text.parse().ok()).filter(|&number: &u64| number > 0);
    Some(CacheDescription {
        level: text("level")?.parse().ok()?,
        kind: match text("type")?.as_str() {
            "Data" => CacheKind::Data,
            "Instruction" => CacheKind::Instruction,
            _ => CacheKind::Unified,
        },
        size_bytes: size_in_bytes(&text("size")?)?,
        line_bytes: positive("coherency_line_size"),
        ways: positive("ways_of_associativity"),
        shared_by: number_list(&text("shared_cpu_list").unwrap_or_default()),
    })
}

fn model_name(root: &Path) -> Option<String> {
    let text = read(&root.join("proc/cpuinfo"))?;
    let value = |key: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == key && !value.trim().is_empty()).then(|| value.trim().to_owned())
        })
    };
    value("model name").or_else(|| value("Model")).or_else(|| value("Hardware")).or_else(|| value("uarch"))
}

/// The setting in force is the one in brackets: `always [madvise] never`.
fn large_pages(root: &Path) -> Option<String> {
    let text = read(&root.join("sys/kernel/mm/transparent_hugepage/enabled"))?;
    Some(text.split_once('[')?.1.split_once(']')?.0.to_owned())
}

/// A line of `/proc/meminfo`, in bytes.
fn memory_line(root: &Path, key: &str) -> Option<u64> {
    let text = read(&root.join("proc/meminfo"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The smallest memory limit of the control groups this process is in: of version 2 its own group's and all above it, of version
/// 1 the memory controller's.
fn control_group_memory(root: &Path) -> Option<u64> {
    let groups = root.join("sys/fs/cgroup");
    let own = read(&root.join("proc/self/cgroup")).unwrap_or_default();
    let mut files: Vec<PathBuf> = vec![groups.join("memory/memory.limit_in_bytes")];
    for line in own.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let below = Path::new(path.trim_start_matches('/'));
        if controllers.is_empty() {
            files.extend(below.ancestors().map(|ancestor| groups.join(ancestor).join("memory.max")));
        } else if controllers.split(',').any(|controller| controller == "memory") {
            files.extend(below.ancestors().map(|ancestor| groups.join("memory").join(ancestor).join("memory.limit_in_bytes")));
        }
    }
    files.iter().filter_map(|file| read(file)?.parse().ok()).min()
}

/// The text of a small file without the white space round it.
fn read(path: &Path) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

/// `0-3,8` as numbers, sorted; whatever is not a number is left out.
fn number_list(text: &str) -> Vec<usize> {
    /// More hardware threads than any system has: a longer range is a slip in the file.
    const MANY: usize = 1 << 16;
    let mut numbers = BTreeSet::new();
    for part in text.split(',') {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(low), Ok(high)) = (low.trim().parse::<usize>(), high.trim().parse::<usize>())
            && high < MANY
        {
            numbers.extend(low..=high);
        }
    }
    numbers.into_iter().collect()
}

/// `32K` in bytes.
fn size_in_bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let factor = match text[digits.len()..].trim() {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(unix)]
fn page_bytes() -> Option<u64> {
    Some(rustix::param::page_size() as u64)
}

#[cfg(not(unix))]
fn page_bytes() -> Option<u64> {
    None
}

/// Numbers of the hardware threads this process may run on; empty where the system does not say.
#[cfg(target_os = "linux")]
fn affinity() -> Vec<usize> {
    match rustix::thread::sched_getaffinity(None) {
        Ok(set) => (0..rustix::thread::CpuSet::MAX_CPU).filter(|&id| set.is_set(id)).collect(),
        Err(_) => Vec::new(),
    }
}

#[cfg(not(target_os = "linux"))]
fn affinity() -> Vec<usize> {
    Vec::new()
}

/// What `sysctl` knows: macOS has no files to read.
#[cfg(target_os = "macos")]
fn fill_in_from_system(description: &mut HostDescription) {
    let number = |name: &str| sysctl(name).and_then(|text| text.parse::<u64>().ok());
    description.model = sysctl("machdep.cpu.brand_string");
    description.packages = number("hw.packages").map(|packages| packages as usize);
    description.cores = number("hw.physicalcpu").map(|cores| cores as usize);
    description.hardware_threads = number("hw.logicalcpu").map(|threads| threads as usize);
    description.memory_bytes = memory_of_system();
    let line_bytes = number("hw.cachelinesize");
    let caches = [
        ("hw.l1dcachesize", 1, CacheKind::Data),
        ("hw.l1icachesize", 1, CacheKind::Instruction),
        ("hw.l2cachesize", 2, CacheKind::Unified),
        ("hw.l3cachesize", 3, CacheKind::Unified),
    ];
    for (name, level, kind) in caches {
        if let Some(size_bytes) = number(name).filter(|&size| size > 0) {
            description.caches.push(CacheDescription { level, kind, size_bytes, line_bytes, ways: None, shared_by: Vec::new() });
        }
    }
}

#[cfg(windows)]
fn fill_in_from_system(description: &mut HostDescription) {
    description.model = std::env::var("PROCESSOR_IDENTIFIER").ok();
    description.hardware_threads = std::env::var("NUMBER_OF_PROCESSORS").ok().and_then(|number| number.parse().ok());
}

#[cfg(not(any(target_os = "macos", windows)))]
fn fill_in_from_system(_: &mut HostDescription) {}

#[cfg(target_os = "macos")]
fn sysctl(name: &str) -> Option<String> {
    let output = std::process::Command::new("/usr/sbin/sysctl").args(["-n", name]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// Bytes of memory, where no file tells.
#[cfg(target_os = "macos")]
fn memory_of_system() -> Option<u64> {
    sysctl("hw.memsize")?.parse().ok()
}

#[cfg(not(target_os = "macos"))]
fn memory_of_system() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that is removed when dropped, with files as a system would have them.
    struct Files(PathBuf);

    impl Files {
        fn new(name: &str, files: &[(&str, &str)]) -> Files {
            let root = std::env::temp_dir().join(format!("flynn-discover-{name}-{}", std::process::id()));
            for (path, text) in files {
                let path = root.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Files(root)
        }
    }

    impl Drop for Files {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn two_cores_of_two_hardware_threads() {
        let mut files = vec![
            ("proc/cpuinfo".to_owned(), "processor : 0\nmodel name\t: Some Processor 9000\n".to_owned()),
            ("proc/meminfo".to_owned(), "MemTotal:  1000 kB\nMemAvailable:  900 kB\n".to_owned()),
            ("sys/devices/system/cpu/online".to_owned(), "0-3\n".to_owned()),
            ("sys/devices/system/node/online".to_owned(), "0\n".to_owned()),
            ("sys/kernel/mm/transparent_hugepage/enabled".to_owned(), "always [madvise] never\n".to_owned()),
        ];
        for id in 0..4 {
            let cpu = format!("sys/devices/system/cpu/cpu{id}");
            files.push((format!("{cpu}/topology/core_id"), format!("{}\n", id % 2)));
            files.push((format!("{cpu}/topology/physical_package_id"), "0\n".to_owned()));
            for (name, text) in [("level", "1"), ("type", "Data"), ("size", "48K"), ("ways_of_associativity", "12")] {
                files.push((format!("{cpu}/cache/index0/{name}"), format!("{text}\n")));
            }
            files.push((format!("{cpu}/cache/index0/shared_cpu_list"), format!("{},{}\n", id % 2, id % 2 + 2)));
        }
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let files = Files::new("smt", &files);
        let description = describe_from_files(&files.0);
        assert_eq!(description.model.as_deref(), Some("Some Processor 9000"));
        assert_eq!((description.packages, description.cores, description.hardware_threads), (Some(1), Some(2), Some(4)));
        assert_eq!(description.memory_bytes, Some(1_024_000));
        assert_eq!(description.large_pages.as_deref(), Some("madvise"));
        let shared: Vec<&[usize]> = description.caches.iter().map(|cache| cache.shared_by.as_slice()).collect();
        assert_eq!(shared, [[0, 2], [1, 3]]);
        assert_eq!((description.caches[0].size_bytes, description.caches[0].ways), (48 << 10, Some(12)));
        assert_eq!(description.caches[0].line_bytes, None, "no such file");
        assert_eq!(placement(&description, 3), [0, 1, 2], "cores before their second hardware threads");
        assert_eq!(placement(&description, 6), [0, 1, 2, 3, 0, 1]);
    }

    #[test]
    fn siblings_with_neighbouring_numbers_come_last() {
        let thread = |id, core| HardwareThread { id, core: Some(core), package: Some(0), memory_node: None };
        let description =
            HostDescription { usable: vec![thread(0, 0), thread(1, 0), thread(2, 1), thread(3, 1)], ..Default::default() };
        assert_eq!(placement(&description, 4), [0, 2, 1, 3]);
    }

    #[test]
    fn an_empty_system_is_described_by_nothing() {
        let files = Files::new("empty", &[("proc/meminfo", "rubbish"), ("sys/devices/system/cpu/online", "1-x,,99999999-")]);
        let description = describe_from_files(&files.0);
        assert_eq!(description, HostDescription::default());
        assert!(placement(&description, 4).is_empty());
        assert_eq!(control_group_memory(&files.0), None);
    }

    #[test]
    fn the_tightest_control_group_counts() {
        let files = Files::new(
            "groups",
            &[
                ("proc/self/cgroup", "0::/a/b\n"),
                ("sys/fs/cgroup/a/memory.max", "5000\n"),
                ("sys/fs/cgroup/a/b/memory.max", "max\n"),
                ("sys/fs/cgroup/memory.max", "7000\n"),
            ],
        );
        assert_eq!(control_group_memory(&files.0), Some(5000));
    }

    #[test]
    fn this_computer_can_run_something() {
        let description = discover();
        assert!(description.parallelism >= 1);
        let text = serde_json::to_string(&description).unwrap();
        assert_eq!(serde_json::from_str::<HostDescription>(&text).unwrap(), description);
    }
}
