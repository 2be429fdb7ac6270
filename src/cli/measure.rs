//! A program predicted and run: simulated on the machine that describes this computer, then the very same text, plan and meaning on
//! its threads, in a child process.

use std::time::Duration;

use serde_json::Value as Json;

use super::answer::Failure;
use super::case::{Case, RunSettings};
use super::names::Library;
use crate::base::diagnostic::SourceText;
use crate::experiment::record::{Record, Start, ValidationCase};
use crate::experiment::result::{checksum, equal};
use crate::experiment::run::prepare;
use crate::experiment::validate::{Measurement, case};
use crate::experiment::workload::Workload;
use crate::host::child::{Job, Measured, Report, measure, own_executable, serve};
use crate::host::run::Repetition;
use crate::program::code::{Code, Plan};
use crate::program::tree::{Type, Value};

/// What a child may take beyond ten times the seconds it is given to measure in: to start, to compile, to warm up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a measurement gave nothing: a sentence, or one a line.
pub type Trouble = String;

/// Runs what `record` predicts on this computer, sampling for about `budget` seconds.
pub fn measured(
    library: &Library,
    case_of_record: &Case,
    settings: &RunSettings,
    record: &Record,
    budget: f64,
) -> Result<Result<ValidationCase, Trouble>, Failure> {
    let Workload::Program(workload) = &case_of_record.workload else {
        return Err(Failure::input(format!("{} is no program: it cannot run on threads", case_of_record.workload.name())));
    };
    let plan = case_of_record.machine.plan(settings.threads, settings.seed)?;
    let parameters = [&workload.parameters[..], &settings.parameters].concat();
    let (program, _) = prepare(&workload.source, &parameters, &plan, &library.catalogue)?;
    let threads = plan.threads;
    let job = Job {
        source_name: workload.source.name.to_string(),
        text: workload.source.text.to_string(),
        parameters: program.parameters.iter().map(|parameter| (parameter.name.clone(), parameter.value)).collect(),
        plan,
        start: settings.start,
        repetition: Repetition { budget_seconds: budget, ..Repetition::default() },
        deadline_seconds: 10.0 * budget + PATIENCE.as_secs_f64(),
    };
    let report = own_executable().and_then(|command| measure(command, &job)).map_err(|error| error.to_string());
    Ok(report.and_then(|report| match (report.trouble(), report) {
        (None, Report::Measured(measured)) => Ok(case(record, threads, &measurement(record, &measured))),
        (trouble, _) => Err(trouble.unwrap_or_default()),
    }))
}

/// How often this computer's threads give each results' bits, in `runs` runs of a program or, where `seconds` are over, fewer.
pub fn histogram(
    library: &Library,
    source: &SourceText,
    parameters: &[(String, String)],
    plan: &Plan,
    (runs, seconds): (usize, f64),
) -> Result<Vec<(Vec<u64>, u64)>, Failure> {
    let (program, _) = prepare(source, parameters, plan, &library.catalogue)?;
    // Sampling ends after four times the budget.
    let repetition =
        Repetition { minimum: runs, maximum: runs, budget_seconds: seconds / 4.0, outcomes: true, ..Repetition::default() };
    let job = Job {
        source_name: source.name.to_string(),
        text: source.text.to_string(),
        parameters: program.parameters.iter().map(|parameter| (parameter.name.clone(), parameter.value)).collect(),
        plan: plan.clone(),
        start: Start::Warm,
        repetition,
        deadline_seconds: 2.0 * seconds + PATIENCE.as_secs_f64(),
    };
    let report = own_executable().and_then(|command| measure(command, &job)).map_err(|error| Failure::input(error.to_string()))?;
    match (report.trouble(), report) {
        (None, Report::Measured(measured)) => Ok(measured.outcomes),
        (trouble, _) => Err(Failure::input(trouble.unwrap_or_default())),
    }
}

fn measurement(record: &Record, measured: &Measured) -> Measurement {
    let values = measured.values();
    let simulated: Option<Vec<Value>> =
        measured.results.iter().zip(&record.result.values).map(|(result, json)| value(result.r#type, json)).collect();
    let same_length = values.len() == record.result.values.len();
    Measurement {
        samples: measured.samples_seconds.clone(),
        checksum: checksum(&values),
        equal: same_length && simulated.is_some_and(|simulated| equal(&simulated, &values, record.result.equality)),
    }
}

/// A value as a record holds it.
fn value(r#type: Type, json: &Json) -> Option<Value> {
    let float = || match json.as_str() {
        None => json.as_f64(),
        Some("NaN") => Some(f64::NAN),
        Some("inf") => Some(f64::INFINITY),
        Some("-inf") => Some(f64::NEG_INFINITY),
        Some(_) => None,
    };
    Some(match r#type {
        Type::Bool => Value::Bool(json.as_bool()?),
        Type::I64 => Value::I64(json.as_i64()?),
        Type::I32 => Value::I32(i32::try_from(json.as_i64()?).ok()?),
        Type::F64 => Value::F64(float()?),
        Type::F32 => Value::F32(float()? as f32),
    })
}

/// The child's side: never returns.
pub fn serve_measurements(library: &Library) -> ! {
    serve(|job| code_of(library, job))
}

fn code_of(library: &Library, job: &Job) -> Result<Code, Vec<String>> {
    let source = SourceText::new(job.source_name.as_str(), job.text.as_str());
    let parameters: Vec<(String, String)> = job.parameters.iter().map(|(name, value)| (name.clone(), literal(*value))).collect();
    match prepare(&source, &parameters, &job.plan, &library.catalogue) {
        Ok((_, code)) => Ok(code),
        Err(diagnostics) => Err(diagnostics.iter().map(ToString::to_string).collect()),
    }
}

/// A value as the notation writes it.
fn literal(value: Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::I32(value) => value.to_string(),
        Value::F64(value) => format!("{value:?}"),
        Value::F32(value) => format!("{value:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::result::json;

    #[test]
    fn values_survive_the_record() {
        let values = [
            Value::Bool(true),
            Value::I64(i64::MIN),
            Value::I32(-7),
            Value::F64(0.1 + 0.2),
            Value::F64(f64::NEG_INFINITY),
            Value::F64(-0.0),
            Value::F32(0.1),
        ];
        for expected in values {
            let text = serde_json::to_string(&json(expected)).unwrap();
            let read = value(expected.r#type(), &serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!((read.bits(), read.r#type()), (expected.bits(), expected.r#type()), "{text}");
        }
        assert!(matches!(value(Type::F64, &json(Value::F64(f64::NAN))), Some(Value::F64(nan)) if nan.is_nan()));
        assert_eq!(value(Type::I64, &Json::from("no number")), None);
    }
}
