"""Clients that connect at once and keep what they hear, for comparisons byte by byte."""

import http.client
import json
import select
import socket
import struct

PATIENCE_S = 60
UPGRADE = ("Upgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n")


def request(path, fields=""):
    """A request to the public port."""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n{fields}\r\n".encode()


REQUESTS = {
    "ws": request("/ws", UPGRADE),
    "v1": request("/ws", UPGRADE + "Sec-WebSocket-Protocol: wspush.v1\r\n"),
    "sse": request("/sse"),
    "stream": request("/stream"),
}


def frames(heard):
    """The payloads of text frames."""
    texts, at = [], 0
    while at < len(heard):
        opcode, length, start = heard[at] & 15, heard[at + 1], at + 2
        if length == 126:
            length, start = int.from_bytes(heard[at + 2:at + 4], "big"), at + 4
        if opcode == 1:
            texts.append(heard[start:start + length].decode())
        at = start + length
    return texts


def chunks(heard):
    """The content of chunks."""
    content, at = b"", 0
    while at < len(heard):
        line = heard.index(b"\r\n", at)
        size = int(heard[at:line], 16)
        content += heard[line + 2:line + 2 + size]
        at = line + 4 + size
    return content.decode()


def envelopes(lines):
    """The payloads of publications among lines of wspush.v1."""
    said = [json.loads(line) for line in lines if line.strip()]
    return [one["data"] for one in said if "offset" in one]


# The publications in what a client has heard.
DECODERS = {
    "ws": frames,
    "v1": lambda heard: envelopes(frames(heard)),
    "sse": lambda heard: [line[6:] for line in chunks(heard).split("\n") if line.startswith("data: ")],
    "stream": lambda heard: envelopes(chunks(heard).split("\n")),
}


class Crowd:
    """Clients that connect at once, each with a request."""

    def __init__(self, port, requests):
        self.poll, self.sockets, self.heard = select.epoll(), {}, {}
        for number, text in enumerate(requests):
            client = socket.socket()
            # They go without a trace, so that their ports are free again.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # As many as this from one address would use up its ports.
            client.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
            client.bind((f"127.0.2.{1 + number % 8}", 0))
            client.connect(("127.0.0.1", port))
            client.setblocking(False)
            client.send(text)
            self.sockets[client.fileno()], self.heard[client.fileno()] = client, bytearray()
            self.poll.register(client.fileno(), select.EPOLLIN)

    def read(self, has_all):
        """Reads until everybody has what a function of their bytes wants to see."""
        missing = set(self.sockets)
        while missing:
            ready = self.poll.poll(PATIENCE_S)
            if not ready:
                raise ConnectionError("nothing comes any more")
            for number, _ in ready:
                part = self.sockets[number].recv(1 << 20)
                if not part:
                    raise ConnectionError("a client was closed")
                self.heard[number] += part
                if has_all(self.heard[number]):
                    missing.discard(number)

    def forget(self):
        """Only what comes from here on counts."""
        for heard in self.heard.values():
            heard.clear()

    def leave(self):
        """All of them go."""
        for client in self.sockets.values():
            client.close()
        self.poll.close()


def ask(port, method, path, body=None):
    """One request to an admin port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    connection.request(method, path, body, {"Content-Type": "text/plain"} if body else {})
    answer = connection.getresponse().read()
    connection.close()
    return answer
