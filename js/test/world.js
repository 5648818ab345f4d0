// The daemon, and a network that tests can break.
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import net from "node:net";

const PATIENCE_MS = 60_000;
const PROGRAM = process.env.WSPUSHD;

export const SECRET = "a-secret-of-the-tests-of-32-bytes-or-more";

export const inSeconds = (seconds) => Math.floor(Date.now() / 1000) + seconds;

export function token(claims) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  return `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`;
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// Waits until something is so; its value.
export async function until(title, so) {
  const begun = Date.now();
  for (;;) {
    const value = await so();
    if (value) return value;
    if (Date.now() - begun > PATIENCE_MS) throw new Error(`waited in vain for ${title}`);
    await pause(10);
  }
}

export class Daemon {
  // Starts one on free ports, or on those of one that was there before.
  static async start(flags = [], before) {
    const daemon = new Daemon();
    const [listen, admin] = before ? [before.public, before.admin] : ["127.0.0.1:0", "127.0.0.1:0"];
    const environment = Object.entries(process.env).filter(([name]) => !name.startsWith("WSPUSH_"));
    const where = flags.includes("--listen") ? [] : ["--listen", listen];
    daemon.child = spawn(PROGRAM, [...where, "--admin", admin, ...flags], {
      env: Object.fromEntries(environment), stdio: ["ignore", "ignore", "pipe"],
    });
    daemon.ended = new Promise((done) => daemon.child.on("exit", done));
    daemon.log = "";
    daemon.child.stderr.on("data", (data) => (daemon.log += data));
    const address = (door) => {
      if (daemon.child.exitCode != null) throw new Error(`the daemon has ended: ${daemon.log}`);
      const line = daemon.log.split("\n").find((line) => line.includes("event=listening") && line.includes(`door=${door}`));
      return /address="?([\d.:]+)/.exec(line)?.[1];
    };
    daemon.public = await until("the public listener", () => address("public"));
    daemon.admin = await until("the admin listener", () => address("admin"));
    return daemon;
  }

  // Ends it in good order.
  async stop() {
    this.child.kill("SIGTERM");
    await this.ended;
  }

  kill() {
    this.child.kill("SIGKILL");
    return this.ended;
  }

  async ask(method, target, body) {
    const answer = await fetch(`http://${this.admin}${target}`, {
      method, body, headers: { "content-type": typeof body == "string" ? "text/plain" : "application/octet-stream" },
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${target}: ${answer.status} ${text}`);
    return JSON.parse(text);
  }

  push(channel, body) {
    return this.ask("POST", `/push?channel=${channel}`, body);
  }

  async connections() {
    return (await this.ask("GET", "/connections")).connections;
  }
}

// Stands between clients and a daemon.
export class Proxy {
  mode = "pass"; // for new connections: pass, or refuse
  cuts = false; // every request for an upgrade ends with its connection
  holds = false; // answers of event streams stay here, as with proxies that wait for the end of an answer
  attempts = 0;
  upgrades = 0;
  swallowed = 0; // pieces of what clients have said into the silence
  paths = [];
  #sockets = new Set();

  static async start(daemon) {
    const proxy = new Proxy();
    proxy.daemon = daemon;
    proxy.server = net.createServer((socket) => proxy.#accept(socket));
    await new Promise((done) => proxy.server.listen(0, "127.0.0.1", done));
    proxy.address = `127.0.0.1:${proxy.server.address().port}`;
    return proxy;
  }

  #accept(client) {
    this.attempts++;
    if (this.mode == "refuse") return client.destroy();
    const [host, port] = this.daemon.public.split(":");
    const server = net.connect(+port, host);
    for (const [from, to] of [[client, server], [server, client]]) {
      this.#sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        if (!from.silenced) to.destroy();
      });
      from.on("data", (data) => {
        if (from == client && /^[A-Z]+ \S+ HTTP/.test(data)) {
          this.paths.push(String(data).split(" ", 2)[1]);
          if (/\r\nupgrade: *websocket/i.test(data)) {
            this.upgrades++;
            if (this.cuts) return client.destroy();
          }
          client.isHeld = this.holds && / \/sse/.test(data);
        }
        if (from.silenced) this.swallowed += from == client;
        else if (!to.isHeld) to.write(data);
      });
    }
  }

  // What is connected now hears nothing more, and is not told that; later connections pass.
  silence() {
    for (const socket of this.#sockets) socket.silenced = true;
  }

  break() {
    for (const socket of this.#sockets) socket.destroy();
  }

  stop() {
    this.break();
    this.server.close();
  }
}

// No test waits longer than it must.
export const FAST = { retryMin: 5, retryMax: 50, patience: 5000 };

let count = 0;

// A client somewhere.
export class Client {
  static async open(page, address, options = {}) {
    const client = Object.assign(new Client(), { page, name: `client ${++count}` });
    const url = address.includes("://") ? address : `http://${address}`;
    await page.act("connect", client.name, url, options);
    return client;
  }

  log = () => this.page.act("log", this.name);
  state = () => this.page.act("state", this.name);
  call = (method, ...values) => this.page.act("call", this.name, method, ...values);

  until(title, so) {
    return until(title, async () => so(await this.log())).catch(async (error) => {
      throw Object.assign(error, { stack: `${error.stack}\n${JSON.stringify(await this.log())}` });
    });
  }

  // Waits for so many publications: what they say. More of them would be seen as well.
  async data(count) {
    const data = (log) => log.filter(([name]) => name == "*").map(([, value]) => value);
    await this.until(`${count} publications`, (log) => data(log).length >= count);
    return data(await this.log());
  }

  // How often it has come to this state.
  count = async (state) => (await this.log()).filter(([name, value]) => name == "@state" && value == state).length;

  // Waits until it is connected for the first time, or for another.
  connected = (times = 1, state = "ws") => until(`connection ${times}`, async () => (await this.count(state)) >= times);
}
