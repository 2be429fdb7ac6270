//! Figures of a run as a user writes them: `speedup`, `interconnect.busy_ps / time`.
//!
//! ```text
//!   sum     = product { ("+" | "-") product }
//!   product = factor { ("*" | "/") factor }
//!   factor  = number | word | path of metrics | "(" sum ")"
//! ```
//!
//! Blanks stand around operators, as names of metrics may have `-` in them. A path is a metric's, or the end of some metrics' paths,
//! whose sum it is: `l1d.misses` is of all cores.

use crate::base::diagnostic::nearest;
use crate::experiment::record::Record;

/// How deep brackets nest.
const MAXIMUM_DEPTH: usize = 16;
/// The longest figure, in bytes.
const MAXIMUM_BYTES: usize = 500;

/// What a word stands for, besides metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Simulated time, in picoseconds.
    Time,
    /// The same in seconds.
    Seconds,
    /// The time of the point with the fewest threads, all else being equal, over that of this point.
    Speedup,
    /// The speedup over how many times as many threads there are.
    Efficiency,
    Events,
    Operations,
    MemoryAccesses,
    Flops,
    /// Of the elements loaded and stored.
    Bytes,
}

impl Word {
    /// All of them, as they are written.
    pub const ALL: [(&str, Word); 9] = [
        ("time", Word::Time),
        ("seconds", Word::Seconds),
        ("speedup", Word::Speedup),
        ("efficiency", Word::Efficiency),
        ("events", Word::Events),
        ("operations", Word::Operations),
        ("memory_accesses", Word::MemoryAccesses),
        ("flops", Word::Flops),
        ("bytes", Word::Bytes),
    ];
}

/// What a figure is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Factor {
    Word(Word),
    /// The metric of this path, or the sum of those whose paths end in it.
    Metric(String),
}

impl Factor {
    /// What a record says of it: nothing of a metric that the run does not have. Speedups are of several records.
    pub fn of(&self, record: &Record) -> Option<f64> {
        let value = match self {
            Factor::Word(Word::Time) => record.time_ps,
            Factor::Word(Word::Seconds) => return Some(record.time_ps as f64 / 1e12),
            Factor::Word(Word::Speedup | Word::Efficiency) => return None,
            Factor::Word(Word::Events) => record.counts.events,
            Factor::Word(Word::Operations) => record.counts.operations,
            Factor::Word(Word::MemoryAccesses) => record.counts.memory_accesses,
            Factor::Word(Word::Flops) => record.counts.flops,
            Factor::Word(Word::Bytes) => record.counts.bytes,
            Factor::Metric(path) => return metric(record, path),
        };
        Some(value as f64)
    }
}

/// The metric of this path, or the sum of those that end in it.
fn metric(record: &Record, path: &str) -> Option<f64> {
    if let Some(&value) = record.metrics.get(path) {
        return Some(value as f64);
    }
    let ends = |whole: &str| whole.strip_suffix(path).is_some_and(|before| before.ends_with('.'));
    let mut found = record.metrics.iter().filter(|(whole, _)| ends(whole)).map(|(_, &value)| value as f64).peekable();
    found.peek().is_some().then(|| found.sum())
}

/// A figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity {
    /// As it was written, or the name it was given.
    pub name: String,
    term: Term,
}

#[derive(Clone, Debug, PartialEq)]
enum Term {
    Number(f64),
    Factor(Factor),
    Binary(char, Box<Term>, Box<Term>),
}

impl Quantity {
    /// Reads a figure.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn read(text: &str, named: &[Quantity]) -> Result<Quantity, (String, String)> {
        if text.len() > MAXIMUM_BYTES {
            let message = format!("the figure is longer than {MAXIMUM_BYTES} bytes");
            return Err((message, "give parts of it names in `[metrics]`".to_owned()));
        }
        let tokens = tokens(text);
        let mut reader = Reader { tokens: &tokens, at: 0, named };
        let term = reader.sum(0)?;
        match reader.peek() {
            None => Ok(Quantity { name: text.trim().to_owned(), term }),
            Some(token) => Err(unexpected(Some(token))),
        }
    }

    /// The same under another name.
    pub fn called(self, name: &str) -> Quantity {
        Quantity { name: name.to_owned(), ..self }
    }

    /// What it is made of.
    pub fn factors(&self) -> Vec<&Factor> {
        let mut found = Vec::new();
        self.term.collect(&mut found);
        found
    }

    /// Whether it is a plain time in picoseconds, to be shown with a unit.
    pub fn is_time(&self) -> bool {
        match &self.term {
            Term::Factor(Factor::Word(Word::Time)) => true,
            Term::Factor(Factor::Metric(path)) => path.ends_with("_ps"),
            _ => false,
        }
    }

    /// Whether it needs a point with fewer threads.
    pub fn needs_threads(&self) -> bool {
        self.factors().iter().any(|factor| matches!(factor, Factor::Word(Word::Speedup | Word::Efficiency)))
    }

    /// Its value, where all of its factors have one; nothing divided by 0.
    pub fn evaluate(&self, of: &mut dyn FnMut(&Factor) -> Option<f64>) -> Option<f64> {
        self.term.evaluate(of).filter(|value| value.is_finite())
    }
}

impl Term {
    fn collect<'a>(&'a self, found: &mut Vec<&'a Factor>) {
        match self {
            Term::Number(_) => {}
            Term::Factor(factor) => found.push(factor),
            Term::Binary(_, a, b) => {
                a.collect(found);
                b.collect(found);
            }
        }
    }

    fn evaluate(&self, of: &mut dyn FnMut(&Factor) -> Option<f64>) -> Option<f64> {
        Some(match self {
            Term::Number(number) => *number,
            Term::Factor(factor) => of(factor)?,
            Term::Binary(operator, a, b) => {
                let (a, b) = (a.evaluate(of)?, b.evaluate(of)?);
                match operator {
                    '+' => a + b,
                    '-' => a - b,
                    '*' => a * b,
                    _ if b == 0.0 => return None,
                    _ => a / b,
                }
            }
        })
    }
}

/// Words, operators and brackets.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    for word in text.split_whitespace() {
        let inner = word.trim_start_matches('(');
        tokens.extend(std::iter::repeat_n("(", word.len() - inner.len()));
        let core = inner.trim_end_matches(')');
        if !core.is_empty() {
            tokens.push(core);
        }
        tokens.extend(std::iter::repeat_n(")", inner.len() - core.len()));
    }
    tokens
}

struct Reader<'a> {
    tokens: &'a [&'a str],
    at: usize,
    named: &'a [Quantity],
}

impl Reader<'_> {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).copied()
    }

    fn operator(&mut self, which: [&str; 2]) -> Option<char> {
        let found = self.peek().filter(|token| which.contains(token))?.chars().next();
        self.at += 1;
        found
    }

    fn sum(&mut self, depth: usize) -> Result<Term, (String, String)> {
        let mut term = self.product(depth)?;
        while let Some(operator) = self.operator(["+", "-"]) {
            term = Term::Binary(operator, Box::new(term), Box::new(self.product(depth)?));
        }
        Ok(term)
    }

    fn product(&mut self, depth: usize) -> Result<Term, (String, String)> {
        let mut term = self.factor(depth)?;
        while let Some(operator) = self.operator(["*", "/"]) {
            term = Term::Binary(operator, Box::new(term), Box::new(self.factor(depth)?));
        }
        Ok(term)
    }

    fn factor(&mut self, depth: usize) -> Result<Term, (String, String)> {
        let Some(&token) = self.tokens.get(self.at) else { return Err(unexpected(None)) };
        self.at += 1;
        if token == "(" {
            if depth == MAXIMUM_DEPTH {
                return Err((format!("brackets nest deeper than {MAXIMUM_DEPTH}"), "write it with fewer".to_owned()));
            }
            let term = self.sum(depth + 1)?;
            return match self.peek() {
                Some(")") => {
                    self.at += 1;
                    Ok(term)
                }
                other => Err(unexpected(other)),
            };
        }
        if let Some(named) = self.named.iter().find(|named| named.name == token) {
            return Ok(named.term.clone());
        }
        if let Some((_, word)) = Word::ALL.iter().find(|(name, _)| *name == token) {
            return Ok(Term::Factor(Factor::Word(*word)));
        }
        if token.starts_with(|c: char| c.is_ascii_digit()) {
            let number = token.replace('_', "").parse::<f64>().ok().filter(|number| number.is_finite());
            return number.map(Term::Number).ok_or_else(|| unexpected(Some(token)));
        }
        if token.contains('.') && token.starts_with(char::is_alphabetic) && !token.ends_with('.') {
            return Ok(Term::Factor(Factor::Metric(token.to_owned())));
        }
        let known = || Word::ALL.iter().map(|(name, _)| *name).chain(self.named.iter().map(|named| named.name.as_str()));
        if !token.starts_with(char::is_alphabetic) {
            return Err(unexpected(Some(token)));
        }
        Err(match nearest(token, known()) {
            Some(right) => (format!("there is no figure `{token}`"), format!("did you mean `{right}`?")),
            None => {
                let words: Vec<&str> = known().collect();
                let help = format!("there is {}, and the path of a metric or its end, such as l1d.misses", words.join(", "));
                (format!("there is no figure `{token}`"), help)
            }
        })
    }
}

fn unexpected(token: Option<&str>) -> (String, String) {
    let message = match token {
        Some(token) => format!("`{token}` cannot stand here"),
        None => "the figure ends too early".to_owned(),
    };
    (message, "write it as in `interconnect.busy_ps / time`, with blanks around `+`, `-`, `*` and `/`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<f64> {
        let named = [Quantity::read("2 * 3", &[]).unwrap().called("six")];
        Quantity::read(text, &named).unwrap().evaluate(&mut |factor| match factor {
            Factor::Word(Word::Time) => Some(10.0),
            Factor::Metric(path) => (path == "l1d.misses").then_some(4.0),
            _ => None,
        })
    }

    #[test]
    fn figures_are_reckoned_as_arithmetic_is() {
        for (text, expected) in [
            ("time", Some(10.0)),
            ("1 + 2 * 3", Some(7.0)),
            ("(1 + 2) * 3", Some(9.0)),
            ("8 / 4 / 2", Some(1.0)),
            ("10 - 4 - 3", Some(3.0)),
            ("l1d.misses / time", Some(0.4)),
            ("100 * ((l1d.misses + 1_000) - 4) / six", Some(100_000.0 / 6.0)),
            ("1 / (time - 10)", None),
            ("l2.misses", None),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_figure_is_said() {
        let told: Vec<String> = ["", "tiem", "time /", "(time", "time)", "time time", "* 2", "a-b", "1e999", ".", "x."]
            .iter()
            .map(|text| {
                let (message, help) = Quantity::read(text, &[]).unwrap_err();
                format!("{text:10} {message} ({help})")
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"));
        let deep = |depth: usize| Quantity::read(&format!("{}1{}", "(".repeat(depth), ")".repeat(depth)), &[]);
        assert!(deep(100).unwrap_err().0.contains("nest deeper"));
        assert!(deep(10_000).unwrap_err().0.contains("longer than"));
    }
}
