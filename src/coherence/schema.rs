//! The JSON Schema of a protocol's text, for editors: from the same words that reading it knows.

use serde_json::{Map, Value as Json, json};

use crate::coherence::protocol::{AgentAction, AgentEvent, Delivery, MemoryAction, MemoryEvent, Permission, Vocabulary};

/// The schema. That every pair of state and event has a row or is listed as impossible is beyond it.
pub fn schema() -> Json {
    let text = |description: &str| json!({"type": "string", "description": description});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A coherence protocol of Flynn",
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "summary", "source", "networks", "agent"],
        "oneOf": [{"required": ["memory"]}, {"required": ["home"]}],
        "properties": {
            "name": text("What people call it: MESI."),
            "summary": text("One sentence: what it does that others do not."),
            "source": text("The paper or book it is from."),
            "networks": networks(),
            "agent": side::<AgentEvent, AgentAction>("The table of a cache agent: one core's private caches."),
            "memory": side::<MemoryEvent, MemoryAction>("The table of memory, of a protocol that snoops."),
            "home": side::<MemoryEvent, MemoryAction>("The table of the home of a line, of a protocol with a directory."),
        },
    })
}

fn words<'a>(words: impl Iterator<Item = &'a str>) -> Json {
    json!({"enum": words.collect::<Vec<_>>()})
}

fn vocabulary<T: Vocabulary>() -> Json {
    words(T::ALL.iter().map(|(word, _)| *word))
}

fn networks() -> Json {
    let delivery = words(Delivery::ALL.iter().map(|(word, _)| *word));
    json!({
        "description": "What the tables need of the wires: of a protocol that snoops, or of one with a directory.",
        "type": "object",
        "oneOf": [
            {
                "additionalProperties": false,
                "required": ["address", "data"],
                "properties": {"address": delivery.clone(), "data": delivery.clone()},
            },
            {
                "additionalProperties": false,
                "required": ["request", "forward", "response"],
                "properties": {"request": delivery.clone(), "forward": delivery.clone(), "response": delivery},
            },
        ],
    })
}

fn side<E: Vocabulary, A: Vocabulary>(description: &str) -> Json {
    let row = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["next"],
        "properties": {
            "next": {"type": "string", "description": "The state afterwards."},
            "do": {"type": "array", "items": vocabulary::<A>(), "description": "The actions, taken together."},
        },
    });
    let mut rows: Map<String, Json> = E::ALL.iter().map(|(event, _)| ((*event).to_owned(), row.clone())).collect();
    let impossible = "Events that cannot happen in this state; one that does stops the run.";
    rows.insert("impossible".to_owned(), json!({"type": "array", "items": vocabulary::<E>(), "description": impossible}));
    json!({
        "description": description,
        "type": "object",
        "additionalProperties": false,
        "required": ["events", "actions", "states", "rows"],
        "properties": {
            "events": {"type": "array", "items": vocabulary::<E>(), "description": "The events its rows use."},
            "actions": {"type": "array", "items": vocabulary::<A>(), "description": "The actions its rows use."},
            "states": {
                "description": "Its states by name; the first is that of a line that is not held.",
                "type": "object",
                "additionalProperties": state(),
            },
            "rows": {
                "description": "For each state, what each event does.",
                "type": "object",
                "additionalProperties": {"type": "object", "additionalProperties": false, "properties": rows},
            },
        },
    })
}

fn state() -> Json {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "permits": words(Permission::ALL.iter().map(|(word, _)| *word)),
            "dirty": {"type": "boolean", "description": "Whether the copy is newer than memory's."},
            "transient": {"type": "boolean", "description": "Whether the line is on its way between stable states."},
        },
    })
}
