const $ = (id) => document.getElementById(id);
const POINTS = 120; // two minutes
const PAGE = 25;

let token = sessionStorage.getItem("wspush-key") ?? "";

// What the server answers: {status, body, text}; body is JSON, or null.
async function ask(method, path, body) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (body !== undefined) headers["Content-Type"] = "text/plain; charset=utf-8";
  const response = await fetch(path, { method, headers, body, cache: "no-store" });
  const text = await response.text();
  try {
    return { status: response.status, text, body: JSON.parse(text) };
  } catch {
    return { status: response.status, text, body: null };
  }
}

function say(id, text, bad = false) {
  $(id).textContent = text;
  $(id).classList.toggle("bad", bad);
}

const why = (answer) => answer.body?.error ?? `status ${answer.status}`;

function count(n) {
  for (const [size, letter] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    if (n >= size) return `${(n / (letter === "k" ? 1e3 : size)).toFixed(n >= 100 * size ? 0 : 1)} ${letter}`;
  }
  return n >= 100 || Number.isInteger(n) ? String(Math.round(n)) : n.toFixed(1);
}

function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  for (; n >= 1024 && at < units.length - 1; at++) n /= 1024;
  return `${at && n < 100 ? n.toFixed(1) : Math.round(n)} ${units[at]}`;
}

function span(ms) {
  const s = Math.floor(ms / 1000);
  const parts = [[s / 86400, "d"], [s / 3600 % 24, "h"], [s / 60 % 60, "min"], [s % 60, "s"]].map(([n, u]) => [Math.floor(n), u]);
  const first = parts.findIndex(([n]) => n > 0);
  return first < 0 ? "0 s" : parts.slice(first, first + 2).map(([n, unit]) => `${n} ${unit}`).join(" ");
}

const by = (counts) => Object.entries(counts).filter(([, n]) => n > 0).map(([name, n]) => `${count(n)} ${name}`).join(", ");
const sum = (counts) => Object.values(counts).reduce((all, n) => all + n, 0);

const rate = (counter) => (now, last, s) => (counter(now.counters) - counter(last.counters)) / s;
const sinceStart = (counter, shown) => (now) => `${shown(counter(now.counters))} since the start`;
const most = (limits) =>
  Math.min(limits.max_connections, limits.connections_by_descriptors, limits.connections_by_memory ?? Infinity);
const room = ({ limits }) => `of ${count(most(limits))}`;
const publications = (counters) => counters.publications;
const deliveries = (counters) => counters.deliveries;
const sent = (counters) => counters.send_bytes;
const slow = (counters) => counters.closed.slow_consumer + counters.slow_skipped;
// Each tile: its name, its value of an answer (and the one before, so many seconds ago), how that is shown, and a line.
// A value of several parts is shown as their sum, and drawn part upon part.
const TILES = [
  ["Connections", (now) => Object.values(now.transports), count, (now) => by(now.transports) || room(now)],
  ["Publications a second", rate(publications), count, sinceStart(publications, count)],
  ["Deliveries a second", rate(deliveries), count, sinceStart(deliveries, count)],
  ["Sent a second", rate(sent), bytes, sinceStart(sent, bytes)],
  ["Lagging", (now) => now.blocked, count, () => "their sockets are full"],
  ["Slow consumers a second", rate(slow), count,
    ({ counters }) => `${count(counters.closed.slow_consumer)} closed, ${count(counters.slow_skipped)} moved`],
  ["Newcomers a second", rate((counters) => counters.accepted), count,
    (now) => `${count(now.handshaking)} on their way, ${count(sum(now.counters.handshakes_refused))} refused so far`],
  ["Memory", ({ memory }) => [memory.rss_bytes, memory.kernel_bytes ?? 0], bytes, ({ memory }) =>
    `${bytes(memory.rss_bytes)} ours, ${bytes(memory.kernel_bytes ?? 0)} the kernel's`
      + (memory.bytes_max ? `, of ${bytes(memory.bytes_max)}` : `; ${bytes(memory.log_bytes)} in logs`)],
];

// The outline of the first parts of all values, up to this one.
function plot(values, part) {
  const top = Math.max(...values.map((parts) => sum(parts)), 1e-9);
  const heights = values.map((parts) => 40 - 38 * sum(parts.slice(0, part + 1)) / top);
  const line = heights.map((height, n) => `${(POINTS - values.length + n).toFixed(1)},${height.toFixed(1)}`);
  return `M${POINTS - values.length},40L${line.join("L")}L${POINTS - 1},40Z`;
}

// A tile that draws the last two minutes.
function tile(name, place) {
  const made = document.createElement("div");
  made.className = "tile";
  made.innerHTML = "<h2></h2><b></b>"
    + `<svg viewBox="0 0 ${POINTS - 1} 41" preserveAspectRatio="none" aria-hidden="true"></svg><p></p>`;
  made.querySelector("h2").textContent = name;
  $(place).append(made);
  const [value, svg, line] = ["b", "svg", "p"].map((name) => made.querySelector(name));
  const values = [];
  const add = (found, shown) => {
    const parts = Array.isArray(found) ? found : [found];
    values.push(parts);
    if (values.length > POINTS) values.shift();
    value.textContent = shown(sum(parts));
    while (svg.childElementCount < parts.length) svg.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
    parts.forEach((_, part) => svg.children[part].setAttribute("d", plot(values, part)));
  };
  return { made, line, add };
}

const tiles = TILES.map(([name]) => tile(name, "tiles"));

let last = null;
function show(now) {
  const seconds = last && now.uptime_ms > last.uptime_ms ? (now.uptime_ms - last.uptime_ms) / 1000 : 0;
  TILES.forEach(([, value, shown, line], n) => {
    // A rate needs two answers.
    if (seconds || value.length === 1) tiles[n].add(value(now, last, seconds), shown);
    tiles[n].line.textContent = line(now);
  });
  last = now;
  $("facts").textContent = `${now.version}, up ${span(now.uptime_ms)}, ${count(now.channels)} channels`;
  $("state").textContent = now.draining ? "draining" : "serving";
  $("state").className = now.draining ? "wait" : "good";
}

const connected = (n) => `${count(n)} connection${n === 1 ? "" : "s"}`;

// A tile for each reactor where there are several, and for each node of a cluster: deliveries a second, and a line.
const parts = new Map();
function part(name, deliveries, line) {
  const now = performance.now();
  const known = parts.get(name) ?? { tile: tile(name, "parts") };
  if (deliveries >= known.deliveries) known.tile.add(1000 * (deliveries - known.deliveries) / (now - known.at), count);
  known.tile.line.textContent = line;
  parts.set(name, Object.assign(known, { deliveries, at: now, seen: turns }));
}

// The values of a metric by reactor.
const byReactor = (text, name) =>
  [...text.matchAll(new RegExp(`^${name}{reactor="\\d+"} (\\S+)$`, "gm"))].map(([, value]) => Number(value));

// None: it is not known yet. One reactor is the server, and has no numbers of its own.
const has = {};
async function pieces() {
  if (has.reactors !== false) {
    const { status, text } = await ask("GET", "/metrics");
    if (status !== 200) return;
    const connections = byReactor(text, "wspush_reactor_connections");
    const deliveries = byReactor(text, "wspush_reactor_deliveries_total");
    has.reactors = deliveries.length > 0;
    has.nodes = text.includes("\nwspush_cluster_");
    deliveries.forEach((n, reactor) => part(`Reactor ${reactor}`, n, connected(connections[reactor])));
  }
  if (has.nodes) {
    const { body } = await ask("GET", "/stats?node=*");
    for (const node of body?.nodes ?? []) {
      part(`Node ${node.node}`, node.counters.deliveries, `${connected(node.connections)}, ${bytes(node.memory.rss_bytes)}`);
    }
    for (const name of body?.missing ?? []) {
      const known = parts.get(`Node ${name}`);
      if (known) known.tile.line.textContent = "does not answer", known.seen = turns;
    }
  }
  // A node that has gone is shown no more.
  for (const [name, { tile, seen }] of parts) {
    if (seen === turns) continue;
    tile.made.remove();
    parts.delete(name);
  }
  $("pieces").hidden = !parts.size;
}

function table(id, heads, rows) {
  const row = (cells, kind) => {
    const line = document.createElement("tr");
    for (const [text, isNumber] of cells) {
      const cell = document.createElement(kind);
      if (isNumber) cell.className = "number";
      if (text instanceof Node) cell.append(text);
      else { cell.textContent = text ?? ""; cell.title = text ?? ""; }
      line.append(cell);
    }
    return line;
  };
  const lines = rows.map((cells) => row(cells.map((cell, n) => [cell, heads[n][1]]), "td"));
  $(id).replaceChildren(...lines.length ? [row(heads, "th"), ...lines] : []);
}

function button(text, action) {
  const made = document.createElement("button");
  made.className = "grave";
  made.textContent = text;
  made.onclick = action;
  return made;
}

async function close(conn) {
  const answer = await ask("DELETE", `/connections/${conn}`);
  say("connections-said", answer.status === 200 ? `${conn} is told to go` : why(answer), answer.status !== 200);
}

const CONNECTION = [["connection"], ["by"], ["state"], ["from"], ["user"], ["channels"], ["lag", true], [""]];
const connection = (c) => [
  c.id, c.endpoint, c.state, c.peer ?? "", c.user ?? "", c.channels.join(", "), bytes(c.lag_bytes + c.outbox_bytes),
  button("Close", () => close(c.id)),
];

async function lists() {
  const prefix = $("prefix").value;
  const named = prefix ? `&prefix=${encodeURIComponent(prefix)}` : "";
  const channels = await ask("GET", `/channels?limit=${PAGE}${named}`);
  if (channels.status === 200) {
    const heads = [["channel"], ["subscribers", true], ["members", true], ["newest", true], ["kept", true], ["bytes", true]];
    const kept = (c) => (c.offset ? c.offset - c.first + 1 : 0);
    table("channels", heads, channels.body.channels.map((c) =>
      [c.channel, count(c.subscribers), count(c.members), c.offset, count(kept(c)), bytes(c.bytes)]));
    say("channels-said", channels.body.next === null ? "" : `the first ${PAGE}; there are more`);
  } else {
    table("channels", [], []);
    say("channels-said", why(channels), true);
  }
  const connections = await ask("GET", `/connections?limit=${PAGE}`);
  if (connections.status === 200) {
    table("connections", CONNECTION, connections.body.connections.map(connection));
    if (connections.body.next !== null) say("connections-said", `${PAGE} of them`);
  } else {
    table("connections", [], []);
    say("connections-said", why(connections), true);
  }
}

let following = 0;
async function follow(receipt) {
  const own = ++following;
  $("receipt").hidden = false;
  for (let quiet = 0; quiet < 20 && own === following; quiet++) {
    const { status, body } = await ask("GET", `/stats?receipt=${receipt}`);
    if (status !== 200) return;
    const done = body.written + body.skipped + body.gone;
    $("written").style.width = `${body.recipients ? 100 * done / body.recipients : 100}%`;
    const times = body.first_us === null ? "" : `; first after ${body.first_us} us, last ${body.last_us} us`;
    say("push-said", `offset ${body.offset}: ${body.written} of ${body.recipients} written, ${body.lagging} lagging, `
      + `${body.skipped} skipped, ${body.gone} gone${times}`);
    if (done >= body.recipients) return;
    await new Promise((soon) => setTimeout(soon, 250));
  }
}

$("kind").onchange = () => {
  $("target").disabled = !$("kind").value;
  $("target").required = Boolean($("kind").value);
};

$("push").onsubmit = async (event) => {
  event.preventDefault();
  const kind = $("kind").value;
  const to = kind ? `?${kind}=${encodeURIComponent($("target").value)}` : "";
  const answer = await ask("POST", `/push${to}`, $("message").value);
  $("receipt").hidden = true;
  if (answer.status !== 200) return say("push-said", why(answer), true);
  $("message").value = "";
  if (answer.body.receipt !== undefined) return follow(answer.body.receipt);
  say("push-said", `sent to ${answer.body.recipients} connections`);
};

$("look").onsubmit = async (event) => {
  event.preventDefault();
  const wanted = $("conn").value.trim();
  if (!wanted) return;
  table("one", [], []);
  if (/^\d+$/.test(wanted)) {
    // They are listed in the order of their slots, the lower half of an id: behind the slot before comes this one.
    const before = BigInt(wanted) & 0xffffffffn ? `&after=${BigInt(wanted) - 1n}` : "";
    const answer = await ask("GET", `/connections?limit=1${before}`);
    const found = answer.body?.connections?.find((c) => c.id === wanted);
    if (found) table("one", CONNECTION, [connection(found)]);
    return say("look-said", answer.status !== 200 ? why(answer) : found ? "" : "no such connection", !found);
  }
  const answer = await ask("GET", `/connections?limit=${PAGE}&user=${encodeURIComponent(wanted)}`);
  if (answer.status !== 200) return say("look-said", why(answer), true);
  table("one", CONNECTION, answer.body.connections.map(connection));
  say("look-said", answer.body.connections.length ? "" : `${wanted} is away`);
};

$("drain").onclick = async () => {
  if (!confirm("Drain this server? Everybody is told to go, and the process ends.")) return;
  const answer = await ask("POST", "/drain", "");
  say("drain-said", answer.status === 200 ? "It drains." : why(answer), answer.status !== 200);
};

$("filter").onsubmit = (event) => event.preventDefault();
$("prefix").oninput = lists;

$("key").onsubmit = (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  sessionStorage.setItem("wspush-key", token);
  turn();
};

let timer = 0;
let turns = 0;
async function turn() {
  clearTimeout(timer);
  try {
    const answer = await ask("GET", "/stats");
    const isIn = answer.status === 200;
    $("inside").hidden = !isIn;
    $("door").hidden = isIn;
    if (isIn) {
      show(answer.body);
      if (turns++ % 3 === 0) await Promise.all([lists(), pieces()]);
    } else {
      $("state").textContent = "locked";
      $("state").className = "wait";
      if (token) say("key-said", why(answer), true);
      return;
    }
  } catch {
    $("state").textContent = "not reached";
    $("state").className = "bad";
  }
  timer = setTimeout(turn, document.hidden ? 5000 : 1000);
}
turn();
