"""Servers' libraries for Pusher Channels against the HTTP API: npm pusher, PyPI pusher and the crate pusher, unchanged.

    pusher_http.py WSPUSHD PROGRAM      the program is made of the crate (pusher_rust)
"""
import asyncio
import http.server
import importlib.metadata
import json
import pathlib
import re
import subprocess
import sys
import threading

import pusher
from daemon import PATIENCE_S, Daemon
from websockets.asyncio.client import connect

HERE = pathlib.Path(__file__).resolve().parent
APP = "3 key=278d425bdf160c739803 secret=7ad3773142a6692b25b8"
RESULTS = []
TOLD = []


def check(what, got, wanted):
    """Counts one check."""
    RESULTS.append(got == wanted)
    if got != wanted:
        print(f"pusher http: {what}: {got!r}, expected {wanted!r}", flush=True)


class Backend(http.server.BaseHTTPRequestHandler):
    """Takes webhooks and remembers them."""

    def do_POST(self):
        """Takes one."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        headers = {name.lower(): value for name, value in self.headers.items()}
        TOLD.append({"headers": headers, "rawBody": body.decode()})

    def log_message(self, *arguments):
        """Says nothing."""


class Subscriber:
    """Somebody who receives channels of the app by the server's own protocol."""

    def __init__(self, socket):
        self.socket = socket

    @staticmethod
    async def open(daemon, *channels):
        query = "&".join(["broadcast=no", *(f"channel=pusher/3/{channel}" for channel in channels)])
        return Subscriber(await connect(f"{daemon.url}/ws?{query}", proxy=None))

    async def next(self):
        """The next event: its channel, its name and its data, taken out of their string."""
        event = json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE_S))
        try:
            data = json.loads(event["data"])
        except ValueError:
            data = event["data"]
        return event["channel"], event["event"], data


def refused(call):
    """What a call is refused with."""
    try:
        return repr(call())
    except pusher.errors.PusherError as error:
        return f"{type(error).__name__}: {error}"


async def checks_of(command, count, given=b""):
    """Runs a program whose lines are checks, so many with the last one, and counts them."""
    run = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    said = [json.loads(line) for line in (await run.communicate(given))[0].splitlines()]
    check(f"{command[0]} says all it has to", (run.returncode, len(said)), (0, count))
    for line in said:
        if "what" in line:
            check(line["what"], line["got"], line["wanted"])
    return said


async def webhooks():
    """What the backend was told is taken by both libraries."""
    for _ in range(100 * PATIENCE_S):
        if TOLD:
            break
        await asyncio.sleep(0.01)
    told = TOLD[0]
    command = ["node", HERE / "pusher_http.js", "webhook"]
    await checks_of(command, 4, json.dumps(told).encode())
    client = pusher.Pusher(app_id="3", key="278d425bdf160c739803", secret="7ad3773142a6692b25b8")
    shown = told["headers"]["x-pusher-key"], told["headers"]["x-pusher-signature"]
    checked = client.validate_webhook(*shown, told["rawBody"])
    check("validate_webhook", [event["name"] for event in checked["events"]][:1], ["channel_occupied"])
    check("of another body", client.validate_webhook(*shown, told["rawBody"] + " "), None)
    await checks_of([sys.argv[2], "webhook", *shown, told["rawBody"]], 2)


async def rust(daemon):
    """The crate pusher does the same, and what it signs is taken from clients."""
    subscriber = await Subscriber.open(daemon, "rust-a")
    others = await Subscriber.open(daemon, "rust-many-9")
    await checks_of([sys.argv[2], daemon.admin], 8)
    data = {"some": "data", "é": ["\"", "\u2028"]}
    check("the event of the crate", await subscriber.next(), ("rust-a", "greet", data))
    check("the next one", await subscriber.next(), ("rust-a", "but", "text"))
    check("the last of several channels", await others.next(), ("rust-many-9", "greet", data))
    async with connect(f"{daemon.url}/app/278d425bdf160c739803?protocol=7", proxy=None) as client:
        async def heard():
            return json.loads(await asyncio.wait_for(client.recv(), PATIENCE_S))
        socket_id = json.loads((await heard())["data"])["socket_id"]
        run = await asyncio.create_subprocess_exec(sys.argv[2], "sign", socket_id, stdout=subprocess.PIPE)
        signed = zip(["private-rust", "presence-rust"], json.loads((await run.communicate())[0]))
        for channel, auth in signed:
            await client.send(json.dumps({"event": "pusher:subscribe", "data": {"channel": channel, **json.loads(auth)}}))
            said = await heard()
            check(channel, (said["event"], said["channel"]), ("pusher_internal:subscription_succeeded", channel))
        check("the member", json.loads(said["data"])["presence"]["hash"], {"ann": {"name": "Ann"}})


async def node(daemon):
    """npm pusher publishes, looks, and is refused."""
    subscriber = await Subscriber.open(daemon, "node-a")
    others = await Subscriber.open(daemon, "node-many-99", "private-encrypted-node", "$server-to-user-ann")
    host, port = daemon.admin.split(":")
    command = ["node", HERE / "pusher_http.js", host, port]
    said = await checks_of(command, 18)
    data = {"some": "data", "é": ["\"", "\u2028"]}
    check("the event of npm pusher", await subscriber.next(), ("node-a", "greet", data))
    check("the next one", await subscriber.next(), ("node-a", "counted", "text"))
    for n in range(10):
        check("a batch", await subscriber.next(), ("node-a", f"batch-{n}", {"n": n}))
    check("the last of 100 channels", await others.next(), ("node-many-99", "greet", data))
    check("to a user", await others.next(), ("#server-to-user-ann", "greet", data))
    channel, event, secret = await others.next()
    check("encrypted", (channel, event, sorted(secret)), ("private-encrypted-node", "greet", ["ciphertext", "nonce"]))
    return said[-1].get("version")


async def python(daemon):
    """PyPI pusher does the same."""
    subscriber = await Subscriber.open(daemon, "py-a")
    host, port = daemon.admin.split(":")
    app = {"app_id": "3", "key": "278d425bdf160c739803", "secret": "7ad3773142a6692b25b8", "ssl": False}
    client = pusher.Pusher(**app, host=host, port=int(port))

    def ask(call, *arguments):
        return asyncio.get_running_loop().run_in_executor(None, call, *arguments)
    check("trigger", await ask(client.trigger, "py-a", "greet", {"é": 1}), {})
    check("its event", await subscriber.next(), ("py-a", "greet", {"é": 1}))
    check("trigger to 100", await ask(client.trigger, [f"py-{n}" for n in range(100)], "greet", "x"), {})
    batch = [{"channel": "py-a", "name": f"batch-{n}", "data": {"n": n}} for n in range(10)]
    check("trigger_batch", await ask(client.trigger_batch, batch), {})
    for n in range(10):
        check("its events", await subscriber.next(), ("py-a", f"batch-{n}", {"n": n}))
    wanted = {"channels": {"py-a": {}}}
    check("channels_info", await ask(client.channels_info, "py-"), wanted)
    wanted = {"occupied": True, "subscription_count": 1}
    check("channel_info", await ask(client.channel_info, "py-a", ["subscription_count"]), wanted)
    check("users_info", await ask(client.users_info, "presence-x"), {"users": []})
    # Its terminate_user_connections leaves the app's id out of the path (3.3.4), and no server can take that.
    check("send_to_user", await ask(client.send_to_user, "ann", "greet", "x"), {})
    large = await ask(refused, lambda: client.trigger("py-a", "x", "y" * 10240))
    check("as much data as an event may have", large, "{}")
    stranger = pusher.Pusher(**{**app, "secret": "wrong"}, host=host, port=int(port))
    said = await ask(refused, lambda: stranger.trigger("py-a", "x", "y"))
    check("another secret", (said.startswith("PusherBadAuth"), "auth_signature" in said), (True, True))


def crate():
    """The version of the crate."""
    lock = (HERE / "pusher_rust" / "Cargo.lock").read_text()
    return re.search(r'name = "pusher"\nversion = "(.+)"', lock).group(1)


async def main():
    backend = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=backend.serve_forever, daemon=True).start()
    app = f"{APP} webhook_url=http://127.0.0.1:{backend.server_port}/"
    daemon = Daemon(sys.argv[1], ["--pusher-app", app, "--channel-rule", "pusher/* clients=subscribe"])
    try:
        version = await node(daemon)
        await python(daemon)
        await rust(daemon)
        await webhooks()
    finally:
        daemon.end()
    print(f"npm pusher {version}, PyPI pusher {importlib.metadata.version('pusher')}, "
          f"crate pusher {crate()}")
    print(f"{RESULTS.count(True)} passed, {RESULTS.count(False)} failed")


asyncio.run(main())
