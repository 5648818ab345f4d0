// What browsers, Node and the package ws have in common: the WebSocket interface of the web, behind one function.
//
//     agent = makeAgent(WebSocket, "127.0.0.1:8080"); await agent("echo text 125")

function sampleText(bytes) {
  return "\u00e9".repeat(bytes >> 1) + "x".repeat(bytes & 1);
}

function sampleBinary(bytes) {
  return Uint8Array.from({ length: bytes }, (_, i) => (i * 7) & 255);
}

function sample(kind, bytes) {
  return kind === "text" ? sampleText(bytes) : sampleBinary(bytes);
}

function sameAs(data, kind, bytes) {
  if (kind === "text") return data === sampleText(bytes);
  if (!(data instanceof ArrayBuffer)) return false;
  const [got, wanted] = [new Uint8Array(data), sampleBinary(bytes)];
  return got.length === wanted.length && got.every((byte, i) => byte === wanted[i]);
}

function makeAgent(Socket, address) {
  let socket, events, waiting;

  const happened = (event) => {
    events.push(event);
    if (waiting) waiting();
  };

  const next = async () => {
    if (!events.length) await new Promise((resolve) => (waiting = resolve));
    waiting = undefined;
    return events.shift();
  };

  const open = async (path) => {
    events = [];
    socket = new Socket(`${address}${path}`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => happened(["open"]);
    socket.onmessage = ({ data }) => happened(["message", data]);
    // An error is always followed by the close event, which says more.
    socket.onerror = () => {};
    socket.onclose = ({ code, reason, wasClean }) => happened(["closed", code, wasClean, reason]);
    return (await next()).join(" ");
  };

  const receive = async (kind, bytes) => {
    const [what, data, ...more] = await next();
    if (what === "message") return sameAs(data, kind, bytes) ? "ok" : "a different message";
    return [what, data, ...more].join(" ");
  };

  const closed = async () => {
    const [what, code, wasClean, reason] = await next();
    return what === "closed" ? `closed ${code} ${wasClean ? "clean" : "unclean"} ${reason}` : what;
  };

  return async (line) => {
    const [command, first, second] = line.split(" ");
    switch (command) {
      case "open":
        return open(first);
      case "receive":
        return receive(first, Number(second));
      case "send":
        socket.send(sample(first, Number(second)));
        return "sent";
      case "echo":
        socket.send(sample(first, Number(second)));
        return receive(first, Number(second));
      case "close":
        socket.close(Number(first), second);
        return closed();
      case "closed":
        return closed();
      case "extensions":
        return `extensions ${socket.extensions}`;
    }
    return `no command ${command}`;
  };
}

if (typeof module !== "undefined") module.exports = makeAgent;
