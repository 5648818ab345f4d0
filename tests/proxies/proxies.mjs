// The proxies, with the configurations that the book shows: only addresses, certificates and times are put in their place.
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";

import { until } from "../../js/test/world.js";

const FOLDER = process.env.FOLDER;
const CERT = join(FOLDER, "cert.pem");
const KEY = join(FOLDER, "key.pem");
const CONTRIB = new URL("../../contrib/proxies/", import.meta.url);
// Where Debian has it.
const STREAM = "/usr/lib/nginx/modules/ngx_stream_module.so";
// Where nobody's outgoing connections are.
const [PORT_MIN, PORT_MAX] = [10_000, 32_000];

// Those that speak HTTP, and one that passes bytes on.
export const HTTP = ["nginx", "haproxy", "caddy"];
export const FILES = {
  nginx: "nginx.conf", haproxy: "haproxy.cfg", caddy: "Caddyfile", "nginx stream": "nginx-stream.conf",
};
export const shown = (name) => readFile(new URL(FILES[name], CONTRIB), "utf8");

// A text with others in place of what is there.
function replaced(text, replacements) {
  for (const [old, by] of replacements) {
    if (!text.includes(old)) throw new Error(`the configuration has no ${JSON.stringify(old)} any more`);
    text = text.replaceAll(old, by);
  }
  return text;
}

const BOOK = await readFile(new URL("../../docs/proxies.md", import.meta.url), "utf8");
const ASKING = /# Beside `location \/`, which becomes:\n([^]*?)```/.exec(BOOK)[1];

// What every configuration of nginx begins with, so that it keeps to one folder.
const nginxOf = (folder) => `daemon off;
user root;
worker_processes 1;
pid ${folder}/pid;
error_log ${folder}/log notice;
events { worker_connections 512; }
`;

const KINDS = {
  nginx: {
    // What is not said there is by default; the time-out for a silent server is 60 s.
    outside: (folder, text, timeout_s) => `${nginxOf(folder)}http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`).join("\n  ")}
  proxy_read_timeout ${timeout_s}s;
  ${text}
}
`,
    inside: ({ port, daemon }) => [
      ["listen 443", `listen 127.0.0.1:${port}`], ["server 127.0.0.1:8080", `server ${daemon.public}`],
      ["/etc/ssl/push.example.pem", CERT], ["/etc/ssl/push.example.key", KEY],
    ],
    cutting: [
      // All that a first attempt has, and what most examples show: no word of upgrades, HTTP/1.0 to the server.
      [/proxy_http_version[^]*?(?=\n    }\n)/, ""],
    ],
    telling: [[/(?=        proxy_set_header Host)/, "        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n"]],
    // As the book has it; `application` is the test's own.
    asking: [[/    location \/ \{[^]*?\n    \}\n/, ASKING]],
    holding: [[/proxy_http_version[^]*?(?=\n    }\n)/, "proxy_ignore_headers X-Accel-Buffering;"]],
    command: (folder) => ["nginx", "-p", folder, "-e", join(folder, "log"), "-c", join(folder, "nginx.conf")],
  },
  haproxy: {
    outside: (folder, text, timeout_s) => `global\n    maxconn 512\n\n${text.replaceAll("60s", `${timeout_s}s`)}`,
    inside: ({ port, daemon }) => [
      ["bind :443", `bind 127.0.0.1:${port}`], ["127.0.0.1:8080", daemon.public],
      ["/etc/ssl/push.example.pem", join(FOLDER, "both.pem")],
    ],
    telling: [[/(?=\nbackend wspush)/, "    option forwardfor\n"]],
    "telling first": [[/ check$/m, " check send-proxy"]],
    "telling first, in bytes": [[/ check$/m, " check send-proxy-v2"]],
    cutting: [[/(?=    default_backend)/, "    http-request deny if { hdr(upgrade) -m found }\n"]],
    command: (folder) => ["haproxy", "-db", "-f", join(folder, "haproxy.cfg")],
  },
  "nginx stream": {
    outside: (folder, text) => `load_module ${STREAM};
${nginxOf(folder)}stream {
  ${text}
}
`,
    inside: ({ port, daemon }) => [
      ["listen 443", `listen 127.0.0.1:${port}`], ["server 127.0.0.1:8090", `server ${daemon.public}`],
      ["/etc/ssl/push.example.pem", CERT], ["/etc/ssl/push.example.key", KEY],
    ],
    command: (folder) => ["nginx", "-p", folder, "-e", join(folder, "log"), "-c", join(folder, "nginx-stream.conf")],
  },
  caddy: {
    outside: (folder, text) => `{\n    admin off\n    auto_https off\n}\n${text}`,
    inside: ({ port, daemon }) => [
      ["push.example {", `https://127.0.0.1:${port} {\n    tls ${CERT} ${KEY}\n`], ["127.0.0.1:8080", daemon.public],
    ],
    cutting: [[/(?=    reverse_proxy)/, "    @upgrade header Upgrade *\n    respond @upgrade 403\n"]],
    command: (folder) => ["caddy", "run", "--adapter", "caddyfile", "--config", join(folder, "Caddyfile")],
  },
};

const isFree = (port) => new Promise((done) => {
  const server = net.createServer().on("error", () => done(false));
  server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
});

const answers = (port) => new Promise((done) => {
  const socket = net.connect(port, "127.0.0.1", () => done(true) || socket.destroy());
  socket.on("error", () => done(false));
});

export class Proxy {
  // Starts one in front of a daemon. `way` is a list of changes to the configuration that the kind has.
  static async start(name, daemon, { way, timeout_s = 60, application } = {}) {
    const proxy = Object.assign(new Proxy(), { name, daemon, way, timeout_s });
    proxy.folder = await mkdtemp(join(FOLDER, `${name.replace(" ", "-")}-`));
    proxy.text = await shown(name);
    for (const [old, by] of (way && KINDS[name][way]) || []) {
      if (!old.test(proxy.text)) throw new Error(`${name}: there is no ${old}`);
      proxy.text = proxy.text.replace(old, by);
    }
    do proxy.port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN)); while (!(await isFree(proxy.port)));
    proxy.url = `https://127.0.0.1:${proxy.port}`;
    const { inside, outside } = KINDS[name];
    const own = application ? [["http://application", `http://${application}`]] : [];
    const text = outside(proxy.folder, replaced(proxy.text, [...inside(proxy), ...own]), timeout_s);
    await writeFile(join(proxy.folder, FILES[name]), text);
    await proxy.begin();
    return proxy;
  }

  async begin() {
    const [program, ...values] = KINDS[this.name].command(this.folder);
    const home = join(this.folder, "home");
    await mkdir(home, { recursive: true });
    const env = { PATH: process.env.PATH, HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home };
    this.child = spawn(program, values, { env, stdio: ["ignore", "pipe", "pipe"] });
    this.log = "";
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on("data", (data) => (this.log += data));
    this.ended = new Promise((done) => this.child.on("exit", done));
    await until(`${this.name}`, () => {
      if (this.child.exitCode != null) throw new Error(`${this.name} has ended: ${this.log}`);
      return answers(this.port);
    });
  }

  // Ends it in the middle of everything.
  async kill() {
    // Told to end, this one waits for its clients, and the others have workers.
    this.child.kill(this.name == "caddy" ? "SIGKILL" : "SIGTERM");
    await this.ended;
  }
}
