// Has the client do everything, against the daemon that WSPUSHD names: here, or with --chromium in a page.
// The last line counts: "N passed, N failed". With a word behind it: the cases that have it in their names.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { act } from "./agent.js";
import { Page } from "./chromium.js";
import { Daemon, Proxy } from "./world.js";
import { cases as streams } from "./streams.js";
import { cases as websocket } from "./websocket.js";

// The same as a page, in this process.
const here = {
  act: async (action, ...values) => JSON.parse(await act(action, JSON.parse(JSON.stringify(values)))),
  load: () => here.act("forget"),
  close() {},
};

const words = process.argv.slice(2);
const inChromium = words[0] == "--chromium" && words.shift();
const page = inChromium ? await Page.open() : here;
// A listener that fails on purpose is told here, as it is to a page's console.
process.on("uncaughtException", (error) => {
  if (error.message != "on purpose") throw error;
});

let passed = 0, failed = 0;
for (const [name, run] of Object.entries({ ...websocket, ...streams })) {
  if (words[0] && !name.includes(words[0])) continue;
  const folder = await mkdtemp(join(tmpdir(), "wspush-js-"));
  const daemons = [], proxies = [];
  const start = async (flags, before) => {
    const daemon = await Daemon.start(flags, before);
    daemons.push(daemon);
    const proxy = await Proxy.start(daemon);
    proxies.push(proxy);
    return { daemon, proxy };
  };
  start.again = async (flags, before) => (await start(flags, before)).daemon;
  try {
    await run({ page, start, folder });
    passed++;
    console.log(`ok: ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED: ${name}\n${error.stack}\n${daemons.map((daemon) => daemon.log.slice(-2000)).join("\n")}`);
  }
  await page.act("forget");
  for (const proxy of proxies) proxy.stop();
  for (const daemon of daemons) await daemon.kill();
  await rm(folder, { recursive: true, force: true });
}
await page.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
