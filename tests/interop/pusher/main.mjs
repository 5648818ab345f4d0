// Lets pusher-js, as it comes from npm, talk to the daemon: node main.mjs, with WSPUSHD in the environment. The last
// line counts.
import { createHmac, randomBytes } from "node:crypto";
import { createRequire } from "node:module";

import { Daemon, until } from "../../../js/test/world.js";

const require = createRequire(import.meta.url);
const Pusher = require("pusher-js");
const nacl = require("tweetnacl");

const [KEY, SECRET] = ["278d425bdf160c739803", "7ad3773142a6692b25b8"];
const sign = (text) => `${KEY}:${createHmac("sha256", SECRET).update(text).digest("hex")}`;
const masterKey = randomBytes(32);

let [passed, failed] = [0, 0];
function check(what, got, wanted) {
  const [has, needs] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (has === needs) return void passed++;
  failed++;
  console.log(`pusher-js: ${what}: ${has}, expected ${needs}`);
}

const app = `3 key=${KEY} secret=${SECRET} client_events=true client_events_per_second=5`;
const off = `4 key=off secret=${SECRET} enabled=false`;
let daemon = await Daemon.start(["--pusher-app", app, "--pusher-app", off, "--presence-grace-ms", "0"]);
const ours = (channel) => encodeURIComponent(`pusher/3/${channel.replace("#", "$")}`);
const publish = (channel, event, data) => daemon.push(ours(channel), JSON.stringify({ event, channel, data }));

const clients = [];
// A page of this user.
function open(user, key = KEY, more = {}) {
  const [wsHost, wsPort] = daemon.public.split(":");
  const client = new Pusher(key, {
    cluster: "mt1", wsHost, wsPort: +wsPort, forceTLS: false, enabledTransports: ["ws"], disableStats: true,
    channelAuthorization: {
      customHandler({ socketId, channelName }, callback) {
        const data = JSON.stringify({ user_id: user, user_info: { name: `Mr. ${user}` } });
        const has = channelName.startsWith("presence-");
        const shown = { auth: sign(`${socketId}:${channelName}${has ? `:${data}` : ""}`) };
        if (has) shown.channel_data = data;
        if (channelName.startsWith("private-encrypted-")) shown.shared_secret = secretOf(channelName).toString("base64");
        if (channelName.includes("forbidden")) shown.auth = sign("something else");
        callback(null, shown);
      },
    },
    userAuthentication: {
      customHandler({ socketId }, callback) {
        const user_data = JSON.stringify({ id: user, user_info: { name: `Mr. ${user}` } });
        callback(null, { auth: sign(`${socketId}::user::${user_data}`), user_data });
      },
    },
    ...more,
  });
  client.errors = [];
  client.connection.bind("error", (error) => client.errors.push(error?.error?.data?.code ?? error?.data?.code));
  clients.push(client);
  return client;
}

const connected = (client) => until("a connection", () => client.connection.state == "connected");
const secretOf = (channel) => Buffer.from(nacl.hash(Buffer.concat([Buffer.from(channel), masterKey])).slice(0, 32));

// Subscribes, and keeps what comes.
async function join(client, name) {
  const channel = client.subscribe(name);
  channel.got = [];
  channel.bind_global((event, data) => {
    if (event != "pusher:subscription_succeeded") channel.got.push(data === undefined ? [event] : [event, data]);
  });
  await until(`a subscription to ${name}`, () => channel.subscribed);
  return channel;
}
const comes = (channel, count) => until(`${count} events`, () => channel.got.length >= count);

async function refusals() {
  const [unknown, disabled] = [open("x", "unknown"), open("x", "off")];
  await until("refusals", () => unknown.errors.includes(4001) && disabled.errors.includes(4003));
  check("a refused client stops", [unknown, disabled].map((one) => one.connection.state), ["disconnected", "disconnected"]);
}

async function publicAndPrivate() {
  const [ann, bob] = [open("ann"), open("bob")];
  await Promise.all([connected(ann), connected(bob)]);
  check("an id", /^\d+\.\d+$/.test(ann.connection.socket_id), true);
  const [news, hers, his] = [await join(ann, "news"), await join(ann, "private-a"), await join(bob, "private-a")];
  await publish("news", "greeting", JSON.stringify({ text: "h\u00e9 \"quoted\"" }));
  await comes(news, 1);
  check("an event", news.got, [["greeting", { text: "h\u00e9 \"quoted\"" }]]);
  hers.trigger("client-typing", { at: 1 });
  await comes(his, 1);
  await publish("private-a", "behind", "\"it\"");
  await Promise.all([comes(his, 2), comes(hers, 1)]);
  check("its sender does not hear a client event", hers.got, [["behind", "it"]]);
  check("the other one does", his.got, [["client-typing", { at: 1 }], ["behind", "it"]]);
  for (let n = 0; n < 50; n++) hers.trigger("client-flood", n);
  await until("a flood is refused", () => ann.errors.includes(4301));
  const forbidden = bob.subscribe("private-forbidden");
  let error;
  forbidden.bind("pusher:subscription_error", (said) => (error = said));
  await until("a wrong signature", () => error);
  check("a wrong signature", [error.type, error.status], ["AuthError", 401]);
  ann.unsubscribe("news");
  ann.subscribe("marker");
  await until("an answer behind it", () => ann.channel("marker").subscribed);
  await publish("news", "unheard", "\"\"");
  check("nothing comes to who has left", news.got.length, 1);
}

async function presence() {
  const [ann, bob, tab] = [open("ann"), open("bob"), open("bob")];
  const hers = await join(ann, "presence-room");
  check("me", hers.members.me, { id: "ann", info: { name: "Mr. ann" } });
  const his = await join(bob, "presence-room");
  check("members", [his.members.count, Object.keys(his.members.members).sort()], [2, ["ann", "bob"]]);
  await comes(hers, 1);
  const second = await join(tab, "presence-room");
  check("two tabs are one member", second.members.count, 2);
  let sender;
  hers.bind("client-hi", (_, { user_id }) => (sender = user_id));
  his.trigger("client-hi", {});
  await comes(hers, 2);
  bob.disconnect();
  tab.unsubscribe("presence-room");
  await comes(hers, 3);
  const member = { id: "bob", info: { name: "Mr. bob" } };
  const expected = [["pusher:member_added", member], ["client-hi", {}], ["pusher:member_removed", member]];
  check("who comes and goes, once", hers.got, expected);
  check("who has sent an event", sender, "bob");
  check("members left", hers.members.count, 1);
}

async function cacheAndEncryption() {
  const ann = open("ann");
  const first = await join(ann, "cache-price");
  await comes(first, 1);
  check("a miss", first.got[0][0], "pusher:cache_miss");
  await publish("cache-price", "price", "7");
  await comes(first, 2);
  const second = await join(open("bob"), "cache-price");
  await comes(second, 1);
  check("a hit", second.got, [["price", 7]]);
  const name = "private-encrypted-a";
  const sealed = await join(open("bob", KEY, { nacl }), name);
  const nonce = randomBytes(24);
  const ciphertext = nacl.secretbox(Buffer.from(JSON.stringify({ hidden: 1 })), nonce, secretOf(name));
  const base64 = (bytes) => Buffer.from(bytes).toString("base64");
  await publish(name, "secret", JSON.stringify({ nonce: base64(nonce), ciphertext: base64(ciphertext) }));
  await comes(sealed, 1);
  check("an encrypted event", sealed.got, [["secret", { hidden: 1 }]]);
}

async function users() {
  const ann = open("ann");
  await connected(ann);
  const got = [];
  ann.user.bind("note", (data) => got.push(data));
  ann.signin();
  await ann.user.signinDonePromise;
  check("who it is", ann.user.user_data.id, "ann");
  await until("its own channel", () => ann.user.serverToUserChannel?.subscribed);
  await publish("#server-to-user-ann", "note", "\"for you\"");
  await until("what is for it", () => got.length);
  check("what is for it", got, ["for you"]);
}

// They come back to the next server by themselves, and subscribe again.
async function restart() {
  const ann = open("ann");
  const channel = await join(ann, "news");
  const former = ann.connection.socket_id;
  const before = daemon;
  await before.stop();
  daemon = await Daemon.start(["--pusher-app", app], before);
  await until("it is back", () => ann.connection.state == "connected" && ann.connection.socket_id != former);
  await until("it is subscribed again", () => channel.subscribed);
  await publish("news", "again", "1");
  await comes(channel, 1);
  check("an event of the next server", channel.got, [["again", 1]]);
}

try {
  for (const part of [refusals, publicAndPrivate, presence, cacheAndEncryption, users, restart]) {
    await part();
    clients.splice(0).forEach((client) => client.disconnect());
  }
} catch (error) {
  failed++;
  console.log(`pusher-js: ${error.stack}`);
}
await daemon.stop();
console.log(`pusher-js ${require("pusher-js/package.json").version}: ${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
