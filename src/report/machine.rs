//! The machine as a picture: cores over their private caches on an interconnect, memory beside it; how busy each was, in colour.
//!
//! ```text
//!   [core 0] [core 1] ...        up to eight in a row; more stand below the interconnect, upside down
//!   [ L1d  ] [ L1d  ]
//!   [ L2   ] [ L2   ]
//!   ====== interconnect ====== [ LLC ]
//!   [core 8] ...               [memory]
//! ```

use serde_json::Value as Json;

use super::caches::miss_rate;
use super::facts::{CoreFacts, Counters, Facts, NodeFacts, cache_config, cache_name, counter, share, text_of};
use super::figure::{About, Anchor, Figure, Table, WIDTH};
use super::human;
use super::palette::{HEAT, Ink, MUTED, ON_HEAT, PANEL, RULE, TEXT, heat};
use super::svg::{Letters, Rect, Svg};

const MOST_NODES: usize = 4;
const MOST_CORES: usize = 16;
const IN_A_ROW: usize = 8;

const LEFT: f64 = 10.0;
const CORES_WIDTH: f64 = 700.0;
const SIDE_LEFT: f64 = 740.0;
const SIDE_WIDTH: f64 = 150.0;
const CORE_HEIGHT: f64 = 58.0;
const CACHE_HEIGHT: f64 = 38.0;
const LINK: f64 = 8.0;
const BUS_HEIGHT: f64 = 66.0;
const MEMORY_HEIGHT: f64 = 98.0;
const TITLE_HEIGHT: f64 = 28.0;
const LEGEND_HEIGHT: f64 = 44.0;
const NODE_GAP: f64 = 18.0;

/// A node with what is needed to draw it.
struct Node<'a> {
    index: u32,
    facts: &'a NodeFacts,
    config: Option<&'a Json>,
    time_ps: u64,
}

fn letters(size: f64, ink: Ink, anchor: Anchor) -> Letters {
    Letters { size, ink, anchor, bold: false }
}

fn bold(size: f64, ink: Ink, anchor: Anchor) -> Letters {
    Letters { bold: true, ..letters(size, ink, anchor) }
}

/// Fill and letters for a busy share, or quiet ones where none is known.
fn inks(share: Option<f64>) -> (Ink, Ink) {
    share.map_or((PANEL, TEXT), |share| (HEAT[heat(share)], ON_HEAT[heat(share)]))
}

/// A share without decimals, for boxes.
fn rounded(share: f64) -> String {
    format!("{:.0}\u{a0}%", share * 100.0)
}

/// Those of the keys that the configuration has, as `key value`, or the value alone where it speaks for itself.
fn described(config: Option<&Json>, keys: &[(&str, &str)]) -> Vec<String> {
    keys.iter().filter_map(|(key, before)| text_of(config, key).map(|value| format!("{before}{value}"))).collect()
}

impl Node<'_> {
    fn part(&self, name: &str) -> Option<&Counters> {
        self.facts.parts.get(name)
    }

    fn interconnect_config(&self) -> Option<&Json> {
        self.config?.get("interconnect")
    }

    fn memory_config(&self) -> Option<&Json> {
        self.config?.get("memory")
    }

    fn memory_busy(&self) -> Option<f64> {
        // Each channel counts its own busy time.
        let channels = self.memory_config().and_then(|memory| memory.get("channels")).and_then(Json::as_u64).unwrap_or(1);
        let busy_ps = *self.part("memory")?.get("busy_ps")?;
        share(busy_ps, self.time_ps.saturating_mul(channels.max(1))).map(|share| share.min(1.0))
    }

    fn title(&self) -> String {
        match text_of(self.config, "name") {
            Some(name) => format!("node {}: {name}", self.index),
            None => format!("node {}", self.index),
        }
    }

    /// The names of the private caches, nearest first: those of the core that has most.
    fn levels(&self) -> Vec<&str> {
        let most = self.facts.cores.values().max_by_key(|core| core.caches.len());
        most.map_or(Vec::new(), |core| core.caches.keys().map(String::as_str).collect())
    }

    fn column_height(&self) -> f64 {
        CORE_HEIGHT + self.levels().len() as f64 * (CACHE_HEIGHT + LINK) + 2.0 * LINK
    }

    fn n_shown(&self) -> usize {
        self.facts.cores.len().min(MOST_CORES)
    }

    /// Pixels from the top of the node to the top of its interconnect, and to the bottom of everything.
    fn heights(&self) -> (f64, f64) {
        let top = TITLE_HEIGHT + if self.n_shown() > 0 { self.column_height() } else { 24.0 };
        let below = if self.n_shown() > IN_A_ROW { self.column_height() } else { 0.0 };
        let boxes = self.side_boxes();
        let side = boxes.iter().map(|(_, height)| height + 2.0 * LINK).sum::<f64>() - 2.0 * LINK - (BUS_HEIGHT + boxes[0].1) / 2.0;
        (top, top + BUS_HEIGHT + below.max(side))
    }

    /// What stands beside the interconnect, from the top: shared caches, then memory.
    fn side_boxes(&self) -> Vec<(&str, f64)> {
        let caches = self.facts.caches.keys().map(|name| (name.as_str(), CACHE_HEIGHT + 12.0));
        caches.chain([("memory", MEMORY_HEIGHT)]).collect()
    }

    fn draw(&self, svg: &mut Svg, top: f64) {
        svg.text((LEFT, top + 16.0), &self.title(), CORES_WIDTH, bold(14.0, TEXT, Anchor::Start));
        let bus = Rect { x: LEFT, y: top + self.heights().0, width: CORES_WIDTH, height: BUS_HEIGHT };
        let n_shown = self.n_shown();
        let n_above = if n_shown > IN_A_ROW { n_shown.div_ceil(2) } else { n_shown };
        let pitch = (CORES_WIDTH / n_above.max(1) as f64).min(170.0);
        let first = LEFT + (CORES_WIDTH - pitch * n_above as f64) / 2.0;
        for (i, (index, core)) in self.facts.cores.iter().take(n_shown).enumerate() {
            let above = i < n_above;
            let column = if above { i } else { i - n_above };
            let place = Column { x: first + column as f64 * pitch + 4.0, width: pitch - 8.0, bus, above };
            if i + 1 == n_shown && self.facts.cores.len() > n_shown {
                self.draw_rest(svg, &place, i);
            } else {
                self.draw_core(svg, &place, *index, core);
            }
        }
        self.draw_bus(svg, bus);
        self.draw_side(svg, bus);
    }

    /// Draws a core and its caches down (or up) to the interconnect.
    fn draw_core(&self, svg: &mut Svg, place: &Column, index: u32, core: &CoreFacts) {
        let levels = self.levels();
        let edge = if place.above { place.bus.y } else { place.bus.bottom() };
        let far = place.rect(levels.len(), CORE_HEIGHT);
        svg.line((far.centre(), far.y + far.height / 2.0), (far.centre(), edge), MUTED, 2.0);
        let total = core.stack.total();
        let computing = (total > 0.0).then(|| core.stack.computing());
        let (fill, ink) = inks(computing);
        let parts: Vec<String> =
            core.stack.parts().map(|(owner, time)| format!("{} {}", owner.label, human::percent(time / total))).collect();
        svg.open(&format!("core {index}: {}", parts.join(", ")));
        svg.rect(far, 5.0, fill, Some(MUTED));
        svg.text((far.centre(), far.y + 18.0), &format!("core {index}"), far.width - 4.0, bold(12.0, ink, Anchor::Middle));
        if let Some(computing) = computing {
            let text = format!("works {}", rounded(computing));
            svg.text((far.centre(), far.y + 34.0), &text, far.width, letters(11.0, ink, Anchor::Middle));
            let mut x = far.x + 6.0;
            for (owner, time) in core.stack.parts() {
                let width = (far.width - 12.0) * time / total;
                svg.rect(Rect { x, y: far.y + 42.0, width, height: 9.0 }, 0.0, owner.fill, None);
                x += width;
            }
        }
        svg.close();
        for (position, level) in levels.iter().enumerate() {
            if let Some(counters) = core.caches.get(*level) {
                self.draw_cache(svg, place.rect(levels.len() - 1 - position, CACHE_HEIGHT), level, counters);
            }
        }
    }

    fn draw_cache(&self, svg: &mut Svg, rect: Rect, level: &str, counters: &Counters) {
        let size = text_of(cache_config(self.config, level), "size").unwrap_or_default();
        let rate = miss_rate(counters);
        svg.open(&format!(
            "{} {size}: {} accesses, {} misses",
            cache_name(level),
            human::count(counter(counters, "accesses")),
            human::count(counter(counters, "misses"))
        ));
        svg.rect(rect, 4.0, PANEL, Some(MUTED));
        let middle = rect.y + rect.height / 2.0;
        let name = format!("{} {size}", cache_name(level));
        svg.text((rect.centre(), middle - 3.0), name.trim(), rect.width, letters(11.0, TEXT, Anchor::Middle));
        let text = rate.map_or("not used".to_owned(), |rate| format!("{} miss", human::percent(rate)));
        svg.text((rect.centre(), middle + 12.0), &text, rect.width, letters(11.0, MUTED, Anchor::Middle));
        svg.close();
    }

    /// Draws one box for all cores there is no room for.
    fn draw_rest(&self, svg: &mut Svg, place: &Column, first: usize) {
        let rest = self.facts.cores.len() - first;
        let rect = place.rect(0, CORE_HEIGHT);
        let edge = if place.above { place.bus.y } else { place.bus.bottom() };
        svg.line((rect.centre(), rect.y + rect.height / 2.0), (rect.centre(), edge), MUTED, 2.0);
        svg.rect(rect, 5.0, PANEL, Some(MUTED));
        svg.text((rect.centre(), rect.y + 26.0), &format!("{rest} more"), rect.width, bold(12.0, TEXT, Anchor::Middle));
        svg.text((rect.centre(), rect.y + 42.0), "cores", rect.width, letters(11.0, TEXT, Anchor::Middle));
    }

    fn interconnect_kind(&self) -> String {
        let config = self.interconnect_config();
        match text_of(config, "kind").or_else(|| text_of(config, "part")) {
            Some(kind) if kind == "ideal" => "ideal interconnect".to_owned(),
            Some(kind) => kind,
            None => "interconnect".to_owned(),
        }
    }

    /// The busy share of the interconnect: of its wires for data or of those for addresses, whichever are busier.
    fn interconnect_busy(&self) -> Option<f64> {
        let counters = self.part("interconnect")?;
        let busy_ps = counters.get("busy_ps")?.max(counters.get("address_busy_ps").unwrap_or(&0));
        share(*busy_ps, self.time_ps).map(|share| share.min(1.0))
    }

    /// How the interconnect is made.
    fn interconnect_facts(&self) -> String {
        described(self.interconnect_config(), &[("width", ""), ("clock", ""), ("arbitration", "")]).join(", ")
    }

    /// What the interconnect did.
    fn interconnect_work(&self) -> String {
        let Some(counters) = self.part("interconnect") else { return String::new() };
        let transactions = counter(counters, "transactions");
        let mut work = Vec::new();
        if counters.contains_key("transactions") {
            work.push(format!("{} transactions", human::count(transactions)));
        }
        if let (Some(&wait_ps), true) = (counters.get("wait_ps"), transactions > 0) {
            work.push(match wait_ps {
                0 => "none had to wait".to_owned(),
                _ => format!("each waited {} on average", human::time(wait_ps as f64 / transactions as f64)),
            });
        }
        work.join(", ")
    }

    fn draw_bus(&self, svg: &mut Svg, bus: Rect) {
        let busy = self.interconnect_busy();
        let (fill, ink) = inks(busy);
        svg.rect(bus, 5.0, fill, Some(MUTED));
        let busy = busy.map_or(String::new(), |busy| format!(": busy {}{}", rounded(busy), self.wires_busy()));
        let headline = format!("{}{busy}", self.interconnect_kind());
        svg.text((bus.centre(), bus.y + 21.0), &headline, bus.width - 8.0, bold(13.0, ink, Anchor::Middle));
        for (i, line) in [self.interconnect_facts(), self.interconnect_work()].into_iter().enumerate() {
            svg.text((bus.centre(), bus.y + 39.0 + 16.0 * i as f64), &line, bus.width - 8.0, letters(12.0, ink, Anchor::Middle));
        }
    }

    /// The busy shares of the wires for data and for addresses, where both are counted.
    fn wires_busy(&self) -> String {
        let busy = |name| share(*self.part("interconnect")?.get(name)?, self.time_ps).map(rounded);
        match (busy("busy_ps"), busy("address_busy_ps")) {
            (Some(data), Some(addresses)) => {
                let several = self.part("interconnect").is_some_and(|counters| counters.keys().any(|name| name.contains('[')));
                format!(" ({} {data}, addresses {addresses})", if several { "busiest link" } else { "data" })
            }
            _ => String::new(),
        }
    }

    /// Draws shared caches and memory beside the interconnect.
    fn draw_side(&self, svg: &mut Svg, bus: Rect) {
        let boxes = self.side_boxes();
        let mut y = bus.y + (BUS_HEIGHT - boxes[0].1) / 2.0;
        svg.line((bus.right(), bus.y + BUS_HEIGHT / 2.0), (SIDE_LEFT, bus.y + BUS_HEIGHT / 2.0), MUTED, 4.0);
        for (name, height) in boxes {
            let rect = Rect { x: SIDE_LEFT, y, width: SIDE_WIDTH, height };
            if name == "memory" {
                self.draw_memory(svg, rect);
            } else {
                svg.line((rect.centre(), rect.bottom()), (rect.centre(), rect.bottom() + 2.0 * LINK), MUTED, 4.0);
                self.draw_cache(svg, rect, name, &self.facts.caches[name]);
            }
            y = rect.bottom() + 2.0 * LINK;
        }
    }

    fn draw_memory(&self, svg: &mut Svg, rect: Rect) {
        let busy = self.memory_busy();
        let (fill, ink) = inks(busy);
        svg.rect(rect, 5.0, fill, Some(MUTED));
        let config = self.memory_config();
        let mut lines = vec![match (busy, text_of(config, "part")) {
            (_, Some(part)) if part == "ideal" => "ideal memory".to_owned(),
            (Some(busy), _) => format!("memory: busy {}", rounded(busy)),
            _ => "memory".to_owned(),
        }];
        lines.extend(described(config, &[("latency", "latency ")]));
        let channels = text_of(config, "channels").filter(|n| n != "1").map_or(String::new(), |n| format!("{n} × "));
        lines.extend(described(config, &[("bandwidth", channels.as_str())]));
        lines.extend(described(config, &[("size", "")]));
        if let Some(counters) = self.part("memory") {
            let moved = counter(counters, "bytes_read").saturating_add(counter(counters, "bytes_written"));
            lines.push(format!("moved {}", human::bytes(moved)));
        }
        for (i, line) in lines.iter().take(5).enumerate() {
            let style = if i == 0 { bold(12.0, ink, Anchor::Middle) } else { letters(11.5, ink, Anchor::Middle) };
            svg.text((rect.centre(), rect.y + 19.0 + 17.5 * i as f64), line, rect.width - 6.0, style);
        }
    }

    /// The node's rows of the table.
    fn rows(&self, prefix: &str, table: &mut Table) {
        let dash = || "–".to_owned();
        for (index, core) in &self.facts.cores {
            let part = text_of(self.config.and_then(|node| node.get("core")), "part");
            let clock = text_of(self.config.and_then(|node| node.get("core")), "clock");
            let facts: Vec<String> = [part, clock].into_iter().flatten().collect();
            let computing = if core.stack.total() > 0.0 { human::percent(core.stack.computing()) } else { dash() };
            let operations = core.counters.get("operations").map_or(dash(), |&n| format!("{} operations", human::count(n)));
            table.row(vec![format!("{prefix}core {index}"), facts.join(", "), computing, operations]);
        }
        let share = |share: Option<f64>| share.map_or(dash(), human::percent);
        let kind = self.interconnect_kind();
        let busy = share(self.interconnect_busy());
        table.row(vec![format!("{prefix}{kind}"), self.interconnect_facts(), busy, self.interconnect_work()]);
        let facts = described(
            self.memory_config(),
            &[("part", ""), ("latency", "latency "), ("bandwidth", ""), ("channels", "channels "), ("size", "")],
        );
        let work = self.part("memory").map_or(dash(), |counters| {
            let moved = |name| human::bytes(counter(counters, name));
            format!("{} read, {} written", moved("bytes_read"), moved("bytes_written"))
        });
        table.row(vec![format!("{prefix}memory"), facts.join(", "), share(self.memory_busy()), work]);
    }
}

/// Where a core and its caches stand.
struct Column {
    x: f64,
    width: f64,
    bus: Rect,
    above: bool,
}

impl Column {
    /// The box that is `away` caches from the interconnect.
    fn rect(&self, away: usize, height: f64) -> Rect {
        let distance = 2.0 * LINK + away as f64 * (CACHE_HEIGHT + LINK);
        let y = if self.above { self.bus.y - distance - height } else { self.bus.bottom() + distance };
        Rect { x: self.x, y, width: self.width, height }
    }
}

/// Draws the scale of busy shares.
fn draw_legend(svg: &mut Svg, top: f64) {
    let text = "In colour: the share of the time in which a core works rather than waits, or a shared part is busy";
    svg.text((LEFT, top + 12.0), text, 620.0, letters(12.0, MUTED, Anchor::Start));
    for (step, name) in ["0–20 %", "20–40 %", "40–60 %", "60–80 %", "80–100 %"].into_iter().enumerate() {
        let rect = Rect { x: LEFT + step as f64 * 80.0, y: top + 20.0, width: 78.0, height: 20.0 };
        svg.rect(rect, 3.0, HEAT[step], Some(RULE));
        svg.text((rect.centre(), rect.y + 14.0), name, rect.width, letters(11.0, ON_HEAT[step], Anchor::Middle));
    }
}

/// What the machine says of itself, before what the figure says.
fn description(facts: &Facts<'_>) -> String {
    match text_of(Some(&facts.record.machine.config), "description") {
        Some(text) if !text.trim().is_empty() => format!("{} ", text.trim()),
        _ => String::new(),
    }
}

/// The machine with how busy each part was; `None` where the record names no part.
pub fn figure(facts: &Facts<'_>) -> Option<Figure> {
    let time_ps = facts.record.time_ps;
    let nodes: Vec<Node<'_>> =
        facts.nodes.iter().map(|(&index, node)| Node { index, facts: node, config: facts.node_config(index), time_ps }).collect();
    let shown = &nodes[..nodes.len().min(MOST_NODES)];
    if shown.is_empty() {
        return None;
    }
    let heights: f64 = shown.iter().map(|node| node.heights().1 + NODE_GAP).sum();
    let note = if nodes.len() > shown.len() {
        format!("and {} more", human::plural(nodes.len() - shown.len(), "node"))
    } else {
        String::new()
    };
    let note_height = if note.is_empty() { 0.0 } else { 24.0 };
    let mut svg = Svg::new(WIDTH, (LEGEND_HEIGHT + NODE_GAP + heights + note_height).ceil() as u32);
    draw_legend(&mut svg, 4.0);
    let mut top = LEGEND_HEIGHT + NODE_GAP;
    for node in shown {
        node.draw(&mut svg, top);
        top += node.heights().1 + NODE_GAP;
    }
    if !note.is_empty() {
        svg.text((LEFT, top + 8.0), &note, CORES_WIDTH, letters(13.0, MUTED, Anchor::Start));
    }
    let mut table = Table::new("The parts and how busy they were", &["part", "what it is", "works or is busy#", "what it did"]);
    for node in &nodes {
        let prefix = if nodes.len() > 1 { format!("node {} ", node.index) } else { String::new() };
        node.rows(&prefix, &mut table);
    }
    let about = About {
        name: "machine",
        title: format!("The machine: {}", facts.record.machine.name),
        description: format!(
            "{}{}",
            description(facts),
            match facts.mean_stack().total() > 0.0 {
                true =>
                    "Every core with its private caches, the interconnect that joins them, and memory. The strip in a core is its \
                     cycle stack, in the colours of the next figure.",
                false => "The interconnect, what it joins, and memory.",
            }
        ),
        table,
    };
    Some(Figure::picture(about, svg))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_core_is_drawn_up_to_sixteen_and_the_rest_is_counted() {
        let picture = |n_cores| figure(&Facts::of(&sample::record(n_cores))).unwrap().svg;
        for n_cores in [1, 4, 8, 9, 16] {
            let svg = picture(n_cores);
            assert!(svg.contains(&format!(">core {}<", n_cores - 1)) && !svg.contains(" more<"), "{n_cores} cores");
        }
        let many = picture(64);
        assert!(many.contains(">core 14<") && !many.contains(">core 15<") && many.contains(">49 more<"));
    }

    #[test]
    fn a_record_with_little_in_it_still_has_a_picture() {
        let mut record = sample::record(2);
        record.machine.config = Json::Null;
        record.metrics.retain(|path, _| path.ends_with("operations"));
        assert!(figure(&Facts::of(&record)).unwrap().svg.contains(">interconnect<"));
        record.machine.config = serde_json::json!({ "node": [{ "cores": 2, "interconnect": "ideal", "memory": "ideal" }] });
        let svg = figure(&Facts::of(&record)).unwrap().svg;
        assert!(svg.contains(">ideal interconnect<") && svg.contains(">ideal memory<"));
        record.metrics.clear();
        assert!(figure(&Facts::of(&record)).is_none());
    }
}
