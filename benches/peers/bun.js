// Bun's server, which is uWebSockets: subscribes everybody to one topic and publishes what is posted.
// Usage: bun bun.js PORT ADMIN_PORT
const [port, adminPort] = Bun.argv.slice(2).map(Number);

const server = Bun.serve({
  hostname: "127.0.0.1",
  port,
  fetch(request, server) {
    const echo = new URL(request.url).pathname === "/echo";
    if (!server.upgrade(request, { data: { echo } })) return new Response("upgrade", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
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
    server.publish("all", await request.text());
    return new Response("ok");
  },
});
