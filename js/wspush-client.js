// wspush-client: the publications of a wspush server, in order and each once, by whatever way they get through.
//
// A link is one attempt to be connected by one transport. From its first word on it counts, and takes the place of the link
// before it. Each begins at the positions that were reached, so nothing is lost between two, and what comes twice is known by
// its offset.

const fail = (code, message) => Object.assign(new Error(message), { code });

// A publication or a message, with its bytes if it is no text.
const open = (said) => {
  const { base64 } = said;
  if (base64 != null) said.data = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt());
  delete said.base64;
  return said;
};

const payload = (data) => {
  if (typeof data == "string") return { data };
  return { base64: btoa(new Uint8Array(data).reduce((text, byte) => text + String.fromCharCode(byte), "")) };
};

export function connect(url, options = {}) {
  const {
    channels = ["broadcast"], since, token: source, credentials, keep,
    transports = ["ws", "sse", "poll"], retryMin = 1e3, retryMax = 3e4, ping, patience = 1e4, upgrade = 6e4,
  } = options;
  const renews = typeof source == "function";
  const { href, search } = new URL(url, globalThis.location);
  const base = href.replace(/^ws/, "http").replace(/(\/ws)?\/?(\?.*)?$/, "/");

  const listeners = new Map(); // event: set of functions
  const wanted = new Map(); // channel: { since, known: it was received before, or else resolve, reject }
  const given = new Set(); // channels that a token or a host has added
  const asked = new Map(); // id: { resolve, reject } of a command
  const own = new Set(); // publications of this client: to the link that resumes they are anybody's
  let positions = new Map(); // channel: "EPOCH.OFFSET" that was reached
  let waiting = []; // commands for the next link
  let state, link, attempt, timer, token, bare, ended;
  let id = 0, delay = 0, probes = 0, proven = -1, quiet = ping || 3e4;

  for (const name of channels) {
    wanted.set(name, { since: typeof since == "string" ? since : since?.[name], known: true });
  }

  const kept = (use) => {
    // A page in a sandbox has no storage, and any storage may be full.
    try { if (keep) use(sessionStorage); } catch {}
  };
  kept((store) => (positions = new Map(JSON.parse(store.getItem(keep)))));

  const emit = (name, ...values) => {
    for (const listener of [...(listeners.get(name) || [])]) {
      // It fails as an event's listener does: it is reported, and stops nobody.
      try { listener(...values); } catch (error) { Promise.reject(error); }
    }
  };

  const enter = (name, why) => emit("@state", (state = name), why);

  // Moves a channel's position on. False: it was there already.
  const reach = (channel, epoch, offset) => {
    const [known, last] = (positions.get(channel) || "").split(".");
    if (known == epoch && +last >= offset) return false;
    positions.set(channel, epoch + "." + offset);
    return true;
  };

  const subscribed = (value) => {
    const entry = wanted.get(value.channel);
    if (!entry) given.add(value.channel);
    else if (!entry.known) {
      entry.known = true;
      entry.resolve(value);
    }
  };

  // One JSON object of the server.
  const hear = (me, said) => {
    const { id, error, ...rest } = said;
    const [name, value = {}] = "offset" in said ? ["data", said] : Object.entries(rest)[0] || [];
    const { channel, epoch, offset } = value;
    const which = channel + epoch + "." + offset;
    if (name == "data") {
      const isOwn = own.delete(which);
      if (!reach(channel, epoch, offset) || isOwn) return;
      for (const event of [channel, "*"]) emit(event, open(said).data, said);
      return;
    }
    if (name == "connected") {
      quiet = ping || value.ping_ms || quiet;
      up(me);
    }
    if (name == "subscribed") {
      reach(channel, epoch, offset);
      subscribed(value);
    }
    if (name == "missed") reach(channel, epoch, value.to);
    if (name == "published") {
      own.add(which);
      if (own.size > 999) own.clear();
    }
    if (name == "unsubscribed") {
      if (id == null) forget(channel);
      positions.delete(channel);
    }
    if (name == "expires" && renews) refresh();
    if (id == null) return emit("@" + name, name == "message" ? open(value).data : value);
    const command = asked.get(id);
    asked.delete(id);
    if (error) command?.reject(fail(error.code, error.message));
    else command?.resolve(value);
  };

  const refresh = async () => {
    try {
      token = await source();
      await ask("refresh", { token });
    } catch {
      // The server ends the connection with the old token; the next one begins with another.
      token = null;
    }
  };

  // Positions as `id:` and `ETag` have them: "E.O", or "C~E.O,D~E.O".
  const place = (me, text) => {
    for (const [, , name, epoch, offset] of text.matchAll(/(([^,"]+)~)?(\d+)\.(\d+)/g)) {
      const channel = name || [...me.names][0];
      if (channel) hear(me, { subscribed: { channel, epoch, offset: +offset } });
    }
  };

  // Which channels a link begins with, and from where on.
  const query = (me) => {
    // A parameter of the address goes with every request.
    let text = me.names.has("broadcast") ? "" : "&broadcast=no";
    for (const name of me.names) {
      const at = positions.get(name) ?? wanted.get(name)?.since;
      const from = at ? "&since=" + encodeURIComponent(at) : "";
      // A `since` in front of all channels is the default channel's.
      text = name == "broadcast" ? from + text : text + "&channel=" + encodeURIComponent(name) + from;
    }
    // The address's own parameters go with every request.
    return text + search.replace("?", "&");
  };

  const get = async (me, path) => {
    const controller = new AbortController();
    me.close = () => controller.abort();
    const headers = token ? { authorization: "Bearer " + token } : {};
    const { signal } = controller;
    const answer = await fetch(base + path + query(me), { headers, credentials, cache: "no-store", signal });
    if (answer.status > 204 && answer.status != 410) throw fail(4000 + answer.status, await answer.text());
    return answer;
  };

  const TRANSPORTS = {
    ws(me) {
      const protocols = ["wspush.v1"];
      if (token) protocols.push("wspush.bearer." + token);
      const socket = new WebSocket(base.replace("http", "ws") + "ws?refusals=close" + query(me), protocols);
      me.send = (command) => socket.send(JSON.stringify(command));
      me.close = () => socket.close();
      socket.onmessage = ({ data }) => me.read(() => hear(me, JSON.parse(data)));
      // Some runtimes say no more than that there was an error.
      socket.onclose = socket.onerror = ({ code = 1006, reason = "" }) => me.end(code, reason);
    },

    async sse(me) {
      const answer = await get(me, "sse?format=json");
      const reader = answer.body.getReader();
      const decoder = new TextDecoder();
      let rest = "", event = {};
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return me.end(0, "end");
        me.watch();
        const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
        rest = lines.pop();
        for (const line of lines) {
          const [, field, text] = /^(\w+): ?(.*)/.exec(line) || [];
          event[field] = text;
          if (line) continue;
          const { id, retry, data, event: name } = event;
          event = {};
          me.read(() => {
            if (id || retry) up(me);
            if (!data) return place(me, id || "");
            const said = JSON.parse(data);
            hear(me, name ? { [name.slice(7)]: said } : said);
          });
        }
      }
    },

    async poll(me) {
      while (!me.over) {
        // The first one is to be answered at once: it says whether this is a way.
        const answer = await get(me, "poll?timeout=" + (me.up ? Math.min(25, (quiet / 1e3) | 1) : 0));
        const text = await answer.text();
        me.read(() => {
          up(me);
          for (const line of text.split("\n")) if (line) hear(me, JSON.parse(line));
          place(me, answer.headers.get("etag") || "");
        });
      }
    },
  };

  const drop = (me) => {
    if (!me) return;
    me.over = true;
    clearTimeout(me.timer);
    me.close?.();
  };

  // Begins with the transport of this number, beside the link that there is.
  const start = async (rung) => {
    clearTimeout(timer);
    drop(attempt);
    const me = (attempt = { rung, names: new Set(bare ? [] : [...wanted.keys(), ...given]) });
    me.end = (code, reason) => {
      if (me.over) return;
      drop(me);
      lost(me, code, reason);
    };
    me.read = (use) => {
      if (me.over) return;
      me.watch();
      try { use(); } catch (error) { me.end(0, error.message); }
      kept((store) => store.setItem(keep, JSON.stringify([...positions])));
    };
    // Silence is looked into, and then it is the end.
    me.watch = () => {
      clearTimeout(me.timer);
      me.timer = setTimeout(() => {
        if (me.up) me.send?.({ id: 0, ping: {} });
        me.timer = setTimeout(() => me.end(0, "silence"), patience);
      }, me.up ? quiet : 0);
    };
    me.watch();
    try {
      token ??= await (renews ? source() : source);
      if (!me.over) await TRANSPORTS[transports[rung]](me);
    } catch (error) {
      me.end(+error.code || 0, error.message);
    }
  };

  const up = (me) => {
    if (me.up) return;
    me.up = Date.now();
    me.watch();
    drop(link);
    link = me;
    attempt = bare = null;
    proven = me.rung;
    if (!proven) probes = 0;
    climb();
    waiting.splice(0).forEach((go) => go());
    for (const name of wanted.keys()) if (!me.names.has(name)) join(name);
    if (link == me) enter(transports[proven]);
  };

  // At random, so that not everybody comes at once.
  const later = (ms, go) => {
    clearTimeout(timer);
    timer = setTimeout(go, ms * (0.5 + Math.random()));
  };

  // To a transport further up, beside the link that there is: after a longer time each time.
  const climb = () => later(upgrade * ++probes, () => link.rung && start(probes % link.rung));

  const lost = (me, code, reason) => {
    if (code == 4401 || code == 1008) token = null;
    if (me == attempt) attempt = null;
    if (me == link) {
      link = null;
      if (Date.now() - me.up > delay) delay = 0;
      reject(fail("lost", "lost"));
    }
    if (link) return climb();
    enter("connecting", { code, reason });
    if (attempt) return;
    let next = me.rung;
    if (code == 4400 || code == 4403 || code == 4431) {
      // For one of the channels, perhaps. By WebSocket each is asked for by itself, and answered so.
      bare = me.send && me.names.size;
      const doubtful = [...given, ...[...wanted.keys()].filter((name) => !bare && !wanted.get(name).known)];
      if (!bare && !doubtful[0]) return end(code, reason);
      for (const channel of doubtful) leave(channel, fail("forbidden", reason));
      return start(next);
    }
    if (code == 4401 && !renews) return end(code, reason);
    if (!me.up && (code < 4400 || code == 4404)) {
      // Where it has worked before, a server that starts anew is likelier than another network.
      if (next == proven) proven = -1;
      else if (transports[++next]) return start(next);
      else next = 0;
    }
    delay = Math.min(delay * 2 || retryMin, retryMax);
    later(delay, () => start(next));
  };

  const reject = (error) => {
    for (const command of asked.values()) command.reject(error);
    asked.clear();
  };

  const end = (code, reason) => {
    if (ended) return;
    ended = fail("closed", reason);
    clearTimeout(timer);
    drop(link);
    drop(attempt);
    reject(ended);
    waiting.splice(0).forEach((go) => go());
    for (const entry of wanted.values()) entry.reject?.(ended);
    enter("closed", { code, reason });
  };

  const ask = (method, parameters) => new Promise((resolve, reject) => {
    const go = () => {
      if (ended) return reject(ended);
      if (!link.send) return reject(fail("unsupported", method + " needs a WebSocket"));
      asked.set(++id, { resolve, reject });
      link.send({ id, [method]: parameters });
    };
    if (link || ended) go();
    else waiting.push(go);
  });

  // Without a WebSocket only the address says which channels there are.
  const again = () => {
    const { rung } = link;
    drop(link);
    link = null;
    start(rung);
  };

  const forget = (channel, error) => {
    wanted.get(channel)?.reject?.(error);
    for (const each of [wanted, given, positions]) each.delete(channel);
  };

  const leave = (channel, error) => {
    forget(channel, error);
    emit("@unsubscribed", { channel, reason: error.message });
  };

  const join = (channel) => {
    if (!link) return;
    if (!link.send) return again();
    const me = link;
    const entry = wanted.get(channel);
    ask("subscribe", { channel, since: positions.get(channel) ?? entry.since }).catch((error) => {
      // The next link has it, or nobody wants it any more.
      if (me.over || wanted.get(channel) != entry) return;
      if (error.code == "already_subscribed") return subscribed({ channel });
      leave(channel, error);
    });
  };

  start(0);
  return {
    on(name, listener) {
      if (!listeners.has(name)) listeners.set(name, new Set());
      listeners.get(name).add(listener);
      return () => listeners.get(name).delete(listener);
    },
    subscribe: (channel, { since } = {}) => new Promise((resolve, reject) => {
      if (ended) return reject(ended);
      if (wanted.has(channel)) return reject(fail("already_subscribed", channel));
      wanted.set(channel, { since, resolve, reject });
      join(channel);
    }),
    async unsubscribe(channel) {
      forget(channel, fail("unsubscribed", channel));
      if (link?.send) await ask("unsubscribe", { channel });
      else if (link) again();
    },
    publish: (channel, data) => ask("publish", { channel, ...payload(data) }),
    async history(channel, parameters) {
      const page = await ask("history", { channel, ...parameters });
      page.publications.forEach(open);
      return page;
    },
    presence: (channel) => ask("presence", { channel }),
    close: () => end(1000, "closed"),
    get state() { return state; },
    get positions() { return Object.fromEntries(positions); },
  };
}
