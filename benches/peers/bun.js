// Bun's server, which is uWebSockets: subscribes everybody to one topic and publishes what is posted.
// Usage: bun bun.js PORT ADMIN_PORT; TLS_CERT and TLS_KEY name PEM files, DEFLATE=1 turns compression on.
const [port, adminPort] = Bun.argv.slice(2).map(Number);
const { TLS_CERT, TLS_KEY, DEFLATE } = process.env;

const server = Bun.serve({
  hostname: "127.0.0.1",
  port,
  tls: TLS_CERT ? { cert: Bun.file(TLS_CERT), key: Bun.file(TLS_KEY) } : undefined,
  fetch(request, server) {
    const echo = new URL(request.url).pathname === "/echo";
    if (!server.upgrade(request, { data: { echo } })) return new Response("upgrade", { status: 426 });
  },
  websocket: {
    // One compressor for all: the only mode of Bun's that keeps no window per connection.
    perMessageDeflate: DEFLATE ? { compress: "shared", decompress: "shared" } : false,
    idleTimeout: 0,
    open(socket) {
      if (!socket.data.echo) socket.subscribe("all");
    },
    message(socket, message) {
      if (socket.data.echo) socket.send(message);
    },
  },
});

Bun.serve({
  hostname: "127.0.0.1",
  port: adminPort,
  async fetch(request) {
    server.publish("all", await request.text(), Boolean(DEFLATE));
    return new Response("ok");
  },
});
