// Node with the `ws` package, as its README broadcasts: a loop over the clients.
// Usage: node ws.js PORT ADMIN_PORT (with NODE_PATH, or beside node_modules); TLS_CERT and TLS_KEY name PEM files,
// DEFLATE=1 turns compression on.
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const { WebSocketServer, WebSocket } = require("ws");
const [port, adminPort] = process.argv.slice(2).map(Number);
const { TLS_CERT, TLS_KEY, DEFLATE } = process.env;

// No windows between messages, as its README recommends for many connections.
const shared = { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 512 };
const perMessageDeflate = DEFLATE ? shared : false;
const all = new WebSocketServer({ noServer: true, perMessageDeflate });
const echo = new WebSocketServer({ noServer: true, perMessageDeflate });
echo.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});
for (const server of [all, echo]) server.on("connection", (socket) => socket.on("error", () => {}));

const refuse = (request, response) => response.writeHead(426).end();
const front = TLS_CERT
  ? https.createServer({ cert: fs.readFileSync(TLS_CERT), key: fs.readFileSync(TLS_KEY) }, refuse)
  : http.createServer(refuse);
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
// A broadcast may take longer than node lets a connection idle.
admin.keepAliveTimeout = 0;
admin.headersTimeout = 0;
admin.listen(adminPort, "127.0.0.1");
