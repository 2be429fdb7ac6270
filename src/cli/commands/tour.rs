//! `flynn tour`

use std::fmt::Write;

use clap::Args;

use crate::cli::answer::{Answer, Failure, Outcome};
use crate::cli::arguments::{JobsArguments, OutputArguments};
use crate::cli::case::{Case, RunSettings, read_workload};
use crate::cli::commands::validate::table;
use crate::cli::console::Console;
use crate::cli::layout::hanging;
use crate::cli::measure::measured;
use crate::cli::names::Library;
use crate::cli::output;
use crate::cli::pages::{self, Collection};
use crate::cli::parallel;
use crate::cli::progress::Progress;
use crate::cli::this_computer;
use crate::experiment::record::{Record, ValidationCase};
use crate::host::discover::{HostDescription, discover};
use crate::machine::catalogue::{Entry, Kind};
use crate::report::facts::Facts;
use crate::report::human;

/// See the whole in about a minute: machines, sharing, your own computer, one report
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flynn tour
  flynn tour --output lab1

Runs shipped machines and programs only, says what each step shows, and ends with the path of one HTML \
report and three commands to try next.")]
pub struct Arguments {
    #[command(flatten)]
    output: OutputArguments,

    #[command(flatten)]
    jobs: JobsArguments,
}

/// The program the tour begins with.
const STREAM: &str = "triad";
/// More than all caches together hold, so that every machine works from memory.
const STREAM_LENGTH: (&str, &str) = ("n", "500_000");
/// Machines of one core and clock, and more and more of them.
const MACHINES: [&str; 4] = ["uniprocessor", "uma-bus-2", "uma-bus-4", "uma-bus-16"];
/// Two programs that differ in one word, and the machine they are run on.
const SHARING: [&str; 2] = ["sum-unpadded", "sum-padded"];
const SHARING_MACHINE: &str = "uma-bus-4";
/// Seconds of measuring for each case.
const BUDGET: f64 = 2.0;
/// Columns of the explanations' left edge.
const INDENT: usize = 2;

const NEXT: [(&str, &str); 3] = [
    ("flynn run uma-bus-4 triad --set 'node.interconnect.width=\"32 B\"'", "a wider bus: does it help?"),
    ("flynn new my-machine.toml --from uma-bus-4", "a machine of your own, to edit and to run"),
    ("flynn validate", "every shipped program, predicted and measured here"),
];

/// What the tour has seen so far.
struct Tour<'a> {
    library: Library,
    console: &'a mut Console,
    jobs: Option<u32>,
    quiet: bool,
    host: HostDescription,
    records: Vec<Record>,
    cases: Vec<ValidationCase>,
}

pub fn execute(arguments: Arguments, console: &mut Console) -> Outcome {
    console.be_quiet(arguments.output.quiet);
    let mut tour = Tour {
        library: Library::new(),
        console,
        jobs: arguments.jobs.jobs,
        quiet: arguments.output.quiet,
        host: discover(),
        records: Vec::new(),
        cases: Vec::new(),
    };
    tour.more_and_more_cores()?;
    tour.shared_lines()?;
    let measured = tour.this_computer()?;
    let directory = tour.write(&arguments)?;
    tour.farewell(&directory)?;
    let equal = tour.cases.iter().all(|case| case.equal);
    Ok(if measured && equal { Answer::Yes } else { Answer::No })
}

impl Tour<'_> {
    fn more_and_more_cores(&mut self) -> Result<(), Failure> {
        self.heading(1, "One program on more and more cores")?;
        self.explain(
            "The program adds two arrays, one of them scaled (STREAM triad). Its threads share the loop, as its text says, and \
             its text is the same on every machine. All machines here have the same core, clock and memory; they differ in how many \
             cores share one bus.",
        )?;
        let pairs = MACHINES.map(|machine| (machine, STREAM));
        let records = self.simulate(&pairs)?;
        self.print(&speedups(&records))?;
        if let [first, .., last] = &records[..]
            && let Some(reason) = last.why.first()
        {
            let (threads, times) = (Facts::of(last).threads().unwrap_or(1), human::digits(speedup(first, last)));
            self.explain(&format!("{threads} cores, {times} times as fast as one. {}", reason.sentence))?;
        }
        self.records.extend(records);
        Ok(())
    }

    fn shared_lines(&mut self) -> Result<(), Failure> {
        self.heading(2, "Threads that share no data, but share lines")?;
        self.explain(&format!(
            "Each of four threads on {SHARING_MACHINE} adds into an element of its own. In {} the four elements lie side by side in \
             one line of 64 bytes; in {} each has a line to itself. One word of the text differs: padded.",
            SHARING[0], SHARING[1]
        ))?;
        let records = self.simulate(&SHARING.map(|workload| (SHARING_MACHINE, workload)))?;
        self.print(&sharing(&records))?;
        if let [unpadded, padded] = &records[..]
            && padded.time_ps > 0
        {
            let times = unpadded.time_ps as f64 / padded.time_ps as f64;
            self.explain(&format!(
                "The word is worth a factor of {}. A write needs the line in no other cache, so a line that four threads write travels \
                 from core to core: false sharing.",
                human::digits(times)
            ))?;
        }
        self.records.extend(records);
        Ok(())
    }

    /// Whether every program could be measured.
    fn this_computer(&mut self) -> Result<bool, Failure> {
        let facts = this_computer::facts(&self.host);
        self.heading(3, "The very same texts on this computer")?;
        self.explain(&format!(
            "{}, {}. The code that was interpreted above is now compiled and run on its threads. The prediction comes from \
             a model of this computer, which is a first guess: cores and private caches as the operating system tells them, a cycle \
             for each operation. The results, however, must be equal.",
            facts.name, facts.cores
        ))?;
        let machine = Entry { kind: Kind::Machine, name: "this-computer".to_owned(), source: this_computer::machine(&self.host) };
        let cores = this_computer::cores(&self.host);
        let mut questions: Vec<(&str, u32)> = vec![(STREAM, 1), (STREAM, cores), (SHARING[0], cores), (SHARING[1], cores)];
        questions.dedup();
        let mut progress = Progress::new(self.console);
        let mut cases = Vec::new();
        let mut well = true;
        for (number, &(workload, threads)) in questions.iter().enumerate() {
            progress.message(format!("{workload} on this computer, {}", human::plural(threads as usize, "thread")));
            progress.fraction(number as f64 / questions.len() as f64);
            let workload = read_workload(&self.library, &self.library.find(Kind::Workload, workload)?)?;
            let settings = settings(workload.name(), Some(threads));
            let case = Case::new(&self.library, &machine, workload, &[])?;
            let record = case.simulate(&settings, &self.library, &mut |_| {})?;
            match measured(&self.library, &case, &settings, &record, BUDGET)? {
                Ok(case) => cases.push(case),
                Err(trouble) => {
                    well = false;
                    self.console.complain(&Failure::input(format!("{} could not be measured: {trouble}", case.workload.name())));
                }
            }
            self.records.push(record);
        }
        drop(progress);
        self.print(&format!("\n{}\n", table(&cases)))?;
        self.explain(&facts.model)?;
        self.cases = cases;
        Ok(well)
    }

    fn write(&self, arguments: &Arguments) -> Result<String, Failure> {
        let files = pages::of_collection(&Collection {
            title: "A tour of Flynn",
            predictions: false,
            records: &self.records,
            labels: &[],
            validation: &self.cases,
            host: Some(this_computer::facts(&self.host)),
            commands: NEXT.iter().map(|(command, _)| (*command).to_owned()).collect(),
        })?;
        output::write_run(&arguments.output.output, "tour", &files, self.console)
    }

    fn farewell(&mut self, directory: &str) -> Result<(), Failure> {
        if self.quiet {
            return self.console.print(directory);
        }
        let mut text = format!("\nAll of it, with figures: open in a browser\n  {directory}/report.html\n\nNext\n");
        let width = NEXT.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
        for (command, question) in NEXT {
            let _ = writeln!(text, "  {command:width$}  {question}");
        }
        self.console.print(&text)
    }

    fn simulate(&self, pairs: &[(&str, &str)]) -> Result<Vec<Record>, Failure> {
        let mut progress = Progress::new(self.console);
        progress.message("simulating");
        let run = |(machine, workload): &(&str, &str)| {
            let case = Case::read(&self.library, machine, workload, &[])?;
            case.simulate(&settings(workload, None), &self.library, &mut |_| {})
        };
        let mut done = 0.0;
        let records = parallel::each(self.jobs, pairs, run, |(machine, workload)| {
            done += 1.0;
            progress.message(format!("simulated {workload} on {machine}"));
            progress.fraction(done / pairs.len() as f64);
        })?;
        records.into_iter().collect()
    }

    fn heading(&mut self, number: u32, title: &str) -> Result<(), Failure> {
        self.print(&format!("\n{number}  {title}\n"))
    }

    fn explain(&mut self, text: &str) -> Result<(), Failure> {
        self.print(&hanging("", INDENT, text))
    }

    fn print(&mut self, text: &str) -> Result<(), Failure> {
        if self.quiet { Ok(()) } else { self.console.print_lines(text) }
    }
}

fn settings(workload: &str, threads: Option<u32>) -> RunSettings {
    let (name, value) = STREAM_LENGTH;
    let parameters = if workload == STREAM { vec![(name.to_owned(), value.to_owned())] } else { Vec::new() };
    RunSettings { parameters, threads, ..RunSettings::default() }
}

/// How much faster a record is than another; 0 where it took no time.
fn speedup(first: &Record, record: &Record) -> f64 {
    if record.time_ps == 0 { 0.0 } else { first.time_ps as f64 / record.time_ps as f64 }
}

fn speedups(records: &[Record]) -> String {
    let mut text = format!("\n  {:30}  {:>10}  {:>7}  of the cores' time\n", "machine", "time", "speedup");
    for record in records {
        let (time, times) = (human::time(record.time_ps as f64), human::digits(speedup(&records[0], record)));
        let _ = writeln!(text, "  {:30}  {time:>10}  {times:>7}  {}", record.machine.name, top(record));
    }
    text + "\n"
}

fn sharing(records: &[Record]) -> String {
    let mut text = format!("\n  {:14}  {:>10}  {:>16}  of the cores' time\n", "program", "time", "lines taken away");
    for record in records {
        let taken: u64 =
            record.metrics.iter().filter(|(path, _)| path.ends_with(".l1d.invalidations")).map(|(_, count)| count).sum();
        let time = human::time(record.time_ps as f64);
        let _ = writeln!(text, "  {:14}  {time:>10}  {:>16}  {}", record.workload.name, human::count(taken), top(record));
    }
    text + "\n"
}

/// The two owners with most of the cores' time.
fn top(record: &Record) -> String {
    let stack = Facts::of(record).mean_stack();
    let total = stack.total();
    let mut parts: Vec<_> = stack.parts().collect();
    parts.sort_by(|a, b| b.1.total_cmp(&a.1));
    let said: Vec<String> =
        parts.iter().take(2).map(|(owner, time)| format!("{} {}", human::percent(time / total), owner.key)).collect();
    said.join(", ")
}
