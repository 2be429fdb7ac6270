//! The keys of an experiment's text: declared once, for parsing, for the JSON Schema and for the reference page.
//!
//! ```text
//!   name, description, question, expected, reason
//!   machines, workloads, [set], [parameters], seed, start
//!   [[sweep]]     threads, parameter or key, values
//!   [metrics]     figures with a name of the user's own
//!   [[plot]]      x, y, where, scales
//!   [[expect]]    kind value, ratio, monotone or crossover
//! ```
//!
//! What one key says about another (axes that exist, figures that can be told) is checked in `experiment`.

use serde_json::{Value as Json, json};

use crate::base::diagnostic::Diagnostics;
use crate::base::document::{At, Data, Field, Place, Shape, Value, Whole, wrong_type};
use crate::experiment::workload::literal;
use crate::machine::reference::page;
use crate::{choice, section, tagged};

/// The most values an axis can have.
const MOST_VALUES: usize = 1000;

/// A plain value and where it is written.
#[derive(Clone, Debug)]
pub struct Literal {
    /// As `--set` and `--param` would write it.
    pub text: String,
    /// As it was written.
    pub value: Value,
}

impl Literal {
    /// The number, where it is one.
    pub fn number(&self) -> Option<f64> {
        match self.value.data {
            Data::Integer(number) => Some(number as f64),
            Data::Float(number) => Some(number),
            _ => None,
        }
    }

    /// Whether both say the same: `8` and `8.0` do.
    pub fn is(&self, other: &Literal) -> bool {
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => a == b,
            _ => self.text == other.text,
        }
    }
}

impl PartialEq for Literal {
    fn eq(&self, other: &Literal) -> bool {
        self.text == other.text
    }
}

/// A list of plain values: at least one, none of them twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Values(pub Vec<Literal>);

impl Field for Values {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<Values> {
        let Data::List(items) = &value.data else {
            wrong_type(value, path, &Values::shape(), faults);
            return None;
        };
        if items.is_empty() || items.len() > MOST_VALUES {
            let message = format!("`{path}` has {} values: from 1 to {MOST_VALUES}", items.len());
            faults.push(value.place.fault(message).key(path));
            return None;
        }
        let mut values: Vec<Literal> = Vec::with_capacity(items.len());
        for item in items {
            let Some(text) = literal(item) else {
                wrong_type(item, path, &any_literal(), faults);
                return None;
            };
            let read = Literal { text, value: item.clone() };
            if values.iter().any(|other| other.is(&read)) {
                faults.push(item.place.fault(format!("`{path}` has {} twice", read.text)).key(path));
                return None;
            }
            values.push(read);
        }
        Some(Values(values))
    }

    fn write(&self) -> Json {
        self.0.iter().map(|value| json!(value.text)).collect()
    }

    fn shape() -> Shape {
        Shape::List(Box::new(any_literal()))
    }
}

fn any_literal() -> Shape {
    Shape::Either(vec![Shape::Number, Shape::Boolean, Shape::Text { what: "a word or a quantity in quotes" }])
}

/// A list of names: at least one, none of them twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Names(pub Vec<Literal>);

impl Field for Names {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<Names> {
        let Values(values) = Values::read(value, path, faults)?;
        match values.iter().find(|value| value.value.text().is_none()) {
            Some(other) => {
                wrong_type(&other.value, path, &String::shape(), faults);
                None
            }
            None => Some(Names(values)),
        }
    }

    fn write(&self) -> Json {
        Values(self.0.clone()).write()
    }

    fn shape() -> Shape {
        Shape::List(Box::new(String::shape()))
    }
}

/// Names, each with a plain value, in the order written. Tables inside are names with dots: `node = { cores = 8 }` names `node.cores`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assigned(pub Vec<Assignment>);

/// A name with a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    pub name: String,
    /// Where the name is written.
    pub key: Place,
    pub value: Literal,
}

impl Field for Assigned {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<Assigned> {
        let before = faults.len();
        let mut found = Vec::new();
        flatten(value, path, "", &mut found, faults);
        (faults.len() == before).then_some(Assigned(found))
    }

    fn write(&self) -> Json {
        self.0.iter().map(|each| (each.name.clone(), json!(each.value.text))).collect::<serde_json::Map<_, _>>().into()
    }

    fn shape() -> Shape {
        Shape::Map { what: "a name", each: Box::new(any_literal()) }
    }
}

/// The names below a table, the names of tables before theirs.
fn flatten(value: &Value, path: &str, before: &str, found: &mut Vec<Assignment>, faults: &mut Diagnostics) {
    let Some(table) = value.table() else { return wrong_type(value, path, &Assigned::shape(), faults) };
    for (key, entry) in table {
        let name = if before.is_empty() { key.clone() } else { format!("{before}.{key}") };
        match literal(&entry.value) {
            Some(text) => {
                let value = Literal { text, value: entry.value.clone() };
                found.push(Assignment { name, key: entry.key.clone(), value });
            }
            None if entry.value.table().is_some() => flatten(&entry.value, path, &name, found, faults),
            None => wrong_type(&entry.value, &format!("{path}.{name}"), &any_literal(), faults),
        }
    }
}

choice! {
    /// Whether caches are warm when the measured pass begins.
    pub enum StartKey {
        /// After a pass that is not measured.
        Warm = "warm",
        /// With empty caches.
        Cold = "cold",
    }
}

choice! {
    /// How an axis of a plot is divided.
    pub enum ScaleKey {
        /// Equal differences are equally long.
        Linear = "linear",
        /// Equal ratios are equally long; only of numbers above 0.
        Log = "log",
    }
}

choice! {
    /// Which way figures go.
    pub enum DirectionKey {
        /// Each is at least the one before.
        Rising = "rising",
        /// Each is at most the one before.
        Falling = "falling",
    }
}

section! {
    /// An experiment: every machine with every workload and every combination of the swept values, plots of what came out, and what is
    /// expected of it.
    pub struct ExperimentKeys {
        /// What a person calls the experiment.
        name: String,
        /// One sentence for `flynn list`: what is varied and what it shows.
        description: String = String::new(),
        /// The question it answers.
        question: String,
        /// The shape that is expected, in words.
        expected: String,
        /// Why that shape: what in the machines makes it so.
        reason: String,
        /// The machines: names of `flynn list machines`, or TOML files, sought from this file's directory and then from where flynn runs.
        machines: Names,
        /// The workloads, each run on every machine: names of `flynn list workloads`, or files.
        workloads: Names,
        /// Seed of everything random, in every run.
        seed: Whole<0, 9_007_199_254_740_991> = Whole(1),
        /// Whether caches are warm when the measured pass begins.
        start: StartKey = StartKey::Warm,
        /// Keys of the machines with the values they have in every run, as `--set` names them.
        set: Assigned = Assigned::default(),
        /// Parameters of the programs with the values they have in every run.
        parameters: Assigned = Assigned::default(),
        /// What is varied; of several, all combinations are run.
        sweeps as "sweep": Vec<At<SweepKeys>> = Vec::new(),
        /// Figures by names of your own, for the table, for plots and for expectations: `bus_busy = "interconnect.busy_ps / time"`.
        metrics: Assigned = Assigned::default(),
        /// The plots.
        plots as "plot": Vec<At<PlotKeys>> = Vec::new(),
        /// What is expected, so that it can be checked.
        expectations as "expect": Vec<At<ExpectKeys>> = Vec::new(),
    }
}

section! {
    /// One thing that is varied: `threads`, or a `parameter` or a `key` with its `values`. Its name as an axis is `threads`, the
    /// parameter or the key.
    pub struct SweepKeys {
        /// Numbers of threads of the program.
        threads: Option<Values>,
        /// A parameter of the programs.
        parameter: Option<String>,
        /// A key of the machines, as `--set` names it: `node.interconnect.width`.
        key: Option<String>,
        /// The values of the parameter or key, in the order of tables and plots.
        values: Option<Values>,
    }
}

section! {
    /// A plot of a figure over an axis: a line for each combination of the other axes. Where the axis is `machine` or `workload`, bars.
    pub struct PlotKeys {
        /// What is above the plot.
        title: Option<String>,
        /// The axis: `machine`, `workload`, `threads`, a swept parameter or a swept key.
        x: String,
        /// The figure.
        y: String,
        /// What the figure is called beside its axis.
        label: Option<String>,
        /// Values of axes, to show only these points: `{ machine = "uma-bus-16" }`.
        r#where as "where": Assigned = Assigned::default(),
        /// How the horizontal axis is divided; values that are not numbers stand equally far apart.
        x_scale: ScaleKey = ScaleKey::Linear,
        /// How the vertical axis is divided; a linear one begins at 0.
        y_scale: ScaleKey = ScaleKey::Linear,
    }
}

tagged! {
    /// What is expected. Axes that an expectation does not name stand for all their values: it must hold for each.
    pub enum ExpectKeys {
        /// A figure of a point lies within bounds.
        Value(ValueKeys) = "value",
        /// A figure of one point over that of another lies within bounds.
        Ratio(RatioKeys) = "ratio",
        /// A figure rises or falls along an axis.
        Monotone(MonotoneKeys) = "monotone",
        /// Along an axis a figure of one series of points is at first below that of another, later above it (or the other way round):
        /// that turn lies between two values.
        Crossover(CrossoverKeys) = "crossover",
    }
}

section! {
    /// Bounds of a figure.
    pub struct ValueKeys {
        /// The figure.
        of: String,
        /// Values of axes: which points.
        r#where as "where": Assigned = Assigned::default(),
        /// What it is.
        equals: Option<f64>,
        /// How far it may be off what it `equals`, as a share of that: 0.01 is 1 %.
        within: Option<f64>,
        /// The least it may be.
        at_least: Option<f64>,
        /// The most it may be.
        at_most: Option<f64>,
        /// Why it is expected.
        because: String,
    }
}

section! {
    /// Bounds of a ratio of two points.
    pub struct RatioKeys {
        /// The figure.
        of: String,
        /// Values of axes: the point that is divided.
        at: Assigned,
        /// Values of axes: the point it is divided by. An axis that only one of the two names is an error.
        to: Assigned,
        /// What the ratio is.
        equals: Option<f64>,
        /// How far it may be off what it `equals`, as a share of that: 0.01 is 1 %.
        within: Option<f64>,
        /// The least it may be.
        at_least: Option<f64>,
        /// The most it may be.
        at_most: Option<f64>,
        /// Why it is expected.
        because: String,
    }
}

section! {
    /// A figure along an axis.
    pub struct MonotoneKeys {
        /// The figure.
        of: String,
        /// The axis, in the order of its values.
        along: String,
        /// Which way it goes.
        direction: DirectionKey,
        /// How far it may go the other way from one value to the next, as a share: 0.01 is 1 %.
        within: Option<f64>,
        /// Values of axes: which points. Of the axis `along`, none.
        r#where as "where": Assigned = Assigned::default(),
        /// Why it is expected.
        because: String,
    }
}

section! {
    /// Where two series of points change places.
    pub struct CrossoverKeys {
        /// The figure.
        of: String,
        /// The axis, in the order of its values.
        along: String,
        /// Values of axes: the series that is below at first.
        first: Assigned,
        /// Values of axes: the series that is above at first.
        second: Assigned,
        /// At this value of the axis, and before it, the first is still below.
        after: Literal,
        /// At this value of the axis, and behind it, the first is above.
        before: Literal,
        /// Why it is expected.
        because: String,
    }
}

impl Field for Literal {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<Literal> {
        match literal(value) {
            Some(text) => Some(Literal { text, value: value.clone() }),
            None => {
                wrong_type(value, path, &any_literal(), faults);
                None
            }
        }
    }

    fn write(&self) -> Json {
        json!(self.text)
    }

    fn shape() -> Shape {
        any_literal()
    }
}

/// The JSON Schema of an experiment's TOML.
pub fn schema() -> Json {
    ExperimentKeys::shape().json_schema()
}

/// What the reference begins with.
const HEAD: &str = "# The keys of an experiment\n\n\
    This page is generated from the declarations that read the keys (`src/experiment/sweep/keys.rs`), as is the JSON Schema of\n\
    `flynn schema experiment`. A key without a default must be there. `flynn experiment FILE` runs it, `flynn check FILE` says what is\n\
    wrong with it, `flynn new FILE --from bus-saturates` makes a copy to edit.\n\n\
    An *axis* is what varies: `machine`, `workload`, `threads`, or a swept parameter or key by its name. The points are all combinations.\n\n\
    A *figure* is written as arithmetic on the words below and on metrics (`flynn schema record` says what they are), with blanks around\n\
    `+`, `-`, `*` and `/`, and brackets: `interconnect.busy_ps / time`. A metric is named by its whole path, `node[0].interconnect.busy_ps`,\n\
    or by the end of it: the sum of all that end so, `l1d.misses` of all cores.\n\n\
    - `time` in picoseconds, `seconds`\n\
    - `speedup`: the time of the point with the fewest threads, all else being equal, over that of this point; `efficiency`: that over how\n  \
    many times as many threads there are. Both where threads are swept.\n\
    - `events`, `operations`, `memory_accesses`, `flops`, `bytes`: the counts of the record\n\
    - names that `[metrics]` gives\n\n\
    What `[set]`, `[[sweep]]` and the workload's file say of a machine counts more than the machine's text; `--set` counts most.\n";

/// The reference of the keys, in Markdown.
pub fn reference() -> String {
    page(HEAD, &ExperimentKeys::shape())
}
