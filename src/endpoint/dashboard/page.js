const $ = (id) => document.getElementById(id);
const POINTS = 120; // two minutes
const PAGE = 25;

let token = sessionStorage.getItem("wspush-key") ?? "";

// What the server answers: {status, body}; body is JSON, or null.
async function ask(method, path, body) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (body !== undefined) headers["Content-Type"] = "text/plain; charset=utf-8";
  const response = await fetch(path, { method, headers, body, cache: "no-store" });
  const text = await response.text();
  try {
    return { status: response.status, body: JSON.parse(text) };
  } catch {
    return { status: response.status, body: null };
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
const TILES = [
  ["Connections", (now) => now.connections, count, (now) => by(now.transports) || room(now)],
  ["Publications a second", rate(publications), count, sinceStart(publications, count)],
  ["Deliveries a second", rate(deliveries), count, sinceStart(deliveries, count)],
  ["Sent a second", rate(sent), bytes, sinceStart(sent, bytes)],
  ["Lagging", (now) => now.blocked, count, () => "their sockets are full"],
  ["Slow consumers a second", rate(slow), count,
    ({ counters }) => `${count(counters.closed.slow_consumer)} closed, ${count(counters.slow_skipped)} moved`],
  ["Newcomers a second", rate((counters) => counters.accepted), count,
    (now) => `${count(now.handshaking)} on their way, ${count(sum(now.counters.handshakes_refused))} refused so far`],
  ["Memory", (now) => now.memory.rss_bytes, bytes, ({ memory }) =>
    `${bytes(memory.slots_bytes)} slots, ${bytes(memory.log_bytes)} logs, ${bytes(memory.backlog_bytes)} backlog`],
];

function plot(values) {
  const top = Math.max(...values, 1e-9);
  const line = values.map((value, n) => `${(POINTS - values.length + n).toFixed(1)},${(40 - 38 * value / top).toFixed(1)}`);
  return `M${POINTS - values.length},40L${line.join("L")}L${POINTS - 1},40Z`;
}

const tiles = TILES.map(([name]) => {
  const tile = document.createElement("div");
  tile.className = "tile";
  tile.innerHTML = "<h2></h2><b></b>"
    + `<svg viewBox="0 0 ${POINTS - 1} 41" preserveAspectRatio="none" aria-hidden="true"><path/></svg><p></p>`;
  tile.querySelector("h2").textContent = name;
  $("tiles").append(tile);
  return { value: tile.querySelector("b"), path: tile.querySelector("path"), line: tile.querySelector("p"), values: [] };
});

let last = null;
function show(now) {
  const seconds = last && now.uptime_ms > last.uptime_ms ? (now.uptime_ms - last.uptime_ms) / 1000 : 0;
  TILES.forEach(([, value, shown, line], n) => {
    const { values } = tiles[n];
    // A rate needs two answers.
    if (seconds || value.length === 1) {
      values.push(value(now, last, seconds));
      if (values.length > POINTS) values.shift();
      tiles[n].value.textContent = shown(values.at(-1));
      tiles[n].path.setAttribute("d", plot(values));
    }
    tiles[n].line.textContent = line(now);
  });
  last = now;
  $("facts").textContent = `${now.version}, up ${span(now.uptime_ms)}, ${count(now.channels)} channels`;
  $("state").textContent = now.draining ? "draining" : "serving";
  $("state").className = now.draining ? "wait" : "good";
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
      if (turns++ % 3 === 0) await lists();
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
