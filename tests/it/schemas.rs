//! SARIF against the schema of its standard, JUnit against what `junit-10.xsd` of the Jenkins xUnit plug-in asks for.

use crate::reports::{hostile, records, render, varied};
use crate::support::testdata;
use residue::report::OwnedRecord;

/// Scans that have one of everything.
fn scans() -> Vec<(&'static str, Vec<OwnedRecord>)> {
    let mut bad = records();
    bad.insert(1, hostile());
    let mut twice = records();
    twice.extend(records());
    let unread = residue::record::Summary {
        image: "x.raw".to_owned(),
        exit_reason: residue::record::ExitReason::Unreadable,
        error: Some("x.raw: truncated".to_owned()),
        ..Default::default()
    };
    vec![
        ("example", records()),
        ("hostile", bad),
        ("two images", twice),
        ("many", varied(2000)),
        ("no finding", vec![OwnedRecord::Summary(Box::new(unread))]),
        ("nothing", Vec::new()),
    ]
}

#[test]
fn sarif_is_valid_by_the_schema_of_its_standard() {
    let schema = std::fs::read_to_string(testdata("reports/schemas/sarif-schema-2.1.0.json")).unwrap();
    // Two patterns end in a bracket that the schema's own dialect wants escaped.
    let schema = schema.replace("{2}]?$", "{2}\\\\]?$");
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    for (name, records) in scans() {
        let log: serde_json::Value = serde_json::from_str(&render("sarif", &records, false)).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&log)
            .take(3)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
    // The schema does refuse what is wrong.
    assert!(!validator.is_valid(&serde_json::json!({ "version": "2.1.0", "runs": [{ "results": 1 }] })));
}

/// Name, required attributes, optional attributes, allowed children.
type Element = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

/// Elements of the schema.
const ELEMENTS: [Element; 6] = [
    ("testsuites", &[], &["name", "time", "tests", "failures", "disabled", "errors"], &["testsuite"]),
    (
        "testsuite",
        &["name", "tests"],
        &["failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id", "package"],
        &["properties", "testcase", "system-out", "system-err"],
    ),
    (
        "testcase",
        &["name"],
        &["assertions", "time", "classname", "status", "class", "file", "line"],
        &["skipped", "error", "failure", "system-out", "system-err"],
    ),
    ("failure", &[], &["type", "message"], &[]),
    ("error", &[], &["type", "message"], &[]),
    ("skipped", &[], &["type", "message"], &[]),
];

fn check_element(name: &str, node: roxmltree::Node<'_, '_>) {
    let tag = node.tag_name().name();
    let (_, required, optional, children) =
        ELEMENTS.iter().find(|element| element.0 == tag).unwrap_or_else(|| panic!("{name}: <{tag}>"));
    for attribute in *required {
        assert!(node.has_attribute(*attribute), "{name}: <{tag}> without {attribute}");
    }
    for attribute in node.attributes() {
        let known = required.contains(&attribute.name()) || optional.contains(&attribute.name());
        assert!(known, "{name}: <{tag} {}>", attribute.name());
    }
    for child in node.children().filter(roxmltree::Node::is_element) {
        let tag = child.tag_name().name();
        assert!(children.contains(&tag), "{name}: <{tag}> in <{}>", node.tag_name().name());
        check_element(name, child);
    }
}

#[test]
fn junit_has_the_elements_attributes_and_counts_of_its_schema() {
    for (name, records) in scans() {
        let text = render("junit", &records, false);
        let document = roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let root = document.root_element();
        assert_eq!(root.tag_name().name(), "testsuites", "{name}");
        check_element(name, root);
        for suite in root.children().filter(|node| node.has_tag_name("testsuite")) {
            let number =
                |attribute| suite.attribute(attribute).map_or(0, |text| text.parse::<usize>().unwrap());
            let cases: Vec<_> = suite.children().filter(|node| node.has_tag_name("testcase")).collect();
            let with = |tag| {
                let has =
                    |case: &&roxmltree::Node<'_, '_>| case.children().any(|node| node.has_tag_name(tag));
                cases.iter().filter(has).count()
            };
            assert_eq!(number("tests"), cases.len(), "{name}");
            assert_eq!(number("failures"), with("failure"), "{name}");
            assert_eq!(number("skipped"), with("skipped"), "{name}");
            assert_eq!(number("errors"), with("error"), "{name}");
        }
    }
}
