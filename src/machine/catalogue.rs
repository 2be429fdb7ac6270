//! The catalogue: every shipped machine, workload, experiment, part, protocol and run-time text, compiled into the binary, and
//! whatever a caller adds to it. Names are found here; files are the command line's business.

use crate::base::diagnostic::{SourceText, nearest};
use crate::base::document;
use crate::program::lower::RuntimeTexts;

/// Shipped files: path inside the package, text. Made by `build.rs`.
const SHIPPED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// Shipped memory traces: path inside the package, bytes. Made by `build.rs`.
const TRACES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/traces.rs"));

/// The shipped memory trace in a file of this name.
pub fn shipped_trace(file: &str) -> Option<&'static [u8]> {
    TRACES.iter().find(|(path, _)| path.rsplit('/').next() == Some(file)).map(|&(_, bytes)| bytes)
}

/// What an entry of the catalogue describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A whole machine.
    Machine,
    /// A program, traffic, or a memory trace.
    Workload,
    /// Machines by workloads by swept keys.
    Experiment,
    /// A core.
    Processor,
    /// A memory.
    Memory,
    /// A bus or a link.
    Link,
    /// A coherence protocol.
    Protocol,
    /// A text that builds locks, barriers, schedules or reductions.
    Runtime,
}

impl Kind {
    /// All of them, in the order they are listed.
    pub const ALL: [Kind; 8] =
        [Kind::Machine, Kind::Workload, Kind::Experiment, Kind::Processor, Kind::Memory, Kind::Link, Kind::Protocol, Kind::Runtime];

    /// Where its files lie.
    pub fn directory(self) -> &'static str {
        match self {
            Kind::Machine => "configs/machines",
            Kind::Workload => "configs/workloads",
            Kind::Experiment => "configs/experiments",
            Kind::Processor => "models/processors",
            Kind::Memory => "models/memories",
            Kind::Link => "models/links",
            Kind::Protocol => "models/protocols",
            Kind::Runtime => "models/runtime",
        }
    }

    /// What one is called.
    pub fn noun(self) -> &'static str {
        match self {
            Kind::Machine => "machine",
            Kind::Workload => "workload",
            Kind::Experiment => "experiment",
            Kind::Processor => "processor",
            Kind::Memory => "memory",
            Kind::Link => "link",
            Kind::Protocol => "protocol",
            Kind::Runtime => "run-time text",
        }
    }

    /// The file's name ends in one of these.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Kind::Workload => &["flynn", "toml"],
            Kind::Runtime => &["flynn"],
            _ => &["toml"],
        }
    }
}

/// A named text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it describes.
    pub kind: Kind,
    /// The file's name without its extension: `uma-bus-4`.
    pub name: String,
    /// The text; a shipped one is named by its path inside the package.
    pub source: SourceText,
}

impl Entry {
    /// Whether it is a litmus test, whose results differ from run to run as the memory consistency model allows.
    pub fn is_litmus(&self) -> bool {
        self.kind == Kind::Workload && self.name.starts_with("litmus-")
    }

    /// A sentence that says what it is: the `description` of a TOML, or the first sentence of the comment that a text begins with.
    pub fn summary(&self) -> String {
        let described = if self.source.name.ends_with(".toml") {
            document::parse(&self.source).ok().and_then(|root| root.get("description")?.text().map(str::to_string))
        } else {
            None
        };
        described.unwrap_or_else(|| first_sentence(&self.source.text))
    }
}

/// The first sentence of the comment lines that a text begins with.
fn first_sentence(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix('#')).map(str::trim).take_while(|line| !line.is_empty());
    let comment = lines.collect::<Vec<_>>().join(" ");
    // A sentence ends before a capital or a bracket; "Culler et al. (1999)" goes on.
    let stops = comment.match_indices(". ").chain(comment.match_indices("? "));
    let ends = |at: usize| {
        !comment[..at].ends_with(" al") && comment[at + 2..].starts_with(|next: char| next.is_uppercase() || next == '(')
    };
    let end = stops.map(|(at, _)| at).filter(|&at| ends(at));
    match end.min() {
        Some(end) => comment[..=end].to_string(),
        None => comment,
    }
}

/// Named texts by kind. Of two with the same kind and name the one added last is found.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    entries: Vec<Entry>,
}

impl Catalogue {
    /// Everything that is shipped.
    pub fn built_in() -> Catalogue {
        let mut catalogue = Catalogue::default();
        for &(path, text) in SHIPPED {
            if let Some((kind, name)) = kind_of(path) {
                catalogue.add(kind, name, SourceText::new(path, text));
            }
        }
        catalogue
    }

    /// Adds a text, before all of the same kind and name.
    pub fn add(&mut self, kind: Kind, name: impl Into<String>, source: SourceText) {
        let entry = Entry { kind, name: name.into(), source };
        match self.entries.iter_mut().find(|other| other.kind == kind && other.name == entry.name) {
            Some(other) => *other = entry,
            None => self.entries.push(entry),
        }
    }

    /// The entry of a name.
    pub fn find(&self, kind: Kind, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.kind == kind && entry.name == name)
    }

    /// All entries of a kind, by name.
    pub fn entries(&self, kind: Kind) -> impl Iterator<Item = &Entry> {
        let mut entries: Vec<&Entry> = self.entries.iter().filter(|entry| entry.kind == kind).collect();
        entries.sort_by_cached_key(|entry| natural(&entry.name));
        entries.into_iter()
    }

    /// The name of this kind nearest to one that is not there.
    pub fn nearest(&self, kind: Kind, name: &str) -> Option<&str> {
        nearest(name, self.entries.iter().filter(|entry| entry.kind == kind).map(|entry| entry.name.as_str()))
    }

    /// What to say to someone who asked for a name that is not there.
    pub fn suggestion(&self, kind: Kind, name: &str) -> String {
        match self.nearest(kind, name) {
            Some(right) => format!("did you mean \"{right}\"?"),
            None => match self.entries(kind).map(|entry| entry.name.as_str()).collect::<Vec<_>>() {
                names if names.is_empty() => format!("there is no {} yet", kind.noun()),
                names => format!("there is {}", document::enumerate(names, "\"", "and")),
            },
        }
    }

    /// Every text.
    pub fn texts(&self) -> impl Iterator<Item = &SourceText> {
        self.entries.iter().map(|entry| &entry.source)
    }

    /// The run-time texts, as lowering takes them.
    pub fn runtime_texts(&self) -> RuntimeTexts {
        self.entries(Kind::Runtime).map(|entry| (entry.name.clone(), entry.source.clone())).collect()
    }
}

/// The kind and name of a shipped path.
fn kind_of(path: &str) -> Option<(Kind, &str)> {
    let (directory, file) = path.rsplit_once('/')?;
    let (name, extension) = file.rsplit_once('.')?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.directory() == directory)?;
    kind.extensions().contains(&extension).then_some((kind, name))
}

/// A key that sorts `uma-bus-4` before `uma-bus-16`.
fn natural(name: &str) -> (String, u64) {
    let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (stem, number) = name.split_at(name.len() - digits);
    (stem.to_string(), number.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_file_has_a_kind_a_name_of_its_own_and_a_summary() {
        let catalogue = Catalogue::built_in();
        assert_eq!(catalogue.entries.len(), SHIPPED.len(), "a file lies where no kind is, or two share a name");
        for entry in &catalogue.entries {
            let summary = entry.summary();
            assert!(summary.ends_with(['.', '?', ')']) && summary.len() > 20, "{}: {summary:?}", entry.source.name);
        }
    }

    #[test]
    fn an_added_text_hides_the_shipped_one() {
        let mut catalogue = Catalogue::built_in();
        catalogue.add(Kind::Machine, "uma-bus-4", SourceText::new("mine.toml", ""));
        assert_eq!(&*catalogue.find(Kind::Machine, "uma-bus-4").unwrap().source.name, "mine.toml");
        assert_eq!(catalogue.find(Kind::Workload, "uma-bus-4"), None);
    }

    #[test]
    fn names_are_listed_in_their_natural_order_and_slips_are_found() {
        let mut catalogue = Catalogue::default();
        for name in ["uma-bus-16", "uma-bus-2", "uma-bus-4", "ideal"] {
            catalogue.add(Kind::Machine, name, SourceText::new(name, ""));
        }
        let names: Vec<&str> = catalogue.entries(Kind::Machine).map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["ideal", "uma-bus-2", "uma-bus-4", "uma-bus-16"]);
        assert_eq!(catalogue.suggestion(Kind::Machine, "uma-buss-4"), "did you mean \"uma-bus-4\"?");
        assert!(catalogue.suggestion(Kind::Machine, "x").starts_with("there is \"ideal\", "));
    }

    #[test]
    fn the_first_sentence_is_found() {
        assert_eq!(first_sentence("# One (et al. 1999) thing. Two.\n# three\n\nx"), "One (et al. 1999) thing.");
        assert_eq!(first_sentence("# Is it? It is."), "Is it?");
        assert_eq!(first_sentence("# A lock.\n# (Culler et al. (1999), page 1.)"), "A lock.");
        assert_eq!(first_sentence("# After Culler et al. (1999)."), "After Culler et al. (1999).");
        assert_eq!(first_sentence("x = 1"), "");
    }
}
