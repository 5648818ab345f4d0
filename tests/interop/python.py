"""The agent for Python's clients.

    python.py websockets|aiohttp ADDRESS
"""
import asyncio
import importlib.metadata
import sys

from sample import sample


class Websockets:
    """The package websockets."""

    def __init__(self, address):
        import websockets
        self.package, self.address, self.socket = websockets, address, None

    async def open(self, path):
        self.socket = await self.package.connect(f"{self.address}{path}", proxy=None)

    def extensions(self):
        return " ".join(extension.name for extension in self.socket.protocol.extensions)

    async def send(self, message):
        await self.socket.send(message)

    async def receive(self):
        try:
            return await self.socket.recv()
        except self.package.ConnectionClosed:
            return None

    async def close(self, code, reason):
        await self.socket.close(code, reason)

    async def closed(self):
        await self.socket.wait_closed()
        protocol = self.socket.protocol
        clean = protocol.close_rcvd is not None and protocol.close_sent is not None
        return self.socket.close_code, clean, self.socket.close_reason


class Aiohttp:
    """The package aiohttp."""

    def __init__(self, address):
        import aiohttp
        self.package, self.address, self.socket = aiohttp, address, None
        self.session, self.last = None, None

    async def open(self, path):
        if self.session is None:
            self.session = self.package.ClientSession()
        self.socket = await self.session.ws_connect(f"{self.address}{path}", compress=15)

    def extensions(self):
        return "permessage-deflate" if self.socket.compress else ""

    async def send(self, message):
        if isinstance(message, str):
            await self.socket.send_str(message)
        else:
            await self.socket.send_bytes(message)

    async def receive(self):
        self.last = await self.socket.receive()
        is_message = self.last.type in (self.package.WSMsgType.TEXT, self.package.WSMsgType.BINARY)
        return self.last.data if is_message else None

    async def close(self, code, reason):
        self.last = None
        await self.socket.close(code=code, message=reason.encode())

    async def closed(self):
        # It answers a close of ours with the other side's code but keeps the reason to itself.
        while not self.socket.closed:
            await self.receive()
        clean = self.socket.exception() is None and self.socket.close_code != 1006
        got_close = self.last is not None and self.last.type == self.package.WSMsgType.CLOSE
        return self.socket.close_code, clean, self.last.extra if got_close else ""


async def answer(client, line):
    """Does what a line says."""
    command, *words = line.split()
    if command == "open":
        await client.open(words[0])
        return "open"
    if command == "extensions":
        return f"extensions {client.extensions()}"
    if command in ("send", "echo"):
        await client.send(sample(words[0], int(words[1])))
        if command == "send":
            return "sent"
    if command in ("receive", "echo"):
        got = await client.receive()
        if got is not None:
            return "ok" if got == sample(words[0], int(words[1])) else "a different message"
    if command == "close":
        await client.close(int(words[0]), words[1])
    code, clean, reason = await client.closed()
    return f"closed {code} {'clean' if clean else 'unclean'} {reason}"


async def main():
    which, address = sys.argv[1:]
    client = {"websockets": Websockets, "aiohttp": Aiohttp}[which](address)
    print("ready", importlib.metadata.version(which), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        try:
            said = await answer(client, line)
        except Exception as error:  # pylint: disable=broad-except
            said = f"{type(error).__name__}: {error}".replace("\n", " ")
        print(said, flush=True)
    if getattr(client, "session", None):
        await client.session.close()


asyncio.run(main())
