"""The agent for Python's readers of event streams, and for curl.

    readers.py httpx-sse|sseclient-py|curl URL

Says each event as a line of JSON, until its standard input ends. Neither package connects again by itself,
so that is done here as the manual of the first one shows.
"""
import importlib.metadata
import json
import os
import subprocess
import sys
import threading
import time

CLIENT, URL = sys.argv[1:]
# Before a stream has said another, in seconds.
RETRY_S = 0.1
# The programs that this one has started.
CHILDREN = []


class Stopped(Exception):
    """The server has refused, and says that it goes on doing so."""


class State:
    """What is known of the last event when a client comes back."""

    def __init__(self):
        self.id, self.retry_s = "", RETRY_S

    def headers(self):
        """What resumes."""
        return {"Last-Event-ID": self.id} if self.id else {}

    def take(self, event):
        """An event, of which one package gives those without data, too."""
        self.id = event.id or self.id
        if event.retry is not None:
            self.retry_s = int(event.retry) / 1000
        if event.data:
            say(type=event.event, data=event.data, id=self.id)


def say(**what):
    """A line for who has started this."""
    print(json.dumps(what), flush=True)


def httpx_sse(state):
    """One connection by httpx-sse."""
    import httpx
    from httpx_sse import connect_sse

    # No time-out: a stream may be silent.
    with httpx.Client(timeout=None, trust_env=False) as client:
        try:
            with connect_sse(client, "GET", URL, headers=state.headers()) as source:
                refused(source.response.status_code)
                for event in source.iter_sse():
                    state.take(event)
        except httpx.TransportError:
            pass


def sseclient_py(state):
    """One connection by sseclient-py, over requests."""
    import requests
    import sseclient

    session = requests.Session()
    session.trust_env = False
    try:
        headers = {"Accept": "text/event-stream", **state.headers()}
        with session.get(URL, stream=True, headers=headers) as response:
            refused(response.status_code)
            for event in sseclient.SSEClient(response).events():
                state.take(event)
    except requests.RequestException:
        pass


def curl(state):
    """One connection by curl, whose lines are read here."""
    headers = [f"-HLast-Event-ID: {state.id}"] if state.id else []
    command = ["curl", "--no-buffer", "--silent", "--fail", "--noproxy", "*", *headers, URL]
    name, data = "message", []
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        CHILDREN.append(process)
        for line in process.stdout:
            field, _, value = line.decode().rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                state.id = value
            elif field == "retry":
                state.retry_s = int(value) / 1000
            elif not field and data:
                say(type=name, data="\n".join(data), id=state.id)
            if not field:
                name, data = "message", []
    # 22: an HTTP status from 400.
    if process.returncode == 22:
        raise Stopped


def refused(status):
    """Stops if a refusal is final."""
    if 400 <= status < 500:
        raise Stopped


def version():
    """The client's."""
    if CLIENT != "curl":
        return importlib.metadata.version(CLIENT)
    return subprocess.run(["curl", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()[1]


def end():
    """Waits for the end of the standard input, and ends all."""
    sys.stdin.read()
    for child in CHILDREN:
        child.kill()
    os._exit(0)


def main():
    """Connects again and again until it is told to stop."""
    threading.Thread(target=end, daemon=True).start()
    connect = {"httpx-sse": httpx_sse, "sseclient-py": sseclient_py, "curl": curl}[CLIENT]
    say(version=version())
    state = State()
    try:
        while True:
            connect(state)
            time.sleep(state.retry_s)
    except Stopped:
        say(type="stopped")


main()
