"""Writes the section of docs/benchmarks.md that compares transports, from the results of the suite `transports`."""

import json

import page
import servers

TITLES = {
    "ws": "WebSocket", "v1": "WebSocket, `wspush.v1`", "sse": "Server-Sent Events", "stream": "lines, `/stream`",
    "poll": "long polling",
}


def number(value, form):
    """A figure, or a sign that there is none."""
    return "-" if value is None else form.format(value)


def rows(results):
    """A row for each transport of each server."""
    lines = [
        "| | | user bytes per connection | us per delivery | of it in user space | to WebSocket's | push to last receipt, ms |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for name, server in results["servers"].items():
        median = server["median"]
        for transport, title in TITLES.items():
            cost, base = median.get(f"{transport}_us"), median.get("ws_us")
            if cost is None:
                continue
            last = median.get(f"{transport}_fan_out_us")
            cells = [
                number(median.get(f"{transport}_bytes"), "{:,.0f}"), number(cost, "{:.2f}"),
                number(median.get(f"{transport}_user_us"), "{:.2f}"),
                number(base and cost / base, "{:.2f}"), number(last and last / 1000, "{:.1f}"),
            ]
            lines.append(f"| {name} | {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def together(results):
    """Several forms at once, and each of them alone."""
    median = results["servers"].get("wspushd", {"median": {}})["median"]
    alone = [median.get(f"together_{form}_us") for form in ("ws", "v1", "sse")]
    mixed = median.get("together_ws_v1_sse_us")
    if mixed is None or None in alone:
        return ""
    share, counted = results["settings"]["connections"] // 3, instructions()
    mean = sum(alone) / len(alone)
    singly = ", ".join(f"{cost:.2f}" for cost in alone)
    return f"""
One publication at a time to {share:,} clients of `/ws`, {share:,} of `wspush.v1` and {share:,} of `/sse` at once takes
the server {mixed:.2f} us for each delivery, {mixed / mean:.2f} times the mean of the three forms alone ({singly}), to as
many clients. Outside the kernel it is {counted["mixed"]:.0f} instructions for each where clients of the three
forms take turns, and {counted["crowd"]:.0f} where all take one. Every client's bytes are compared with what was
published: one order, nothing lost, nothing twice.
"""


def instructions():
    """What is counted outside the kernel: benches/instructions/check."""
    file = servers.HERE.parent / "instructions" / "baseline.json"
    return json.loads(file.read_text(encoding="utf-8"))


def polls(results):
    """Long polling beside Nchan's."""
    medians = [results["servers"].get(name, {"median": {}})["median"] for name in ("wspushd", "nginx + Nchan")]
    (cost, other), (user, other_user) = ([m.get(name) for m in medians] for name in ("poll_us", "poll_user_us"))
    if not cost or not other or not user or not other_user:
        return ""
    return f"""
An answered and renewed poll takes Nchan {other / cost:.1f} times as much CPU, and {other_user / user:.1f} times as much of it
in user space. Of wspushd's {cost:.2f} us the kernel takes {cost - user:.2f}: for each poll one `send`, one `recv`, and three
segments, since TCP acknowledges a request whose answer does not come at once by a segment of its own. Outside the
kernel these are {instructions()["poll"]:,.0f} instructions.
"""


def text(results):
    settings, host = results["settings"], results["machine"]
    versions = ", ".join(f"{name} {row['version']}" for name, row in results["servers"].items())
    return f"""{page.TRANSPORTS}
{host['date']}, {host['cores']} cores, {settings['connections']:,} connections, {settings['size']} bytes a message,
one publication at a time, medians over {page.rounds(results)}; the load average before the run was {host['load']}
({versions}). Each server is started anew for each transport. A delivery by polling is an
answer and the request that follows it.

{rows(results)}
{polls(results)}{together(results)}{page.failures(results).replace("## ", "### ")}
```sh
benches/peers/run --suite transports
```

"""


def write(results, folder, _bench):
    """Puts the section in the place of the one that is there."""
    page.put_section(folder, page.TRANSPORTS, text(results))
