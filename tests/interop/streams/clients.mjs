// The clients: each opens an address and tells what it hears.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { EventSource } from "eventsource";

import { Page } from "../../../js/test/chromium.js";

const HERE = import.meta.dirname;
const PACKAGES = join(HERE, "..", "node_modules");
const PYTHON = process.env.INTEROP_PYTHON;
const NAMES = ["message", "wspush.missed", "wspush.binary"];
const { dependencies } = createRequire(import.meta.url)("../package.json");

// The package eventsource, in this process.
class InNode {
  version = dependencies.eventsource;
  heard = [];

  open(url) {
    const heard = (this.heard = []);
    const source = (this.source = new EventSource(url));
    for (const name of NAMES) {
      source.addEventListener(name, ({ type, data, lastEventId }) => heard.push({ type, data, id: lastEventId }));
    }
    source.onerror = () => {
      if (source.readyState == EventSource.CLOSED) heard.push({ type: "stopped" });
    };
  }

  log = () => this.heard;
  close = () => this.source?.close();
  end = () => this.close();
}

// A program, which says a line of JSON for each event.
class Program {
  constructor(name) {
    this.name = name;
    this.heard = [];
  }

  async open(url) {
    this.close();
    const heard = (this.heard = []);
    this.child = spawn(PYTHON, [join(HERE, "readers.py"), this.name, url], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: this.child.stdout });
    await new Promise((done) => {
      lines.on("close", done);
      lines.on("line", (line) => {
        const said = JSON.parse(line);
        if (said.version) done((this.version = said.version));
        else heard.push(said);
      });
    });
  }

  log = () => this.heard;

  close = () => this.child?.stdin.end();

  end = () => this.close();
}

// A way to read in a page of Chromium's.
class InPage {
  constructor(browser, reader, version) {
    Object.assign(this, { browser, reader, version, isScript: reader != "EventSource" });
  }

  open = (url) => this.browser.page.act("open", this.reader, url);
  log = () => this.browser.page.act("log", this.reader);
  close = () => this.browser.page.act("close", this.reader);
  end = () => {};
}

const SCRIPTS = {
  "/page.js": join(HERE, "page.js"),
  "/polyfill.js": join(PACKAGES, "event-source-polyfill", "src", "eventsource.js"),
};
const PAGE = `<!doctype html><title>streams</title><script src="/polyfill.js"></script>
<script type="module" src="/page.js"></script>`;

// The file behind a path of the page's server. The modules of a package name each other without an ending.
function file(path) {
  const [, name] = /^\/fetch-event-source\/(\w+)(\.js)?$/.exec(path) || [];
  return name ? join(PACKAGES, "@microsoft", "fetch-event-source", "lib", "esm", `${name}.js`) : SCRIPTS[path];
}

class Browser {
  static async start() {
    const browser = new Browser();
    browser.server = createServer(async (request, response) => {
      const path = file(request.url);
      response.setHeader("Content-Type", path ? "text/javascript" : "text/html");
      response.end(path ? await readFile(path) : PAGE);
    });
    await new Promise((done) => browser.server.listen(0, "127.0.0.1", done));
    browser.page = await Page.open(`http://127.0.0.1:${browser.server.address().port}/`);
    return browser;
  }

  async end() {
    await this.page.close();
    this.server.close();
    this.server.closeAllConnections();
  }
}

// All of them, by their titles; and a function that ends them.
export async function start() {
  const browser = await Browser.start();
  const chromium = await browser.page.version();
  const packaged = (reader, name) => new InPage(browser, reader, dependencies[name]);
  const clients = {
    "Chromium `EventSource`": new InPage(browser, "EventSource", chromium),
    "Chromium `fetch`, `/stream`": new InPage(browser, "fetch", chromium),
    "npm `event-source-polyfill`": packaged("polyfill", "event-source-polyfill"),
    "npm `@microsoft/fetch-event-source`": packaged("microsoft", "@microsoft/fetch-event-source"),
    "npm `eventsource`": new InNode(),
    "PyPI `httpx-sse`": new Program("httpx-sse"),
    "PyPI `sseclient-py`": new Program("sseclient-py"),
    "`curl -N`": new Program("curl"),
  };
  const end = async () => {
    for (const client of Object.values(clients)) client.end();
    await browser.end();
  };
  return { clients, end };
}
