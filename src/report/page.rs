//! One self-contained HTML page of records: comparison first, then each run, then predictions beside measurements; where the records
//! are predictions only, these come first and the rest is folded.
//!
//! Everything a user can name is escaped by the template engine; only figures and style, both made here, go in as they are.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use serde_json::Value as Json;

use super::compare::{Group, Words, groups};
use super::facts::{Facts, Stack, equality};
use super::figure::{Figure, RenderError, Table};
use super::listing::{Listing, listing};
use super::palette;
use super::{HostFacts, ReportInput, caches, heat, human, life, machine, stacks, topology, utilisation, validation};
use crate::experiment::record::{Record, Start, ValidationCase};
use crate::experiment::watch::WatchRecord;
use crate::experiment::why::ProgramText;

/// At most so many result values are shown.
const MOST_VALUES: usize = 8;

#[derive(Serialize)]
struct Page<'a> {
    title: &'a str,
    style: String,
    contents: Vec<Entry>,
    groups: Vec<GroupView>,
    runs: Vec<RunView>,
    validation: Option<ValidationView>,
    host: Option<&'a HostFacts>,
    /// Groups and runs are folded below the validation, whose predictions they are.
    predictions: bool,
    commands: &'a [String],
}

#[derive(Serialize)]
struct Entry {
    id: String,
    label: String,
}

#[derive(Serialize)]
pub(super) struct FigureView {
    title: String,
    description: String,
    svg: String,
    table: Table,
}

#[derive(Serialize)]
struct GroupView {
    id: String,
    workload: String,
    n_runs: usize,
    words: Words,
    figures: Vec<FigureView>,
}

#[derive(Serialize)]
struct RunView {
    id: String,
    machine: String,
    /// The machine's name, or more where two runs would be called the same.
    label: String,
    workload: String,
    time: String,
    threads: Option<String>,
    why: Vec<ReasonView>,
    evidence: Vec<EvidenceView>,
    facts: Vec<Fact>,
    strip: Vec<StripPart>,
    picture: Option<FigureView>,
    network: Option<FigureView>,
    traffic: Option<FigureView>,
    stacks: Option<FigureView>,
    owners: Vec<OwnerView>,
    /// Whether lines of the text have costs: those of a trace or of traffic have none.
    profiled: bool,
    listing: Listing,
    watch: Option<WatchView>,
    caches: Option<FigureView>,
    utilisation: Option<FigureView>,
    config: String,
    runtime: String,
    flynn: String,
    schema: u32,
    seed: u64,
    start: &'static str,
    file: Option<String>,
}

/// The life of one line.
#[derive(Serialize)]
struct WatchView {
    object: String,
    holds: String,
    /// The program's lines that name it.
    lines: Vec<(u32, String)>,
    /// Nothing may have happened to it.
    figure: Option<FigureView>,
    n_events: String,
    left_out: Option<String>,
}

#[derive(Serialize)]
struct ReasonView {
    sentence: String,
}

#[derive(Serialize)]
struct EvidenceView {
    path: String,
    value: Option<String>,
}

#[derive(Serialize)]
struct Fact {
    label: &'static str,
    value: String,
}

#[derive(Serialize)]
struct StripPart {
    variable: &'static str,
    label: String,
    percent: f64,
}

#[derive(Serialize)]
struct OwnerView {
    variable: &'static str,
    label: &'static str,
    time: String,
    share: String,
    meaning: &'static str,
}

#[derive(Serialize)]
struct ValidationView {
    sentence: String,
    alarm: Option<String>,
    figures: Vec<FigureView>,
    table: Table,
}

/// Makes the page: one HTML file without any reference to another, for any browser, light and dark, screen and paper.
///
/// # Errors
/// None that the input can cause: only a fault of the template engine or the plotting library.
pub fn page(input: &ReportInput<'_>) -> Result<String, RenderError> {
    let facts: Vec<Facts<'_>> = input.records.iter().map(Facts::of).collect();
    let all = groups(&facts, &input.labels);
    let labels: Vec<(usize, String)> =
        all.iter().flat_map(|group| group.runs.iter().map(|run| (run.index, run.label.clone()))).collect();
    let label = |index: usize| labels.iter().find(|(i, _)| *i == index).map_or(String::new(), |(_, label)| label.clone());
    let compared = all.iter().filter(|group| group.runs.len() > 1).enumerate();
    let runs = facts.iter().enumerate().map(|(i, facts)| run(i, facts, label(i), input.record_files.get(i)));
    let mut page = Page {
        title: input.title,
        style: style(),
        contents: Vec::new(),
        groups: compared.map(|(i, of)| group(i, of)).collect::<Result<_, _>>()?,
        runs: runs.collect::<Result<_, _>>()?,
        validation: validated(input.validation)?,
        host: input.host.as_ref(),
        predictions: input.predictions,
        commands: &input.commands,
    };
    page.contents = contents(&page);
    render("page.html", page)
}

/// The style of every page.
pub(super) fn style() -> String {
    palette::variables() + include_str!("templates/style.css")
}

/// One of the templates, filled in.
pub(super) fn render(name: &str, page: impl Serialize) -> Result<String, RenderError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let templates = [
        ("parts.html", include_str!("templates/parts.html")),
        ("overview.html", include_str!("templates/overview.html")),
        ("run.html", include_str!("templates/run.html")),
        ("page.html", include_str!("templates/page.html")),
        ("experiment.html", include_str!("templates/experiment.html")),
    ];
    let fault = |error: minijinja::Error| RenderError::new("the page could not be made", &format!("{error:#}"));
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(fault)?);
    for (name, text) in templates {
        environment.add_template(name, text).map_err(fault)?;
    }
    let template = environment.get_template(name).map_err(fault)?;
    template.render(Serde(page)).map_err(fault)
}

/// What the page has, for its head.
fn contents(page: &Page<'_>) -> Vec<Entry> {
    let entry = |id: &str, label: String| Entry { id: id.to_owned(), label };
    let mut runs: Vec<Entry> = page.groups.iter().map(|group| entry(&group.id, format!("{} compared", group.workload))).collect();
    if page.runs.len() > 1 {
        runs.push(entry("runs", "Each run".to_owned()));
    } else {
        runs.extend(page.runs.iter().map(|run| entry(&run.id, format!("{} on {}", run.workload, run.machine))));
    }
    if page.predictions {
        runs = vec![entry("predictions", "The predictions, run by run".to_owned())];
    }
    let validation = page.validation.is_some().then(|| entry("validation", "Predicted and measured".to_owned()));
    let next = (!page.commands.is_empty()).then(|| entry("next", "What to try next".to_owned()));
    let mut contents: Vec<Entry> = validation.into_iter().collect();
    let place = if page.predictions { contents.len() } else { 0 };
    contents.splice(place..place, runs);
    contents.extend(next);
    contents
}

pub(super) fn view(figure: Figure, prefix: &str) -> FigureView {
    let svg = figure.inline(prefix);
    FigureView { title: figure.title, description: figure.description, svg, table: figure.table }
}

fn group(index: usize, group: &Group<'_>) -> Result<GroupView, RenderError> {
    let id = format!("c{}", index + 1);
    let figures = group.figures()?.into_iter().map(|figure| view(figure, &id)).collect();
    Ok(GroupView { workload: group.workload.clone(), n_runs: group.runs.len(), words: group.words(), figures, id })
}

fn run(index: usize, facts: &Facts<'_>, label: String, file: Option<&String>) -> Result<RunView, RenderError> {
    let record = facts.record;
    let id = format!("r{}", index + 1);
    let mean = facts.mean_stack();
    let shown = |figure: Option<Figure>| figure.map(|figure| view(figure, &id));
    Ok(RunView {
        machine: record.machine.name.clone(),
        label,
        workload: record.workload.name.clone(),
        time: human::time(record.time_ps as f64),
        threads: facts.team(),
        why: record.why.iter().map(|reason| ReasonView { sentence: reason.sentence.clone() }).collect(),
        evidence: evidence(record),
        facts: headline(record),
        strip: strip(&mean),
        picture: shown(machine::figure(facts)),
        network: shown(topology::of_record(facts)),
        traffic: shown(heat::figure(facts)),
        stacks: shown(stacks::figure(facts)?),
        owners: owners(&mean),
        profiled: !facts.record.profile.is_empty(),
        listing: listing(facts),
        watch: facts.record.watch.as_ref().map(|of| watch(of, &facts.record.workload.text, &id)),
        caches: shown(caches::figure(facts)?),
        utilisation: shown(utilisation::figure(facts)?),
        config: toml_text(&record.machine.config),
        runtime: runtime(record),
        flynn: record.flynn.clone(),
        schema: record.schema,
        seed: record.seed,
        start: match record.start {
            Start::Warm => "after a warm-up pass",
            Start::Cold => "with cold caches",
        },
        file: file.cloned(),
        id,
    })
}

fn watch(watch: &WatchRecord, text: &str, id: &str) -> WatchView {
    let text = ProgramText::new(text);
    let name = watch.object.split_whitespace().last().unwrap_or_default();
    let name = watch.object.split('[').next().unwrap_or_default().split_whitespace().last().unwrap_or(name);
    let names = |line: &u32| text.objects(*line).iter().any(|object| object.name == name);
    let lines = (1..=text.n_lines()).filter(names).filter_map(|line| Some((line, text.line(line)?.to_owned())));
    let all = watch.events.len() as u64 + watch.left_out;
    WatchView {
        object: watch.object.clone(),
        holds: watch.holds.join(", "),
        lines: lines.take(12).collect(),
        figure: life::figure(watch).map(|figure| view(figure, id)),
        n_events: human::count(all),
        left_out: (watch.left_out > 0).then(|| human::count(watch.left_out)),
    }
}

/// The metrics that reasons rest on, each once, with their values.
fn evidence(record: &Record) -> Vec<EvidenceView> {
    let mut paths: Vec<&String> = Vec::new();
    for path in record.why.iter().flat_map(|reason| &reason.evidence) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths.into_iter().map(|path| EvidenceView { path: path.clone(), value: evidence_value(record, path) }).collect()
}

/// The value of a metric, or the sum over all parts that have it where the path is only the end of theirs, as in `stack.queue_ps`.
fn evidence_value(record: &Record, path: &str) -> Option<String> {
    if let Some(&value) = record.metrics.get(path) {
        return Some(metric(path, value));
    }
    let end = format!(".{path}");
    let parts: Vec<u64> = record.metrics.iter().filter(|(whole, _)| whole.ends_with(&end)).map(|(_, value)| *value).collect();
    let sum = parts.iter().fold(0u64, |sum, value| sum.saturating_add(*value));
    match parts.len() {
        0 => None,
        1 => Some(metric(path, sum)),
        n => Some(format!("{}, summed over {}", metric(path, sum), human::plural(n, "part"))),
    }
}

/// A metric's value in the unit that its name ends in.
fn metric(path: &str, value: u64) -> String {
    let counter = path.rsplit('.').next().unwrap_or(path);
    if counter.ends_with("_ps") {
        human::time(value as f64)
    } else if counter.starts_with("bytes") {
        human::bytes(value)
    } else {
        human::count(value)
    }
}

fn headline(record: &Record) -> Vec<Fact> {
    let counts = &record.counts;
    let seconds = record.time_ps as f64 / 1e12;
    let rate = |amount: u64, unit: &str| {
        if seconds > 0.0 { format!(" ({})", human::rate(amount as f64 / seconds, unit)) } else { String::new() }
    };
    let fact = |label: &'static str, value: String| Fact { label, value };
    let counted = |label: &'static str, n: u64, rate: String| (n > 0).then(|| fact(label, format!("{}{rate}", human::count(n))));
    let organisation = format!("{}, {}", record.machine.organisation.to_uppercase(), record.machine.flynn_class);
    let has_result = !record.result.values.is_empty();
    let result = |label: &'static str, value: String| has_result.then(|| fact(label, value));
    let facts = [
        Some(fact("organisation, Flynn's class", organisation)),
        counted("operations", counts.operations, rate(counts.operations, "op/s")),
        counted("memory accesses", counts.memory_accesses, rate(counts.bytes, "B/s")),
        counted("float operations", counts.flops, rate(counts.flops, "FLOP/s")),
        result("result", values(&record.result.values)),
        result("checksum of the result", record.result.checksum.clone()),
        result("results count as equal", equality(record.result.equality)),
        Some(fact("parameters", parameters(record))),
    ];
    facts.into_iter().flatten().collect()
}

fn values(values: &[Json]) -> String {
    let mut shown: Vec<String> = values.iter().take(MOST_VALUES).map(super::facts::scalar).collect();
    if values.len() > MOST_VALUES {
        shown.push(format!("and {} more", human::count((values.len() - MOST_VALUES) as u64)));
    }
    shown.join(", ")
}

fn parameters(record: &Record) -> String {
    if record.workload.parameters.is_empty() {
        return "none".to_owned();
    }
    let parameter = |(name, value): (&String, &Json)| format!("{name} = {}", super::facts::scalar(value));
    record.workload.parameters.iter().map(parameter).collect::<Vec<_>>().join(", ")
}

fn strip(mean: &Stack) -> Vec<StripPart> {
    let total = mean.total();
    let part = |(owner, time_ps): (&'static palette::Owner, f64)| StripPart {
        variable: owner.fill.variable,
        label: format!("{} {}", owner.label, human::percent(time_ps / total)),
        percent: (time_ps / total * 10_000.0).round() / 100.0,
    };
    mean.parts().map(part).collect()
}

fn owners(mean: &Stack) -> Vec<OwnerView> {
    let total = mean.total();
    let view = |(owner, time_ps): (&'static palette::Owner, f64)| OwnerView {
        variable: owner.fill.variable,
        label: owner.label,
        time: human::time(time_ps),
        share: human::percent(time_ps / total),
        meaning: owner.meaning,
    };
    mean.parts().map(view).collect()
}

/// Configuration as TOML, which is what its user wrote; as JSON where TOML cannot hold it.
fn toml_text(config: &Json) -> String {
    let json = || serde_json::to_string_pretty(config).unwrap_or_default();
    match config {
        Json::Object(_) => toml::to_string_pretty(config).unwrap_or_else(|_| json()),
        _ => json(),
    }
}

fn runtime(record: &Record) -> String {
    let parameters: serde_json::Map<String, Json> = record.workload.parameters.clone().into_iter().collect();
    let whole = serde_json::json!({
        "workload": record.workload.name,
        "text_sha256": record.workload.text_sha256,
        "parameters": parameters,
        "runtime": record.workload.runtime,
    });
    toml_text(&whole)
}

fn validated(cases: &[ValidationCase]) -> Result<Option<ValidationView>, RenderError> {
    if cases.is_empty() {
        return Ok(None);
    }
    let figures = validation::figures(cases)?.into_iter().map(|figure| view(figure, "v")).collect();
    Ok(Some(ValidationView {
        sentence: validation::sentence(cases),
        alarm: validation::alarm(cases),
        figures,
        table: validation::table(cases),
    }))
}
