"""Writes docs/benchmarks.md and docs/benchmarks.svg from the results of a run."""

import datetime
import json
import os
import pathlib
import platform
import subprocess

# Title, figure, whether the ratio to the floor is told, how the value is written.
COLUMNS = [
    ("user bytes per connection", "bytes_per_connection", False, "{:,.0f}"),
    ("us per handshake", "handshake_us", True, "{:.1f}"),
    ("us per delivery, single", "delivery_us", True, "{:.2f}"),
    ("of it in user space", "delivery_user_us", False, "{:.2f}"),
    ("us per delivery, 100 back to back", "burst_delivery_us", True, "{:.2f}"),
    ("push to last receipt, median, ms", "fan_out_us", True, "{:.1f}"),
    ("best, ms", "fan_out_best_us", True, "{:.1f}"),
]
ECHO = [
    ("64 connections, round trips per second", "echo_64_per_s", True, "{:,.0f}"),
    ("us per round trip", "echo_64_us", True, "{:.2f}"),
    ("1,000 connections, round trips per second", "echo_1000_per_s", True, "{:,.0f}"),
    ("us per round trip ", "echo_1000_us", True, "{:.2f}"),
]


def machine():
    """What the figures depend on; asked before the run, so that the load is that of others."""
    cpu = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    kernel = ".".join(platform.release().split("-")[0].split(".")[:2])
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "kernel": f"Linux {kernel}",
        "date": datetime.date.today().isoformat(),
        "load": round(os.getloadavg()[0], 1),
    }


def cell(median, bases, figure, with_ratio, form):
    value = median.get(figure)
    if value is None:
        return "-"
    text = form.format(value / 1000 if "fan_out" in figure else value)
    base = bases.get(figure)
    return f"{text} ({value / base:.2f})" if with_ratio and base else text


def table(results, columns, base="floor"):
    """A row for each server; in brackets the ratio to the one named `base`."""
    servers = results["servers"]
    bases = servers.get(base, {"median": {}})["median"]
    lines = ["| | " + " | ".join(column[0].strip() for column in columns) + " |"]
    lines.append("|---|" + "---:|" * len(columns))
    for name, row in servers.items():
        if any(column[1] in row["median"] for column in columns):
            cells = [cell(row["median"], bases, *column[1:]) for column in columns]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def slow_readers(results):
    lines = ["| | p99 in ms, all read | p99 in ms, 1 % never read | ratio | growth of memory in MiB |"]
    lines.append("|---|---:|---:|---:|---:|")
    for name, row in results["servers"].items():
        median = row["median"]
        before, after = median.get("all_read_p99_us"), median.get("never_read_p99_us")
        if before and after:
            growth = median["never_read_growth"] / 2**20
            times = f"{before / 1000:.1f} | {after / 1000:.1f} | {after / before:.2f}"
            lines.append(f"| {name} | {times} | {growth:.1f} |")
    return "\n".join(lines)


# Figure, title, digits behind the point.
PANELS = [
    ("delivery_us", "Server CPU per delivery, one publication at a time (us)", 2),
    ("burst_delivery_us", "Server CPU per delivery, 100 publications back to back (us)", 2),
    ("handshake_us", "Server CPU per handshake (us)", 1),
    ("bytes_per_connection", "User-space memory per idle connection (bytes)", 0),
]


def tone(name):
    """Ours stand out from the peers, and so does the floor."""
    return "accent" if "wspush" in name else "strong" if name == "floor" else "plain"


def panel(results, figure, title, decimals):
    """A bar for each server that has the figure."""
    medians = {name: row["median"] for name, row in results["servers"].items()}
    rows = [(name, median[figure]) for name, median in medians.items() if figure in median]
    bars = [{"name": name, "value": value, "tone": tone(name)} for name, value in rows]
    return {"title": title, "decimals": decimals, "bars": bars}


def draw(bench, file, label, panels):
    """Writes the plot of panels that are given as (results, figure, title, digits behind the point)."""
    document = json.dumps({"label": label, "panels": [panel(*each) for each in panels]})
    subprocess.run([bench, "plot", "--output", file], input=document, text=True, check=True)


def versions(results):
    lines = [f"- {name}: {row['version']}" for name, row in results["servers"].items()]
    return "\n".join(lines + [f"- {name} was not measured: {why}" for name, why in results["skipped"]])


def failures(results):
    lines = "".join(
        f"- {name}: {failure}\n"
        for name, row in results["servers"].items()
        for failure in dict.fromkeys(row["failures"])
    )
    return f"\n## What failed\nA measurement with a failure has no figure.\n\n{lines}" if lines else ""


def rounds(results):
    count = results["settings"]["rounds"]
    return f"{count} round" + ("s" if count > 1 else "")


def markdown(results):
    settings, host = results["settings"], results["machine"]
    connections = settings["connections"]
    return f"""# Benchmarks

Written by `benches/peers/run`; don't edit. {host['date']}, {host['cpu']}, {host['cores']} cores shared by
client and server, {host['kernel']}, loopback. {connections:,} connections, {settings['size']} bytes a message,
medians over {rounds(results)} in which every server was measured once, one after the other. The load average before the
run was {host['load']}: where that is not far below the number of cores, others were at work, CPU time per
operation holds to a few per cent, and whatever is told in elapsed time (fan-out, round trips per second, p99)
holds not at all. Read the ratios to the floor, in brackets. The client waits in `{settings['wait']}` mode, for
all alike.

The floor is `benches/floor/floor.c`: it answers handshakes with constants and loops `send` over the
descriptors. It validates nothing and keeps nothing; no server that speaks WebSocket can cost less per send. A
burst can: when several publications lie side by side, one `send` carries them all.

![Costs of the measured servers](benchmarks.svg)

## Pushing
{table(results, COLUMNS)}

CPU is user and system time of the server, from the scheduler's account in `/proc/PID/task/*/schedstat`,
divided into user and system as the ticks of `/proc/PID/stat` tell. "100 back to back" are 100 `POST`s written
before the first answer is read; in the row of libwspush they are 100 calls of `wspush_broadcast` one after the
other, in `benches/peers/calls.c`, which embeds the library. Memory is the growth of `Rss` in
`/proc/PID/smaps_rollup` from no connection to all of them.

## Echo
32 bytes, one message under way on each connection. Client and server have one core each; where the client is
the slower of the two, the rate is the client's, and the server's CPU per round trip tells more.

{table(results, ECHO)}

## Readers that never read
1,000 connections, {settings['heavy_messages']} publications of 8 KiB, more than the kernel holds for a socket;
the latency is that of the connections that do read.

{slow_readers(results)}
{failures(results)}
## What was tried
- One look at the log for all subscribers that stand at the same place (`src/reactor/flush.rs`, `Stretch`): 52
  instructions per delivery outside the kernel in place of 194, 1.3 in place of 3.2 in a burst
  (`benches/instructions/check`). It is in.
- io_uring, 256 sends a submission, with and without registered files: 0.86 times the CPU of `send` in a bare loop,
  0.74 to 0.88 over several runs (`benches/floor/uring.c`). Below the 15 % that we want for a second way into the kernel.
  Measured again on a machine with 16 cores and Linux 6.18, with batches of 64 and of 256 sends, registered files and no
  completions: 8.1 us per delivery for the loop of `send`, and 8.4, 8.1, 8.5 and 8.3 us for the four variants (medians of 4).
  Nothing is gained, so the question is closed: it stays `send`.
- Echo: one `recv` and one `send` for a round trip, and an `epoll_wait` for as many as are ready; nine tenths of the time
  are the kernel's. Looking at the poll again before sleeping (1, 4 and 16 times) made it slower, so it isn't done.
  With a client that sleeps in place of one that polls (`--wait sleep`) wspushd takes 0.9 times Bun's CPU.

## Versions
{versions(results)}

## Doing it again
```sh
cargo build --release --workspace
benches/peers/run                       # everything
benches/peers/run --rounds 1 --only Bun # the floor and one peer
```
What the runner does with each server, here by hand with wspushd:
```sh
target/release/wspushd --listen 127.0.0.1:7102 --admin 127.0.0.1:7202 --max-connections 19000 --demo &
target/release/wspush-bench broadcast --url ws://127.0.0.1:7102/ws --push http://127.0.0.1:7202/push \\
  -n {connections} --source 127.0.1.0/24 --wait {settings['wait']} --size {settings['size']} --warm-up 2 \\
  -m {settings['messages']} --interval 50ms --server-pid $!
target/release/wspush-bench broadcast ... -m {settings['burst_messages']} --burst 100 --pipeline 100 \\
  --interval 200ms
target/release/wspush-bench echo --url ws://127.0.0.1:7102/echo -n 64 --duration {settings['echo']} \\
  --wait {settings['wait']}
target/release/wspush-bench broadcast ... -n 1000 --size 8192 -m {settings['heavy_messages']} --interval 0 \\
  --never-read 1 --receive-buffer 4096
```
"""


# All of them stand in front of this.
TRIED = "## What was tried\n"
# The sections of other suites begin so, in this order.
TRANSPORTS = "## Without WebSocket\n"
ENDPOINTS = "## An endpoint of Tomcat's\n"
# Written by hand from what benches/cores/run prints.
CORES = "## Several cores\n"


def section(folder, heading):
    """A suite's section as it stands there."""
    file = folder / "benchmarks.md"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    _, title, rest = text.partition(heading)
    return title + rest.split("\n## ", 1)[0].rstrip("\n") + "\n\n" if title else ""


def put_section(folder, heading, text):
    """Puts a section in the place of the one that is there, or behind those that come before it."""
    file = folder / "benchmarks.md"
    others = {own: section(folder, own) for own in (TRANSPORTS, ENDPOINTS, CORES)}
    whole = file.read_text(encoding="utf-8")
    for other in others.values():
        whole = whole.replace(other, "") if other else whole
    others[heading] = text
    file.write_text(whole.replace(TRIED, "".join(others.values()) + TRIED), encoding="utf-8")


def write(results, folder, bench):
    """Writes the report and its plot, which wspush-bench draws."""
    folder.mkdir(exist_ok=True)
    sections = "".join(section(folder, own) for own in (TRANSPORTS, ENDPOINTS, CORES))
    text = markdown(results).replace(TRIED, sections + TRIED)
    (folder / "benchmarks.md").write_text(text, encoding="utf-8")
    draw(bench, folder / "benchmarks.svg", "Costs of the measured servers", [(results, *panel) for panel in PANELS])
