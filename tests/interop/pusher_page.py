"""pusher-js in headless Chromium, unchanged, over each of its transports, in a page of another origin.

    pusher_page.py WSPUSHD PROFILE_FOLDER
"""
import hashlib
import hmac
import json
import pathlib
import sys
import time

import pusher
from chromium import Browser
from daemon import PATIENCE_S, Daemon

HERE = pathlib.Path(__file__).resolve().parent
KEY, SECRET = "278d425bdf160c739803", "7ad3773142a6692b25b8"
RESULTS = []
# The page: its clients by name, the events that each has heard, and the signatures that a backend has given it.
PAGE = """
globalThis.clients = {}; globalThis.heard = {}; globalThis.signed = {};
globalThis.open = (name, transport, wsHost, wsPort) => {
  const client = new Pusher("%s", {
    cluster: "", wsHost, wsPort, httpHost: wsHost, httpPort: wsPort, forceTLS: false, enabledTransports: [transport],
    channelAuthorization: { customHandler: ({ channelName }, done) => done(null, signed[name][channelName]) },
    userAuthentication: { customHandler: (_, done) => done(null, signed[name].user) },
  });
  clients[name] = client; heard[name] = [];
};
globalThis.join = (name, channel) => clients[name].subscribe(channel).bind_global((event, data) => {
  heard[name].push([channel, event, data ?? null]);
});
true
""" % KEY


def check(what, got, wanted):
    """Counts one check."""
    RESULTS.append(got == wanted)
    if got != wanted:
        print(f"pusher-js in Chromium: {what}: {got!r}, expected {wanted!r}", flush=True)


def sign(text):
    """A signature as a backend gives it."""
    return f"{KEY}:{hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()}"


class Page:
    """The page, with clients of one transport."""

    def __init__(self, browser, daemon, transport):
        self.browser, self.daemon, self.transport = browser, daemon, transport

    def until(self, what, expression, wanted=True):
        """Waits for a value."""
        ends = time.monotonic() + PATIENCE_S
        while (value := self.browser.value(expression)) != wanted:
            if time.monotonic() > ends:
                raise SystemExit(f"waited in vain for {what} over {self.transport}: {value!r}")
            time.sleep(0.01)

    def open(self, name):
        """Connects a client and lets its backend sign for it."""
        host, port = self.daemon.public.split(":")
        self.browser.value(f"open({json.dumps(name)}, {json.dumps(self.transport)}, {json.dumps(host)}, {port}); true")
        self.until(f"{name}'s connection", f"clients.{name}.connection.state", "connected")
        socket_id = self.browser.value(f"clients.{name}.connection.socket_id")
        data = json.dumps({"user_id": name, "user_info": {"name": f"Mr. {name}"}})
        user = json.dumps({"id": name})
        signed = {
            "private-a": {"auth": sign(f"{socket_id}:private-a")},
            "private-forbidden": {"auth": sign("something else")},
            "presence-a": {"auth": sign(f"{socket_id}:presence-a:{data}"), "channel_data": data},
            "user": {"auth": sign(f"{socket_id}::user::{user}"), "user_data": user},
        }
        self.browser.value(f"signed.{name} = {json.dumps(signed)}; true")
        return socket_id

    def join(self, name, channel):
        """Subscribes a client."""
        self.browser.value(f"join({json.dumps(name)}, {json.dumps(channel)}); true")
        self.until(f"{name} in {channel}", f"clients.{name}.channel({json.dumps(channel)}).subscribed")

    def heard(self, name, count):
        """All events that a client has heard of its channels, when there are so many."""
        events = f"heard.{name}.filter(([, event]) => event != 'pusher:subscription_succeeded')"
        self.until(f"{count} events", f"{events}.length >= {count}")
        return self.browser.value(events)


def checks(page, backend):
    """The same over each transport."""
    page.open("ann")
    his = page.open("bob")
    for name in ("ann", "bob"):
        page.join(name, "news")
        page.join(name, "private-a")
    page.join("ann", "presence-a")
    backend.trigger("news", "greet", {"text": "h\u00e9 \"quoted\""})
    greet = ["news", "greet", {"text": "h\u00e9 \"quoted\""}]
    check("an event", (page.heard("ann", 1), page.heard("bob", 1)), ([greet], [greet]))
    backend.trigger("news", "others", 1, his)
    page.browser.value("clients.bob.channel('private-a').trigger('client-hi', { from: 'bob' }); true")
    got = page.heard("ann", 3)
    check("what bob has caused", sorted(got[1:]), [["news", "others", 1], ["private-a", "client-hi", {"from": "bob"}]])
    page.join("bob", "presence-a")
    member = {"id": "bob", "info": {"name": "Mr. bob"}}
    check("who comes", page.heard("ann", 4)[3], ["presence-a", "pusher:member_added", member])
    check("members", page.browser.value("clients.bob.channel('presence-a').members.count"), 2)
    page.browser.value("clients.bob.unsubscribe('presence-a'); true")
    check("who goes", page.heard("ann", 5)[4], ["presence-a", "pusher:member_removed", member])
    check("what bob has not heard", page.heard("bob", 1), [greet])
    page.browser.value("clients.ann.subscribe('private-forbidden').bind('pusher:subscription_error', "
                       "(error) => { globalThis.refused = error.status }); true")
    page.until("a refusal", "globalThis.refused", 401)
    page.browser.value("clients.ann.user.bind('note', (data) => { globalThis.note = data }); "
                       "clients.ann.signin(); true")
    page.until("its own channel", "clients.ann.user.serverToUserChannel?.subscribed")
    backend.send_to_user("ann", "note", f"over {page.transport}")
    page.until("what is for it", "globalThis.note", f"over {page.transport}")
    page.browser.value("delete globalThis.refused; Object.values(clients).forEach((one) => one.disconnect()); true")


def main():
    """All of it."""
    program, profile = sys.argv[1:]
    app = f"3 key={KEY} secret={SECRET} client_events=true"
    daemon = Daemon(program, ["--pusher-app", app, "--presence-grace-ms", "0"])
    host, port = daemon.admin.split(":")
    backend = pusher.Pusher(app_id="3", key=KEY, secret=SECRET, host=host, port=int(port), ssl=False)
    browser = Browser(profile)
    package = HERE / "node_modules" / "pusher-js"
    try:
        # A page of the admin listener's port, which is another origin than the clients'.
        page = f"http://{daemon.admin}/healthz"
        browser.call("Page.navigate", url=page)
        loaded = f"location.href === {json.dumps(page)} && document.readyState === 'complete'"
        while browser.value(loaded) is not True:
            pass
        browser.value((package / "dist" / "web" / "pusher.min.js").read_text(encoding="utf-8") + "\n;true")
        for transport in ("ws", "xhr_streaming", "xhr_polling"):
            check(f"a page for {transport}", browser.value(PAGE), True)
            checks(Page(browser, daemon, transport), backend)
    finally:
        browser.end()
        daemon.process.terminate()
        daemon.process.wait()
    version = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    passed = sum(RESULTS)
    print(f"pusher-js {version} in Chromium: {passed} passed, {len(RESULTS) - passed} failed")


main()
