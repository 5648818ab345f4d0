// The agent for Node: its built-in client, or the package ws.
//
//     node [--experimental-websocket] node.js builtin|ws ADDRESS
"use strict";
const readline = require("node:readline");
const makeAgent = require("./agent.js");

const [, , which, address] = process.argv;
const Socket = which === "ws" ? require("ws") : WebSocket;
const version = which === "ws" ? require("ws/package.json").version : process.versions.node;

async function main() {
  const agent = makeAgent(Socket, address);
  console.log(`ready ${version}`);
  for await (const line of readline.createInterface({ input: process.stdin })) console.log(await agent(line));
}

main();
