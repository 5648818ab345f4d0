// Node with the `ws` package, as its README broadcasts: a loop over the clients.
// Usage: node ws.js PORT ADMIN_PORT (with NODE_PATH, or beside node_modules)
const http = require("node:http");
const { WebSocketServer, WebSocket } = require("ws");
const [port, adminPort] = process.argv.slice(2).map(Number);

const all = new WebSocketServer({ noServer: true, perMessageDeflate: false });
const echo = new WebSocketServer({ noServer: true, perMessageDeflate: false });
echo.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});
for (const server of [all, echo]) server.on("connection", (socket) => socket.on("error", () => {}));

const front = http.createServer((request, response) => response.writeHead(426).end());
front.on("upgrade", (request, socket, head) => {
  const server = request.url === "/echo" ? echo : all;
  server.handleUpgrade(request, socket, head, (client) => server.emit("connection", client, request));
});
front.listen({ port, host: "127.0.0.1", backlog: 4096 });

const admin = http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const message = Buffer.concat(parts);
    for (const client of all.clients) {
      if (client.readyState === WebSocket.OPEN) client.send(message, { binary: false });
    }
    response.end("ok");
  });
});
admin.listen(adminPort, "127.0.0.1");
