// Has clients do what a test says, in a page or in the test's own process: JSON in, JSON out.
import { connect } from "../wspush-client.js";

const clients = new Map();

// A page's storage, where there are no pages.
class Kept extends Map {
  getItem = (key) => this.get(key) ?? null;
  setItem = (key, value) => this.set(key, value);
}

if (!globalThis.document) Object.defineProperty(globalThis, "sessionStorage", { value: new Kept() });

const plain = (value) => (value instanceof Uint8Array ? { bytes: [...value] } : value);

const actions = {
  // Connects a client, which `log` tells what it has heard. `tokens` are those of its callback, one after the other;
  // the last one again and again.
  connect(name, url, { tokens, listen = [], ...options } = {}) {
    let shown = 0;
    if (tokens) options.token = async () => tokens[Math.min(shown++, tokens.length - 1)];
    const client = connect(url, options);
    const log = [];
    const events = ["*", "@state", "@missed", "@message", "@unsubscribed", "@expires", "@join", "@leave", ...listen];
    for (const event of events) client.on(event, (value, more) => log.push([event, plain(value), more && { ...more, data: 0 }]));
    clients.set(name, { client, log, shown: () => shown });
  },
  // What a method of the client's promises: its value, or the code of its error.
  async call(name, method, ...values) {
    const own = values.map((value) => (value?.bytes ? Uint8Array.from(value.bytes) : value));
    try {
      const value = (await clients.get(name).client[method](...own)) ?? null;
      for (const each of value?.publications || []) each.data = plain(each.data);
      return value;
    } catch (error) {
      return { error: error.code ?? String(error) };
    }
  },
  log: (name) => clients.get(name).log,
  state: (name) => clients.get(name).client.state,
  positions: (name) => clients.get(name).client.positions,
  shown: (name) => clients.get(name).shown(),
  // A listener that fails, and one that takes itself off after its first call.
  mishaps(name, channel) {
    const { client, log } = clients.get(name);
    const off = client.on(channel, () => {
      log.push(["once"]);
      off();
      throw new Error("on purpose");
    });
    client.on(channel, () => log.push(["still"]));
  },
  forget() {
    for (const { client } of clients.values()) client.close();
    clients.clear();
  },
};

export const act = async (action, values) => JSON.stringify((await actions[action](...values)) ?? null);
