"""The daemon that all clients talk to."""
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "target" / "interop"
PATIENCE_S = 60


def certificate():
    """Makes a certificate, its key, and lets the clients trust it by the variables that they look at."""
    cert, key, store = FOLDER / "cert.pem", FOLDER / "key.pem", FOLDER / "trust.p12"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=interop", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert]
    subprocess.run(command + names, check=True, stderr=subprocess.DEVNULL)
    os.environ.update({"SSL_CERT_FILE": str(cert), "NODE_EXTRA_CA_CERTS": str(cert)})
    if shutil.which("keytool"):
        store.unlink(missing_ok=True)
        secret = ["-storepass", "changeit", "-noprompt"]
        make = ["keytool", "-importcert", "-file", cert, "-keystore", store, "-storetype", "PKCS12", "-alias", "interop"]
        subprocess.run(make + secret, check=True, stderr=subprocess.DEVNULL)
        trust = f"-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword=changeit"
        os.environ["JDK_JAVA_OPTIONS"] = trust
    return ["--tls-cert", cert, "--tls-key", key]


class Daemon:
    """A daemon on free ports."""

    def __init__(self, program, more, tls=False):
        scheme, self.scheme = ("tls://", "wss") if tls else ("", "ws")
        command = [program, "--listen", f"{scheme}127.0.0.1:0", "--admin", "127.0.0.1:0", *more]
        command += certificate() if tls else []
        self.log = open(FOLDER / "daemon-log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(command, stderr=self.log)
        ends = time.monotonic() + PATIENCE_S
        addresses = []
        while len(addresses) < 2:
            text = pathlib.Path(self.log.name).read_text(encoding="utf-8")
            addresses = re.findall(r'event=listening address="?([0-9.:]+)', text)
            if self.process.poll() is not None or time.monotonic() > ends:
                sys.exit("wspushd did not start: " + text)
            time.sleep(0.01)
        self.public, self.admin = addresses
        self.url = f"{self.scheme}://{self.public}"

    def ask(self, method, path, body=None, kind=None):
        """One request to the admin port; returns status and JSON."""
        connection = http.client.HTTPConnection(self.admin, timeout=PATIENCE_S)
        connection.request(method, path, body, {"Content-Type": kind} if kind else {})
        answer = connection.getresponse()
        status, text = answer.status, answer.read()
        connection.close()
        return status, json.loads(text)

    def connections(self, count):
        """The connections, as soon as there are `count` of them."""
        ends = time.monotonic() + PATIENCE_S
        while True:
            _, listed = self.ask("GET", "/connections")
            if len(listed["connections"]) == count or time.monotonic() > ends:
                return listed["connections"]
            time.sleep(0.01)

    def end(self):
        """Ends it however it is."""
        self.process.kill()
        self.process.wait()
        self.log.close()
