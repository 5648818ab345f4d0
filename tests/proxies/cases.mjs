// What is to come through a proxy, as it is shown in the book, and as it is met.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

import { createServer } from "node:http";

import { Client, FAST, SECRET, inSeconds, token, until } from "../../js/test/world.js";
import { ask, readers, stream } from "./readers.mjs";
import { FILES, HTTP, shown } from "./proxies.mjs";

const LONG = "x".repeat(100_000);
// A proxy that is to give up soon does so after this time; one that is not, long before its patience is at an end.
const [SOON_S, LATER_S] = [1, 6];
// So many of them in silence are longer than the proxy's patience.
const [HEARTBEAT_MS, HEARTBEATS] = [500, 16];
const NEVER = ["--heartbeat-ms", "3600000", "--pong-wait-ms", "3600000"];
// A poll holds no connection for long, but all others are there, and a WebSocket and a stream by each version of HTTP.
const HELD = 6;

// Those that are subscribed: of the polls these are the ones that wait.
const open = async (daemon) => (await daemon.connections()).filter(({ state }) => state == "open");

const there = (daemon, count) => until(`${count} subscribers`, async () => (await open(daemon)).length == count);

const has = (reader, expected) => until(`${reader.title}: ${expected.length} publications`, () => {
  if (reader.link.isOver) throw new Error(`${reader.title} has ended: ${reader.link.isOver}`);
  return reader.heard.length >= expected.length;
}).then(() => assert.deepEqual(reader.heard, expected, reader.title));

// The client in a page that was loaded from somewhere else, for each transport by itself.
const single = (page, proxy, options) => Promise.all(["ws", "sse", "poll"].map(async (transport) => {
  const client = await Client.open(page, proxy.url, { ...FAST, ...options, transports: [transport] });
  await client.connected(1, transport);
  return Object.assign(client, { transport });
}));

export const cases = {
  async "the book shows what is tested"() {
    const book = await readFile(new URL("../../docs/proxies.md", import.meta.url), "utf8");
    for (const name of Object.keys(FILES)) {
      const text = (await shown(name)).trimEnd();
      assert.ok(book.includes(`\n${text}\n\`\`\`\n`), `docs/proxies.md does not have contrib/proxies/${FILES[name]} word for word`);
    }
  },
};

for (const name of HTTP) {
  Object.assign(cases, {
    async [`${name}: each transport, by HTTP/1.1 and HTTP/2`]({ start }) {
      const daemon = await start();
      const proxy = await start.proxy(name, daemon);
      for (const [version, http] of [["1.1", "1.1"], ["2", "2"]]) {
        const { status, http: spoken, text } = await ask(version, `${proxy.url}/healthz`);
        assert.deepEqual([status, spoken], [200, http], text);
      }
      const all = readers(proxy.url);
      await there(daemon, all.length);
      const expected = [];
      for (const text of ["one", "zwei \u{1f600}", LONG, ...Array.from({ length: 20 }, (_, n) => `burst ${n}`)]) {
        expected.push(text);
        await daemon.ask("POST", "/push", text);
        // What is alone comes as well: nobody waits for more.
        if (!text.startsWith("burst")) await Promise.all(all.map((reader) => has(reader, expected)));
      }
      await Promise.all(all.map((reader) => has(reader, expected)));
      all.forEach((reader) => reader.close());
    },

    async [`${name}: silence longer than its time-out`]({ start }) {
      const daemon = await start(["--heartbeat-ms", `${HEARTBEAT_MS}`]);
      const proxy = await start.proxy(name, daemon, { timeout_s: LATER_S });
      const all = readers(proxy.url);
      await there(daemon, all.length);
      const ids = new Set((await open(daemon)).filter(({ endpoint }) => endpoint != "poll").map(({ id }) => id));
      assert.equal(ids.size, HELD);
      const streams = all.filter(({ name }) => name == "sse" || name == "stream");
      const silent = ({ title, heartbeats, link }) => {
        if (link.isOver) throw new Error(`${title} has ended`);
        return heartbeats >= HEARTBEATS;
      };
      await until("heartbeats", () => streams.every(silent));
      await daemon.ask("POST", "/push", "after it");
      await Promise.all(all.map((reader) => has(reader, ["after it"])));
      const still = (await open(daemon)).filter(({ id }) => ids.has(id));
      assert.equal(still.length, HELD, "they are the same connections");
      all.forEach((reader) => reader.close());
    },

    async [`${name}: cut off, by its time-out or its end, and nothing is lost`]({ start, page }) {
      const daemon = await start(NEVER);
      const proxy = await start.proxy(name, daemon, { timeout_s: SOON_S });
      const clients = await single(page, proxy, { ping: 3_600_000 });
      const expected = [];
      const push = async () => {
        expected.push(`push ${expected.length}`);
        await daemon.ask("POST", "/push", expected.at(-1));
      };
      for (let cut = 1; cut <= 3; cut++) {
        for (let n = 0; n < 5; n++) await push();
        // This one has no time-out.
        if (name == "caddy") {
          await proxy.kill();
          await push();
          await proxy.begin();
        }
        await Promise.all(clients.map((client) => client.connected(cut + 1, client.transport)));
      }
      await push();
      for (const client of clients) assert.deepEqual(await client.data(expected.length), expected, client.transport);
    },

    async [`${name}: more streams in a page than HTTP/1.1 lets it have`]({ start, page }) {
      const daemon = await start();
      const proxy = await start.proxy(name, daemon);
      const options = { transports: ["sse"] };
      const clients = await Promise.all(Array.from({ length: 9 }, () => Client.open(page, proxy.url, options)));
      await Promise.all(clients.map((client) => client.connected(1, "sse")));
      await daemon.ask("POST", "/push", "to all nine");
      for (const client of clients) assert.deepEqual(await client.data(1), ["to all nine"]);
    },

    async [`${name}: it cuts upgrades, and a page shows every push with nothing configured`]({ start, page }) {
      const daemon = await start();
      const proxy = await start.proxy(name, daemon, { way: "cutting" });
      const client = await Client.open(page, proxy.url);
      await client.connected(1, "sse");
      const expected = Array.from({ length: 100 }, (_, n) => `push ${n}`);
      for (const text of expected) await daemon.ask("POST", "/push", text);
      assert.deepEqual(await client.data(expected.length), expected);
      assert.equal(await client.count("ws"), 0);
    },
  });
}

cases["nginx: it cuts upgrades, and the demo's page shows what is pushed"] = async ({ start, page }) => {
  const daemon = await start(["--demo"]);
  const proxy = await start.proxy("nginx", daemon, { way: "cutting" });
  await page.load(`${proxy.url}/`, "document.getElementById('state')?.textContent == 'connected, by SSE'");
  await daemon.ask("POST", "/push", "to all");
  await until("the push", () => page.value("document.querySelector('#feed li span')?.textContent == 'to all'"));
  const name = await page.value("document.getElementById('name').value");
  await daemon.push(`demo.inbox.${name}`, "to one");
  await until("its own", () => page.value("document.querySelector('#inbox li span')?.textContent == 'to one'"));
  await page.load();
};

cases["nginx: it cuts upgrades and holds back streams, and a page polls"] = async ({ start, page }) => {
  const daemon = await start();
  const proxy = await start.proxy("nginx", daemon, { way: "holding" });
  const client = await Client.open(page, proxy.url, { ...FAST, patience: 2_000 });
  await client.connected(1, "poll");
  const expected = Array.from({ length: 20 }, (_, n) => `push ${n}`);
  for (const text of expected) await daemon.ask("POST", "/push", text);
  assert.deepEqual(await client.data(expected.length), expected);
};

// What a client says of itself must not count, in whichever way the proxy says it.
const LIE = ["--header", "X-Forwarded-For: 192.0.2.66"];

for (const [name, way, listen] of [
  ["nginx", "telling"], ["caddy", undefined], ["haproxy", "telling"],
  ["haproxy", "telling first", "proxy://"], ["haproxy", "telling first, in bytes", "proxy://"],
  ["nginx stream", undefined, "proxy://"],
]) {
  cases[`${name}: ${way ?? "telling by itself"}, whose address it is`] = async ({ start }) => {
    const flags = ["--trusted-proxies", "127.0.0.1", "--connections-per-address-max", "2"];
    const daemon = await start([...flags, ...(listen ? ["--listen", `${listen}127.0.0.1:0`] : [])]);
    const proxy = await start.proxy(name, daemon, { way });
    const clients = ["127.0.0.7", "127.0.0.7", "127.0.0.8"].map((address) => stream(address, proxy.url, ...LIE));
    await there(daemon, clients.length);
    const seen = (await daemon.connections()).map(({ peer }) => peer.split(":")[0]).sort();
    assert.deepEqual(seen, ["127.0.0.7", "127.0.0.7", "127.0.0.8"]);
    const more = stream("127.0.0.7", proxy.url, "--fail", ...LIE);
    assert.notEqual(await new Promise((done) => more.on("close", done)), 0, "a third one from there");
    for (const client of clients) client.kill();
  };
}

cases["nginx: it asks the application who may connect"] = async ({ start }) => {
  const application = createServer(({ headers }, answer) => {
    const user = /user=(\w+)/.exec(headers.cookie)?.[1];
    const fields = user ? { "x-token": token({ sub: user, exp: inSeconds(600) }) } : {};
    answer.writeHead(user ? 204 : 401, fields).end();
  });
  await new Promise((done) => application.listen(0, "127.0.0.1", done));
  try {
    const daemon = await start(["--auth", "required", "--auth-secret", SECRET]);
    const where = `127.0.0.1:${application.address().port}`;
    const proxy = await start.proxy("nginx", daemon, { way: "asking", application: where });
    const known = stream("127.0.0.1", proxy.url, "--header", "Cookie: user=ann");
    await there(daemon, 1);
    assert.equal((await daemon.connections())[0].user, "ann");
    const stranger = stream("127.0.0.1", proxy.url, "--fail", "--header", "Authorization: Bearer x");
    // As curl counts: the answer was an error.
    assert.equal(await new Promise((done) => stranger.on("close", done)), 22);
    known.kill();
  } finally {
    application.close();
  }
};
