// In a page: its own EventSource and fetch, and two packages that stand in for EventSource.
import { fetchEventSource } from "/fetch-event-source/index.js";

const heard = {};
const NAMES = ["message", "wspush.missed", "wspush.binary"];

const source = (Kind) => (url, tell) => {
  const events = new Kind(url);
  for (const name of NAMES) {
    events.addEventListener(name, ({ type, data, lastEventId }) => tell({ type, data, id: lastEventId }));
  }
  events.onerror = () => {
    if (events.readyState == Kind.CLOSED) tell({ type: "stopped" });
  };
  return () => events.close();
};

// As its manual says: what the client did wrong is fatal, all else is tried again.
const microsoft = (url, tell) => {
  const controller = new AbortController();
  class Fatal extends Error {}
  fetchEventSource(url, {
    signal: controller.signal,
    openWhenHidden: true,
    async onopen({ ok, status }) {
      if (!ok) throw status < 500 && status != 429 ? new Fatal(status) : new Error(status);
    },
    onmessage: ({ event, data, id }) => data && tell({ type: event || "message", data, id }),
    onclose() {
      throw new Error("the end");
    },
    onerror(error) {
      if (error instanceof Fatal) throw error;
    },
  }).catch(() => tell({ type: "stopped" }));
  return () => controller.abort();
};

// A reader of lines, which says itself where it goes on.
const lines = (url, tell) => {
  const controller = new AbortController();
  const at = new Map();
  const read = async () => {
    const from = new URL(url.replace("/sse", "/stream"));
    if (at.size) from.searchParams.delete("channel");
    for (const [channel, position] of at) {
      from.searchParams.append("channel", channel);
      from.searchParams.append("since", position);
    }
    const answer = await fetch(from, { signal: controller.signal });
    if (!answer.ok) return tell({ type: "stopped" }), false;
    let rest = "";
    for (const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) return true;
      const parts = (rest + value).split("\n");
      rest = parts.pop();
      for (const said of parts.map((line) => JSON.parse(line))) {
        const { channel, epoch, offset, data } = said.subscribed || said;
        if (channel) at.set(channel, `${epoch}.${offset}`);
        if (data != null) tell({ type: "message", data, id: at.get(channel) });
        if (said.missed) tell({ type: "wspush.missed", data: JSON.stringify(said.missed) });
      }
    }
  };
  const again = () => read().catch(() => true).then((goesOn) => {
    if (goesOn && !controller.signal.aborted) setTimeout(again, 100);
  });
  again();
  return () => controller.abort();
};

const READERS = {
  EventSource: source(EventSource), fetch: lines,
  polyfill: source(globalThis.EventSourcePolyfill), microsoft,
};

const close = {};
globalThis.act = async (action, [name, url]) => {
  if (action == "open") {
    heard[name] = [];
    close[name] = READERS[name](url, (said) => heard[name].push(said));
  }
  if (action == "close") close[name]();
  return JSON.stringify(heard[name]);
};
