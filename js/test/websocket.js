// By WebSocket.
import assert from "node:assert/strict";
import { join } from "node:path";

import { Client, FAST, SECRET, inSeconds, token, until } from "./world.js";

// A transport further down may be the first to find the network whole again.
const ALONE = { ...FAST, transports: ["ws"] };

export const cases = {
  async "publications come in order, as text or bytes, and to their listeners"({ start, page }) {
    const { daemon } = await start();
    const client = await Client.open(page, daemon.public, { channels: ["broadcast", "public.a"], listen: ["public.a"] });
    await client.until("it is open", (log) => log.some(([name, value]) => name == "@state" && value == "ws"));
    for (const text of ["one", "{\"two\": 2}\n", "dr\u00e4i"]) await daemon.push("public.a", text);
    await daemon.push("public.a", new Uint8Array([0, 255, 13, 10]));
    await daemon.ask("POST", "/push", "to all");
    await client.data(5);
    const log = await client.log();
    const said = (event) => log.filter(([name]) => name == event).map(([, value]) => value);
    assert.deepEqual(said("public.a"), ["one", "{\"two\": 2}\n", "dr\u00e4i", { bytes: [0, 255, 13, 10] }]);
    assert.deepEqual(said("*").filter((value) => value != "to all"), said("public.a"));
    const more = log.filter(([name]) => name == "public.a").map(([, , publication]) => publication);
    assert.deepEqual(more.map(({ channel, offset }) => [channel, offset]), [1, 2, 3, 4].map((offset) => ["public.a", offset]));
    assert.equal((await page.act("positions", client.name))["public.a"], `${more[3].epoch}.4`);
    const [{ id }] = await daemon.connections();
    await daemon.ask("POST", `/push?conn=${id}`, "to you");
    await client.until("the message", (log) => log.some(([name, value]) => name == "@message" && value == "to you"));
  },

  async "a listener that fails stops nobody, and one can be taken off"({ start, page }) {
    const { daemon } = await start();
    const client = await Client.open(page, daemon.public, { channels: ["public.a"] });
    await client.connected();
    await page.act("mishaps", client.name, "public.a");
    for (const text of ["one", "two"]) await daemon.push("public.a", text);
    assert.deepEqual(await client.data(2), ["one", "two"]);
    const names = (await client.log()).map(([name]) => name);
    assert.equal(names.filter((name) => name == "once").length, 1);
    await client.until("both calls", (log) => log.filter(([name]) => name == "still").length == 2);
  },

  async "channels are joined and left"({ start, page }) {
    const { daemon } = await start();
    await daemon.push("public.b", "before");
    const client = await Client.open(page, daemon.public, { channels: [] });
    // It waits for the connection.
    const joined = await client.call("subscribe", "public.b", { since: "earliest" });
    assert.equal(joined.channel, "public.b");
    assert.deepEqual(await client.data(1), ["before"]);
    assert.equal((await client.call("subscribe", "public.c")).offset, 0);
    assert.deepEqual(await client.call("subscribe", "public.c"), { error: "already_subscribed" });
    assert.deepEqual(await client.call("subscribe", "secret"), { error: "forbidden" });
    assert.deepEqual(await client.call("subscribe", "no name"), { error: "bad_request" });
    await daemon.ask("POST", "/push", "not for this one");
    await daemon.push("public.c", "c");
    await client.data(2);
    assert.equal(await client.call("unsubscribe", "public.b"), null);
    await daemon.push("public.b", "not for it any more");
    await daemon.push("public.c", "c again");
    assert.deepEqual(await client.data(3), ["before", "c", "c again"]);
    // Again at once, and from the head.
    const both = [client.call("unsubscribe", "public.c"), client.call("subscribe", "public.c")];
    assert.equal((await Promise.all(both))[1].offset, 2);
    await daemon.push("public.c", "c once more");
    assert.deepEqual((await client.data(4))[3], "c once more");
    const [{ id }] = await daemon.connections();
    await daemon.ask("POST", `/connections/${id}/unsubscribe?channel=public.c`);
    await client.until("it is told", (log) => log.some(([name, { channel }]) => name == "@unsubscribed" && channel == "public.c"));
    assert.deepEqual(await page.act("positions", client.name), {});
  },

  async "it publishes, and reads the history"({ start, page }) {
    const { daemon } = await start(["--auth", "required", "--auth-secret", SECRET]);
    const ann = token({ sub: "ann", channels: ["room"], publish: ["room"] });
    const client = await Client.open(page, daemon.public, { channels: [], token: ann });
    const other = await Client.open(page, daemon.public, { channels: [], token: token({ channels: ["room"] }) });
    await other.connected();
    // Commands wait for the connection, and keep their order.
    const published = ["one", "two", { bytes: [255, 0] }].map((data) => client.call("publish", "room", data));
    assert.deepEqual((await Promise.all(published)).map(({ offset }) => offset), [1, 2, 3]);
    assert.deepEqual(await other.data(3), ["one", "two", { bytes: [255, 0] }]);
    assert.deepEqual(await other.call("publish", "room", "x"), { error: "forbidden" });
    assert.deepEqual(await client.call("publish", "elsewhere", "x"), { error: "forbidden" });
    const { offset, publications } = await other.call("history", "room", { since: "last:2" });
    assert.equal(offset, 3);
    assert.deepEqual(publications.map(({ offset, data }) => [offset, data]), [[2, "two"], [3, { bytes: [255, 0] }]]);
    assert.deepEqual(await client.call("history", "room", { since: "rubbish" }), { error: "bad_request" });
    assert.equal((await client.call("presence", "room")).error.length > 0, true);
    await daemon.push("room", "from the server");
    assert.deepEqual(await client.data(1), ["from the server"], "nobody gets its own publications");
  },

  async "a restart loses nothing and doubles nothing"({ start, page, folder }) {
    const flags = ["--state-file", join(folder, "state"), "--auth", "required", "--auth-secret", SECRET];
    let { daemon, proxy } = await start(flags);
    const ann = token({ sub: "ann", channels: ["inbox"], allow: ["room"], publish: ["room"] });
    const client = await Client.open(page, proxy.address, { channels: ["room", "public.a"], token: ann, ...ALONE });
    await client.connected();
    // A channel that nothing was published in is not known afterwards.
    for (const channel of ["room", "inbox", "public.a"]) await daemon.push(channel, "1");
    await client.data(3);
    assert.equal((await client.call("publish", "room", "its own")).offset, 2);
    await daemon.stop();
    proxy.mode = "refuse";
    await client.until("it notices", () => client.state().then((state) => state == "connecting"));
    proxy.daemon = daemon = await start.again(flags, daemon);
    for (const channel of ["room", "inbox", "public.a"]) await daemon.push(channel, `${channel} while it was away`);
    proxy.mode = "pass";
    const said = await client.data(6);
    assert.deepEqual(said.slice(3).sort(), ["inbox while it was away", "public.a while it was away", "room while it was away"]);
    await daemon.push("room", "after");
    assert.equal((await client.data(7))[6], "after");
    assert.deepEqual((await client.log()).filter(([name]) => name == "@missed"), []);
  },

  async "it tries again and again, and is told what it has missed"({ start, page }) {
    const { daemon, proxy } = await start(["--log-publications", "2"]);
    const client = await Client.open(page, proxy.address, { channels: ["public.a"], ...ALONE });
    await client.connected();
    await daemon.push("public.a", "0");
    await client.data(1);
    proxy.mode = "refuse";
    const before = proxy.attempts;
    proxy.break();
    await until("many attempts", () => proxy.attempts - before > 8);
    for (const text of ["1", "2", "3", "4", "5"]) await daemon.push("public.a", text);
    proxy.mode = "pass";
    await client.connected(2);
    await daemon.push("public.a", "6");
    assert.deepEqual(await client.data(2), ["0", "6"]);
    const missed = (await client.log()).filter(([name]) => name == "@missed").map(([, value]) => value);
    assert.deepEqual(missed.map(({ channel, from, to }) => [channel, from, to]), [["public.a", 2, 6]]);
  },

  async "a server that is gone for good is asked less and less often"({ start, page }) {
    const { daemon, proxy } = await start();
    const client = await Client.open(page, proxy.address, { retryMin: 1, retryMax: 1e9, transports: ["ws"] });
    await client.connected();
    proxy.mode = "refuse";
    proxy.break();
    const failed = (log) => log.filter(([name, value]) => name == "@state" && value == "connecting").length;
    await client.until("ten attempts", (log) => failed(log) > 10);
    assert.equal(proxy.upgrades, 1);
    assert.equal((await daemon.connections()).length, 0);
  },

  async "a dead connection is noticed"({ start, page }) {
    const { daemon, proxy } = await start();
    const client = await Client.open(page, proxy.address, { channels: ["public.a"], ping: 200, ...ALONE, patience: 1000 });
    await client.connected();
    proxy.silence();
    await daemon.push("public.a", "into the silence");
    assert.deepEqual(await client.data(1), ["into the silence"]);
    assert.ok((await client.log()).some(([, value, why]) => value == "connecting" && why.reason == "silence"));
  },

  async "a living connection that says nothing is left alone"({ start, page }) {
    const { daemon, proxy } = await start();
    const client = await Client.open(page, proxy.address, { channels: ["public.a"], ping: 20, patience: 60_000 });
    await client.connected();
    await until("some pings", async () => (await daemon.ask("GET", "/stats")).counters.messages_in > 5);
    assert.equal(proxy.upgrades, 1);
    await daemon.push("public.a", "still there");
    assert.deepEqual(await client.data(1), ["still there"]);
  },

  async "a token is shown anew before it expires"({ start, page }) {
    const { daemon } = await start(["--auth", "required", "--auth-secret", SECRET]);
    // It is said 25 s before, and there are 27 to go.
    const tokens = [token({ sub: "ann", exp: inSeconds(27) }), token({ sub: "ann", exp: inSeconds(3600), allow: ["room"] })];
    const client = await Client.open(page, daemon.public, { tokens });
    await client.until("it is told", (log) => log.some(([name]) => name == "@expires"));
    await until("the callback", async () => (await page.act("shown", client.name)) == 2);
    await until("the new token's rights", async () => (await client.call("subscribe", "room")).channel);
    assert.equal(await client.count("ws"), 1);
  },

  async "a refused token is asked for again, if that is possible"({ start, page }) {
    const { daemon } = await start(["--auth", "required", "--auth-secret", SECRET]);
    const [old, good] = [token({ sub: "ann", exp: inSeconds(-60) }), token({ sub: "ann" })];
    const client = await Client.open(page, daemon.public, { tokens: [old, good], ...ALONE });
    await client.connected();
    assert.equal(await page.act("shown", client.name), 2);
    const fixed = await Client.open(page, daemon.public, { token: old, ...ALONE });
    await fixed.until("it gives up", () => fixed.state().then((state) => state == "closed"));
    const [, , why] = (await fixed.log()).find(([, value]) => value == "closed");
    assert.equal(why.code, 4401);
    assert.deepEqual(await fixed.call("publish", "room", "x"), { error: "closed" });
    const [{ id }] = await daemon.connections();
    await daemon.ask("DELETE", `/connections/${id}`);
    await client.connected(2);
  },

  async "a channel that is not allowed keeps the others from nothing"({ start, page }) {
    const { daemon, proxy } = await start();
    const options = { channels: ["public.a", "secret", "public.b"], patience: 60_000 };
    const client = await Client.open(page, proxy.address, options);
    await client.connected();
    await client.until("it is told", (log) => log.some(([name, { channel }]) => name == "@unsubscribed" && channel == "secret"));
    await until("both", async () => Object.keys(await page.act("positions", client.name)).length == 2);
    for (const channel of ["public.a", "public.b"]) await daemon.push(channel, channel);
    assert.deepEqual(await client.data(2), ["public.a", "public.b"]);
    proxy.break();
    await client.connected(2);
    assert.equal(proxy.upgrades, 3, "the next time it knows");
  },

  async "a channel of the host's that a client can't ask for is gone after a while away, and that is said"({ start, page }) {
    const { daemon, proxy } = await start();
    const client = await Client.open(page, proxy.address, { channels: ["public.a"], ...ALONE });
    await client.connected();
    const [{ id }] = await daemon.connections();
    await daemon.ask("POST", `/connections/${id}/subscribe?channel=secret`);
    for (const channel of ["secret", "public.a"]) await daemon.push(channel, "1");
    await client.data(2);
    proxy.mode = "refuse";
    proxy.break();
    await until("it is gone", async () => !(await daemon.connections()).length);
    for (const channel of ["secret", "public.a"]) await daemon.push(channel, "2");
    proxy.mode = "pass";
    await client.connected(2);
    assert.deepEqual(await client.data(3), ["1", "1", "2"]);
    const [{ id: next }] = await daemon.connections();
    await daemon.ask("POST", `/connections/${next}/subscribe?channel=secret`);
    await daemon.push("secret", "3");
    assert.equal((await client.data(4))[3], "3");
    const lost = (await client.log()).filter(([name]) => name == "@unsubscribed").map(([, value]) => value.channel);
    assert.deepEqual(lost, ["secret"]);
  },

  async "a page that is loaded anew goes on where it was"({ start, page }) {
    const { daemon } = await start();
    const options = { channels: ["public.a"], keep: "places", since: "earliest" };
    await daemon.push("public.a", "1");
    const client = await Client.open(page, daemon.public, options);
    assert.deepEqual(await client.data(1), ["1"]);
    await page.load();
    for (const text of ["2", "3"]) await daemon.push("public.a", text);
    const next = await Client.open(page, daemon.public, options);
    assert.deepEqual(await next.data(2), ["2", "3"]);
  },

  async "what waits for an answer is told that there will be none"({ start, page }) {
    const { daemon, proxy } = await start();
    const client = await Client.open(page, proxy.address, ALONE);
    await client.connected();
    proxy.silence();
    const asked = client.call("history", "public.a");
    await until("the question", () => proxy.swallowed);
    proxy.break();
    assert.deepEqual(await asked, { error: "lost" });
    await client.connected(2);
    assert.equal((await client.call("history", "public.a")).offset, 0);
    await client.call("close");
    assert.equal(await client.state(), "closed");
    assert.deepEqual(await client.call("subscribe", "public.a"), { error: "closed" });
    await until("the server knows", async () => !(await daemon.connections()).length);
  },
};
