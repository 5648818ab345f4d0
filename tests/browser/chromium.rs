//! Headless Chromium, driven through the DevTools protocol.
//!
//! The protocol comes over a pair of pipes (`--remote-debugging-pipe`: file descriptors 3 and 4, a NUL behind each
//! JSON message), so that neither a port nor a WebSocket client nor a package of anybody's is needed.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

const FLAGS: &[&str] = &[
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Both tabs are looked at, whichever is in front.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
];

/// A browser with a profile of its own, ended when dropped.
pub struct Chromium(Rc<RefCell<Pipe>>);

struct Pipe {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    next_id: u64,
    /// Errors in the tabs: exceptions, and what the console calls errors.
    errors: Vec<(String, Value)>,
    profile: PathBuf,
}

/// A tab.
pub struct Tab {
    pipe: Rc<RefCell<Pipe>>,
    session: String,
}

impl Chromium {
    /// Starts a browser; `name` is its profile's.
    pub fn start(name: &str) -> Chromium {
        let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chromium-{name}"));
        // There is none after a clean end.
        let _ = std::fs::remove_dir_all(&profile);
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "sh", "chromium"])
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            while output.read_until(0, &mut message).is_ok_and(|n| n > 0) {
                message.pop();
                if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    break;
                }
                message.clear();
            }
        });
        let pipe = Pipe { child, commands, messages, next_id: 1, errors: Vec::new(), profile };
        let chromium = Chromium(Rc::new(RefCell::new(pipe)));
        chromium.0.borrow_mut().call("", "Browser.getVersion", json!({}));
        chromium
    }

    /// Opens a tab.
    pub fn open(&self, url: &str) -> Tab {
        let mut pipe = self.0.borrow_mut();
        let target = pipe.call("", "Target.createTarget", json!({ "url": "about:blank", "newWindow": true }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = pipe.call("", "Target.attachToTarget", attach);
        let session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log"] {
            pipe.call(&session, &format!("{domain}.enable"), json!({}));
        }
        let size = json!({ "width": 1100, "height": 700, "deviceScaleFactor": 1, "mobile": false });
        pipe.call(&session, "Emulation.setDeviceMetricsOverride", size);
        pipe.call(&session, "Page.navigate", json!({ "url": url }));
        drop(pipe);
        let tab = Tab { pipe: self.0.clone(), session };
        tab.until("document.readyState === 'complete' && location.protocol === 'http:'");
        tab
    }
}

impl Pipe {
    fn call(&mut self, session: &str, method: &str, params: Value) -> Value {
        self.ask(session, method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn ask(&mut self, session: &str, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.next_id;
        self.next_id += 1;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if !session.is_empty() {
            message["sessionId"] = session.into();
        }
        self.commands
            .write_all(format!("{message}\0").as_bytes())
            .expect("chromium runs: ./test installs it");
        loop {
            let mut message = self.messages.recv_timeout(PATIENCE).expect("chromium answers");
            if message["id"] == id {
                return match message["error"].take() {
                    Value::Null => Ok(message["result"].take()),
                    error => Err(error),
                };
            }
            let error = message["params"]["entry"]["level"] == "error";
            if error || message["method"] == "Runtime.exceptionThrown" {
                let session = message["sessionId"].as_str().unwrap_or("").to_owned();
                self.errors.push((session, message["params"].take()));
            }
        }
    }
}

impl Tab {
    fn call(&self, method: &str, params: Value) -> Value {
        self.pipe.borrow_mut().call(&self.session, method, params)
    }

    /// The value of a JavaScript expression.
    pub fn value(&self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.call("Runtime.evaluate", params);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    /// Waits until an expression is true.
    pub fn until(&self, expression: &str) {
        let started = Instant::now();
        while self.value(expression) != true {
            let page = || self.value("document.body.innerText");
            assert!(started.elapsed() < PATIENCE, "never true: {expression}\nthe page says: {}", page());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Closes the tab.
    pub fn close(self) {
        self.call("Page.close", json!({}));
    }

    /// Loads the page anew.
    pub fn reload(&self) {
        self.value("window.isOld = true");
        self.call("Page.reload", json!({}));
        let started = Instant::now();
        let is_there = json!({ "expression": "!window.isOld && document.readyState === 'complete'" });
        // Between two pages there is nothing to ask.
        while !self
            .pipe
            .borrow_mut()
            .ask(&self.session, "Runtime.evaluate", is_there.clone())
            .is_ok_and(|answer| answer["result"]["value"] == true)
        {
            assert!(started.elapsed() < PATIENCE, "the page is never loaded anew");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Clicks on the middle of an element.
    pub fn click(&self, selector: &str) {
        let at = self.value(&format!(
            "(() => {{ const element = document.querySelector({}); \
             element.scrollIntoView({{ block: 'center', behavior: 'instant' }}); \
             const box = element.getBoundingClientRect(); \
             return [box.x + box.width / 2, box.y + box.height / 2] }})()",
            Value::from(selector)
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", params);
        }
    }

    /// Types into what has the focus.
    pub fn type_text(&self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Presses the Enter key.
    pub fn press_enter(&self) {
        for kind in ["keyDown", "keyUp"] {
            let params = json!({ "type": kind, "key": "Enter", "code": "Enter", "text": "\r",
                                 "windowsVirtualKeyCode": 13 });
            self.call("Input.dispatchKeyEvent", params);
        }
    }

    /// Takes a picture of the page on a screen of this size, in this colour scheme, into target/browser.
    pub fn picture(&self, name: &str, width: u32, height: u32, scheme: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 2, "mobile": width < 500 });
        self.call("Emulation.setDeviceMetricsOverride", size);
        self.call("Emulation.setScrollbarsHidden", json!({ "hidden": true }));
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", features);
        self.value(
            "Promise.all(document.getAnimations().filter(a => a.playState === 'running' \
                    && a.effect.getTiming().iterations === 1).map(a => a.finished)).then(() => true)",
        );
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        let bytes = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../browser");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// Asserts that no script has failed in this tab and the console shows no error.
    pub fn assert_no_errors(&self) {
        let pipe = self.pipe.borrow();
        let errors: Vec<_> = pipe.errors.iter().filter(|(session, _)| *session == self.session).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // Asked to, it ends all its processes; a profile that is still in use then can stay.
        let _ = self.commands.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let started = Instant::now();
        while self.child.try_wait().is_ok_and(|status| status.is_none()) {
            if started.elapsed() > Duration::from_secs(10) {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}
