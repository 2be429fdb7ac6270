//! What runs on a machine: a program, a program with some of its numbers replaced, traffic without a program, or a memory trace.
//!
//! A workload is a text: a program (`.flynn`) as it stands, or TOML that names a program and overrides it, describes traffic, or names
//! a trace.

use std::sync::Arc;

use crate::base::diagnostic::{Diagnostic, Diagnostics, SourceText};
use crate::base::document::{Data, Field, Place, Shape, Value, Whole, parse, read, read_value, wrong_type};
use crate::base::quantity::ByteSize;
use crate::experiment::trace::TraceFile;
use crate::machine::overrides::Override;
use crate::{choice, section, tagged};

/// Finds what a workload's text names.
pub trait Beside {
    /// The text of a program.
    ///
    /// # Errors
    /// Why there is none.
    fn program(&self, name: &str) -> Result<SourceText, String>;

    /// A trace.
    ///
    /// # Errors
    /// Why there is none.
    fn trace(&self, file: &str) -> Result<Arc<dyn TraceFile>, String>;
}

/// Finds nothing: for a text that stands alone.
pub struct NothingBeside;

impl Beside for NothingBeside {
    fn program(&self, name: &str) -> Result<SourceText, String> {
        Err(format!("there is no program `{name}`"))
    }

    fn trace(&self, file: &str) -> Result<Arc<dyn TraceFile>, String> {
        Err(format!("there is no trace `{file}`"))
    }
}

/// What runs.
#[derive(Clone, Debug)]
pub enum Workload {
    /// A program.
    Program(ProgramWorkload),
    /// Requests at random instants.
    Traffic(TrafficWorkload),
    /// Recorded references.
    Trace(TraceWorkload),
}

/// A program and what its workload file overrides.
#[derive(Clone, Debug)]
pub struct ProgramWorkload {
    /// As the user names it.
    pub name: String,
    /// The program's text.
    pub source: SourceText,
    /// Parameters the workload file sets: name and literal.
    pub parameters: Vec<(String, String)>,
    /// Keys of the machine's `[runtime]` the workload file sets: key below `runtime` and value.
    pub runtime: Vec<(String, String)>,
}

/// Open-loop traffic on a node's interconnect, in place of cores.
#[derive(Clone, Debug)]
pub struct TrafficWorkload {
    /// As the user names it.
    pub name: String,
    /// The whole text.
    pub source: SourceText,
    /// What it says.
    pub table: Box<TrafficTable>,
}

/// The references of a real program, recorded.
#[derive(Clone, Debug)]
pub struct TraceWorkload {
    /// As the user names it.
    pub name: String,
    /// The whole text.
    pub source: SourceText,
    /// What it says.
    pub table: Box<TraceTable>,
    /// Where the trace is.
    pub file: Arc<dyn TraceFile>,
}

tagged! {
    /// What runs on a machine.
    pub enum WorkloadTable {
        /// A program with some of its numbers replaced.
        Program(ProgramTable) = "program",
        /// Requests at random instants, in place of cores and programs.
        Traffic(TrafficTable) = "traffic",
        /// The memory references of a real program, recorded.
        Trace(TraceTable) = "trace",
    }
}

section! {
    /// A program with some of its numbers replaced.
    pub struct ProgramTable {
        /// The program: a name, or a path beside this file.
        program: String,
        /// Values of the program's parameters.
        parameters: Assignments = Assignments::default(),
        /// Keys of the machine's `[runtime]` that this workload wants otherwise.
        runtime: Assignments = Assignments::default(),
    }
}

section! {
    /// Requests at random instants, whether or not the interconnect keeps up.
    pub struct TrafficTable {
        /// How the instants are drawn.
        arrivals: Arrivals = Arrivals::Poisson,
        /// Share of the interconnect's capacity that is offered, above 0; from 1 on the queue grows without bound.
        load: f64,
        /// Bytes each request moves.
        size: ByteSize = ByteSize(64),
        /// Which way the bytes go.
        direction: Direction = Direction::Write,
        /// How many requests are made.
        requests: Whole<1, 100_000_000> = Whole(100_000),
        /// The run ends as saturated when so many requests wait at the source.
        saturation: Whole<1, 100_000_000> = Whole(100_000),
    }
}

section! {
    /// The memory references of a real program, recorded: instruction fetches, reads and writes of one core or several, each core's in
    /// order. Addresses are what the program saw; they are used as they are, modulo 2^56, whatever the size of the machine's memory.
    pub struct TraceTable {
        /// The trace: a path from this file's directory. It may be compressed by gzip or zstd.
        file: String,
        /// How its lines are to be read; where this is absent, its first line tells.
        format: Option<TraceFormat>,
        /// Every reference becomes the aligned word of so many bytes that its first byte lies in. Absent, references are as the trace
        /// has them (in `din`, words of 4 bytes), and one that crosses the end of a line is an access to each of its lines.
        word: Option<WordBytes>,
    }
}

choice! {
    /// The format of a trace.
    pub enum TraceFormat {
        /// Dinero's: `0 address` reads, `1 address` writes, `2 address` fetches an instruction; addresses are hexadecimal. The format
        /// has no sizes: what follows the address is ignored, as Dinero does, and references are aligned words of 4 bytes.
        Din = "din",
        /// What `valgrind --tool=lackey --trace-mem=yes` prints: `I  address,size` fetches an instruction, ` L` loads, ` S` stores,
        /// ` M` loads and then stores; lines that begin with `==` are skipped. A number before the letter is the core.
        Lackey = "lackey",
    }
}

/// The bytes of a word that references are cut to: 1, 2, 4 or 8, so that none crosses the end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordBytes(pub u16);

impl Field for WordBytes {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<WordBytes> {
        let size = ByteSize::read(value, path, faults)?;
        if [1, 2, 4, 8].contains(&size.0) {
            return Some(WordBytes(size.0 as u16));
        }
        faults.push(value.place.fault(format!("`{path}` cannot be {size}")).key(path).help("1 B, 2 B, 4 B or 8 B"));
        None
    }

    fn write(&self) -> serde_json::Value {
        ByteSize(u64::from(self.0)).write()
    }

    fn shape() -> Shape {
        ByteSize::shape()
    }
}

choice! {
    /// How the instants of open-loop requests are drawn.
    pub enum Arrivals {
        /// Independent exponential gaps, in continuous time.
        Poisson = "poisson",
    }
    later { "bernoulli" => "a coin thrown every cycle is", "trace" => "recorded arrivals are" }
}

choice! {
    /// Which way the bytes of a request go.
    pub enum Direction {
        /// To memory; done when memory has them.
        Write = "write",
        /// From memory.
        Read = "read",
    }
}

/// Names the user chooses, each with a number, a word or a truth value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assignments(pub Vec<(String, String)>);

impl Field for Assignments {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<Assignments> {
        let Some(table) = value.table() else {
            wrong_type(value, path, &Assignments::shape(), faults);
            return None;
        };
        let before = faults.len();
        let assignments = table
            .iter()
            .filter_map(|(name, entry)| match literal(&entry.value) {
                Some(text) => Some((name.clone(), text)),
                None => {
                    wrong_type(&entry.value, &format!("{path}.{name}"), &Shape::Number, faults);
                    None
                }
            })
            .collect();
        (faults.len() == before).then_some(Assignments(assignments))
    }

    fn write(&self) -> serde_json::Value {
        self.0
            .iter()
            .map(|(name, value)| (name.clone(), serde_json::Value::from(value.clone())))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    fn shape() -> Shape {
        Shape::Map {
            what: "a name",
            each: Box::new(Shape::Either(vec![Shape::Number, Shape::Boolean, Shape::Text { what: "a word" }])),
        }
    }
}

/// The JSON Schema of a workload's TOML.
pub fn schema() -> serde_json::Value {
    WorkloadTable::shape().json_schema()
}

/// A plain value as a program or `--set` writes it.
pub(super) fn literal(value: &Value) -> Option<String> {
    match &value.data {
        Data::Text(text) => Some(text.clone()),
        Data::Integer(number) => Some(number.to_string()),
        Data::Float(number) => Some(format!("{number:?}")),
        Data::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}

impl Workload {
    /// Reads a workload's text, known to its user as `name`; a text whose own name ends in `.toml` is TOML, any other a program.
    /// `beside` finds what TOML names.
    pub fn read(name: &str, source: &SourceText, beside: &dyn Beside) -> Result<Workload, Diagnostics> {
        if !source.name.ends_with(".toml") {
            let (parameters, runtime) = Default::default();
            return Ok(Workload::Program(ProgramWorkload { name: name.into(), source: source.clone(), parameters, runtime }));
        }
        match read::<WorkloadTable>(source)? {
            WorkloadTable::Program(table) => {
                let text = beside.program(&table.program).map_err(|why| vec![fault(&table.program.place, "program", why)])?;
                Ok(Workload::Program(ProgramWorkload {
                    name: name.into(),
                    source: text,
                    parameters: table.parameters.value.0,
                    runtime: table.runtime.value.0,
                }))
            }
            WorkloadTable::Traffic(table) => TrafficWorkload::new(name, source, table).map(Workload::Traffic),
            WorkloadTable::Trace(table) => {
                let file = beside.trace(&table.file).map_err(|why| vec![fault(&table.file.place, "file", why)])?;
                Ok(Workload::Trace(TraceWorkload { name: name.into(), source: source.clone(), table, file }))
            }
        }
    }

    /// As the user names it.
    pub fn name(&self) -> &str {
        match self {
            Workload::Program(program) => &program.name,
            Workload::Traffic(traffic) => &traffic.name,
            Workload::Trace(trace) => &trace.name,
        }
    }
}

impl TrafficWorkload {
    fn new(name: &str, source: &SourceText, table: Box<TrafficTable>) -> Result<TrafficWorkload, Diagnostics> {
        if !(table.load.value > 0.0 && table.load.value <= 1000.0) {
            let message = format!("a load of {} cannot be offered: it is a share of capacity above 0, such as 0.5", *table.load);
            return Err(vec![fault(&table.load.place, "load", message)]);
        }
        if !(1..=4096).contains(&table.size.0) {
            let message = format!("a request of {} cannot be made: from 1 B to 4 KiB", *table.size);
            return Err(vec![fault(&table.size.place, "size", message)]);
        }
        Ok(TrafficWorkload { name: name.into(), source: source.clone(), table })
    }

    /// The same with other values for some of its keys, as `--param` gives them; of two for one key the later counts.
    ///
    /// # Errors
    /// A key that traffic does not have, or a value that it cannot take: faults point into a text called `--param`.
    pub fn with_parameters(&self, parameters: &[(String, String)]) -> Result<TrafficWorkload, Diagnostics> {
        let mut tree = parse(&self.source)?;
        for (key, value) in parameters {
            let setting = Override::of_option("--param", key, value).map_err(|fault| vec![*fault])?;
            setting.apply(&mut tree).map_err(|fault| vec![*fault])?;
        }
        match read_value::<WorkloadTable>(&tree)? {
            WorkloadTable::Traffic(table) => TrafficWorkload::new(&self.name, &self.source, table),
            _ => Err(vec![Diagnostic::at(&self.source, None, "its kind cannot be changed by --param").key("kind")]),
        }
    }
}

fn fault(place: &Place, key: &str, message: String) -> Diagnostic {
    place.fault(message).key(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Triad;

    impl Beside for Triad {
        fn program(&self, name: &str) -> Result<SourceText, String> {
            if name == "triad" {
                Ok(SourceText::new("triad.flynn", "param n = 8\n"))
            } else {
                Err(format!("there is no program `{name}`"))
            }
        }

        fn trace(&self, file: &str) -> Result<Arc<dyn TraceFile>, String> {
            Err(format!("there is no trace `{file}`"))
        }
    }

    fn parse(text: &str) -> Result<Workload, Vec<String>> {
        Workload::read("w", &SourceText::new("w.toml", text), &Triad)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_program_may_be_overridden() {
        let text = "kind = \"program\"\nprogram = \"triad\"\n[parameters]\nn = 10\ns = 2.0\n[runtime]\nlock = \"ticket\"\n";
        let Ok(Workload::Program(program)) = parse(text) else { panic!("must parse") };
        assert_eq!(program.source.name.as_ref(), "triad.flynn");
        assert_eq!(program.parameters, [("n".to_string(), "10".to_string()), ("s".to_string(), "2.0".to_string())]);
        assert_eq!(program.runtime, [("lock".to_string(), "ticket".to_string())]);
    }

    #[test]
    fn keys_of_traffic_are_its_parameters() {
        let Ok(Workload::Traffic(traffic)) = parse("kind = \"traffic\"\nload = 0.5\n") else { panic!("must parse") };
        let with = |key: &str, value: &str| {
            let changed = traffic.with_parameters(&[(key.to_string(), value.to_string())]);
            changed.map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "))
        };
        assert_eq!(*with("load", "0.9").unwrap().table.load, 0.9);
        assert_eq!(with("size", "32 B").unwrap().table.size.0, 32);
        assert_eq!(with("requests", "1_000").unwrap().table.requests.0, 1000);
        assert!(with("nonsense", "3").unwrap_err().starts_with("--param:1:1: "));
        assert!(with("load", "-1").unwrap_err().starts_with("--param:1:6: a load of -1 cannot be offered"));
        assert!(with("kind", "program").is_err());
        assert_eq!(*traffic.with_parameters(&[]).unwrap().table.load, 0.5);
    }

    #[test]
    fn bad_workloads_point_into_the_file() {
        let message = |text: &str| parse(text).unwrap_err().join(" | ");
        assert!(message("kind = \"program\"\nprogram = \"tirad\"\n").starts_with("w.toml:2:11: there is no program `tirad`"));
        assert!(message("kind = \"traffic\"\nload = 0\n").contains("w.toml:2:8: a load of 0 cannot be offered"));
        assert!(message("kind = \"traffic\"\nload = 0.5\nsise = \"64 B\"\n").contains("size"));
        assert!(message("kind = \"program\"\nprogram = \"triad\"\nparameters = { n = [1] }\n").contains("parameters.n"));
        assert!(message("kind = \"trace\"\n").contains("lacks the key `file`"));
        assert!(message("kind = \"trace\"\nfile = \"x.din\"\n").starts_with("w.toml:2:8: there is no trace `x.din`"));
        assert!(message("kind = \"trace\"\nfile = \"x.din\"\nword = \"16 B\"\n").contains("cannot be 16 B"));
    }
}
