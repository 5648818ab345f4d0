"""PyPI pysher, a client of Pusher Channels, against an app: unchanged, and signing for itself as it can.

    pysher_client.py WSPUSHD
"""
import importlib.metadata
import json
import queue
import sys

import pusher
import pysher
from daemon import PATIENCE_S, Daemon

KEY, SECRET = "278d425bdf160c739803", "7ad3773142a6692b25b8"
RESULTS = []


def check(what, got, wanted):
    """Counts one check."""
    RESULTS.append(got == wanted)
    if got != wanted:
        print(f"pysher: {what}: {got!r}, expected {wanted!r}", flush=True)


def connected(daemon, user):
    """A client of this user, with its connection."""
    host, port = daemon.public.split(":")
    data = {"user_id": user, "user_info": {"name": f"Mr. {user}"}}
    client = pysher.Pusher(KEY, custom_host=host, port=int(port), secure=False, secret=SECRET, user_data=data)
    opened = queue.Queue()
    client.connection.bind("pusher:connection_established", opened.put)
    client.connect()
    opened.get(timeout=PATIENCE_S)
    return client


def joined(client, name, *events):
    """A channel, and what comes of these events there."""
    channel, got, done = client.subscribe(name), queue.Queue(), queue.Queue()
    channel.bind("pusher_internal:subscription_succeeded", done.put)
    for event in events:
        channel.bind(event, lambda data, *_, event=event: got.put((event, json.loads(data))))
    # The first answer may have come before anybody was bound to it; who asks again is answered again.
    again = {"channel": name}
    if name.startswith("presence-"):
        again |= {"auth": client._generate_presence_token(name), "channel_data": json.dumps(client.user_data)}
    elif name.startswith("private-"):
        again["auth"] = client._generate_auth_token(name)
    client.connection.send_event("pusher:subscribe", again)
    return channel, got, json.loads(done.get(timeout=PATIENCE_S))


def checks(daemon):
    """Public, private, presence and client events."""
    host, port = daemon.admin.split(":")
    backend = pusher.Pusher(app_id="3", key=KEY, secret=SECRET, host=host, port=int(port), ssl=False)
    ann, bob = connected(daemon, "ann"), connected(daemon, "bob")
    _, news, _ = joined(ann, "news", "greet")
    _, own, _ = joined(ann, "private-a", "greet", "client-hi")
    _, room, members = joined(ann, "presence-a", "pusher_internal:member_added", "pusher_internal:member_removed")
    check("members", members["presence"], {"ids": ["ann"], "hash": {"ann": {"name": "Mr. ann"}}, "count": 1})
    backend.trigger(["news", "private-a"], "greet", {"some": "dät\u00e1"})
    for got in (news, own):
        check("an event", got.get(timeout=PATIENCE_S), ("greet", {"some": "dät\u00e1"}))
    his, _, _ = joined(bob, "private-a")
    his.trigger("client-hi", json.dumps({"from": "bob"}))
    check("a client event", own.get(timeout=PATIENCE_S), ("client-hi", {"from": "bob"}))
    joined(bob, "presence-a")
    added = {"user_id": "bob", "user_info": {"name": "Mr. bob"}}
    check("who comes", room.get(timeout=PATIENCE_S), ("pusher_internal:member_added", added))
    bob.unsubscribe("presence-a")
    check("who goes", room.get(timeout=PATIENCE_S), ("pusher_internal:member_removed", {"user_id": "bob"}))


def main():
    """All of it."""
    daemon = Daemon(sys.argv[1], ["--pusher-app", f"3 key={KEY} secret={SECRET} client_events=true"])
    try:
        checks(daemon)
    finally:
        daemon.process.terminate()
        daemon.process.wait()
    passed = sum(RESULTS)
    print(f"pysher {importlib.metadata.version('pysher')}: {passed} passed, {len(RESULTS) - passed} failed")


main()
