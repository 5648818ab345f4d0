// Lets pusher-js, as it comes from npm, talk to the daemon: node main.mjs, with WSPUSHD in the environment. The last
// line counts.
import { createHash, createHmac, randomBytes } from "node:crypto";
import { createRequire } from "node:module";

import Echo from "laravel-echo";

import { Daemon, until } from "../../../js/test/world.js";

const require = createRequire(import.meta.url);
const Pusher = require("pusher-js");
const nacl = require("tweetnacl");
const Backend = require("pusher");

const [KEY, SECRET] = ["278d425bdf160c739803", "7ad3773142a6692b25b8"];
const sign = (text) => `${KEY}:${createHmac("sha256", SECRET).update(text).digest("hex")}`;
const masterKey = randomBytes(32);

let [passed, failed] = [0, 0];
function check(what, got, wanted) {
  const [has, needs] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (has === needs) return void passed++;
  failed++;
  console.log(`pusher-js, ${transport}: ${what}: ${has}, expected ${needs}`);
}

const app = `3 key=${KEY} secret=${SECRET} client_events=true client_events_per_second=5 watchlists=true`;
const off = `4 key=off secret=${SECRET} enabled=false`;
const flags = ["--pusher-app", app, "--pusher-app", off, "--presence-grace-ms", "0"];
let daemon = await Daemon.start(flags);
const ours = (channel) => encodeURIComponent(`pusher/3/${channel.replace("#", "$")}`);
const publish = (channel, event, data) => daemon.push(ours(channel), JSON.stringify({ event, channel, data }));

const clients = [];
// The one transport that clients have.
let transport = "ws";
// Those whom a user watches.
const watched = { ann: ["bob"] };
// A page of this user.
function open(user, key = KEY, more = {}) {
  const [wsHost, wsPort] = daemon.public.split(":");
  const client = new Pusher(key, {
    cluster: "mt1", wsHost, wsPort: +wsPort, forceTLS: false, enabledTransports: [transport], disableStats: true,
    httpHost: wsHost, httpPort: +wsPort,
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
        const user_data = JSON.stringify({ id: user, user_info: { name: `Mr. ${user}` }, watchlist: watched[user] });
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

// The app's backend, with npm pusher.
function backend() {
  const [host, port] = daemon.admin.split(":");
  const encryptionMasterKeyBase64 = masterKey.toString("base64");
  return new Backend({ appId: "3", key: KEY, secret: SECRET, host, port, useTLS: false, encryptionMasterKeyBase64 });
}

const connected = (client) => until("a connection", () => client.connection.state == "connected");
// As npm pusher makes a channel's secret of the master key.
const secretOf = (channel) => createHash("sha256").update(Buffer.concat([Buffer.from(channel), masterKey])).digest();

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
  await backend().trigger(name, "secret", { hidden: 2 });
  await comes(sealed, 2);
  check("encrypted events", sealed.got, [["secret", { hidden: 1 }], ["secret", { hidden: 2 }]]);
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
  await backend().sendToUser("ann", "note", "from npm pusher");
  await until("the next one", () => got.length == 2);
  check("sendToUser", got[1], "from npm pusher");
  await backend().terminateUserConnections("ann");
  await until("its end", () => ann.connection.state == "disconnected");
  check("terminateUserConnections", [...new Set(ann.errors)], [4009]);
}

// A user is told when those come and go whom it watches.
async function watchlists() {
  const ann = open("ann");
  await connected(ann);
  const got = [];
  for (const name of ["online", "offline"]) {
    ann.user.watchlist.bind(name, ({ user_ids }) => got.push([name, ...user_ids]));
  }
  ann.signin();
  await until("who is there", () => got.length == 1);
  const bob = open("bob");
  await connected(bob);
  bob.signin();
  await until("bob", () => got.length == 2);
  bob.disconnect();
  await until("bob's end", () => got.length == 3);
  check("who comes and goes", got, [["offline", "bob"], ["online", "bob"], ["offline", "bob"]]);
}

// The words of Laravel Echo, above the same client.
async function laravelEcho() {
  const [ann, bob] = [open("ann"), open("bob")].map((client) => new Echo({ broadcaster: "pusher", client }));
  const got = [];
  const note = (name) => (data) => got.push([name, data]);
  ann.channel("news").listen("Shipped", note("news")).listen(".bare", note("bare"));
  ann.private("orders").listen("Shipped", note("private")).listenForWhisper("typing", note("whisper"));
  const error = [];
  ann.private("forbidden").error((said) => error.push(said.status));
  const room = [];
  ann.join("room").here((all) => room.push(["here", ...all.map(({ name }) => name)]))
    .joining(({ name }) => room.push(["joining", name])).leaving(({ name }) => room.push(["leaving", name]));
  const his = bob.private("orders");
  const all = () => [["news", ann], ["private-orders", ann], ["presence-room", ann], ["private-orders", bob]];
  await until("subscriptions", () => all().every(([name, echo]) => echo.connector.pusher.channel(name)?.subscribed));
  await until("a refusal", () => error.length);
  check("Echo: a channel that is not for it", error, [401]);
  await publish("news", "App\\Events\\Shipped", JSON.stringify({ id: 1 }));
  await publish("news", "bare", JSON.stringify({ id: 2 }));
  await publish("private-orders", "App\\Events\\Shipped", JSON.stringify({ id: 3 }));
  await until("its events", () => got.length == 3);
  his.whisper("typing", { who: "bob" });
  await until("a whisper", () => got.length == 4);
  got.sort();
  check("Echo: listen and whisper", got,
    [["bare", { id: 2 }], ["news", { id: 1 }], ["private", { id: 3 }], ["whisper", { who: "bob" }]]);
  bob.join("room");
  await until("bob", () => room.length == 2);
  bob.leave("room");
  await until("bob's end", () => room.length == 3);
  check("Echo: join", room, [["here", "Mr. ann"], ["joining", "Mr. bob"], ["leaving", "Mr. bob"]]);
}

// They come back to the next server by themselves, and subscribe again.
async function restart() {
  const ann = open("ann");
  const channel = await join(ann, "news");
  const former = ann.connection.socket_id;
  const before = daemon;
  await before.stop();
  daemon = await Daemon.start(flags, before);
  await until("it is back", () => ann.connection.state == "connected" && ann.connection.socket_id != former);
  await until("it is subscribed again", () => channel.subscribed);
  await publish("news", "again", "1");
  await comes(channel, 1);
  check("an event of the next server", channel.got, [["again", 1]]);
}

try {
  const parts = [refusals, publicAndPrivate, presence, cacheAndEncryption, users, watchlists, laravelEcho, restart];
  for (transport of ["ws", "xhr_streaming", "xhr_polling"]) {
    for (const part of parts) {
      await part();
      clients.splice(0).forEach((client) => client.disconnect());
    }
  }
} catch (error) {
  failed++;
  console.log(`pusher-js, ${transport}: ${error.stack}`);
}
await daemon.stop();
const versions = require("../package.json").dependencies;
const version = (name) => `${name} ${versions[name]}`;
console.log(`${version("pusher-js")} and ${version("laravel-echo")}: ${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
