"""What is measured of a server in one round."""

import json
import pathlib
import subprocess
import sys
import tempfile
import time

import crowd


def bench(options, server, mode, *args, path="/ws", over_http=False):
    """Runs wspush-bench against a server and returns its report."""
    scheme = server.scheme().replace("ws", "http") if over_http else server.scheme()
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        argv = [options.bench, mode, "--url", f"{scheme}://127.0.0.1:{server.port}{path}"]
        argv += ["--source", "127.0.1.0/24", "--wait", options.wait, "--timeout", "60s"]
        argv += ["--json", report.name]
        argv += [word for pid in server.pids() for word in ("--server-pid", str(pid))]
        argv += ["--fixed-key"] if server.fixed_key else []
        argv += ["--insecure"] if server.certificate else []
        argv += ["--push", f"http://127.0.0.1:{server.admin_port}/push"] if mode == "broadcast" else []
        argv += args
        done = subprocess.run(argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
        findings = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "wspush-bench:"))]
        if done.returncode:
            print(f"    {server.name} {mode}: {'; '.join(findings)}", file=sys.stderr, flush=True)
        text = pathlib.Path(report.name).read_text(encoding="utf-8")
        return (json.loads(text) if text else None), findings


class Notes:
    """The measured figures by name, and what went wrong."""

    def __init__(self):
        self.figures, self.failures = {}, []

    def note(self, report, findings, what, **values):
        """Takes the figures of a campaign that found nothing wrong."""
        self.failures.extend(f"{what}: {finding}" for finding in findings)
        if report and not findings:
            self.figures.update({name: value(report) for name, value in values.items()})


def plain(options, server, notes):
    """Pushing, echo and readers that don't read."""
    note = notes.note
    size = ("--size", str(options.size))
    # One publication at a time, each when the last has arrived.
    many = ("-n", str(options.connections), *size, "--warm-up", "2")
    single = ("-m", str(options.messages), "--interval", "50ms")
    note(
        *bench(options, server, "broadcast", *many, *single), "single",
        bytes_per_connection=lambda r: r["server"]["bytes_per_connection"],
        empty_bytes=lambda r: r["server"]["rss_empty_bytes"],
        handshake_us=lambda r: r["server"]["per_handshake"]["total_us"],
        delivery_us=lambda r: r["server"]["per_delivery"]["total_us"],
        delivery_user_us=lambda r: r["server"]["per_delivery"]["user_us"],
        fan_out_us=lambda r: r["messages"]["fan_out_us"]["median"],
        fan_out_best_us=lambda r: r["messages"]["fan_out_us"]["min"],
    )
    # A hundred back to back.
    burst = ("-m", str(options.burst_messages), "--burst", "100", "--pipeline", "100", "--interval", "200ms")
    note(
        *bench(options, server, "broadcast", *many, *burst), "burst",
        burst_delivery_us=lambda r: r["server"]["per_delivery"]["total_us"],
    )
    if server.has_echo:
        for count in (64, 1000):
            load = ("-n", str(count), "--duration", options.echo)
            note(
                *bench(options, server, "echo", *load, path="/echo"), f"echo {count}",
                **{
                    f"echo_{count}_per_s": lambda r: r["round_trips"]["per_s"],
                    f"echo_{count}_us": lambda r: r["server"]["per_round_trip"]["total_us"],
                },
            )
    # More bytes than the kernel takes for a socket that is not read; without such sockets, then with 1 %.
    heavy = ("-n", "1000", "--size", "8192", "--warm-up", "2", "--interval", "0")
    heavy += ("-m", str(options.heavy_messages))
    p99 = lambda r: r["messages"]["latency_us"]["summary"]["p99"]
    note(*bench(options, server, "broadcast", *heavy), "all read", all_read_p99_us=p99)
    grown = lambda r: r["server"]["rss_after_bytes"] - r["server"]["rss_connected_bytes"]
    slow = ("--never-read", "1", "--receive-buffer", "4096")
    note(
        *bench(options, server, "broadcast", *heavy, *slow), "never read",
        never_read_p99_us=p99, never_read_growth=grown,
    )


def transports(options, server, notes):
    """The same publications by everything that a server speaks, each at a server that was just started."""
    many = ("-n", str(options.connections), "--size", str(options.size), "--warm-up", "2")
    single = ("-m", str(options.messages), "--interval", "50ms")
    for name, path in server.transports.items():
        server.stop()
        server.start()
        # A first poll of Nchan's is answered by this.
        crowd.ask(server.admin_port, "POST", "/push", "before all others")
        over_http = name not in ("ws", "v1")
        report, findings = bench(
            options, server, "broadcast", "--transport", name, *many, *single, path=path, over_http=over_http
        )
        notes.note(
            report, findings, name,
            **{
                f"{name}_bytes": lambda r: r["server"]["bytes_per_connection"],
                f"{name}_us": lambda r: r["server"]["per_delivery"]["total_us"],
                f"{name}_user_us": lambda r: r["server"]["per_delivery"]["user_us"],
                f"{name}_fan_out_us": lambda r: r["messages"]["fan_out_us"]["median"],
            },
        )
    if server.name == "wspushd":
        # These clients answer no pings.
        server.more = ("--heartbeat-ms", "3600000")
        for form in ("ws", "v1", "sse"):
            together(options, server, notes, [form])
        together(options, server, notes, ["ws", "v1", "sse"])
        server.more = ()


def together(options, server, notes, forms):
    """As many clients again, of several forms: each client's bytes are those that were published, in one order."""
    server.stop()
    server.start()
    title = "_".join(forms)
    share = options.connections // len(forms)
    everybody = crowd.Crowd(server.port, [crowd.REQUESTS[form] for form in forms for _ in range(share)])
    everybody.read(lambda heard: b"\r\n\r\n" in heard)
    while json.loads(crowd.ask(server.admin_port, "GET", "/stats"))["connections"] < share * len(forms):
        time.sleep(0.02)
    # Later than the last word of its beginning: from here on all hear the same.
    crowd.ask(server.admin_port, "POST", "/push", "the first one")
    everybody.read(lambda heard: b"the first one" in heard)
    everybody.forget()
    texts = [f"{number:08}" + "x" * (options.size - 8) for number in range(options.messages)]
    before = cpu_s(server)
    for text in texts:
        crowd.ask(server.admin_port, "POST", "/push", text)
        everybody.read(lambda heard, number=text[:8].encode(): number in heard)
    time.sleep(0.1)
    cost = cpu_s(server) - before
    heard = [bytes(heard) for heard in everybody.heard.values()]
    for number, form in enumerate(forms):
        decoded = {tuple(crowd.DECODERS[form](each)) for each in set(heard[number * share:(number + 1) * share])}
        if decoded != {tuple(texts)}:
            notes.failures.append(f"{title}: clients of {form} have heard something else than was published")
    everybody.leave()
    notes.figures[f"together_{title}_us"] = 1e6 * cost / (len(heard) * len(texts))


def cpu_s(server):
    """CPU time of all threads of a server."""
    tasks = [task for pid in server.pids() for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(task.read_text(encoding="ascii").split()[0]) for task in tasks) / 1e9


def tls(options, server, notes):
    """The same pushing over TLS, and what its handshakes cost."""
    many = ("-n", str(options.connections), "--size", str(options.size), "--warm-up", "2")
    single = ("-m", str(options.messages), "--interval", "50ms")
    notes.note(
        *bench(options, server, "broadcast", *many, *single), "single",
        tls_bytes=lambda r: r["server"]["bytes_per_connection"],
        full_us=lambda r: r["server"]["per_handshake"]["total_us"],
        full_per_core_s=lambda r: r["tls"]["per_core_s"],
        tls_delivery_us=lambda r: r["server"]["per_delivery"]["total_us"],
        tls_delivery_user_us=lambda r: r["server"]["per_delivery"]["user_us"],
        tls_wire_bytes=lambda r: r["messages"]["wire_bytes"],
        tls_fan_out_us=lambda r: r["messages"]["fan_out_us"]["median"],
        suite=lambda r: ", ".join(r["tls"]["suites"]),
    )
    burst = ("-m", str(options.burst_messages), "--burst", "100", "--pipeline", "100", "--interval", "200ms")
    notes.note(
        *bench(options, server, "broadcast", *many, *burst), "burst",
        tls_burst_us=lambda r: r["server"]["per_delivery"]["total_us"],
    )
    report, findings = bench(options, server, "connect", "-n", str(options.connections), "--resume")
    if report and not findings and report["tls"]["resumed"] < 0.99 * report["connections"]["opened"]:
        counts = report["tls"]["resumed"], report["connections"]["opened"]
        findings.append("{} of {} connections resumed their session".format(*counts))
    notes.note(
        report, findings, "resumed",
        resumed_us=lambda r: r["server"]["per_handshake"]["total_us"],
        resumed_per_core_s=lambda r: r["tls"]["per_core_s"],
    )


def deflate(options, server, notes):
    """JSON without and with compression, each by a server that was just started, since memory is compared."""
    json_body = ("-n", str(options.connections), "--payload", "json", "--size", "1024", "--warm-up", "2")
    json_body += ("-m", str(options.messages), "--interval", "50ms")
    for prefix, flags in (("json", ()), ("deflated", ("--deflate",))):
        if flags:
            server.stop()
            server.start()
        grown = lambda r: r["server"]["rss_after_bytes"] - r["server"]["rss_empty_bytes"]
        notes.note(
            *bench(options, server, "broadcast", *json_body, *flags), prefix,
            **{
                f"{prefix}_us": lambda r: r["server"]["per_delivery"]["total_us"],
                f"{prefix}_wire": lambda r: r["messages"]["wire_bytes"],
                f"{prefix}_bytes": lambda r: r["server"]["bytes_per_connection"],
                f"{prefix}_after": lambda r: grown(r) / r["connections"]["opened"],
                f"{prefix}_share": lambda r: (r["deflate"] or {}).get("compressed", 0) / r["messages"]["received"],
            },
        )
    ratio(notes.figures, "us", "wire")
    difference(notes.figures, "bytes", "after")


def ratio(figures, *names):
    """With compression to without."""
    for name in names:
        before, after = figures.get(f"json_{name}"), figures.get(f"deflated_{name}")
        if before and after:
            figures[f"ratio_{name}"] = after / before


def difference(figures, *names):
    """With compression less without."""
    for name in names:
        before, after = figures.get(f"json_{name}"), figures.get(f"deflated_{name}")
        if before is not None and after is not None:
            figures[f"extra_{name}"] = after - before
