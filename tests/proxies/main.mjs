// Runs the cases, against the daemon that WSPUSHD names. The last line counts: "N passed, N failed".
import { Page } from "../../js/test/chromium.js";
import { Daemon } from "../../js/test/world.js";
import { cases } from "./cases.mjs";
import { Proxy } from "./proxies.mjs";

const [word = ""] = process.argv.slice(2);
const page = await Page.open();
let passed = 0, failed = 0;
for (const [name, run] of Object.entries(cases)) {
  if (!name.includes(word)) continue;
  const daemons = [], proxies = [];
  const start = async (flags = []) => {
    const daemon = await Daemon.start(flags);
    daemons.push(daemon);
    return daemon;
  };
  start.proxy = async (kind, daemon, options) => {
    const proxy = await Proxy.start(kind, daemon, options);
    proxies.push(proxy);
    return proxy;
  };
  try {
    await run({ page, start });
    passed++;
    console.log(`ok: ${name}`);
  } catch (error) {
    failed++;
    const logs = [...daemons, ...proxies].map(({ log }) => log.slice(-2000)).join("\n");
    console.log(`FAILED: ${name}\n${error.stack}\n${logs}`);
  }
  await page.act("forget");
  for (const proxy of proxies) await proxy.kill();
  for (const daemon of daemons) await daemon.kill();
}
await page.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
