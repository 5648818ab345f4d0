// Compiled and not run: the types are what the documents show.
import { connect, type Client, type Publication, type WspushError } from "../wspush-client.js";

const client: Client = connect(new URL("https://push.example"), {
  channels: ["news"], since: { news: "last:10" }, token: async () => "token", keep: "news", transports: ["ws", "sse"],
});
const off: () => void = client.on("news", (data, { offset, epoch }: Publication) => {
  const text: string = typeof data == "string" ? data : String(data.length + offset) + epoch;
  text.trim();
});
client.on("*", (data) => data.length);
client.on("@state", (state, why) => state == "closed" && why?.reason.trim());
client.on("@missed", ({ channel, from, to }) => channel.slice(from, to));
client.on("@leave", ({ user }) => user.trim());
client.publish("room", new Uint8Array(3)).catch((error: WspushError) => error.code.trim());
client.history("room", { limit: 10 }).then(({ publications: [first] }) => first.data.length + first.time_ms);
client.presence("room").then(({ members = [] }) => members.map(({ user }) => user));
client.subscribe("room", { since: client.positions.room }).then(({ recovered }) => recovered === true);
off();
// @ts-expect-error: there is no such transport.
connect("/", { transports: ["carrier pigeon"] });
