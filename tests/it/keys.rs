//! `residue keys` on two systems whose keys open each other's accounts. `testdata/reports/keys/truth.tsv` holds
//! the fingerprints as ssh-keygen prints them.

use crate::support::{fixture, program, testdata};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;

/// Both images scanned.
fn scans() -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in ["bastion", "web"] {
        let image = format!("{name}.img");
        std::fs::write(folder.path().join(&image), fixture(&format!("reports/keys/{image}"))).unwrap();
        let lines = format!("jsonl:{name}.jsonl");
        let timeline = format!("timeline-jsonl:{name}.timeline");
        let output = program(folder.path(), &["scan", "-q", &image, "-o", &lines, "-o", &timeline]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }
    folder
}

fn truth() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(testdata("reports/keys/truth.tsv")).unwrap();
    let pair = |line: &str| {
        let (name, fingerprint) = line.split_once('\t').unwrap();
        (name.to_owned(), fingerprint.to_owned())
    };
    text.lines().map(pair).collect()
}

fn graph(folder: &Path) -> Value {
    let output = program(folder, &["keys", "bastion.jsonl", "web.jsonl", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Facts of one list of a key, as `image` and the value of a field.
fn facts(key: &Value, list: &str, field: &str) -> Vec<(String, String)> {
    let facts = key[list].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    facts.iter().map(|fact| (text(&fact["image"]), text(&fact[field]))).collect()
}

fn pair(one: &str, other: &str) -> (String, String) {
    (one.to_owned(), other.to_owned())
}

#[test]
fn each_key_is_joined_with_what_it_opens_on_the_other_image() {
    let folder = scans();
    let graph = graph(folder.path());
    let truth = truth();
    assert_eq!(graph["images"], serde_json::json!(["bastion.img", "web.img"]));
    let key = |name: &str| -> Value {
        let keys = graph["keys"].as_array().unwrap();
        let found = keys.iter().find(|key| key["fingerprint"] == truth[name].as_str());
        found.unwrap_or_else(|| panic!("no key {name} in {graph:#}")).clone()
    };
    let deploy = key("deploy");
    let private = facts(&deploy, "private", "path");
    assert!(private.contains(&pair("bastion.img", "/home/deploy/.ssh/id_ed25519")), "{private:?}");
    let states = facts(&deploy, "private", "state");
    assert!(states.contains(&pair("bastion.img", "deleted")), "{states:?}");
    let opens = facts(&deploy, "opens", "account");
    // Root by its own line, app by the certificate of the authority that sshd trusts there.
    assert_eq!(opens, [pair("web.img", "app"), pair("web.img", "root")]);
    assert_eq!(deploy["opens"][0]["by_authority"], truth["ca"].as_str());
    let locked = key("locked");
    assert_eq!(facts(&locked, "private", "encrypted"), [pair("bastion.img", "true")]);
    assert_eq!(facts(&locked, "opens", "account"), [pair("web.img", "app")]);
    assert_eq!(locked["opens"][0]["limits"], serde_json::json!(["from", "command"]));
    let host = key("web_host");
    assert_eq!(facts(&host, "identifies", "hosts"), [pair("web.img", "[\"web\"]")]);
    assert_eq!(facts(&host, "known_by", "hosts"), [pair("bastion.img", "[\"web\",\"10.0.0.7\"]")]);
    assert_eq!(facts(&host, "private", "path"), [pair("web.img", "/etc/ssh/ssh_host_ed25519_key")]);
    let kube = key("kube");
    assert_eq!(facts(&kube, "clusters", "hosts"), [pair("bastion.img", "[\"https://10.0.0.9:6443\"]")]);
    assert_eq!(kube["clusters"][0]["subject"], "CN=kubernetes-admin, O=system:masters");
    let server = key("tls");
    assert_eq!(facts(&server, "private", "path"), [pair("web.img", "/etc/nginx/tls.key")]);
    let hosts = facts(&server, "certificates", "hosts");
    assert_eq!(hosts, [pair("web.img", "[\"www.example.test\",\"10.0.0.7\"]")]);
    // What is both held and opens something stands first.
    let first: Vec<&Value> = graph["keys"].as_array().unwrap().iter().take(3).collect();
    assert!(first.iter().all(|key| key["private"].is_array()), "{first:#?}");
}

#[test]
fn the_graph_reads_as_text_and_as_a_picture() {
    let folder = scans();
    let text = program(folder.path(), &["keys", "bastion.jsonl", "web.jsonl"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.starts_with("2 images, "), "{text}");
    assert!(text.contains("root on web.img"), "{text}");
    assert!(text.contains("cluster https://10.0.0.9:6443"), "{text}");
    let dot = program(folder.path(), &["keys", "bastion.jsonl", "web.jsonl", "--format", "dot"]);
    let dot = String::from_utf8(dot.stdout).unwrap();
    assert!(dot.starts_with("digraph keys {") && dot.trim_end().ends_with('}'), "{dot}");
    assert!(dot.contains("label=\"account root\""), "{dot}");
    assert_eq!(dot.matches('{').count(), dot.matches('}').count());
}

#[test]
fn histories_with_times_are_events_without_their_arguments() {
    let folder = scans();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let all = read("bastion.timeline") + &read("web.timeline") + &read("bastion.jsonl") + &read("web.jsonl");
    assert!(!all.contains("v9Kd-Trombone"), "a secret of a history or a comment shows");
    let mut found = Vec::new();
    for line in (read("bastion.timeline") + &read("web.timeline")).lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        if event["source"] == "HISTORY" {
            assert_eq!(event["timestamp_desc"], "Command Executed");
            found.push((event["timestamp"].as_i64().unwrap(), event["message"].as_str().unwrap().to_owned()));
        }
    }
    found.sort();
    let expected = [
        (1_767_225_600, "deploy: mysql -h … -u … -p… … (bash history)"),
        (1_767_225_660, "deploy: sudo systemctl restart … (bash history)"),
        (1_767_225_700, "app: git push (zsh history)"),
        (1_767_225_701, "app: curl --header=… (zsh history)"),
        (1_767_225_702, "app: ls … (fish history)"),
    ];
    assert_eq!(found, expected.map(|(seconds, message)| (seconds * 1_000_000, message.to_owned())));
}

#[test]
fn each_format_writes_what_its_golden_file_holds() {
    let folder = scans();
    for format in ["text", "json", "dot"] {
        let output =
            program(folder.path(), &["keys", "bastion.jsonl", "web.jsonl", "--all", "--format", format]);
        let text = String::from_utf8(output.stdout).unwrap();
        let path = testdata(&format!("reports/keys/golden.{format}"));
        if std::env::var_os("RESIDUE_WRITE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap();
        assert!(text == golden, "{format} differs from {}", path.display());
    }
}
