//! `[address_space] placement`: which node's memory a page lives in.

use serde_json::{Value as Json, json};

use crate::base::diagnostic::Diagnostics;
use crate::base::document::{Field, Shape, Value};
use crate::components::homes::Placement;

/// Which node's memory a page lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacementKey(pub Placement);

impl Field for PlacementKey {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<PlacementKey> {
        let text = value.text().map(str::trim);
        let node = |text: &str| text.strip_prefix("node ")?.trim().parse().ok();
        let placement = match text {
            Some("first-touch") => Some(Placement::FirstTouch),
            Some("interleave") => Some(Placement::Interleave),
            text => text.and_then(node).map(Placement::Node),
        };
        if placement.is_none() {
            let message = format!("`{path}` must be {}, not {}", Self::shape().expectation(), value.description());
            faults.push(value.place.fault(message).key(path).help("\"first-touch\", \"interleave\" or \"node N\""));
        }
        placement.map(PlacementKey)
    }

    fn write(&self) -> Json {
        match self.0 {
            Placement::FirstTouch => json!("first-touch"),
            Placement::Interleave => json!("interleave"),
            Placement::Node(node) => json!(format!("node {node}")),
        }
    }

    fn shape() -> Shape {
        Shape::Quantity { what: "a placement of pages", examples: &["first-touch", "interleave", "node 0"] }
    }
}
