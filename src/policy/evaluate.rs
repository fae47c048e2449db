//! What policy documents say of the actions that carry an image out: Deny before Allow, wildcards,
//! `NotAction`, `NotResource`, conditions.

use super::{ACTIONS, Action, Provider};
use crate::error::{Error, Kind, Result};
use serde::Serialize;
use serde_json::Value;

/// What the documents come to for one action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "decision")]
pub enum Decision {
    /// Denied, by this statement.
    Denied {
        /// Document and statement.
        by: String,
    },
    /// Denied under a condition or for some resources only.
    DeniedInPart {
        /// Document and statement.
        by: String,
        /// What the statement asks besides.
        only: String,
    },
    /// Allowed, by this statement, and not denied.
    Allowed {
        /// Document and statement.
        by: String,
        /// What the statement asks besides, where it does.
        #[serde(skip_serializing_if = "Option::is_none")]
        only: Option<String>,
    },
    /// No statement names it: denied by default, until another policy allows it.
    Open,
}

/// An action and what the documents come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The action.
    pub action: &'static str,
    /// What is decided.
    #[serde(flatten)]
    pub decision: Decision,
}

/// A statement in the words that all providers share.
#[derive(Clone, Debug)]
struct Statement {
    provider: Option<Provider>,
    name: String,
    denies: bool,
    actions: Vec<String>,
    /// Whether `actions` are those that the statement does not concern.
    is_complement: bool,
    /// What narrows the statement: conditions and resources.
    limits: Vec<Limit>,
}

#[derive(Clone, Debug)]
enum Limit {
    /// A condition: operator, key, values.
    Condition(String, String, Vec<String>),
    /// Resources or principals other than all.
    Scope(String),
}

/// Judges each action by all documents together: name and JSON text of each. Only the providers whose
/// documents are given are asked about.
///
/// # Errors
/// [`Kind::Usage`] with line and column for bad JSON, and for a document of no known form.
pub fn check(documents: &[(String, String)]) -> Result<Vec<Verdict>> {
    let mut statements = Vec::new();
    for (name, text) in documents {
        let value: Value = serde_json::from_str(text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            Error::new(Kind::Usage, format!("{name}: {place}: not JSON")).with_source(error)
        })?;
        statements.extend(read(name, &value)?);
    }
    let asked = ACTIONS.iter().filter(|action| statements.iter().any(|one| one.is_for(action)));
    Ok(asked.map(|action| Verdict { action: action.name, decision: decide(action, &statements) }).collect())
}

fn decide(action: &Action, statements: &[Statement]) -> Decision {
    let matching: Vec<&Statement> =
        statements.iter().filter(|one| one.is_for(action) && one.concerns(action.name)).collect();
    let mut part = None;
    for statement in matching.iter().filter(|one| one.denies) {
        match statement.remaining(action) {
            None => return Decision::Denied { by: statement.name.clone() },
            Some(only) => part = part.or(Some(Decision::DeniedInPart { by: statement.name.clone(), only })),
        }
    }
    let mut allowing: Vec<&&Statement> = matching.iter().filter(|one| !one.denies).collect();
    // The widest one decides.
    allowing.sort_by_key(|one| !one.limits.is_empty());
    let allowed = allowing.first().map(|one| {
        let limits: Vec<String> = one.limits.iter().map(Limit::shown).collect();
        let only = (!limits.is_empty()).then(|| limits.join("; "));
        Decision::Allowed { by: one.name.clone(), only }
    });
    part.or(allowed).unwrap_or(Decision::Open)
}

impl Statement {
    /// Whether the statement's document is of the action's provider.
    fn is_for(&self, action: &Action) -> bool {
        self.provider.is_none_or(|provider| provider == action.provider)
    }

    fn concerns(&self, action: &str) -> bool {
        self.actions.iter().any(|pattern| matches(pattern, action)) != self.is_complement
    }

    /// What keeps the statement from denying the action altogether.
    fn remaining(&self, action: &Action) -> Option<String> {
        let left: Vec<String> =
            self.limits.iter().filter(|limit| !limit.is_within(action)).map(Limit::shown).collect();
        (!left.is_empty()).then(|| left.join("; "))
    }
}

impl Limit {
    /// Whether the limit still covers all that the action is asked about.
    fn is_within(&self, action: &Action) -> bool {
        let (Self::Condition(operator, key, values), Some((own, wanted))) = (self, action.within) else {
            return false;
        };
        let compares = matches!(
            operator.to_ascii_lowercase().as_str(),
            "stringequals" | "stringequalsignorecase" | "stringlike" | "foranyvalue:stringequals"
        );
        compares
            && key.eq_ignore_ascii_case(own)
            && wanted
                .iter()
                .all(|one| values.iter().any(|value| value.eq_ignore_ascii_case(one) || value == "*"))
    }

    fn shown(&self) -> String {
        match self {
            Self::Condition(operator, key, values) => format!("{operator} {key} in [{}]", values.join(", ")),
            Self::Scope(text) => text.clone(),
        }
    }
}

/// `*` stands for any text and `?` for one character; letters match in any case.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let (pattern, action) = (pattern.as_bytes(), action.as_bytes());
    let (mut p, mut a, mut retry) = (0, 0, None);
    while a < action.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, a));
                p += 1;
            }
            Some(&byte) if byte == b'?' || Some(&byte) == action.get(a) => {
                p += 1;
                a += 1;
            }
            _ => {
                let Some((star, from)) = retry else { return false };
                retry = Some((star, from + 1));
                (p, a) = (star + 1, from + 1);
            }
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|&byte| byte == b'*')
}

/// Reads the statements of a document of any known form.
fn read(name: &str, document: &Value) -> Result<Vec<Statement>> {
    let document = document.get("PolicyDocument").unwrap_or(document);
    if let Some(statements) = document.get("Statement") {
        let version = document.get("Version").and_then(Value::as_str).unwrap_or_default();
        let provider = match version {
            "1" => Some(Provider::Alibaba),
            "2012-10-17" | "2008-10-17" => Some(Provider::Aws),
            _ => None,
        };
        return Ok(list(statements)
            .enumerate()
            .map(|(at, one)| statement(name, at, provider, one))
            .collect());
    }
    if let Some(rules) = document.get("rules") {
        return Ok(list(rules).enumerate().filter_map(|(at, rule)| google(name, at, rule)).collect());
    }
    let properties = document.get("properties").unwrap_or(document);
    if let Some(permissions) = field(properties, "permissions") {
        return Ok(list(permissions).flat_map(|one| azure(name, one)).collect());
    }
    if field(properties, "Actions").is_some() {
        return Ok(azure(name, properties));
    }
    let what = format!("{name}: expected Statement, rules, permissions or Actions, found none of them");
    Err(Error::new(Kind::Usage, what))
}

/// A field by its name in any case.
fn field<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let fields = value.as_object()?;
    fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// One value, or all of an array.
fn list(value: &Value) -> impl Iterator<Item = &Value> {
    let (many, one) = match value {
        Value::Array(many) => (many.as_slice(), None),
        other => ([].as_slice(), Some(other)),
    };
    many.iter().chain(one)
}

fn texts(value: Option<&Value>) -> Vec<String> {
    value.into_iter().flat_map(list).filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A statement of RAM or IAM.
fn statement(document: &str, at: usize, provider: Option<Provider>, value: &Value) -> Statement {
    let sid = field(value, "Sid").and_then(Value::as_str);
    let name =
        sid.map_or_else(|| format!("{document}, statement {}", at + 1), |sid| format!("{document}, {sid}"));
    let denies =
        field(value, "Effect").and_then(Value::as_str).is_some_and(|one| one.eq_ignore_ascii_case("Deny"));
    let complement = texts(field(value, "NotAction"));
    let is_complement = field(value, "NotAction").is_some();
    let mut limits = Vec::new();
    let resources = texts(field(value, "Resource"));
    if !resources.is_empty() && !resources.iter().any(|resource| resource == "*") {
        limits.push(Limit::Scope(format!("resources {}", resources.join(", "))));
    }
    if let Some(except) = field(value, "NotResource") {
        limits.push(Limit::Scope(format!("resources other than {}", texts(Some(except)).join(", "))));
    }
    let conditions = field(value, "Condition").and_then(Value::as_object);
    for (operator, keys) in conditions.into_iter().flatten() {
        for (key, values) in keys.as_object().into_iter().flatten() {
            limits.push(Limit::Condition(operator.clone(), key.clone(), texts(Some(values))));
        }
    }
    let actions = if is_complement { complement } else { texts(field(value, "Action")) };
    Statement { provider, name, denies, actions, is_complement, limits }
}

/// A rule of a Google deny policy.
fn google(document: &str, at: usize, rule: &Value) -> Option<Statement> {
    let deny = rule.get("denyRule")?;
    let mut limits = Vec::new();
    let principals = texts(deny.get("deniedPrincipals"));
    if !principals.iter().any(|one| one == "principalSet://goog/public:all") {
        limits.push(Limit::Scope(format!("principals {}", principals.join(", "))));
    }
    let except = [texts(deny.get("exceptionPrincipals")), texts(deny.get("exceptionPermissions"))].concat();
    if !except.is_empty() {
        limits.push(Limit::Scope(format!("except {}", except.join(", "))));
    }
    if let Some(condition) =
        deny.get("denialCondition").and_then(|one| one.get("expression")).and_then(Value::as_str)
    {
        limits.push(Limit::Scope(format!("condition {condition}")));
    }
    Some(Statement {
        provider: Some(Provider::Google),
        name: format!("{document}, rule {}", at + 1),
        denies: true,
        actions: texts(deny.get("deniedPermissions")),
        is_complement: false,
        limits,
    })
}

/// The permissions of an Azure role. What a role leaves out is left open, since another may grant it.
fn azure(document: &str, value: &Value) -> Vec<Statement> {
    let actions = texts(field(value, "Actions"));
    let except = texts(field(value, "NotActions"));
    let granted = ACTIONS.iter().filter(|action| {
        let in_any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, action.name));
        action.provider == Provider::Azure && in_any(&actions) && !in_any(&except)
    });
    vec![Statement {
        provider: Some(Provider::Azure),
        name: format!("{document}, Actions"),
        denies: false,
        actions: granted.map(|action| action.name.to_owned()).collect(),
        is_complement: false,
        limits: Vec::new(),
    }]
}

#[cfg(test)]
mod tests {
    use super::super::DOCUMENTS;
    use super::*;

    fn decisions(text: &str) -> Vec<(&'static str, Decision)> {
        let verdicts = check(&[("p".to_owned(), text.to_owned())]).unwrap();
        verdicts.into_iter().map(|verdict| (verdict.action, verdict.decision)).collect()
    }

    fn of(text: &str, action: &str) -> Decision {
        decisions(text).into_iter().find(|(name, _)| *name == action).unwrap().1
    }

    #[test]
    fn the_printed_policies_deny_every_action_that_they_can() {
        for document in DOCUMENTS {
            let all = decisions(document.text);
            assert!(all.len() >= 3, "{}", document.name);
            for (action, decision) in all {
                match document.provider {
                    Provider::Azure => assert_eq!(decision, Decision::Open, "{action}"),
                    _ => assert!(
                        matches!(decision, Decision::Denied { .. }),
                        "{}: {action} {decision:?}",
                        document.name
                    ),
                }
            }
        }
    }

    #[test]
    fn the_alibaba_policy_is_that_of_the_guidance() {
        let policy: Value = serde_json::from_str(DOCUMENTS[0].text).unwrap();
        assert_eq!(policy["Version"], "1");
        let statements = policy["Statement"].as_array().unwrap();
        assert_eq!(statements.len(), 2);
        assert!(statements.iter().all(|one| one["Effect"] == "Deny" && one["Resource"] == "*"));
        assert_eq!(
            texts(Some(&statements[0]["Action"])),
            ["ecs:ExportImage", "ecs:ModifyImageSharePermission"]
        );
        let share = ["resourcesharing:CreateResourceShare", "resourcesharing:AssociateResourceShare"];
        assert_eq!(texts(Some(&statements[1]["Action"])), share);
        let values = &statements[1]["Condition"]["StringEquals"]["resourcesharing:RequestedResourceType"];
        assert_eq!(texts(Some(values)), ["Snapshot", "Image"]);
        assert!(statements[0].get("Condition").is_none());
    }

    #[test]
    fn deny_comes_before_allow_and_conditions_are_named() {
        let wildcard = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
            {"Effect":"Deny","Action":"ecs:Export*","Resource":"*"}]}"#;
        assert_eq!(of(wildcard, "ecs:ExportImage"), Decision::Denied { by: "p, statement 2".to_owned() });
        assert_eq!(
            of(wildcard, "ecs:ModifyImageSharePermission"),
            Decision::Allowed { by: "p, statement 1".to_owned(), only: None }
        );
        let half = r#"{"Version":"1","Statement":{"Effect":"Deny","Action":"resourcesharing:*","Resource":"*",
            "Condition":{"StringEquals":{"resourcesharing:RequestedResourceType":["Image"]}}}}"#;
        let found = of(half, "resourcesharing:CreateResourceShare");
        assert!(matches!(&found, Decision::DeniedInPart { only, .. } if only.contains("Image")), "{found:?}");
        assert_eq!(of(half, "ecs:ExportImage"), Decision::Open);
        let not = r#"{"Version":"2012-10-17","Statement":[{"Sid":"S","Effect":"Deny","NotAction":["s3:*"],"Resource":"*"}]}"#;
        assert_eq!(of(not, "ec2:ExportImage"), Decision::Denied { by: "p, S".to_owned() });
        let some = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"ec2:*","Resource":"arn:aws:ec2:*::image/*"}]}"#;
        assert!(matches!(of(some, "ec2:ExportImage"), Decision::DeniedInPart { .. }));
    }

    #[test]
    fn bad_documents_are_refused_with_their_place() {
        let error = check(&[("p.json".to_owned(), "{\n  \"Version\": 1,\n}".to_owned())]).unwrap_err();
        assert!(error.to_string().contains("p.json: line 3, column 1"), "{error}");
        assert!(check(&[("p".to_owned(), "{}".to_owned())]).is_err());
    }
}
