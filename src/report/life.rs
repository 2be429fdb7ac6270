//! The life of one line as a sequence chart: the cores that have to do with it, interconnect and memory as lines of life, time
//! downwards, an event a row; in each row the state of every core's copy.
//!
//! ```text
//!   time     core 0    core 1   interconnect   memory
//!   12 ns     [M]       [I]          |           |
//!   14 ns     [M]     [IS_A] ------->|           |      core 1 reads, asks for bus_rd
//!   17 ns     [S] <-----------------|            |      core 0 sees bus_rd, sends the line
//! ```
//!
//! Each row is a group of its own, `step`, with which a page can go through the life forward and back.

use std::collections::BTreeSet;

use super::figure::{About, Anchor, Figure, Table, WIDTH};
use super::human;
use super::palette::{ACCENT, ALARM, HEAT, Ink, MUTED, ON_HEAT, PANEL, PAPER, RULE, TEXT};
use super::svg::{Letters, Rect, Svg};
use crate::experiment::watch::{At, LifeRecord, WatchRecord};

/// At most so many events are drawn; the record has the rest.
pub const MOST_STEPS: usize = 300;
/// At most so many cores have a line of life.
const MOST_CORES: usize = 10;

const TOP: f64 = 40.0;
const ROW: f64 = 24.0;
/// Where the lines of life begin and end.
const LEFT: f64 = 84.0;
const RIGHT: f64 = 490.0;
const BADGE_HEIGHT: f64 = 16.0;
const ARROW_HEAD: f64 = 5.0;
const SIZE: f64 = 11.0;

fn letters(ink: Ink, anchor: Anchor, bold: bool) -> Letters {
    Letters { size: SIZE, ink, anchor, bold }
}

/// The chart; `None` where nothing happened.
pub fn figure(watch: &WatchRecord) -> Option<Figure> {
    let shown = &watch.events[..watch.events.len().min(MOST_STEPS)];
    if shown.is_empty() {
        return None;
    }
    let cores: BTreeSet<u32> = shown.iter().filter_map(|event| event.core).collect();
    let mut chart = Chart {
        watch,
        cores: cores.into_iter().take(MOST_CORES).collect(),
        svg: Svg::new(WIDTH, (TOP + ROW * shown.len() as f64 + 16.0) as u32),
        states: Vec::new(),
    };
    chart.states = chart.cores.iter().map(|core| first_state(watch, *core)).collect();
    chart.lanes(TOP + ROW * shown.len() as f64 + 8.0);
    for (number, event) in shown.iter().enumerate() {
        chart.step(number, event);
    }
    let all = watch.events.len() as u64 + watch.left_out;
    let first = if all > shown.len() as u64 {
        format!(" The first {} of {} events.", shown.len(), human::count(all))
    } else {
        String::new()
    };
    let about = About {
        name: "life",
        title: format!("The life of {}", watch.object),
        description: format!(
            "Time goes downwards. Boxes are the states of the cores' copies: orange may write, yellow may read, an outline is on its way \
             from one state to another. An arrow is something asked, seen or sent.{first}"
        ),
        table: table(shown),
    };
    Some(Figure::picture(about, chart.svg))
}

/// The state in which a core's copy was before anything happened.
fn first_state(watch: &WatchRecord, core: u32) -> String {
    let first = watch.events.iter().find(|event| event.at == At::Core && event.core == Some(core));
    let invalid = || watch.states.keys().next().cloned().unwrap_or_default();
    first.and_then(|event| event.from.clone()).unwrap_or_else(invalid)
}

fn table(shown: &[LifeRecord]) -> Table {
    let mut table = Table::new("Each event", &["#", "time#", "from", "to", "what happens"]);
    for (number, event) in shown.iter().enumerate() {
        let state = |state: &Option<String>| state.clone().unwrap_or_default();
        table.row(vec![
            (number + 1).to_string(),
            human::time(event.time_ps as f64),
            state(&event.from),
            state(&event.next),
            event.sentence(),
        ]);
    }
    table
}

struct Chart<'a> {
    watch: &'a WatchRecord,
    cores: Vec<u32>,
    svg: Svg,
    /// Of each core's copy, as far as the chart has come.
    states: Vec<String>,
}

impl Chart<'_> {
    fn spacing(&self) -> f64 {
        (RIGHT - LEFT) / (self.cores.len() + 2) as f64
    }

    fn x(&self, column: usize) -> f64 {
        LEFT + self.spacing() * (column as f64 + 0.5)
    }

    fn interconnect(&self) -> usize {
        self.cores.len()
    }

    fn memory(&self) -> usize {
        self.cores.len() + 1
    }

    fn column(&self, core: Option<u32>) -> Option<usize> {
        self.cores.iter().position(|known| Some(*known) == core)
    }

    fn lanes(&mut self, bottom: f64) {
        let cores = self.cores.iter().map(|core| format!("core {core}"));
        let headings: Vec<String> = cores.chain(["interconnect".to_owned(), "memory".to_owned()]).collect();
        for (column, heading) in headings.iter().enumerate() {
            let x = self.x(column);
            self.svg.text((x, TOP - 22.0), heading, self.spacing() + 8.0, letters(TEXT, Anchor::Middle, true));
            self.svg.line((x, TOP - 14.0), (x, bottom), RULE, 1.5);
        }
    }

    fn step(&mut self, number: usize, event: &LifeRecord) {
        let y = TOP + ROW * (number as f64 + 0.5);
        let sentence = event.sentence();
        self.svg.open_step(number + 1, &format!("{}: {sentence}", human::time(event.time_ps as f64)));
        let ground = Rect { x: 0.0, y: y - ROW / 2.0, width: f64::from(WIDTH), height: ROW };
        self.svg.rect(ground, 3.0, if number.is_multiple_of(2) { PAPER } else { PANEL }, None);
        self.svg.text((LEFT - 10.0, y + 4.0), &human::time(event.time_ps as f64), LEFT - 8.0, letters(MUTED, Anchor::End, false));
        for column in 0..self.cores.len() + 2 {
            let x = self.x(column);
            self.svg.line((x, y - ROW / 2.0), (x, y + ROW / 2.0), RULE, 1.5);
        }
        let own = self.column(event.core);
        if let (At::Core, Some(column), Some(next)) = (event.at, own, &event.next) {
            self.states[column].clone_from(next);
        }
        self.arrows(event, own, y);
        for column in 0..self.cores.len() {
            self.badge(column, event.at == At::Core && own == Some(column) && event.from != event.next, y);
        }
        let room = f64::from(WIDTH) - RIGHT - 6.0;
        let ink = if event.at == At::Core { TEXT } else { MUTED };
        self.svg.text((RIGHT + 4.0, y + 4.0), &sentence, room, letters(ink, Anchor::Start, false));
        self.svg.close();
    }

    /// What goes from whom to whom.
    fn arrows(&mut self, event: &LifeRecord, own: Option<usize>, y: f64) {
        let (interconnect, memory) = (self.interconnect(), self.memory());
        let edge = |column: usize, to: usize| {
            let half = self.badge_width(column) / 2.0 + 1.0;
            self.x(column) + if to > column { half } else { -half }
        };
        let sends = |what: &str| event.actions.iter().any(|action| action == what);
        match (event.at, own) {
            (At::Core, Some(core)) => {
                let seen = event.event.starts_with("bus_");
                let asks = event.actions.iter().any(|action| action.starts_with("bus_"));
                let came = event.event.starts_with("data_") || event.event.starts_with("done") || event.event == "word";
                let sent = ["shared", "flush", "supply", "write_back", "send_word"].into_iter().any(sends);
                if asks || (seen && sent) || sends("write_back") {
                    self.arrow(edge(core, interconnect), self.x(interconnect), y, if seen { ALARM } else { ACCENT });
                } else if seen || came {
                    self.arrow(self.x(interconnect), edge(core, interconnect), y, ACCENT);
                }
            }
            (At::Transfer, Some(core)) => {
                let from = if event.event == "from_memory" { self.x(memory) } else { self.x(interconnect) };
                self.arrow(from, edge(core, interconnect), y, ACCENT);
            }
            (At::Memory, _) if event.event == "read" => self.arrow(self.x(interconnect), self.x(memory), y, ACCENT),
            (At::Memory, _) => self.arrow(self.x(interconnect), self.x(memory), y, ALARM),
            _ => {
                let x = self.x(interconnect);
                self.svg.rect(Rect { x: x - 4.0, y: y - 4.0, width: 8.0, height: 8.0 }, 4.0, ACCENT, None);
            }
        }
    }

    fn arrow(&mut self, from: f64, to: f64, y: f64, ink: Ink) {
        let back = if to > from { -ARROW_HEAD } else { ARROW_HEAD };
        self.svg.line((from, y), (to, y), ink, 1.5);
        for side in [-ARROW_HEAD, ARROW_HEAD] {
            self.svg.line((to + 1.6 * back, y + 0.7 * side), (to, y), ink, 1.5);
        }
    }

    fn badge_width(&self, column: usize) -> f64 {
        (self.spacing() - 6.0).min(12.0 + human::text_width(&self.states[column], SIZE))
    }

    /// The state of a core's copy, with a strong edge where it has just changed.
    fn badge(&mut self, column: usize, changed: bool, y: f64) {
        let (state, width, x) = (self.states[column].clone(), self.badge_width(column), self.x(column));
        let permits = self.watch.states.get(&state).map_or("", String::as_str);
        let (fill, on) = match permits {
            "write" => (HEAT[3], ON_HEAT[3]),
            "read" => (HEAT[1], ON_HEAT[1]),
            "transient" => (PAPER, TEXT),
            _ => (PANEL, MUTED),
        };
        let outline = match (changed, permits) {
            (true, _) => Some(TEXT),
            (false, "transient") => Some(MUTED),
            (false, _) => None,
        };
        let rect = Rect { x: x - width / 2.0, y: y - BADGE_HEIGHT / 2.0, width, height: BADGE_HEIGHT };
        self.svg.rect(rect, 4.0, fill, outline);
        self.svg.text((x, y + 4.0), &state, width - 2.0, letters(on, Anchor::Middle, changed));
    }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;

    /// A line that core 1 has changed, and that core 0 reads.
    fn watch() -> WatchRecord {
        let states = [("I", "nothing"), ("S", "read"), ("M", "write"), ("IS_A", "transient")];
        let of_core = |time_ps: u64, core: u32, event: &str, states: [&str; 2], actions: &[&str]| LifeRecord {
            time_ps,
            core: Some(core),
            event: event.to_owned(),
            from: Some(states[0].to_owned()),
            next: Some(states[1].to_owned()),
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            ..LifeRecord::default()
        };
        let elsewhere =
            |time_ps: u64, at: At, event: &str| LifeRecord { time_ps, at, event: event.to_owned(), ..LifeRecord::default() };
        let granted = LifeRecord { core: Some(0), ..elsewhere(2_000, At::Interconnect, "BusRd") };
        let moved =
            LifeRecord { core: Some(0), bytes: Some(64), until_ps: Some(13_000), ..elsewhere(5_000, At::Transfer, "from_cache") };
        let has = LifeRecord { loads: 47, stores: 1, ..of_core(13_000, 0, "data_shared", ["IS_A", "S"], &["perform"]) };
        WatchRecord {
            object: "a<0>".to_owned(),
            address: 0x40_0000,
            line_bytes: 64,
            holds: vec!["a[0] to a[7]".to_owned()],
            states: states.map(|(state, permits)| (state.to_owned(), permits.to_owned())).into_iter().collect::<IndexMap<_, _>>(),
            events: vec![
                of_core(500, 0, "load", ["I", "IS_A"], &["bus_rd"]),
                granted,
                of_core(3_000, 1, "bus_rd", ["M", "S"], &["shared", "flush"]),
                moved,
                has,
                elsewhere(13_000, At::Memory, "flush"),
            ],
            left_out: 0,
        }
    }

    #[test]
    fn a_chart_shows_every_event_with_the_states_of_all_copies() {
        let figure = figure(&watch()).unwrap();
        assert_eq!(figure.table.rows.len(), 6);
        assert_eq!(figure.svg.matches("class=\"step\"").count(), 6);
        insta::assert_snapshot!(figure.svg);
    }

    #[test]
    fn a_long_life_is_drawn_as_far_as_it_can_be_read() {
        let mut watch = watch();
        watch.events = watch.events.iter().cycle().take(1000).cloned().collect();
        watch.left_out = 5;
        let figure = figure(&watch).unwrap();
        assert_eq!(figure.svg.matches("class=\"step\"").count(), MOST_STEPS);
        assert!(figure.description.ends_with("The first 300 of 1,005 events."), "{}", figure.description);
        watch.events.clear();
        assert!(super::figure(&watch).is_none());
    }

    #[test]
    fn many_cores_have_no_lines_of_life_each() {
        let mut watch = watch();
        let event = watch.events[0].clone();
        watch.events = (0..64).map(|core| LifeRecord { core: Some(core), ..event.clone() }).collect();
        let svg = figure(&watch).unwrap().svg;
        assert!(svg.contains(">core 9</text>") && !svg.contains(">core 10</text>"));
    }
}
