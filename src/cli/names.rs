//! Where names lead: a path, a file of `./configs/`, or a text of the catalogue compiled into the binary, in this order.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::answer::Failure;
use super::content;
use crate::base::diagnostic::{SourceText, nearest};
use crate::machine::Machine;
use crate::machine::catalogue::{Catalogue, Entry, Kind};
use crate::machine::overrides::Override;

/// The longest text that is read, in bytes.
const MAXIMUM_BYTES: u64 = 4 << 20;

/// What is more than a part of something.
const WHOLE: [Kind; 3] = [Kind::Machine, Kind::Workload, Kind::Experiment];

/// As a list heads it, and as `KIND/NAME` and `./configs/KIND/` write it.
pub fn heading(kind: Kind) -> &'static str {
    kind.directory().rsplit('/').next().unwrap_or_default()
}

/// Everything that has a name: what is built in, and the files of `./configs/`, which come first.
#[derive(Debug)]
pub struct Library {
    pub catalogue: Catalogue,
}

impl Library {
    /// The catalogue of this binary and the files below the current directory.
    pub fn new() -> Library {
        let mut catalogue = Catalogue::built_in();
        for kind in Kind::ALL {
            for (name, source) in local_texts(kind) {
                catalogue.add(kind, name, source);
            }
        }
        Library { catalogue }
    }

    /// The same with the run-time texts of the user's own: those beside the machine, if that is a file, and those here.
    pub fn with_runtime_beside(mut self, machine: &str) -> Library {
        let beside = is_path(machine).then(|| Path::new(machine).parent().map(Path::to_path_buf)).flatten();
        for directory in [Some(PathBuf::new()), beside].into_iter().flatten() {
            for source in runtime_texts(&directory) {
                self.catalogue.add(Kind::Runtime, stem(&source.name), source);
            }
        }
        self
    }

    /// The text a user means by `name`.
    pub fn find(&self, kind: Kind, name: &str) -> Result<Entry, Failure> {
        if is_path(name) {
            let source = read_text(Path::new(name)).map_err(|failure| self.hint(kind, name, failure))?;
            // A text of another kind would be at fault in every line.
            return match content::whole_kind_of(&source) {
                Some(other) if other != kind && WHOLE.contains(&kind) => {
                    let what = if name.ends_with(".flynn") { "a program".to_owned() } else { with_article(other) };
                    Err(Failure::input(format!("{name} is {what}, not {}", with_article(kind))))
                }
                _ => Ok(Entry { kind, name: stem(name), source }),
            };
        }
        if let Some(entry) = self.catalogue.find(kind, name) {
            return Ok(entry.clone());
        }
        // A local file that could not be read is not in the catalogue: say why.
        if let Some(path) = local_paths(kind).into_iter().find(|path| stem(&path.to_string_lossy()) == name) {
            read_text(&path)?;
        }
        Err(self.hint(kind, name, Failure::input(format!("there is no {} called `{name}`", kind.noun()))))
    }

    /// The text of any kind a user means by `name`, which may be a path, a name, or `protocols/mesi` to say which kind.
    pub fn find_any(&self, name: &str) -> Result<Entry, Failure> {
        if let Some((kind, name)) = self.qualified(name) {
            return self.find(kind, name);
        }
        if is_path(name) {
            let source = read_text(Path::new(name)).map_err(|failure| failure.help("`flynn list` shows what has a name"))?;
            return Ok(Entry { kind: content::kind_of(&source)?, name: stem(name), source });
        }
        let mut found: Vec<&Entry> = Kind::ALL.into_iter().filter_map(|kind| self.catalogue.find(kind, name)).collect();
        // What is whole comes before the parts it may share a name with.
        if found.first().is_some_and(|entry| WHOLE.contains(&entry.kind)) {
            found.retain(|entry| WHOLE.contains(&entry.kind));
        }
        match (found.pop(), found.is_empty()) {
            (Some(entry), true) => Ok(entry.clone()),
            (Some(entry), false) => {
                let ways: Vec<String> =
                    found.into_iter().chain([entry]).map(|entry| format!("{}/{name}", heading(entry.kind))).collect();
                Err(Failure::input(format!("`{name}` is the name of several things")).help(format!("say {}", ways.join(" or "))))
            }
            (None, _) => {
                let names = || Kind::ALL.into_iter().flat_map(|kind| self.catalogue.entries(kind)).map(|entry| entry.name.as_str());
                let near = nearest(name, names()).or_else(|| names().find(|other| ends_in(other, name)));
                Err(Failure::input(format!("nothing here is called `{name}`")).help(advice(near, "")))
            }
        }
    }

    /// `KIND/NAME`, where no file has that path.
    fn qualified<'a>(&self, name: &'a str) -> Option<(Kind, &'a str)> {
        let (prefix, rest) = name.split_once('/')?;
        let kind = Kind::ALL.into_iter().find(|&kind| heading(kind) == prefix)?;
        (!is_path(rest) && !Path::new(name).exists()).then_some((kind, rest))
    }

    /// Reads a machine. A part or protocol it names is a file beside the machine's, or a path from there or from here, or a name.
    pub fn resolve(&self, machine: &SourceText, set: &[(String, String)]) -> Result<Machine, Failure> {
        let catalogue = self.with_parts_of(machine, Machine::references(machine, set))?;
        Ok(Machine::resolve(machine, set, catalogue.as_ref().unwrap_or(&self.catalogue))?)
    }

    /// The same with settings that other texts make.
    pub fn resolve_with(&self, machine: &SourceText, overrides: &[Override]) -> Result<Machine, Failure> {
        let catalogue = self.with_parts_of(machine, Machine::references_with(machine, overrides))?;
        Ok(Machine::resolve_with(machine, overrides, catalogue.as_ref().unwrap_or(&self.catalogue))?)
    }

    /// The catalogue with the files that a machine's references mean; `None` where they mean none.
    fn with_parts_of(&self, machine: &SourceText, references: Vec<(Kind, String)>) -> Result<Option<Catalogue>, Failure> {
        let directory = Path::new(&*machine.name).parent().unwrap_or(Path::new(""));
        let mut catalogue = None;
        for (kind, name) in references {
            let beside = directory.join(if is_path(&name) { name.clone() } else { format!("{name}.toml") });
            // What `--set` names is where its user is; a built-in machine has nothing beside it.
            let here = PathBuf::from(&name);
            let is_here = is_path(&name) && !beside.is_file() && (here.is_file() || !Path::new(&*machine.name).is_file());
            let path = if is_here { here } else { beside };
            if is_path(&name) || path.is_file() {
                let source = read_text(&path)?;
                // Beside a machine there may be another machine of that name.
                if is_path(&name) || content::kind_of(&source) == Ok(kind) {
                    catalogue.get_or_insert_with(|| self.catalogue.clone()).add(kind, name, source);
                }
            }
        }
        Ok(catalogue)
    }

    /// The program that the text of a workload names: a file beside that text, or a name.
    pub fn program_beside(&self, workload: &SourceText, name: &str) -> Result<SourceText, String> {
        let sentence = |failure: Failure| failure.sentence();
        let beside = Path::new(&*workload.name).parent().map(|directory| directory.join(name));
        if let Some(path) = beside.filter(|path| path.is_file()) {
            return read_text(&path).map_err(sentence);
        }
        self.find(Kind::Workload, &stem(name)).map(|entry| entry.source).map_err(sentence)
    }

    fn hint(&self, kind: Kind, name: &str, failure: Failure) -> Failure {
        failure.help(advice(self.catalogue.nearest(kind, &stem(name)), heading(kind)))
    }
}

/// Whether a name is a kind and another name, as `lock-ticket` is of `ticket`.
fn ends_in(name: &str, end: &str) -> bool {
    name.strip_suffix(end).is_some_and(|kind| kind.ends_with('-'))
}

/// `a machine`
fn with_article(kind: Kind) -> String {
    let article = if kind == Kind::Experiment { "an" } else { "a" };
    format!("{article} {}", kind.noun())
}

fn advice(near: Option<&str>, heading: &str) -> String {
    let list = format!("flynn list {heading}");
    match near {
        Some(near) => format!("did you mean `{near}`? `{}` shows all", list.trim_end()),
        None => format!("`{}` shows what there is", list.trim_end()),
    }
}

/// Whether a user means a file by this: it has a directory or an extension that texts have.
pub fn is_path(name: &str) -> bool {
    name.starts_with('.') || name.contains(['/', std::path::MAIN_SEPARATOR]) || name.ends_with(".toml") || name.ends_with(".flynn")
}

/// The last part of a path without its extension.
pub fn stem(name: &str) -> String {
    let file = name.rsplit(['/', std::path::MAIN_SEPARATOR]).next().unwrap_or(name);
    let stem = file.strip_suffix(".toml").or_else(|| file.strip_suffix(".flynn")).unwrap_or(file);
    stem.to_owned()
}

/// The text of a file, which must be UTF-8 and not too long.
pub fn read_text(path: &Path) -> Result<SourceText, Failure> {
    let fault = |error: std::io::Error| Failure::file("read", path, &error);
    let file = File::open(path).map_err(fault)?;
    if file.metadata().map_err(fault)?.is_dir() {
        return Err(Failure::input(format!("{} is a directory, not a file", path.display())));
    }
    let mut bytes = Vec::new();
    file.take(MAXIMUM_BYTES + 1).read_to_end(&mut bytes).map_err(fault)?;
    if bytes.len() as u64 > MAXIMUM_BYTES {
        return Err(Failure::input(format!(
            "{} is longer than {} MiB: not a text flynn reads",
            path.display(),
            MAXIMUM_BYTES >> 20
        )));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() + 1;
        Failure::input(format!("{} is not a text: line {line} is not UTF-8", path.display()))
    })?;
    Ok(SourceText::new(path.to_string_lossy(), text))
}

/// The files of `./configs/` that a kind has, in the order of their names.
fn local_paths(kind: Kind) -> Vec<PathBuf> {
    let Ok(directory) = std::fs::read_dir(Path::new("configs").join(heading(kind))) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = directory.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| kind.extensions().iter().any(|known| extension == *known)));
    paths.sort();
    paths
}

/// The run-time texts in a directory, in the order of their names.
fn runtime_texts(directory: &Path) -> Vec<SourceText> {
    let listed = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let Ok(entries) = std::fs::read_dir(listed) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| directory.join(entry.file_name())).collect();
    paths.retain(|path| content::may_be_runtime(&path.to_string_lossy()) && path.is_file());
    paths.sort();
    paths.iter().filter_map(|path| read_text(path).ok()).filter(|text| content::kind_of(text) == Ok(Kind::Runtime)).collect()
}

fn local_texts(kind: Kind) -> impl Iterator<Item = (String, SourceText)> {
    local_paths(kind).into_iter().filter_map(|path| read_text(&path).ok()).map(|source| (stem(&source.name), source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_names() {
        assert!(is_path("a/b") && is_path("m.toml") && is_path("./triad.flynn"));
        assert!(!is_path("uma-bus-4") && !is_path("sum.padded"));
        assert_eq!(stem("configs/machines/uma-bus-4.toml"), "uma-bus-4");
        assert_eq!(stem("a/sum.v2.flynn"), "sum.v2");
    }

    #[test]
    fn a_machine_finds_its_parts_beside_it() {
        let directory = std::env::temp_dir().join(format!("flynn-parts-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let library = Library::new();
        let write = |name: &str, text: &str| std::fs::write(directory.join(name), text).unwrap();
        let part = |kind, name: &str| library.catalogue.find(kind, name).unwrap().source.text.to_string();
        write("mine.toml", &part(Kind::Processor, "in-order-scalar").replace("\"7 cycles\"", "\"8 cycles\""));
        // A machine that has the name of the protocol is not taken for it.
        write("mesi.toml", &part(Kind::Machine, "uma-bus-4"));
        let machine = library.catalogue.find(Kind::Machine, "uma-bus-2").unwrap().source.text.to_string();
        let source = SourceText::new(directory.join("m.toml").display().to_string(), machine);
        for name in ["mine", "mine.toml", "./mine.toml"] {
            let set = [("node.core.part".to_owned(), name.to_owned())];
            let machine = library.resolve(&source, &set).unwrap();
            assert_eq!(machine.nodes[0].core.costs[1], 8, "{name}");
        }
        let set = [("node.core.part".to_owned(), "nobodys.toml".to_owned())];
        assert!(library.resolve(&source, &set).is_err());
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn unreadable_files_say_why() {
        let path = std::env::temp_dir().join(format!("flynn-names-{}.toml", std::process::id()));
        std::fs::write(&path, b"name = 1\n\xff").unwrap();
        let Err(Failure::Input { message, .. }) = read_text(&path) else { panic!() };
        assert!(message.ends_with("is not a text: line 2 is not UTF-8"), "{message}");
        std::fs::remove_file(&path).unwrap();
        let Err(Failure::Input { message, .. }) = read_text(&path) else { panic!() };
        assert!(message.ends_with("no such file or directory"), "{message}");
        let Err(Failure::Input { message, .. }) = read_text(&std::env::temp_dir()) else { panic!() };
        assert!(message.ends_with("is a directory, not a file"), "{message}");
    }
}
