//! Graphs in the DOT language of Graphviz.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::interconnect::{Network, Vertex};

/// A network: nodes are boxes, switches circles. Channels both ways are one line, others an arrow.
pub fn network(network: &Network) -> String {
    let mut text = String::from("digraph network {\n  node [fontname=\"sans-serif\"];\n");
    for number in 0..network.n_vertices() {
        let vertex = network.vertex(number);
        let shape = if matches!(vertex, Vertex::Node(_)) { "box" } else { "circle" };
        let _ = writeln!(text, "  \"{vertex}\" [shape={shape}];");
    }
    let channels: BTreeSet<(u32, u32)> = (0..network.n_channels()).map(|channel| network.ends(channel)).collect();
    for &(from, to) in &channels {
        let is_link = channels.contains(&(to, from));
        if is_link && from > to {
            continue;
        }
        let direction = if is_link { " [dir=none]" } else { "" };
        let _ = writeln!(text, "  \"{}\" -> \"{}\"{direction};", network.vertex(from), network.vertex(to));
    }
    text + "}\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interconnect::Topology;

    #[test]
    fn links_are_lines_and_single_channels_arrows() {
        let star = network(&Topology::Star.build(2).unwrap());
        insta::assert_snapshot!(star, @r#"
        digraph network {
          node [fontname="sans-serif"];
          "node[0]" [shape=box];
          "node[1]" [shape=box];
          "switch[0]" [shape=circle];
          "node[0]" -> "switch[0]" [dir=none];
          "node[1]" -> "switch[0]" [dir=none];
        }
        "#);
        let butterfly = network(&Topology::Butterfly { arity: 2 }.build(4).unwrap());
        assert_eq!(butterfly.matches(" -> ").count() - butterfly.matches("dir=none").count(), 12, "{butterfly}");
    }
}
