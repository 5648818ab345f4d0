"""The agent for headless Chromium, which runs agent.js in a page of the server's.

    chromium.py ADDRESS PROFILE_FOLDER

The DevTools protocol comes over a pair of pipes, descriptors 3 and 4, with a NUL behind each message.
"""
import json
import pathlib
import subprocess
import sys

FLAGS = [
    "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--ignore-certificate-errors", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-proxy-server",
]


class Browser:
    """A browser with a tab."""

    def __init__(self, profile):
        command = ["sh", "-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "sh", "chromium", *FLAGS]
        command.append(f"--user-data-dir={profile}")
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.serial, self.session = 0, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def message(self):
        """Reads one message."""
        parts = bytearray()
        while not parts.endswith(b"\0"):
            part = self.child.stdout.read1(1)
            if not part:
                sys.exit("chromium has ended")
            parts += part
        return json.loads(parts[:-1])

    def call(self, method, **params):
        """Calls a method and waits for its result."""
        self.serial += 1
        call = {"id": self.serial, "method": method, "params": params}
        if self.session:
            call["sessionId"] = self.session
        self.child.stdin.write(json.dumps(call).encode() + b"\0")
        self.child.stdin.flush()
        while True:
            message = self.message()
            if message.get("id") == self.serial:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]

    def value(self, expression):
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            return str(answer["exceptionDetails"]).replace("\n", " ")
        return answer["result"].get("value")

    def end(self):
        """Ends it and its processes."""
        self.session = None
        self.call("Browser.close")
        self.child.wait(timeout=10)


def main():
    address, profile = sys.argv[1:]
    browser = Browser(profile)
    try:
        # The browser sends the page's origin with the upgrade.
        page = address.replace("ws", "http", 1) + "/healthz"
        browser.call("Page.navigate", url=page)
        loaded = f"location.href === {json.dumps(page)} && document.readyState === 'complete'"
        while browser.value(loaded) is not True:
            pass
        script = pathlib.Path(__file__).with_name("agent.js").read_text(encoding="utf-8")
        browser.value(f"{script}\nconst agent = makeAgent(WebSocket, {json.dumps(address)}); true")
        print("ready", browser.call("Browser.getVersion")["product"].partition("/")[2], flush=True)
        for line in sys.stdin:
            print(browser.value(f"agent({json.dumps(line.strip())})"), flush=True)
    finally:
        browser.end()


if __name__ == "__main__":
    main()
