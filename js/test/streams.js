// Where no WebSocket comes through.
import assert from "node:assert/strict";
import { join } from "node:path";

import { Client, FAST, SECRET, inSeconds, token, until } from "./world.js";

// Polling may be the first to find the network whole again.
const STREAMS = { ...FAST, transports: ["ws", "sse"] };

// A network in which every request for an upgrade is cut off.
async function cutting(start, flags) {
  const { daemon, proxy } = await start(flags);
  proxy.cuts = true;
  return { daemon, proxy };
}

export const cases = {
  async "a proxy that cuts upgrades: every push is there, in order, with nothing configured"({ start, page }) {
    const { daemon, proxy } = await cutting(start);
    const client = await Client.open(page, proxy.address);
    await client.connected(1, "sse");
    const expected = Array.from({ length: 100 }, (_, n) => `push ${n}\r\n\u{1f600}`);
    for (const text of expected) await daemon.ask("POST", "/push", text);
    await daemon.ask("POST", "/push", new Uint8Array([255, 0]));
    assert.deepEqual(await client.data(101), [...expected, { bytes: [255, 0] }]);
    const [{ id }] = await daemon.connections();
    await daemon.ask("POST", `/push?conn=${id}`, "to you");
    await client.until("the message", (log) => log.some(([name, value]) => name == "@message" && value == "to you"));
  },

  async "it goes back up when upgrades come through again"({ start, page }) {
    const { daemon, proxy } = await cutting(start);
    const client = await Client.open(page, proxy.address, { channels: ["public.a", "public.b"], upgrade: 20, ...FAST });
    await client.connected(1, "sse");
    const expected = [];
    const push = async (count) => {
      for (let n = 0; n < count; n++) {
        expected.push(`${expected.length}`);
        await daemon.push("public.a", expected.at(-1));
      }
    };
    await push(20);
    await until("a try", () => proxy.upgrades > 2);
    assert.equal(await client.count("sse"), 1, "the stream goes on meanwhile");
    proxy.cuts = false;
    // While it changes over as well.
    while (!(await client.count("ws"))) await push(1);
    await push(20);
    assert.deepEqual(await client.data(expected.length), expected);
    await until("one connection", async () => (await daemon.connections()).length == 1);
    assert.equal((await client.call("publish", "public.a", "x")).error, "forbidden", "by WebSocket, if it were allowed");
  },

  async "a stream resumes behind what it has, and is told what it has missed"({ start, page }) {
    const { daemon, proxy } = await cutting(start, ["--log-publications", "3"]);
    const client = await Client.open(page, proxy.address, { channels: ["public.a", "public.b"], ...STREAMS });
    await client.connected(1, "sse");
    for (const channel of ["public.a", "public.b"]) await daemon.push(channel, `${channel} 1`);
    await client.data(2);
    proxy.mode = "refuse";
    proxy.break();
    await until("it is gone", async () => !(await daemon.connections()).length);
    for (const n of [2, 3, 4, 5, 6]) await daemon.push("public.a", `public.a ${n}`);
    for (const n of [2, 3]) await daemon.push("public.b", `public.b ${n}`);
    proxy.mode = "pass";
    await client.connected(2, "sse");
    await daemon.push("public.a", "public.a 7");
    const said = await client.data(5);
    const of = (channel) => said.filter((text) => text.startsWith(channel));
    assert.deepEqual(of("public.b"), ["public.b 1", "public.b 2", "public.b 3"]);
    assert.deepEqual(of("public.a"), ["public.a 1", "public.a 7"]);
    const missed = (await client.log()).filter(([name]) => name == "@missed").map(([, value]) => value);
    assert.deepEqual(missed.map(({ channel, from, to }) => [channel, from, to]), [["public.a", 2, 6]]);
  },

  async "a stream survives a restart, also before its first event"({ start, page, folder }) {
    const flags = ["--state-file", join(folder, "state")];
    let { daemon, proxy } = await cutting(start, flags);
    for (const channel of ["public.a", "public.b"]) await daemon.push(channel, "before");
    const both = { channels: ["public.a", "public.b"], ...STREAMS };
    const client = await Client.open(page, proxy.address, both);
    await client.connected(1, "sse");
    await until("its positions", async () => Object.keys(await page.act("positions", client.name)).length == 2);
    proxy.mode = "refuse";
    await daemon.stop();
    proxy.daemon = daemon = await start.again(flags, daemon);
    for (const channel of ["public.a", "public.b"]) await daemon.push(channel, channel);
    proxy.mode = "pass";
    assert.deepEqual((await client.data(2)).sort(), ["public.a", "public.b"]);
  },

  async "channels are joined and left by streams, and what needs a WebSocket says so"({ start, page }) {
    const { daemon, proxy } = await cutting(start);
    await daemon.push("public.b", "before");
    const client = await Client.open(page, proxy.address, { channels: ["public.a"], ...STREAMS });
    await client.connected(1, "sse");
    assert.equal((await client.call("subscribe", "public.b", { since: "earliest" })).channel, "public.b");
    assert.deepEqual(await client.call("subscribe", "secret"), { error: "forbidden" });
    await client.connected(3, "sse");
    for (const channel of ["public.a", "public.b"]) await daemon.push(channel, channel);
    assert.deepEqual((await client.data(3)).sort(), ["before", "public.a", "public.b"]);
    await client.call("unsubscribe", "public.a");
    await until("one stream", async () => (await daemon.connections()).map(({ channels }) => channels).join() == "public.b");
    await daemon.push("public.a", "not for it");
    await daemon.push("public.b", "for it");
    assert.equal((await client.data(4))[3], "for it");
    for (const [method, ...values] of [["publish", "public.b", "x"], ["history", "public.b"], ["presence", "public.b"]]) {
      assert.deepEqual(await client.call(method, ...values), { error: "unsupported" }, method);
    }
  },

  async "a dead stream is noticed"({ start, page }) {
    const { daemon, proxy } = await cutting(start, ["--heartbeat-ms", "100"]);
    const options = { channels: ["public.a"], ...FAST, ping: 1500, patience: 1500, transports: ["sse"] };
    const client = await Client.open(page, proxy.address, options);
    await client.connected(1, "sse");
    proxy.silence();
    await daemon.push("public.a", "into the silence");
    assert.deepEqual(await client.data(1), ["into the silence"]);
    assert.ok((await client.log()).some(([, value, why]) => value == "connecting" && why.reason == "silence"));
  },

  async "a stream shows its token, and asks for another when it has expired"({ start, page }) {
    // With a token in the request a page of another origin has to be named.
    const { daemon, proxy } = await cutting(start, ["--auth", "required", "--auth-secret", SECRET, "--origins", "*"]);
    const [old, good] = [{ exp: inSeconds(-60) }, {}].map((claims) => token({ sub: "ann", channels: ["inbox"], ...claims }));
    const client = await Client.open(page, proxy.address, { tokens: [old, good], channels: ["inbox"], ...STREAMS });
    await client.connected(1, "sse");
    assert.equal(await page.act("shown", client.name), 2);
    assert.ok(proxy.paths.every((path) => !path.includes(good)), "no address has it");
    await daemon.push("inbox", "for ann");
    assert.deepEqual(await client.data(1), ["for ann"]);
    const fixed = await Client.open(page, proxy.address, { token: old, ...STREAMS });
    await fixed.until("it gives up", () => fixed.state().then((state) => state == "closed"));
  },

  async "parameters of the address go with every request"({ start, page }) {
    const flags = ["--auth", "required", "--auth-secret", SECRET, "--origins", "*"];
    const { daemon, proxy } = await start(flags);
    const address = `${proxy.address}/?token=${token({ sub: "ann", allow: ["room"] })}`;
    for (const transport of ["ws", "sse", "poll"]) {
      const client = await Client.open(page, address, { channels: ["broadcast", "room"], ...FAST, transports: [transport] });
      await client.connected(1, transport);
      for (const [channel, text] of [["broadcast", "to all"], ["room", "to the room"]]) await daemon.push(channel, text);
      assert.deepEqual((await client.data(2)).sort(), ["to all", "to the room"], transport);
    }
  },

  async "where not even a stream comes through, it polls, and goes up again"({ start, page }) {
    const { daemon, proxy } = await cutting(start, ["--log-publications", "3"]);
    proxy.holds = true;
    for (const channel of ["public.a", "public.b"]) await daemon.push(channel, "before");
    const options = { channels: ["public.a", "public.b"], upgrade: 50, ...FAST, patience: 2000 };
    const client = await Client.open(page, proxy.address, options);
    await client.connected(1, "poll");
    const expected = [];
    const push = async (count) => {
      for (let n = 0; n < count; n++) {
        expected.push(`${expected.length}`);
        await daemon.push("public.a", expected.at(-1));
        await client.data(expected.length);
      }
    };
    await push(10);
    await daemon.push("public.b", new Uint8Array([255]));
    expected.push({ bytes: [255] });
    assert.deepEqual(await client.data(expected.length), expected);
    assert.deepEqual(await client.call("publish", "public.a", "x"), { error: "unsupported" });
    proxy.mode = "refuse";
    proxy.break();
    await until("it is gone", async () => !(await daemon.connections()).length);
    for (const text of ["a", "b", "c", "d", "e"]) await daemon.push("public.a", text);
    proxy.mode = "pass";
    await client.until("what is gone", (log) => log.some(([name, value]) => name == "@missed" && value.to == 16));
    proxy.holds = false;
    await client.connected(1, "sse");
    await push(10);
    proxy.cuts = false;
    await client.connected(1, "ws");
    await push(10);
    assert.deepEqual(await client.data(expected.length), expected);
  },
};
