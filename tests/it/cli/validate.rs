//! `validate`: predicted, run on this computer's threads, compared.

use super::Directory;

const QUICK: [&str; 2] = ["--budget", "0.05"];

#[test]
fn results_are_equal_and_the_document_is_whole() {
    let here = Directory::new();
    let arguments = ["validate", "sum-padded", "dot", "--param", "n=2_000", "--format", "json"];
    let document = here.flynn(&[&arguments[..], &QUICK].concat()).ends_with(0).json();
    let cases = document["cases"].as_array().unwrap();
    assert!(cases.len() == 2 || cases.len() == 4, "one thread, and all cores where there are more");
    for case in cases {
        assert_eq!(case["equal"], true, "{case}");
        assert_eq!(case["checksum_simulated"], case["checksum_host"], "{case}");
        assert_eq!(case["parameters"]["n"], 2000);
        for number in ["predicted_seconds", "measured_seconds"] {
            assert!(case[number].as_f64().unwrap() > 0.0, "{number}: {case}");
        }
        assert!(
            case["measured_spread"].is_f64() && case["error"].is_f64() && case["verdict"].is_string() && case["threads"].is_u64()
        );
    }
    assert_eq!(document["failures"].as_array().unwrap().len(), 0);
    assert_eq!(document["summary"]["cases"], cases.len());
    assert!(here.names("output/validate").contains(&"report.html".to_owned()));
    assert_eq!(here.names("output/validate/records").len(), cases.len());
}

#[test]
fn the_table_for_people_says_what_was_found() {
    let here = Directory::new();
    let arguments = ["validate", "sum-atomic", "--param", "n=500", "--threads", "1", "--set", "node.core.clock=1 GHz"];
    let ran = here.flynn(&[&arguments[..], &QUICK].concat()).ends_with(0);
    for word in ["sum-atomic", "predicted", "measured", "equal", "output/validate/report.html"] {
        assert!(ran.out.contains(word), "{word}\n{}", ran.out);
    }
}

#[test]
fn the_report_begins_with_what_was_measured() {
    let here = Directory::new();
    let arguments = ["validate", "sum-padded", "--param", "n=2_000", "--threads", "1,1"];
    here.flynn(&[&arguments[..], &QUICK].concat()).ends_with(0);
    let page = std::fs::read_to_string(here.path().join("output/validate/report.html")).unwrap();
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is absent"));
    assert!(place("Predicted and measured</h2>") < place("class=\"appendix\""));
    assert!(place("The model has no") > 0 && page.contains("model of this computer") && !page.contains("on this computer ("));
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let here = Directory::new();
    assert!(here.flynn(&["validate", "bus-traffic"]).ends_with(2).err.contains("is no program"));
    assert!(here.flynn(&["validate", "traid"]).ends_with(2).err.contains("triad"));
    here.flynn(&["validate", "triad", "--budget", "0"]).ends_with(2);
    here.file("zero.flynn", "# Divides by zero.\nparam n = 0\nshared x: i64 = 5\nx = x / n\nresult x\n");
    assert!(here.flynn(&["validate", "zero.flynn"]).ends_with(1).err.contains("zero.flynn:4"));
    assert!(here.names("output").is_empty());
}
