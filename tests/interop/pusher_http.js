// The package pusher (a backend's) against the HTTP API of an app. Each check is a line of JSON; pusher_http.py counts.
//
//     node pusher_http.js HOST PORT
//     node pusher_http.js webhook     its check of a webhook, which comes on standard input: {"headers", "rawBody"}
"use strict";
const Pusher = require("pusher");
const { version } = require("pusher/package.json");

const [, , host, port] = process.argv;
const app = { appId: "3", key: "278d425bdf160c739803", secret: "7ad3773142a6692b25b8", host, port, useTLS: false };
const pusher = new Pusher({ ...app, encryptionMasterKeyBase64: Buffer.alloc(32, 7).toString("base64") });

const check = (what, got, wanted) => console.log(JSON.stringify({ what: `npm pusher: ${what}`, got, wanted }));
const answer = async (promise) => {
  try {
    const response = await promise;
    return [response.status, await response.text()];
  } catch (error) {
    return [error.status, String(error.body)];
  }
};

async function publishes() {
  const data = { some: "data", "é": ["\"", "\u2028"] };
  check("trigger", await answer(pusher.trigger("node-a", "greet", data)), [200, "{}"]);
  const names = Array.from({ length: 100 }, (_, n) => `node-many-${n}`);
  check("trigger to 100 channels", await answer(pusher.trigger(names, "greet", data)), [200, "{}"]);
  const options = { socket_id: "1.2", info: "subscription_count,user_count" };
  const nobody = { subscription_count: 0, user_count: 0 };
  const counted = { channels: { "node-a": { subscription_count: 1 }, "presence-x": nobody } };
  const [status, body] = await answer(pusher.trigger(["node-a", "presence-x"], "counted", "text", options));
  check("trigger with info", [status, JSON.parse(body)], [200, counted]);
  const batch = Array.from({ length: 10 }, (_, n) => ({ channel: "node-a", name: `batch-${n}`, data: { n } }));
  check("triggerBatch of 10", await answer(pusher.triggerBatch(batch)), [200, "{}"]);
  const [tooMany, why] = await answer(pusher.triggerBatch([...batch, ...batch]));
  check("triggerBatch of 20", [tooMany, why.includes("batch_events_max")], [400, true]);
  check("sendToUser", await answer(pusher.sendToUser("ann", "greet", data)), [200, "{}"]);
  check("encrypted", await answer(pusher.trigger("private-encrypted-node", "greet", data)), [200, "{}"]);
  const [large, told] = await answer(pusher.trigger("node-a", "large", "x".repeat(10241)));
  check("more data than an event may have", [large, told.includes("event_bytes_max")], [413, true]);
}

async function looks() {
  const get = async (path, params) => {
    const [status, body] = await answer(pusher.get({ path, params }));
    return [status, status === 200 ? JSON.parse(body) : body];
  };
  const occupied = { channels: { "node-a": {}, "node-many-99": {} } };
  check("channels", await get("/channels", { filter_by_prefix: "node-" }), [200, occupied]);
  const info = { info: "subscription_count" };
  check("channel", await get("/channels/node-a", info), [200, { occupied: true, subscription_count: 1 }]);
  check("channel of nobody", await get("/channels/node-b"), [200, { occupied: false }]);
  check("users", await get("/channels/presence-x/users"), [200, { users: [] }]);
  check("users of a public channel", (await get("/channels/node-a/users"))[0], 400);
  check("a parameter with everything", (await get("/channels", { filter_by_prefix: "a=,;.@_-", x: "+ %?é" }))[0], 200);
  check("terminate", await answer(pusher.terminateUserConnections("ann")), [200, "{}"]);
}

async function isRefused() {
  const [status, body] = await answer(new Pusher({ ...app, secret: "wrong" }).trigger("node-a", "x", "y"));
  check("another secret", [status, body.includes("auth_signature"), body.includes("7ad37731")], [401, true, false]);
  check("another app", (await answer(new Pusher({ ...app, appId: "9" }).trigger("node-a", "x", "y")))[0], 404);
}

function isToldRightly() {
  const told = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
  const webhook = pusher.webhook(told);
  check("webhook()", [webhook.isValid(), webhook.getEvents().length > 0], [true, true]);
  check("its time", Math.abs(webhook.getTime() - Date.now()) < 600000, true);
  check("another body", pusher.webhook({ ...told, rawBody: told.rawBody + " " }).isValid(), false);
  console.log(JSON.stringify({ version }));
}

if (host === "webhook") isToldRightly();
else publishes().then(looks).then(isRefused).then(() => console.log(JSON.stringify({ version })));
