//! Who sends whom how much: a square for each pair of nodes, in the colour of the bytes that went from the one to the other.

use super::facts::Facts;
use super::figure::{About, Anchor, Figure, Table};
use super::human;
use super::palette::{HEAT, MUTED, PAPER, RULE, TEXT, heat};
use super::svg::{Letters, Rect, Svg};

const WIDTH: u32 = 860;
const LEFT: f64 = 90.0;
const TOP: f64 = 50.0;
/// Pixels of the matrix, across and down.
const SIDE: f64 = 480.0;
/// Rows of the matrix at most; of more nodes several share a row.
const MOST_ROWS: usize = 64;
/// Rows beyond this are drawn without all of their numbers.
const MOST_NUMBERED: usize = 32;
/// Pairs in the table.
const MOST_PAIRS: usize = 32;

/// Bytes from node to node.
struct Traffic {
    /// Nodes that share a row.
    block: usize,
    rows: usize,
    /// Row by row: from the one of the row to the one of the column.
    bytes: Vec<u64>,
    /// Each pair that sent anything, the most first.
    pairs: Vec<((usize, usize), u64)>,
}

impl Traffic {
    /// What a record counted; `None` where nothing went between nodes.
    fn of(facts: &Facts<'_>) -> Option<Traffic> {
        let n_nodes = facts.nodes.len();
        let block = n_nodes.div_ceil(MOST_ROWS).max(1);
        let rows = n_nodes.div_ceil(block);
        let mut traffic = Traffic { block, rows, bytes: vec![0; rows * rows], pairs: Vec::new() };
        for (name, &bytes) in &facts.record.metrics {
            let Some(((from, to), true)) = pair(name).map(|pair| (pair, bytes > 0 && pair.0.max(pair.1) < n_nodes)) else {
                continue;
            };
            traffic.bytes[from / block * rows + to / block] += bytes;
            traffic.pairs.push(((from, to), bytes));
        }
        traffic.pairs.sort_by_key(|&(pair, bytes)| (std::cmp::Reverse(bytes), pair));
        (!traffic.pairs.is_empty()).then_some(traffic)
    }

    /// The number of a row's first node, or the numbers of its nodes.
    fn name(&self, row: usize) -> String {
        let first = row * self.block;
        if self.block == 1 { first.to_string() } else { format!("{first}–{}", first + self.block - 1) }
    }
}

/// `interconnect.traffic[3>12].bytes`: 3 and 12.
fn pair(metric: &str) -> Option<(usize, usize)> {
    let (from, to) = metric.strip_prefix("interconnect.traffic[")?.strip_suffix("].bytes")?.split_once('>')?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

/// The figure, where anything went between several nodes.
pub fn figure(facts: &Facts<'_>) -> Option<Figure> {
    let traffic = Traffic::of(facts)?;
    let total: u64 = traffic.pairs.iter().map(|(_, bytes)| bytes).sum();
    let most = traffic.bytes.iter().copied().max().unwrap_or(1).max(1);
    let mut table = Table::new("The pairs of nodes that sent most", &["from", "to", "bytes#", "share#"]);
    for ((from, to), bytes) in traffic.pairs.iter().take(MOST_PAIRS) {
        let share = human::percent(*bytes as f64 / total.max(1) as f64);
        table.row(vec![format!("node {from}"), format!("node {to}"), human::count(*bytes), share]);
    }
    let each = if traffic.block == 1 { String::new() } else { format!(" Each row stands for {} nodes.", traffic.block) };
    let description = format!(
        "Rows send, columns receive: the darker a square, the more of the {} of data that went between nodes went from the one to the \
         other; at most {} for a square.{each} An even square is a program that talks to everyone, a band near the diagonal one that talks to \
         neighbours, and a dark column a node that all depend on.",
        human::bytes(total),
        human::bytes(most)
    );
    let about = About { name: "traffic", title: "Who sends whom how much".to_owned(), description, table };
    Some(Figure::picture(about, picture(&traffic, most)))
}

fn picture(traffic: &Traffic, most: u64) -> Svg {
    let mut svg = Svg::new(WIDTH, (TOP + SIDE + 30.0) as u32);
    let cell = SIDE / traffic.rows as f64;
    let letters = |anchor| Letters { size: 11.0, ink: MUTED, anchor, bold: false };
    let step = traffic.rows.div_ceil(MOST_NUMBERED);
    svg.text((LEFT + SIDE / 2.0, 18.0), "to node", SIDE, Letters { ink: TEXT, ..letters(Anchor::Middle) });
    svg.text((LEFT - 34.0, TOP + SIDE / 2.0), "from", 60.0, Letters { ink: TEXT, ..letters(Anchor::End) });
    for row in 0..traffic.rows {
        let middle = (row as f64 + 0.5) * cell;
        if row.is_multiple_of(step) {
            svg.text((LEFT - 8.0, TOP + middle + 4.0), &traffic.name(row), 60.0, letters(Anchor::End));
            svg.text((LEFT + middle, TOP - 8.0), &traffic.name(row), cell * step as f64, letters(Anchor::Middle));
        }
        for column in 0..traffic.rows {
            let bytes = traffic.bytes[row * traffic.rows + column];
            let at = (LEFT + column as f64 * cell, TOP + row as f64 * cell);
            let rect = Rect { x: at.0, y: at.1, width: cell, height: cell };
            if bytes == 0 {
                svg.rect(rect, 0.0, PAPER, Some(RULE));
                continue;
            }
            svg.open(&format!("from {} to {}: {}", traffic.name(row), traffic.name(column), human::bytes(bytes)));
            svg.rect(rect, 0.0, HEAT[heat(bytes as f64 / most as f64)], Some(RULE));
            svg.close();
        }
    }
    legend(&mut svg, most);
    svg
}

/// What the colours stand for.
fn legend(svg: &mut Svg, most: u64) {
    let letters = Letters { size: 11.0, ink: TEXT, anchor: Anchor::Start, bold: false };
    let (x, mut y) = (LEFT + SIDE + 40.0, TOP);
    svg.rect(Rect { x, y, width: 18.0, height: 18.0 }, 0.0, PAPER, Some(RULE));
    svg.text((x + 26.0, y + 13.0), "nothing", 200.0, letters);
    for (number, ink) in HEAT.into_iter().enumerate() {
        y += 26.0;
        let upper = most as f64 * (number + 1) as f64 / HEAT.len() as f64;
        svg.rect(Rect { x, y, width: 18.0, height: 18.0 }, 0.0, ink, Some(RULE));
        svg.text((x + 26.0, y + 13.0), &format!("up to {}", human::bytes(upper.round() as u64)), 200.0, letters);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_off_the_metrics_names() {
        assert_eq!(pair("interconnect.traffic[3>12].bytes"), Some((3, 12)));
        assert_eq!(pair("interconnect.traffic[3>12].packets"), None);
        assert_eq!(pair("interconnect.bytes"), None);
    }

    #[test]
    fn each_pair_has_a_square_in_the_colour_of_its_bytes() {
        let bytes = vec![0, 100, 10, 0];
        let traffic = Traffic { block: 1, rows: 2, bytes, pairs: vec![((0, 1), 100), ((1, 0), 10)] };
        let body = picture(&traffic, 100).into_body();
        assert!(body.contains("from 0 to 1: 100") && body.contains("from 1 to 0: 10"), "{body}");
        assert!(!body.contains("from 0 to 0"), "{body}");
        let squares = |ink: usize| body.matches(HEAT[ink].light.hex().to_string().as_str()).count();
        // Each step once in the legend.
        assert_eq!([0, 4].map(squares), [2, 2], "{body}");
    }

    #[test]
    fn rows_of_many_nodes_are_named_by_their_ends() {
        let traffic = Traffic { block: 4, rows: 64, bytes: Vec::new(), pairs: Vec::new() };
        assert_eq!([traffic.name(0), traffic.name(63)], ["0–3", "252–255"]);
    }
}
