"""Speaks wspush.v1 with the package websockets, against daemons that end and begin again.

    v1.py WSPUSHD
"""
import asyncio
import base64
import hashlib
import hmac
import importlib.metadata
import json
import signal
import sys
import tempfile

from daemon import PATIENCE_S, Daemon
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

SECRET = "a_secret_of_more_than_32_bytes_0123456"
LOG_PUBLICATIONS = 16
RESULTS = []


def check(what, got, wanted):
    """Counts one check."""
    RESULTS.append(got == wanted)
    if got != wanted:
        print(f"wspush.v1: {what}: {got!r}, expected {wanted!r}", flush=True)


def token():
    """A token of Ann's, who may publish."""
    def coded(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")
    claims = {"sub": "ann", "publish": ["public.*"]}
    signed = b".".join(coded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    signature = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + coded(signature)).decode()


class Client:
    """A connection that speaks wspush.v1."""

    def __init__(self, socket):
        self.socket = socket

    @staticmethod
    async def open(daemon, query="broadcast=no"):
        socket = await connect(f"{daemon.url}/ws?{query}", subprotocols=["wspush.v1"], proxy=None)
        client = Client(socket)
        check("the subprotocol", socket.subprotocol, "wspush.v1")
        check("the first word", list(await client.next()), ["connected"])
        return client

    async def next(self):
        """The next message; None: the connection is closed."""
        try:
            return json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE_S))
        except ConnectionClosed:
            return None

    async def ask(self, number, **command):
        """A command and its answer."""
        await self.socket.send(json.dumps({"id": number, **command}))
        answer = await self.next()
        check(f"the number of {command}", answer.pop("id"), number)
        return answer


def push(daemon, text, channel="public.a"):
    """A publication by HTTP."""
    status, receipt = daemon.ask("POST", f"/push?channel={channel}", text.encode(), "text/plain")
    check("POST /push", status, 200)
    return receipt


async def commands(daemon):
    """Each command once, and each kind of error; returns where the client stood."""
    client = await Client.open(daemon)
    answer = await client.ask(1, subscribe={"channel": "public.a"})
    check("subscribe", (answer["subscribed"]["offset"], "recovered" in answer["subscribed"]), (0, False))
    receipt = push(daemon, "gr\u00fc\u00dfe")
    envelope = {"channel": "public.a", "epoch": str(receipt["epoch"]), "offset": 1, "data": "gr\u00fc\u00dfe"}
    check("a publication", await client.next(), envelope)
    ann = await Client.open(daemon, f"broadcast=no&channel=public.a&token={token()}")
    check("a channel of the address", (await ann.next())["subscribed"]["offset"], 1)
    answer = await ann.ask(2, publish={"channel": "public.a", "base64": "AP8="})
    check("publish", answer["published"]["offset"], 2)
    check("bytes", (await client.next())["base64"], "AP8=")
    push(daemon, "for both")
    check("its own is left out", (await ann.next())["offset"], 3)
    check("and nobody else's", (await client.next())["offset"], 3)
    answer = await client.ask(3, history={"channel": "public.a", "since": "last:1"})
    check("history", [one["data"] for one in answer["history"]["publications"]], ["for both"])
    check("ping", await client.ask(4, ping={}), {"pong": {}})
    for number, command, code in (
        (5, {"subscribe": {"channel": "public.a"}}, "already_subscribed"),
        (6, {"subscribe": {"channel": "secret"}}, "forbidden"),
        (7, {"publish": {"channel": "public.a", "data": "x"}}, "forbidden"),
        (8, {"unsubscribe": {"channel": "public.b"}}, "not_subscribed"),
        (9, {"shout": {}}, "unknown_method"),
        (10, {"subscribe": {"channel": ""}}, "bad_request"),
    ):
        check(f"{command}", (await client.ask(number, **command))["error"]["code"], code)
    check("unsubscribe", await client.ask(11, unsubscribe={"channel": "public.a"}), {"unsubscribed": {"channel": "public.a"}})
    await ann.socket.close()
    return client, f"{receipt['epoch']}.3"


async def resume(daemon, since, recovered):
    """Comes back; returns where it stands and what came behind that."""
    client = await Client.open(daemon)
    answer = (await client.ask(1, subscribe={"channel": "public.a", "since": since}))["subscribed"]
    check(f"recovered from {since}", answer["recovered"], recovered)
    _, told = daemon.ask("GET", "/channels/public.a")
    heard = []
    at = answer["offset"] if recovered else 0
    while at < told["offset"]:
        said = await client.next()
        heard.append(said.get("missed", said))
        at = said["missed"]["to"] if "missed" in said else said["offset"]
    await client.socket.close()
    return answer, heard


async def main():
    """All of it; a line of counts last."""
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        settings = ["--state-file", f"{folder}/state", "--log-publications", str(LOG_PUBLICATIONS)]
        settings += ["--auth", "optional", "--auth-secret", SECRET]
        daemon = Daemon(program, settings)
        try:
            client, stood = await commands(daemon)
            # Two that nobody hears, an end in good order, and one more.
            push(daemon, "four")
            push(daemon, "five")
            daemon.process.send_signal(signal.SIGTERM)
            check("the end", (await client.next(), client.socket.close_code), (None, 1001))
            check("exit code", daemon.process.wait(timeout=PATIENCE_S), 0)
            daemon.end()
            daemon = Daemon(program, settings)
            push(daemon, "six")
            answer, heard = await resume(daemon, stood, True)
            check("what was missed", [(one["offset"], one["data"]) for one in heard], [(4, "four"), (5, "five"), (6, "six")])
            # More than the log has.
            for number in range(LOG_PUBLICATIONS):
                push(daemon, str(number))
            answer, heard = await resume(daemon, stood, False)
            last = 6 + LOG_PUBLICATIONS
            missed = {"channel": "public.a", "epoch": answer["epoch"], "from": 4, "to": last}
            check("missed", (answer["offset"], heard), (last, [missed]))
            # One that dies begins anew.
            daemon.end()
            daemon = Daemon(program, settings)
            push(daemon, "new")
            answer, heard = await resume(daemon, stood, False)
            missed = {"channel": "public.a", "epoch": answer["epoch"], "from": 1, "to": 1}
            check("another life", (answer["epoch"] != stood.split(".")[0], heard), (True, [missed]))
        finally:
            daemon.end()
    version = importlib.metadata.version("websockets")
    print(f"wspush.v1, Python websockets {version}: {RESULTS.count(True)} passed, {RESULTS.count(False)} failed")


asyncio.run(main())
