// Lets clients of others read event streams: node main.mjs, with WSPUSHD and INTEROP_PYTHON in the environment.
//
// All of them do the same at the same time, each through a network of its own that can be cut. The last line counts.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Daemon, Proxy, until } from "../../../js/test/world.js";
import { start } from "./clients.mjs";

const KEPT = 32;
const COLUMNS = ["in order", "resumes", "too old", "several channels", "restart", "stops"];
// Refusals that come again: for them a client is to give up.
const FINAL = ["/sse?nonsense=1", "/sse?token=none", "/sse?channel=secret"];
// One more, which scripts of another origin can't tell from a network that is broken: they go on trying.
const NOT_FOUND = "/nothing";
// It shows no id that comes without data, so it does not know where it is in several channels.
const OF_ONE_CHANNEL = ["PyPI `sseclient-py`"];
const TEXTS = ["one", "two\nlines\n", " a blank", "id: 7\n\nretry: 1", ": no comment", "gr\u00fc\u00dfe \u{1f600}"];
TEXTS.push("x".repeat(70_000));

const { clients, end } = await start();
const folder = await mkdtemp(join(tmpdir(), "wspush-streams-"));
const flags = ["--state-file", join(folder, "state"), "--log-publications", `${KEPT}`];
flags.push("--auth", "optional", "--auth-secret", "a-secret-of-the-tests-of-32-bytes-or-more", "--origins", "*");
let daemon = await Daemon.start(flags);

const all = [];
for (const [title, client] of Object.entries(clients)) {
  const results = Object.fromEntries(COLUMNS.map((column) => [column, []]));
  all.push({ title, client, results, proxy: await Proxy.start(daemon) });
}
const open = (target, those) => Promise.all(those.map(({ client, proxy }) => client.open(`http://${proxy.address}${target}`)));

// Waits until everybody has heard so many of a kind; one check for each of what they are, and one that nobody has waited in vain.
async function heard(column, count, wanted, those, type = "message") {
  await Promise.all(those.map(async ({ title, client, results }) => {
    const of = async () => (await client.log()).filter((said) => said.type == type);
    await until(`${count} of ${type}`, async () => (await of()).length >= count).catch(() => {});
    const got = (await of()).map(({ data }) => data);
    const good = wanted(got);
    results[column].push(good);
    if (!good) console.log(`${title}, ${column}: ${JSON.stringify(await client.log()).slice(-2000)}`);
  }));
}

const same = (expected) => (got) => JSON.stringify(got) == JSON.stringify(expected);
const push = (text, channel = "public.a") => daemon.push(channel, text);
const gone = () => until("nobody", async () => !(await daemon.connections()).length);
const there = (count) => until(`${count} of them`, async () => (await daemon.connections()).length == count);

// Cuts everybody off while something is done.
async function away(work) {
  for (const { proxy } of all) {
    proxy.mode = "refuse";
    proxy.break();
  }
  await gone();
  await work();
  for (const { proxy } of all) proxy.mode = "pass";
}

async function oneChannel() {
  await open("/sse?broadcast=no&channel=public.a", all);
  await there(all.length);
  const expected = [...TEXTS];
  for (const text of expected) await push(text);
  await heard("in order", expected.length, same(expected), all);
  await away(async () => {
    for (const text of ["away 1", "away 2", "away 3"]) expected.push(text) && await push(text);
  });
  await heard("resumes", expected.length, same(expected), all);
  const before = (await daemon.ask("GET", "/channels/public.a")).offset;
  await away(async () => {
    for (let n = 0; n <= KEPT; n++) await push("nobody gets this");
  });
  const gap = { from: before + 1, to: before + KEPT + 1 };
  const told = ([data, more]) => !more && ["from", "to"].every((end) => JSON.parse(data)[end] == gap[end]);
  await heard("too old", 1, told, all, "wspush.missed");
  expected.push("after the gap");
  await push("after the gap");
  await heard("too old", expected.length, same(expected), all);
  // What was published before and after the restart, while nobody could hear it.
  for (const { proxy } of all) proxy.mode = "refuse";
  await daemon.stop();
  daemon = await Daemon.start(flags, daemon);
  for (const text of ["a new life", "goes on"]) expected.push(text) && await push(text);
  for (const { proxy } of all) Object.assign(proxy, { daemon, mode: "pass" });
  await heard("restart", expected.length, same(expected), all);
  await Promise.all(all.map(({ client }) => client.close()));
  await gone();
}

async function severalChannels() {
  const those = all.filter(({ title }) => !OF_ONE_CHANNEL.includes(title));
  await open("/sse?broadcast=no&channel=public.a&channel=public.b", those);
  await there(those.length);
  const channels = ["public.a", "public.b"];
  const expected = [];
  const some = async (title) => {
    for (const n of [1, 2]) {
      for (const channel of channels) expected.push(`${channel} ${title} ${n}`) && await push(expected.at(-1), channel);
    }
  };
  // Nothing is lost, and the order of each channel is kept; what was heard last may come again.
  const whole = (got) => channels.every((channel) => {
    const of = (texts) => [...new Set(texts)].filter((text) => text.startsWith(channel));
    return same(of(expected))(of(got));
  });
  await some("first");
  await heard("several channels", expected.length, whole, those);
  await away(() => some("away"));
  await heard("several channels", expected.length, whole, those);
  await Promise.all(those.map(({ client }) => client.close()));
  await gone();
}

async function refusals() {
  const seeing = all.filter(({ client }) => !client.isScript);
  for (const target of [...FINAL, NOT_FOUND]) {
    const those = target == NOT_FOUND ? seeing : all;
    for (const { proxy } of those) proxy.paths.length = 0;
    await open(target, those);
    await heard("stops", 1, (got) => got.length == 1, those, "stopped");
    for (const { proxy, results } of those) results.stops.push(proxy.paths.length == 1);
  }
}

try {
  await oneChannel();
  await severalChannels();
  await refusals();
} catch (error) {
  console.log(`${error.stack}\n${daemon.log.slice(-2000)}`);
  all[0].results["in order"].push(false);
}
await end();
for (const { proxy } of all) proxy.stop();
await daemon.kill();
await rm(folder, { recursive: true, force: true });

const counts = { true: 0, false: 0 };
console.log(`| reader | version | ${COLUMNS.join(" | ")} |\n|${"---|".repeat(COLUMNS.length + 2)}`);
for (const { title, client, results } of all) {
  const cells = COLUMNS.map((column) => {
    const [good, count] = [results[column].filter(Boolean).length, results[column].length];
    counts.true += good;
    counts.false += count - good;
    return count ? `${good}/${count}` : "";
  });
  console.log(`| ${[title, client.version, ...cells].join(" | ")} |`);
}
console.log(`${counts.true} passed, ${counts.false} failed`);
process.exit(counts.false ? 1 : 0);
