"""Writes docs/wss.md and docs/wss.svg from the results of the suites `tls` and `deflate`."""

import page

TLS = [
    ("user bytes per idle connection", "tls_bytes", True, "{:,.0f}"),
    ("us per delivery, single", "tls_delivery_us", True, "{:.2f}"),
    ("of it in user space", "tls_delivery_user_us", False, "{:.2f}"),
    ("us per delivery, 100 back to back", "tls_burst_us", True, "{:.2f}"),
    ("push to last receipt, median, ms", "tls_fan_out_us", True, "{:.1f}"),
    ("bytes on the wire per delivery", "tls_wire_bytes", False, "{:,.0f}"),
]
HANDSHAKES = [
    ("full, us", "full_us", True, "{:.0f}"),
    ("full, per second and core", "full_per_core_s", False, "{:,.0f}"),
    ("resumed, us", "resumed_us", True, "{:.0f}"),
    ("resumed, per second and core", "resumed_per_core_s", False, "{:,.0f}"),
    ("agreed on", "suite", False, "{}"),
]
DEFLATE = [
    ("us per delivery without", "json_us", True, "{:.2f}"),
    ("with", "deflated_us", True, "{:.2f}"),
    ("with / without", "ratio_us", False, "{:.2f}"),
    ("bytes on the wire without", "json_wire", False, "{:,.0f}"),
    ("with ", "deflated_wire", False, "{:,.0f}"),
    ("with / without ", "ratio_wire", False, "{:.2f}"),
    ("compressed messages", "deflated_share", False, "{:.0%}"),
]
MEMORY = [
    ("idle, without", "json_bytes", True, "{:,.0f}"),
    ("idle, negotiated", "deflated_bytes", True, "{:,.0f}"),
    ("extra", "extra_bytes", False, "{:+,.0f}"),
    ("extra after the broadcasts", "extra_after", False, "{:+,.0f}"),
]
# Suite, figure, title, digits behind the point.
PANELS = [
    ("tls", "tls_bytes", "User-space memory per idle wss connection (bytes)", 0),
    ("tls", "tls_delivery_us", "Server CPU per wss delivery (us)", 2),
    ("tls", "full_per_core_s", "Full TLS handshakes per second and core", 0),
    ("tls", "resumed_per_core_s", "Resumed TLS handshakes per second and core", 0),
    ("deflate", "json_us", "Server CPU per delivery of 1 KiB of JSON, as it is (us)", 2),
    ("deflate", "deflated_us", "Server CPU per delivery of 1 KiB of JSON, compressed (us)", 2),
    ("deflate", "deflated_wire", "Bytes on the wire per delivery of 1 KiB of JSON, compressed", 0),
]


def circumstances(results):
    settings, host = results["settings"], results["machine"]
    return (
        f"{host['date']}, {host['cpu']}, {host['cores']} cores shared by client and server, {host['kernel']}, "
        f"loopback;\n{settings['connections']:,} connections, medians over {page.rounds(results)}, every server once "
        f"in each; load average before the run {host['load']}."
    )


def tls(results):
    settings = results["settings"]
    return f"""## TLS
{circumstances(results)}
Publications of {settings['size']} bytes. A self-made certificate, ECDSA with P-256, the same for all; the client
(rustls) offers TLS 1.3 and 1.2 and takes what the server chooses. In brackets the ratio to wspushd.

{page.table(results, TLS, 'wspushd')}

Memory is the growth of `Rss` in `/proc/PID/smaps_rollup` from no connection to all of them, and counts what the TLS
library needs.

### Handshakes
CPU of the server for TLS and WebSocket handshake together, and how many of them a core can answer in a second at
that price. Resumed: every connection has a ticket of its own, got on another connection before.

{page.table(results, HANDSHAKES, 'wspushd')}
{page.failures(results)}
### Versions
{page.versions(results)}

"""


def deflate(results):
    return f"""## permessage-deflate
{circumstances(results)}
Publications of 1,024 bytes of JSON, each another one: quotes with names, prices and times (`--payload json`), as in
`wspush-bench/src/json_body.rs`, without TLS. The client offers `server_no_context_takeover` and
`client_no_context_takeover`, inflates what comes and checks it. In brackets the ratio to wspushd.

{page.table(results, DEFLATE, 'wspushd')}

User-space memory for each connection, in bytes. Idle: before the first publication. Some servers allocate their
compressor when it is first used: that is in the last column, which compares the growth from no connection to the end
of the broadcasts without and with compression.

{page.table(results, MEMORY, 'wspushd')}
{page.failures(results)}
### Versions
{page.versions(results)}

"""


SECTIONS = {"tls": tls, "deflate": deflate}


def markdown(results):
    sections = "".join(SECTIONS[suite](results[suite]) for suite in SECTIONS if suite in results)
    return f"""# wss:// and compression, measured

Written by `benches/peers/run`; don't edit. How CPU and memory are read is told in [benchmarks.md](benchmarks.md);
where the load average is not far below the number of cores, what is told in elapsed time does not hold.

![Costs of TLS and compression](wss.svg)

{sections}## Doing it again
```sh
cargo build --release --workspace
benches/peers/run --suite tls
benches/peers/run --suite deflate
```
What the runner does, here by hand with wspushd:
```sh
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -days 7 \\
  -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE
target/release/wspushd --listen tls://127.0.0.1:7102 --tls-cert cert.pem --tls-key key.pem \\
  --admin 127.0.0.1:7202 --max-connections 19000 &
target/release/wspush-bench broadcast --url wss://127.0.0.1:7102/ws --push http://127.0.0.1:7202/push --insecure \\
  -n 5000 --source 127.0.1.0/24 --wait busy --warm-up 2 -m 20 --interval 50ms --server-pid $!
target/release/wspush-bench connect ... --resume
target/release/wspush-bench broadcast --url ws://... --deflate --payload json --size 1024 ...
```
"""


def write(results, folder, bench):
    """Writes the report and its plot, which wspush-bench draws; `results` by suite."""
    folder.mkdir(exist_ok=True)
    (folder / "wss.md").write_text(markdown(results), encoding="utf-8")
    panels = [(results[suite], *panel) for suite, *panel in PANELS if suite in results]
    page.draw(bench, folder / "wss.svg", "Costs of TLS and compression", panels)
