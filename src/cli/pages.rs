//! The files of a finished run: everything is made from records, so everything can be made again.

use serde::Serialize;

use super::answer::Failure;
use super::output::OutputFile;
use crate::experiment::record::{Record, ValidationCase};
use crate::report::{self, HostFacts, RenderError, ReportInput};

/// What several runs leave together.
pub struct Collection<'a> {
    pub title: &'a str,
    /// The records are predictions of what was measured, and no more.
    pub predictions: bool,
    pub records: &'a [Record],
    /// What each is called; by its machine where this is empty.
    pub labels: &'a [String],
    pub validation: &'a [ValidationCase],
    pub host: Option<HostFacts>,
    pub commands: Vec<String>,
}

/// `record.json`, `report.html`, `figures/*.svg` and `*.csv` of one run.
pub fn of_run(record: &Record, command: String) -> Result<Vec<OutputFile>, Failure> {
    let title = format!("{} on {}", record.workload.name, record.machine.name);
    let input = ReportInput {
        title: &title,
        records: std::slice::from_ref(record),
        record_files: vec!["record.json".to_owned()],
        commands: vec![command],
        ..ReportInput::default()
    };
    let mut files = vec![json("record.json", record)?, OutputFile::new("report.html", report::page(&input)?)];
    for figure in report::figures(record)? {
        files.push(OutputFile::new(format!("figures/{}.svg", figure.name), figure.svg));
    }
    files.extend(report::exports(record)?.into_iter().map(|(name, bytes)| OutputFile::new(name, bytes)));
    Ok(files)
}

/// `report.html`, `records/*.json` and, where there are any, `validation.json`.
pub fn of_collection(collection: &Collection<'_>) -> Result<Vec<OutputFile>, Failure> {
    let mut files = Vec::new();
    let mut record_files = Vec::new();
    for (number, record) in collection.records.iter().enumerate() {
        let path = format!("records/{:02}-{}.json", number + 1, record.workload.name);
        files.push(json(&path, record)?);
        record_files.push(path);
    }
    let input = ReportInput {
        title: collection.title,
        records: collection.records,
        labels: collection.labels.to_vec(),
        record_files,
        validation: collection.validation,
        host: collection.host.clone(),
        commands: collection.commands.clone(),
        predictions: collection.predictions,
    };
    files.push(OutputFile::new("report.html", report::page(&input)?));
    if !collection.validation.is_empty() {
        files.push(json("validation.json", &collection.validation)?);
    }
    Ok(files)
}

fn json(path: &str, value: &impl Serialize) -> Result<OutputFile, Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::input(format!("cannot write {path}: {error}")))?;
    Ok(OutputFile::new(path, text + "\n"))
}

impl From<RenderError> for Failure {
    fn from(error: RenderError) -> Failure {
        Failure::input(format!("cannot draw the report: {error}"))
    }
}
