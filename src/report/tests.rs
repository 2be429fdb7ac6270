//! The floor as a whole: pages are well formed, stand alone, escape what users write, and come out the same each time.

use super::*;

fn input<'a>(records: &'a [Record], validation: &'a [ValidationCase]) -> ReportInput<'a> {
    ReportInput {
        title: "A tour of three machines",
        records,
        labels: Vec::new(),
        record_files: (1..=records.len()).map(|i| format!("output/run-{i}/record.json")).collect(),
        validation,
        host: Some(HostFacts {
            name: "Example CPU 9000".to_owned(),
            cores: "2 cores at 2.1 GHz".to_owned(),
            caches: "L1d 32 KiB, L2 1 MiB, L3 32 MiB".to_owned(),
            model: "The model has no L3.".to_owned(),
        }),
        commands: vec![
            "flynn run bus-4 triad --set node.cores=8".to_owned(),
            "flynn compare bus-1 bus-4 --workload triad".to_owned(),
        ],
        predictions: false,
    }
}

/// The name of the first tag that is closed wrongly or never, if any. Knows HTML's empty elements, SVG's `<x/>`, style and script.
fn unbalanced(html: &str) -> Option<String> {
    const EMPTY: [&str; 3] = ["meta", "br", "hr"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let end = rest.find('>').unwrap_or(rest.len());
        let tag = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap_or_default();
        if tag.starts_with('!') || tag.ends_with('/') || EMPTY.contains(&name) {
            continue;
        }
        if tag.starts_with('/') {
            if open.pop() != Some(name) {
                return Some(tag.to_owned());
            }
            continue;
        }
        open.push(name);
        if ["style", "script"].contains(&name) {
            rest = rest.find(&format!("</{name}>")).map_or("", |end| &rest[end..]);
        }
    }
    open.pop().map(str::to_owned)
}

fn pages() -> Vec<String> {
    let one = [sample::record(4)];
    let many = [sample::record(1), sample::record(4), sample::record(16)];
    let validation = sample::validation();
    vec![
        page(&input(&one, &[])).unwrap(),
        page(&input(&many, &validation)).unwrap(),
        page(&input(&[], &validation)).unwrap(),
        page(&ReportInput { predictions: true, ..input(&many, &validation) }).unwrap(),
        page(&ReportInput::default()).unwrap(),
    ]
}

#[test]
fn pages_are_well_formed_and_stand_alone() {
    for page in pages() {
        assert_eq!(unbalanced(&page), None);
        let without_namespace = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for reference in ["http:", "https:", "src=", "url(", "@import", "<link"] {
            assert!(!without_namespace.contains(reference), "{reference}");
        }
    }
    assert_eq!(unbalanced("<p><b>x</p></b>").as_deref(), Some("/p"), "the check can fail");
    assert_eq!(unbalanced("<p>").as_deref(), Some("p"));
}

#[test]
fn ids_are_unique_and_what_is_referred_to_exists() {
    for page in pages() {
        let ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        for (i, id) in ids.iter().enumerate() {
            assert!(!ids[..i].contains(id), "{id} twice");
        }
        let links = page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next());
        let labels =
            page.split("aria-labelledby=\"").skip(1).filter_map(|rest| rest.split('"').next()).flat_map(|ids| ids.split(' '));
        for id in links.chain(labels) {
            assert!(ids.contains(&id), "{id} is referred to and absent");
        }
    }
}

#[test]
fn whatever_a_user_writes_is_text() {
    let nasty = "<script>alert(1)</script>\"'&{{ 7 * 7 }}\u{0}\u{202e}";
    let mut records = [sample::record(2), sample::record(2)];
    let mut cases = sample::validation();
    for record in &mut records {
        record.machine.name = nasty.to_owned();
        record.machine.organisation = nasty.to_owned();
        record.machine.flynn_class = nasty.to_owned();
        record.machine.config["node"][0]["name"] = nasty.into();
        record.machine.config["node"][0]["interconnect"]["kind"] = nasty.into();
        record.workload.name = nasty.to_owned();
        record.workload.text = format!("{nasty}\n").repeat(14);
        record.workload.parameters.insert(nasty.to_owned(), nasty.into());
        record.result.checksum = nasty.to_owned();
        record.result.values = vec![nasty.into()];
        record.why[0].sentence = nasty.to_owned();
        record.why[0].evidence = vec![nasty.to_owned()];
        record.timelines.insert(nasty.to_owned(), vec![0.5]);
        record.metrics.insert(format!("node[0].core[0].l1{nasty}.accesses"), 7);
    }
    records[1].machine.config["node"][0]["memory"]["latency"] = nasty.into();
    cases[0].workload = nasty.to_owned();
    cases[0].verdict = nasty.to_owned();
    let mut input = input(&records, &cases);
    input.title = nasty;
    input.commands = vec![nasty.to_owned()];
    input.record_files = vec![nasty.to_owned()];
    let page = page(&input).unwrap();
    assert_eq!(page.matches("<script>").count(), 1, "the page's own");
    assert!(!page.contains("alert(1)</script>") && page.contains("{{ 7 * 7 }}"));
    assert_eq!(unbalanced(&page), None);
    for figure in figures(&records[0]).unwrap() {
        assert!(!figure.svg.contains("<script") && unbalanced(&figure.svg).is_none(), "{}", figure.name);
    }
}

#[test]
fn the_same_records_give_the_same_bytes() {
    assert_eq!(pages(), pages());
    assert_eq!(figures(&sample::record(16)).unwrap(), figures(&sample::record(16)).unwrap());
    assert_ne!(figures(&sample::record(16)).unwrap(), figures(&sample::record(8)).unwrap());
}

#[test]
fn a_page_leads_with_time_and_reason() {
    let page = &pages()[0];
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is absent"));
    let order =
        ["class=\"time\"", "The bus is busy", "The machine</h3>", "core&#x27;s time went</h3>", "what its lines cost", ">Caches<"];
    let places: Vec<usize> = order.iter().map(|text| place(&text.replace("&#x27;", "'"))).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(page.contains("output&#x2f;run-1&#x2f;record.json") && page.contains("flynn run bus-4 triad"));
}

#[test]
fn predictions_are_folded_below_what_they_are_held_against() {
    let records = [sample::record(1), sample::record(4)];
    let validation = sample::validation();
    let place = |predictions: bool| {
        let page = page(&ReportInput { predictions, ..input(&records, &validation) }).unwrap();
        let find = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is absent"));
        (find("<section id=\"validation\">"), find("runs compared</h2>"), page.contains("<details class=\"appendix\">"))
    };
    let (validation, runs, folded) = place(true);
    assert!(validation < runs && folded);
    let (validation, runs, folded) = place(false);
    assert!(runs < validation && !folded);
}

#[test]
fn a_run_without_a_program_says_nothing_of_lines_and_cores() {
    let mut record = sample::record(2);
    record.profile.clear();
    record.metrics.retain(|path, _| !path.contains("core["));
    (record.counts.operations, record.counts.flops) = (0, 0);
    record.result.values.clear();
    let page = page(&input(std::slice::from_ref(&record), &[])).unwrap();
    assert!(page.contains("<h3>The workload</h3>") && page.contains("array a: f64[n]"));
    for absent in ["what its lines cost", "in the colours", "strip in a core", "<dt>operations", "checksum", "<tbody>\n</tbody>"] {
        assert!(!page.contains(absent), "{absent}");
    }
}

#[test]
fn figures_have_names_of_their_own_and_a_table() {
    let figures = figures(&sample::record(4)).unwrap();
    let names: Vec<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
    assert_eq!(names, ["machine", "stacks", "caches", "utilisation"]);
    for figure in figures {
        assert!(!figure.table.rows.is_empty() && !figure.title.is_empty() && !figure.description.is_empty());
        let columns = figure.table.columns.len();
        assert!(figure.table.rows.iter().all(|row| row.len() == columns), "{}", figure.name);
    }
}

/// Writes sample pages and figures into the directory named by `FLYNN_SAMPLES`, to be looked at in a browser.
#[test]
#[ignore = "writes files: FLYNN_SAMPLES=DIRECTORY cargo test -- --ignored write_samples"]
fn write_samples() {
    let directory = std::path::PathBuf::from(std::env::var_os("FLYNN_SAMPLES").expect("FLYNN_SAMPLES names a directory"));
    std::fs::create_dir_all(&directory).unwrap();
    for (i, page) in pages().iter().enumerate() {
        std::fs::write(directory.join(format!("page-{i}.html")), page).unwrap();
    }
    let records = [1, 4, 16, 64].map(sample::record);
    for record in &records {
        std::fs::write(
            directory.join(format!("{}.html", record.machine.name)),
            page(&input(std::slice::from_ref(record), &[])).unwrap(),
        )
        .unwrap();
        for figure in figures(record).unwrap() {
            std::fs::write(directory.join(format!("{}-{}.svg", record.machine.name, figure.name)), figure.svg).unwrap();
        }
    }
}
