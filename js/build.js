// Writes wspush-client.min.js; with --check says whether it is what the source makes, and small enough.
import { readFile, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

import { minify } from "terser";

const BYTES_MAX = 3072;

const file = (name) => new URL(name, import.meta.url);
const source = await readFile(file("wspush-client.js"), "utf8");
const { code } = await minify(source, {
  module: true,
  ecma: 2022,
  compress: { passes: 3, unsafe: true, unsafe_arrows: true, booleans_as_integers: true },
  // What a link and a channel's entry know, and nobody else sees.
  mangle: { properties: { regex: /^(names|rung|over|known|timer|up|watch|end)$/ } },
});
const text = "// MIT OR Apache-2.0\n" + code + "\n";
const bytes = gzipSync(text, { level: 9 }).length;
const { version } = JSON.parse(await readFile(file("package.json"), "utf8"));
const [, ours] = /^version = "(.+)"/m.exec(await readFile(file("../Cargo.toml"), "utf8"));
if (version != ours) throw new Error(`package.json has version ${version}, Cargo.toml ${ours}`);
console.log(`${text.length} bytes, ${bytes} with gzip; ${BYTES_MAX} are allowed`);
if (bytes > BYTES_MAX) throw new Error("it is too large");
if (!process.argv.includes("--check")) await writeFile(file("wspush-client.min.js"), text);
else if ((await readFile(file("wspush-client.min.js"), "utf8")) != text) throw new Error("run: npm run build");
