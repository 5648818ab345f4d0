// Headless Chromium, driven through the DevTools protocol over a pair of pipes: no port and no package is needed.
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FLAGS = [
  "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
  "--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
  // Of proxies in the tests.
  "--ignore-certificate-errors",
];
// A page has the file that is made for pages.
const FILES = { "/wspush-client.js": "../wspush-client.min.js", "/test/agent.js": "agent.js" };
const PAGE = `<!doctype html><title>wspush-client</title><script type="module">
import { act } from "/test/agent.js"; globalThis.act = act;</script>`;

// A tab with a page that has the client.
export class Page {
  #id = 0;
  #calls = new Map();

  // Opens this address; or else the page of the tests of wspush-client, which is served here.
  static async open(url) {
    const page = new Page();
    page.server = createServer(async (request, response) => {
      const file = FILES[request.url];
      response.setHeader("Content-Type", file ? "text/javascript" : "text/html");
      response.end(file ? await readFile(new URL(file, import.meta.url)) : PAGE);
    });
    await new Promise((done) => page.server.listen(0, "127.0.0.1", done));
    page.url = url ?? `http://127.0.0.1:${page.server.address().port}/`;
    page.profile = await mkdtemp(join(tmpdir(), "wspush-js-"));
    page.child = spawn("chromium", [...FLAGS, `--user-data-dir=${page.profile}`], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    });
    page.ended = new Promise((done) => page.child.on("exit", done));
    page.child.stdio[4].setEncoding("utf8");
    let rest = "";
    page.child.stdio[4].on("data", (data) => {
      const messages = (rest + data).split("\0");
      rest = messages.pop();
      for (const { id, result, error } of messages.map((message) => JSON.parse(message))) {
        page.#calls.get(id)?.(error ? { error } : result);
      }
    });
    const { targetId } = await page.#call("Target.createTarget", { url: "about:blank" });
    page.session = (await page.#call("Target.attachToTarget", { targetId, flatten: true })).sessionId;
    await page.load();
    return page;
  }

  #call(method, params) {
    const id = ++this.#id;
    const answer = new Promise((done) => this.#calls.set(id, done));
    this.child.stdio[3].write(JSON.stringify({ id, method, params, sessionId: this.session }) + "\0");
    return answer;
  }

  async #value(expression) {
    const answer = await this.#call("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (answer.error || answer.exceptionDetails) throw new Error(JSON.stringify(answer));
    return answer.result.value;
  }

  value = (expression) => this.#value(expression);

  // Loads the page, anew, or another one, until it is so.
  async load(url = this.url, so = "typeof act == 'function'") {
    await this.#call("Page.navigate", { url });
    const isThere = `location.protocol.startsWith('http') && (${so})`;
    while (!(await this.#value(isThere).catch(() => false))) await new Promise((done) => setTimeout(done, 20));
  }

  version = async () => (await this.#call("Browser.getVersion")).product.split("/")[1];

  async act(action, ...values) {
    return JSON.parse(await this.#value(`act(${JSON.stringify(action)}, ${JSON.stringify(values)})`));
  }

  async close() {
    this.server.close();
    this.server.closeAllConnections();
    await Promise.race([this.#call("Browser.close"), this.ended]);
    await this.ended;
    await rm(this.profile, { recursive: true, force: true });
  }
}
