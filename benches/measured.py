"""A process that a bench measures: where it listens, and what it has used."""
import pathlib
import resource
import socket
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
STARTED_WITHIN_S = 10
WSPUSHD = ["--listen", "127.0.0.1:{port}", "--admin", "127.0.0.1:{admin}"]


def free_port():
    """A port of 127.0.0.1 that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """It on two free ports, which stand in its command as {port} and {admin}, from when it answers at the latter."""

    def __init__(self, command):
        self.port, self.admin = free_port(), free_port()
        command = [str(part).format(port=self.port, admin=self.admin) for part in command]
        self.log = tempfile.TemporaryFile("w+")
        self.child = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        ends = time.monotonic() + STARTED_WITHIN_S
        while self.child.poll() is None and time.monotonic() < ends:
            try:
                socket.create_connection(("127.0.0.1", self.admin)).close()
                return
            except OSError:
                time.sleep(0.02)
        self.stop()
        self.log.seek(0)
        raise SystemExit(f"{command[0]} does not listen: {self.log.read()}")

    def ask(self, path, data=None):
        """One request to the admin port, a POST where there are data; returns the answer's text."""
        headers = {"Content-Type": "text/plain"} if data is not None else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin}{path}", data, headers)
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()

    def metrics(self, prefix):
        """Those whose lines begin so: names with their labels, and values."""
        lines = (line.rsplit(" ", 1) for line in self.ask("/metrics").splitlines() if line.startswith(prefix))
        return [(name, float(value)) for name, value in lines]

    def total(self, prefix):
        """Their sum."""
        return sum(value for _, value in self.metrics(prefix))

    def cpu_s(self):
        """CPU time of all its threads in seconds, from the scheduler's account."""
        tasks = pathlib.Path(f"/proc/{self.child.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def rss(self):
        """Its resident set in bytes."""
        return int(pathlib.Path(f"/proc/{self.child.pid}/statm").read_text().split()[1]) * resource.getpagesize()

    def stop(self):
        """Ends it however it is."""
        self.child.kill()
        self.child.wait()
