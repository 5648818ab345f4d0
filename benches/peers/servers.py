"""The servers that are measured: how each is installed, started and named."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
INSTALLED = HERE / ".installed"

# Below the range that clients take their ports from, so that no client holds a server's port.
FIRST_PORT = 7101
FIRST_ADMIN_PORT = 7201


class Missing(Exception):
    """A server that can't be had here; the reason is for the report."""


def command(*words, cwd=None):
    """Runs a step of an installation and returns what it printed."""
    try:
        done = subprocess.run(words, cwd=cwd, text=True, capture_output=True, timeout=900)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{words[0]}: {error}") from error
    if done.returncode:
        raise Missing(f"`{' '.join(map(str, words[:3]))} ...` failed: {done.stderr.strip()[-200:]}")
    return done.stdout.strip()


class Certificate:
    """A self-made certificate, ECDSA with P-256, the same for all."""

    def __init__(self, folder):
        self.file, self.key = folder / "cert.pem", folder / "key.pem"
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
        names = ("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        limits = ("-addext", "basicConstraints=critical,CA:FALSE", "-days", "7", "-subj", "/CN=localhost")
        out = ("-keyout", self.key, "-out", self.file)
        command("openssl", "req", "-x509", *curve, "-nodes", *names, *limits, *out)


class Server:
    """A server with one interface: WebSocket on /ws and /echo of one port, `POST /push` on another."""

    name = ""
    fixed_key = False
    has_echo = True
    # What the suite `transports` measures.
    transports = {}
    # Set before `install`: the Certificate if the port speaks TLS, and whether compression is offered.
    certificate = None
    deflates = False

    def __init__(self, number):
        self.port = FIRST_PORT + number
        self.admin_port = FIRST_ADMIN_PORT + number
        self.version = ""
        self.process = None

    def install(self):
        """Installs what is missing and returns the version; raises Missing."""
        raise NotImplementedError

    def argv(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def scheme(self):
        return "wss" if self.certificate else "ws"

    def pids(self):
        """The processes whose memory and time are the server's."""
        return [self.process.pid]

    def start(self):
        log = open(INSTALLED / f"{self.name.split()[0]}.log", "w", encoding="utf-8")
        environment = {**os.environ, **self.environment()}
        self.process = subprocess.Popen(
            self.argv(), env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        for port in (self.port, self.admin_port):
            self.wait_for(port)
        time.sleep(0.5)

    def wait_for(self, port):
        for _ in range(100):
            if self.process.poll() is not None:
                raise Missing(f"ended at once with status {self.process.returncode}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise Missing(f"does not listen on port {port}")

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Floor(Server):
    name = "floor"
    fixed_key = True

    def install(self):
        source = HERE.parent / "floor" / "floor.c"
        command("cc", "-O2", "-pthread", "-o", INSTALLED / "floor", source)
        return "C, cc -O2, " + command("cc", "-dumpfullversion")

    def argv(self):
        return [INSTALLED / "floor", str(self.port), str(self.admin_port)]


class Wspushd(Server):
    name = "wspushd"
    transports = {"ws": "/ws", "v1": "/ws", "sse": "/sse", "stream": "/stream", "poll": "/poll?timeout=120"}

    # Flags for one measurement.
    more = ()

    def __init__(self, number, path):
        super().__init__(number)
        self.path = path

    def install(self):
        if not self.path.is_file():
            raise Missing("not built: `cargo build --release --bin wspushd`, or give --wspushd PATH")
        try:
            return command(self.path, "--version").split()[-1]
        except (Missing, IndexError):
            return "unknown"

    def argv(self):
        listen, admin = f"127.0.0.1:{self.port}", f"127.0.0.1:{self.admin_port}"
        argv = [self.path, "--admin", admin, "--max-connections", "19000", "--demo", *self.more, "--listen"]
        if not self.certificate:
            return [*argv, listen]
        files = ("--tls-cert", self.certificate.file, "--tls-key", self.certificate.key)
        return [*argv, f"tls://{listen}", *files]


class Calls(Wspushd):
    """The library in a program of a few lines, which calls it for whatever is posted."""

    name = "libwspush, calls"
    has_echo = False

    def install(self):
        library = self.path.parent / "libwspush.so"
        if not library.is_file():
            raise Missing(f"{library} is not built: `cargo build --release`")
        version = Wspushd.install(self)
        # The program looks for the library's SONAME.
        folder = INSTALLED / "calls"
        folder.mkdir(exist_ok=True)
        for name in ("libwspush.so", "libwspush.so.0"):
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(library.resolve())
        flags = ("-O2", "-I", ROOT / "include", "-L", folder, f"-Wl,-rpath,{folder}")
        command("cc", *flags, "-o", folder / "calls", HERE / "calls.c", "-lwspush")
        return version

    def argv(self):
        return [INSTALLED / "calls" / "calls", str(self.port), str(self.admin_port)]


class Npm(Server):
    """A server in JavaScript with a package from npm."""

    package = ""

    def environment(self):
        environment = {"NODE_PATH": str(INSTALLED / "node" / "node_modules")}
        if self.certificate:
            environment.update(TLS_CERT=str(self.certificate.file), TLS_KEY=str(self.certificate.key))
        if self.deflates:
            environment["DEFLATE"] = "1"
        return environment

    def install(self):
        folder = INSTALLED / "node"
        manifest = folder / "node_modules" / self.package.split("@")[0] / "package.json"
        if not manifest.is_file():
            if not shutil.which("npm"):
                raise Missing("npm is not installed")
            folder.mkdir(parents=True, exist_ok=True)
            flags = ("--no-audit", "--no-fund", "--no-package-lock")
            command("npm", "install", *flags, self.package, cwd=folder)
        return command("node", "-p", f"require({str(manifest)!r}).version")


class Bun(Npm):
    name = "Bun (uWebSockets)"
    package = "bun@1"

    def install(self):
        version = super().install()
        command(self.binary(), "--version")
        return version

    @staticmethod
    def binary():
        return INSTALLED / "node" / "node_modules" / ".bin" / "bun"

    def argv(self):
        return [self.binary(), HERE / "bun.js", str(self.port), str(self.admin_port)]


class NodeWs(Npm):
    name = "node ws"
    package = "ws@8"

    def install(self):
        return f"{super().install()}, node {command('node', '--version').lstrip('v')}"

    def argv(self):
        return ["node", HERE / "ws.js", str(self.port), str(self.admin_port)]


class Nchan(Server):
    name = "nginx + Nchan"
    has_echo = False
    packages = ("nginx", "libnginx-mod-nchan")
    transports = {"ws": "/ws", "sse": "/sse", "poll": "/poll"}

    def prefix(self):
        return INSTALLED / "nginx"

    def install(self):
        prefix = self.prefix()
        binary = prefix / "usr" / "sbin" / "nginx"
        if not binary.is_file():
            if not shutil.which("apt-get"):
                raise Missing("needs Debian's packages of nginx and Nchan")
            # Unpacked and not installed: no service starts, and no privilege is needed.
            prefix.mkdir(parents=True, exist_ok=True)
            command("apt-get", "download", *self.packages, cwd=prefix)
            for package in prefix.glob("*.deb"):
                command("dpkg-deb", "-x", package, prefix)
        (prefix / "temp").mkdir(exist_ok=True)
        # Whatever the configuration says, Nchan's locations want the compiled-in folder for request bodies.
        bodies = pathlib.Path("/var/lib/nginx")
        try:
            bodies.mkdir(exist_ok=True)
        except OSError as error:
            raise Missing(f"needs the folder {bodies}") from error
        config = (HERE / "nchan.conf").read_text(encoding="utf-8")
        config = config.replace("ADMIN_PORT", str(self.admin_port)).replace("PORT", str(self.port))
        config = config.replace("DEFLATES", "on" if self.deflates else "off")
        config = config.replace(" SECURED", " ssl" if self.certificate else "")
        if self.certificate:
            config = config.replace("CERTIFICATE", str(self.certificate.file)).replace("KEY", str(self.certificate.key))
        else:
            config = "".join(line for line in config.splitlines(True) if "    ssl_" not in line)
        if os.geteuid():
            config = config.replace("user root;\n", "")
        (prefix / "nchan.conf").write_text(config.replace("PREFIX", str(prefix)), encoding="utf-8")
        files = [next(prefix.glob(f"{name}_*.deb")) for name in self.packages]
        versions = [command("dpkg-deb", "-f", file, "Version") for file in files]
        nginx, nchan = (version.split(":")[-1].split("+")[0].split("-")[0] for version in versions)
        return f"{nchan}, nginx {nginx}"

    def argv(self):
        prefix = self.prefix()
        return [prefix / "usr/sbin/nginx", "-p", prefix, "-e", "stderr", "-c", prefix / "nchan.conf"]

    def pids(self):
        # The worker; the master has no connections.
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text(encoding="ascii").split()]


class TokioTungstenite(Server):
    def __init__(self, number, buffers):
        super().__init__(number)
        self.buffers = buffers
        self.name = f"tokio-tungstenite, {'small buffers' if buffers == 'small' else 'defaults'}"

    def install(self):
        folder = HERE / "tokio-tungstenite"
        command("cargo", "build", "--release", "--locked", "--quiet", cwd=folder)
        lock = (folder / "Cargo.lock").read_text(encoding="utf-8")
        return lock.split('name = "tokio-tungstenite"\nversion = "')[1].split('"')[0]

    def argv(self):
        binary = HERE / "tokio-tungstenite" / "target" / "release" / "peer-tokio-tungstenite"
        return [binary, str(self.port), str(self.admin_port), self.buffers]


class NoSuchServer(Exception):
    """Names of servers that there are not; the text says which there are."""


def of_suite(suite, wspushd):
    """All servers that the suite measures."""
    if suite == "transports":
        return [Wspushd(1, wspushd), Nchan(3)]
    servers = [Wspushd(1, wspushd), Bun(2), Nchan(3), NodeWs(4)]
    if suite == "plain":
        servers[0:1] = [Floor(0), servers[0], Calls(7, wspushd)]
        servers += [TokioTungstenite(5, "small"), TokioTungstenite(6, "default")]
    return servers


def select(servers, words):
    """Those whose names have one of the words in them, and the floor; all of them if there are no words."""
    if not words:
        return servers
    has = lambda server, word: word != "" and word.casefold() in server.name.casefold()
    unknown = [word for word in words if not any(has(server, word) for server in servers)]
    if unknown:
        names = "; ".join(server.name for server in servers)
        raise NoSuchServer(f"no server has {' or '.join(map(repr, unknown))} in its name; there are: {names}")
    return [server for server in servers if server.name == "floor" or any(has(server, word) for word in words)]


def available(servers, certificate, deflates):
    """Those that can be measured here, installed, and the reasons for those that can't."""
    INSTALLED.mkdir(exist_ok=True)
    ready, skipped = [], []
    for server in servers:
        server.certificate, server.deflates = certificate, deflates
        try:
            server.version = server.install()
            ready.append(server)
        except Missing as missing:
            skipped.append((server.name, str(missing)))
            print(f"skipped: {server.name}: {missing}", file=sys.stderr)
    return ready, skipped
