// Each transport as a client that knows nothing of wspush speaks it: a WebSocket, and curl for all that is HTTP.
import { spawn } from "node:child_process";
import { join } from "node:path";

const CERT = join(process.env.FOLDER, "cert.pem");

const curl = (version, ...values) => {
  const flags = ["--silent", "--show-error", "--no-buffer", "--noproxy", "*", "--cacert", CERT, `--http${version}`];
  const child = spawn("curl", [...flags, ...values], { stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8");
  return child;
};

// One request and its answer; `{ status, version, etag, text }`.
export async function ask(version, url) {
  const child = curl(version, "--include", url);
  let text = "", errors = "";
  child.stdout.on("data", (data) => (text += data));
  child.stderr.on("data", (data) => (errors += data));
  await new Promise((done) => child.on("close", done));
  const [, http, status] = /^HTTP\/(\S+) (\d+)/.exec(text) || [];
  if (!http) throw new Error(`${url}: ${errors}${text}`);
  const [head, ...rest] = text.split("\r\n\r\n");
  return { http, status: +status, etag: /^etag: (\S+)/im.exec(head)?.[1], text: rest.join("\r\n\r\n") };
}

class WebSockets {
  constructor(url, protocols, told) {
    this.socket = new WebSocket(url.replace("http", "ws") + "/ws", protocols);
    this.socket.onmessage = ({ data }) => told(data);
    this.socket.onclose = () => (this.isOver = true);
  }

  close = () => this.socket.close();
}

// A response that does not end, line by line.
class Lines {
  constructor(version, url, told) {
    this.child = curl(version, url);
    let rest = "";
    this.child.stdout.on("data", (data) => {
      const lines = (rest + data).split("\n");
      rest = lines.pop();
      // What comes without an end of its line is a heartbeat of `/stream`.
      if (/^ +$/.test(rest)) told(rest);
      lines.forEach(told);
    });
    this.child.on("exit", () => (this.isOver = true));
  }

  close = () => this.child.kill();
}

// A stream for a client at this address.
export const stream = (address, url, ...values) => curl("1.1", "--interface", address, ...values, `${url}/sse`);

// One poll after the other.
class Polls {
  constructor(version, url, told) {
    const next = async (since) => {
      const { status, etag, text } = await ask(version, `${url}/poll?timeout=2${since ? `&since=${since}` : ""}`);
      if (this.isClosed) return;
      if (status != 200 && status != 204) return (this.isOver = true);
      for (const line of text.split("\n").filter(Boolean)) told(line);
      await next(etag.replaceAll('"', ""));
    };
    next().catch((error) => (this.isOver = error));
  }

  close = () => (this.isClosed = true);
}

// What a line says: a publication's text, or null.
const envelope = (line) => JSON.parse(line).data ?? null;

const KINDS = {
  ws: (url, _, told) => new WebSockets(url, [], told),
  v1: (url, _, told) => new WebSockets(url, ["wspush.v1"], (line) => told(envelope(line))),
  sse: (url, version, told) => new Lines(version, `${url}/sse`, (line) => {
    told(line.startsWith("data: ") ? line.slice(6) : null, line == ":");
  }),
  stream: (url, version, told) => new Lines(version, `${url}/stream`, (line) => {
    told(line.trim() ? envelope(line) : null, !line.trim());
  }),
  poll: (url, version, told) => new Polls(version, url, (line) => told(envelope(line))),
};

// All transports through a proxy by a version of HTTP: 1.1 or 2. A WebSocket is asked for by HTTP/1.1.
export const readers = (url, versions = ["1.1", "2"]) => versions.flatMap((version) => {
  const names = Object.keys(KINDS).filter((name) => version == "1.1" || !["ws", "v1"].includes(name));
  return names.map((name) => {
    const reader = { title: `${name} by HTTP/${version}`, heard: [], heartbeats: 0 };
    const told = (data, isHeartbeat) => {
      if (data != null) reader.heard.push(data);
      if (isHeartbeat) reader.heartbeats++;
    };
    const link = KINDS[name](url, version, told);
    return Object.assign(reader, { name, link, close: () => link.close() });
  });
});
