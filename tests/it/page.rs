//! The HTML report in a headless Chromium: no console message, no request, search and filters work, also without
//! scripts. Says so where Chromium is missing.
//!
//! `RESIDUE_SCREENSHOTS=FOLDER cargo test --test it page::` leaves pictures of the pages in that folder.

use crate::reports::{render, varied};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A browser that is spoken to over its debugging pipe: JSON messages, each followed by a zero byte.
struct Browser {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    number: u64,
    events: Vec<Value>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts Chromium; `None`, and a word on the terminal, where there is none.
    fn start() -> Option<Self> {
        let program = ["chromium", "chromium-browser", "google-chrome"]
            .into_iter()
            .find(|name| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success()));
        let Some(program) = program else {
            println!("skipped: Chromium is not installed");
            return None;
        };
        let profile = tempfile::TempDir::new().unwrap();
        // The pipe is on descriptors 3 and 4; the shell joins them to the standard ones.
        let line = format!(
            "exec {program} --headless=new --no-sandbox --disable-gpu --no-first-run --disable-sync \
             --disable-background-networking --disable-component-update --disable-extensions \
             --hide-scrollbars --user-data-dir='{}' --remote-debugging-pipe about:blank 3<&0 4>&1",
            profile.path().display()
        );
        let mut child = Command::new("sh")
            .args(["-c", &line])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let (session, events) = (None, Vec::new());
        let mut browser = Self { child, to, from, session, number: 0, events, _profile: profile };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attached = browser
            .call("Target.attachToTarget", &json!({ "targetId": target["targetId"], "flatten": true }));
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    fn read(&mut self) -> Value {
        let mut message = Vec::new();
        self.from.read_until(0, &mut message).unwrap();
        assert!(message.pop() == Some(0), "the browser went away");
        serde_json::from_slice(&message).unwrap()
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(&[message.to_string().as_bytes(), b"\0"].concat()).unwrap();
        loop {
            let message = self.read();
            if message["id"] == self.number {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    /// Opens a file and waits until it has loaded; returns how long that took.
    fn open(&mut self, path: &Path) -> Duration {
        let start = Instant::now();
        self.events.clear();
        self.call("Page.navigate", &json!({ "url": format!("file://{}", path.display()) }));
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let message = self.read();
            self.events.push(message);
        }
        start.elapsed()
    }

    /// The value of an expression in the page; promises are awaited.
    fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let result = self.call("Runtime.evaluate", &params);
        assert!(result.get("exceptionDetails").is_none(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Console messages, exceptions, and requests for anything but the page itself.
    fn complaints(&self) -> Vec<String> {
        let is_complaint = |event: &&Value| match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded" => true,
            "Network.requestWillBeSent" => {
                event["params"]["request"]["url"] != event["params"]["documentURL"]
                    || event["params"]["type"] != "Document"
            }
            _ => false,
        };
        self.events.iter().filter(is_complaint).map(Value::to_string).collect()
    }

    fn picture(&mut self, name: &str, scheme: &str, media: &str) {
        let Some(folder) = std::env::var_os("RESIDUE_SCREENSHOTS") else { return };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", &json!({ "media": media, "features": features }));
        let size = json!({ "width": 1280, "height": 2600, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let shot = self.call("Page.captureScreenshot", &json!({ "format": "png" }));
        let bytes = data_encoding::BASE64.decode(shot["data"].as_str().unwrap().as_bytes()).unwrap();
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), bytes).unwrap();
        self.call("Emulation.setEmulatedMedia", &json!({ "media": "", "features": [] }));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(|_| ()).unwrap_or_default();
    }
}

/// Sets the search, waits until it has been applied, and counts the findings that show.
const SEARCH: &str = r#"(async (text) => {
    const search = document.querySelector("input[type=search]");
    search.value = text;
    search.dispatchEvent(new Event("input"));
    await new Promise((done) => setTimeout(done, 700));
    return [...document.querySelectorAll(".finding, .lines > p")].filter((one) => !one.hidden).length;
})"#;

/// Opens a page of so many findings and uses it as a reader would.
fn check(browser: &mut Browser, number: usize) {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("page.html");
    let page = render("html", &varied(number), false);
    std::fs::write(&path, &page).unwrap();
    let time = browser.open(&path);
    println!("{number} findings: {} bytes, loaded in {time:?}", page.len());
    assert!(page.len() < 30_000_000, "{number}: {} bytes", page.len());
    assert_eq!(browser.complaints(), Vec::<String>::new(), "{number}");
    let all = browser.evaluate("document.querySelectorAll('.finding, .lines > p').length").as_u64().unwrap();
    assert!(all > 0 && all <= u64::try_from(number).unwrap(), "{all} of {number}");
    let start = Instant::now();
    let none = browser.evaluate(&format!("{SEARCH}('no such words anywhere')"));
    let some = browser.evaluate(&format!("{SEARCH}('private KEY')")).as_u64().unwrap();
    let time = start.elapsed();
    println!("{number} findings: two searches in {time:?}, {some} of {all} fit");
    assert_eq!(none, 0);
    assert!(some > 0 && some < all, "{some} of {all}");
    assert_eq!(browser.evaluate(&format!("{SEARCH}('')")), all);
    let left = browser.evaluate(
        r#"(() => {
            const box = document.querySelector("input[value=critical]");
            box.click();
            const shown = [...document.querySelectorAll(".finding, .lines > p")].filter((one) => !one.hidden);
            const left = shown.filter((one) => one.dataset.severity === "critical").length;
            const others = shown.length;
            box.click();
            return [left, others];
        })()"#,
    );
    assert_eq!(left[0], 0);
    assert!(left[1].as_u64().unwrap() < all, "{left}");
    let zone = browser.evaluate(
        r#"(() => {
            const zone = document.querySelector("select");
            const wanted = zone.options[zone.options.length - 1].value;
            zone.value = wanted;
            zone.dispatchEvent(new Event("change"));
            const shown = [...document.querySelectorAll(".finding, .lines > p")].filter((one) => !one.hidden);
            const wrong = shown.filter((one) => one.dataset.zone !== wanted).length;
            zone.value = "";
            zone.dispatchEvent(new Event("change"));
            return [shown.length, wrong];
        })()"#,
    );
    assert!(zone[0].as_u64().unwrap() > 0 && zone[1] == 0, "{zone}");
    assert_eq!(browser.complaints(), Vec::<String>::new(), "{number}");
    for (name, scheme, media) in
        [("light", "light", "screen"), ("dark", "dark", "screen"), ("print", "light", "print")]
    {
        browser.evaluate("document.querySelector('.finding').open = true");
        browser.evaluate("window.scrollTo(0, 0)");
        browser.picture(&format!("{number}-{name}"), scheme, media);
    }
    browser.evaluate("document.querySelector('.tools').parentElement.scrollIntoView()");
    browser.picture(&format!("{number}-findings"), "light", "screen");
}

#[test]
fn a_page_asks_for_nothing_and_can_be_searched_and_filtered() {
    let Some(mut browser) = Browser::start() else { return };
    for number in [10, 10_000] {
        check(&mut browser, number);
    }
}

#[test]
fn a_page_of_a_hundred_thousand_findings_can_be_used() {
    let Some(mut browser) = Browser::start() else { return };
    // Rendering them takes a debug build half a minute; the pictures are reason enough.
    if std::env::var_os("RESIDUE_SCREENSHOTS").is_none() {
        println!("skipped: RESIDUE_SCREENSHOTS is not set");
        return;
    }
    check(&mut browser, 100_000);
}

#[test]
fn a_page_is_whole_without_scripts() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("page.html");
    std::fs::write(&path, render("html", &varied(10), false)).unwrap();
    browser.call("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    browser.open(&path);
    assert_eq!(browser.complaints().len(), 0, "{:?}", browser.complaints());
    let text = browser.evaluate("document.body.innerText");
    let text = text.as_str().unwrap();
    for part in ["Do not release", "What to do, in this order", "Checklist", "The disk", "Findings"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let tools = browser.evaluate("getComputedStyle(document.querySelector('.tools')).display");
    assert_eq!(tools, "none");
}
