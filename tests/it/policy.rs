//! `residue policy` as users call it.

use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

fn residue(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_residue")).arg("policy").args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What the guidance asks of a policy: two Deny statements on all resources, the second one on shares that
/// take in snapshots or images.
fn guidance() -> Value {
    json!({
        "Version": "1",
        "Statement": [
            {
                "Effect": "Deny",
                "Action": ["ecs:ExportImage", "ecs:ModifyImageSharePermission"],
                "Resource": "*"
            },
            {
                "Effect": "Deny",
                "Action": ["resourcesharing:CreateResourceShare", "resourcesharing:AssociateResourceShare"],
                "Resource": "*",
                "Condition": {
                    "StringEquals": { "resourcesharing:RequestedResourceType": ["Snapshot", "Image"] }
                }
            }
        ]
    })
}

#[test]
fn printed_policies_equal_the_guidance_statement_by_statement() {
    for name in ["alibaba-ram", "alibaba-control-policy"] {
        let output = residue(&[name]);
        assert_eq!(output.status.code(), Some(0));
        let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
        let wanted = guidance();
        assert_eq!(printed["Version"], wanted["Version"], "{name}");
        let statements = |policy: &Value| policy["Statement"].as_array().unwrap().clone();
        assert_eq!(statements(&printed).len(), statements(&wanted).len(), "{name}");
        for (own, wanted) in statements(&printed).iter().zip(&statements(&wanted)) {
            assert_eq!(own, wanted, "{name}");
        }
    }
    let all = text(&residue(&[]).stdout);
    for name in ["alibaba-ram", "alibaba-control-policy", "aws-scp", "azure-role", "google-deny"] {
        assert!(all.contains(&format!("# {name}: ")), "{name}");
    }
}

fn check(documents: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut args = vec!["check".to_owned()];
    for (name, content) in documents {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        args.push(path.to_str().unwrap().to_owned());
    }
    let output = residue(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let shown = |bytes: &[u8]| text(bytes).replace(&format!("{}/", folder.path().display()), "");
    (output.status.code(), shown(&output.stdout), shown(&output.stderr))
}

#[test]
fn a_check_names_the_statement_that_decides() {
    let guidance = guidance().to_string();
    let (code, out, _) = check(&[("deny.json", &guidance)]);
    assert_eq!(code, Some(0), "{out}");
    assert_eq!(out.lines().count(), 4);
    assert!(
        out.lines().all(|line| line.starts_with("denied") && line.contains("deny.json, statement")),
        "{out}"
    );
    let allow = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"ecs:*","Resource":"*"}]}"#;
    let (code, out, _) = check(&[("allow.json", allow), ("deny.json", &guidance)]);
    assert_eq!(code, Some(0), "deny goes before allow: {out}");
    let (code, out, _) = check(&[("allow.json", allow)]);
    assert_eq!(code, Some(1));
    let line = |action: &str| out.lines().find(|line| line.contains(action)).unwrap().to_owned();
    assert!(line("ecs:ExportImage").starts_with("ALLOWED"), "{out}");
    assert!(line("resourcesharing:CreateResourceShare").starts_with("open"), "{out}");
    let limited = r#"{"Version":"1","Statement":[
        {"Effect":"Allow","NotAction":"oss:*","Resource":"*","Condition":{"IpAddress":{"acs:SourceIp":["10.0.0.0/8"]}}},
        {"Effect":"Deny","Action":"resourcesharing:*","Resource":"*",
         "Condition":{"StringEquals":{"resourcesharing:RequestedResourceType":"Image"}}}]}"#;
    let (_, out, _) = check(&[("limited.json", limited)]);
    let line = |action: &str| out.lines().find(|line| line.contains(action)).unwrap().to_owned();
    assert!(line("ecs:ExportImage").contains("IpAddress acs:SourceIp in [10.0.0.0/8]"), "{out}");
    let share = line("resourcesharing:AssociateResourceShare");
    assert!(share.starts_with("in part") && share.contains("in [Image]"), "{out}");
}

#[test]
fn documents_that_cannot_be_read_are_refused_with_their_place() {
    let (code, out, error) = check(&[("bad.json", "{\n  \"Version\": \"1\",\n  oops\n}\n")]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(error.contains("bad.json: line 3, column 3"), "{error}");
    let (code, _, error) = check(&[("other.json", "{\"hello\": 1}")]);
    assert_eq!(code, Some(2));
    assert!(error.contains("expected Statement"), "{error}");
    assert_eq!(residue(&["check", "/nowhere/p.json"]).status.code(), Some(2));
    assert!(!Path::new("/nowhere").exists());
}
