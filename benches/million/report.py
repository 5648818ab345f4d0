"""Reads what the guest has left (snapshots of /proc, the crowd's counts), prints the table, writes
report.json and report.md beside them. Exit 0: everything arrived; 1: something was lost; 2: no result."""

import json
import re
import sys
from pathlib import Path

PAGE = 4096
TICK_US = 1e4  # USER_HZ is 100
COUNTS = ("target", "established", "connect_errors", "closed", "receipts", "lost", "repeated", "corrupt", "pings")
SLOW = "the guest's system calls are slow, so this is no measure of speed"


def fields(path):
    """`Name:  12 kB` lines as a dictionary of integers."""
    found = re.findall(r"^(\S+?):\s+(\d+)", path.read_text(), re.M)
    return {name: int(value) for name, value in found}


def slabs(path):
    """Cache -> (objects in use, bytes of all its pages)."""
    table = {}
    for line in path.read_text().splitlines()[2:]:
        word = line.split()
        table[word[0]] = (int(word[1]), int(word[14]) * int(word[5]) * PAGE)
    return table


def sockstat(path):
    """`TCP: inuse 5 orphan 0 ..` -> {"inuse": 5, ..}."""
    words = next(line for line in path.read_text().splitlines() if line.startswith("TCP:")).split()[1:]
    return dict(zip(words[::2], map(int, words[1::2])))


def cpu_ticks(path):
    after_name = path.read_text().rsplit(")", 1)[1].split()
    return int(after_name[11]), int(after_name[12])


def number(text):
    return float(text) if "." in text else int(text)


def read_result(path):
    result, broadcasts = {}, []
    for line in path.read_text().splitlines():
        key, _, rest = line.partition(" ")
        if key == "broadcast":
            pairs = (pair.split("=") for pair in rest.split())
            broadcasts.append({name: number(value) for name, value in pairs})
        elif key == "answer":
            broadcasts[-1]["answer"] = rest.partition(" ")[2]
        else:
            result[key] = number(rest)
    return result, broadcasts


def kernel(directory, count):
    """Kernel memory that the connections brought, both ends, from slabinfo."""
    before, after = slabs(directory / "empty.slabinfo"), slabs(directory / "idle.slabinfo")
    caches = []
    for name, (objects, size) in after.items():
        old_objects, old_size = before.get(name, (0, 0))
        if size - old_size >= count * 2:
            caches.append({"cache": name, "objects_per_connection": round((objects - old_objects) / count, 2),
                           "bytes_per_connection": round((size - old_size) / count, 1)})
    caches.sort(key=lambda c: -c["bytes_per_connection"])
    total = sum(size for _, size in after.values()) - sum(size for _, size in before.values())
    return total / count, caches


def server_half(caches):
    """What one end takes: half of the caches that both ends use (two objects per connection). A cache
    with one object per connection belongs to one end: tcp_bind2_bucket to the client, which is alone
    on its address and port."""
    return sum(c["bytes_per_connection"] / 2 for c in caches if c["objects_per_connection"] > 1.5)


def recipients(answer):
    """What the server said to the push, if it said so."""
    try:
        return json.loads(answer).get("recipients")
    except (ValueError, AttributeError):
        return None


def problems(result, broadcasts, wanted):
    found = []
    have = result.get("established", 0)
    if wanted != "max" and have != int(wanted):
        found.append(f"{have} of {wanted} connections")
    for name in ("closed", "lost", "repeated", "corrupt"):
        if result.get(name, 1):
            found.append(f"{result.get(name, 'unknown')} {name}")
    for b in broadcasts:
        if b["status"] != 200 or b["receipts"] != b["expected"]:
            found.append(f"publication {b['seq']}: HTTP {b['status']}, {b['receipts']} of {b['expected']} receipts")
        claimed = recipients(b.get("answer", ""))
        if claimed is not None and claimed != b["expected"]:
            found.append(f"publication {b['seq']}: the server speaks of {claimed} recipients")
    if not broadcasts:
        found.append("no publication")
    if result.get("done") != 1:
        found.append("the crowd did not finish")
    return found


def summarise(directory, label, mem_mib):
    result, broadcasts = read_result(directory / "result")
    count = result["established"]
    empty, idle, after = (fields(directory / f"{phase}.status") for phase in ("empty", "idle", "after"))
    mem_empty, mem_idle = (fields(directory / f"{phase}.meminfo") for phase in ("empty", "idle"))
    slab, caches = kernel(directory, count)
    ticks = [sum(cpu_ticks(directory / f"{phase}.stat")) for phase in ("empty", "idle", "after")]
    deliveries = max(result.get("receipts", 0), 1)
    complaints = directory / "complaints"

    def per(key):
        return round((idle[key] - empty[key]) * 1024 / count, 1)

    def used(key):
        return round((mem_empty[key] - mem_idle[key]) * 1024 / count, 1)

    return {
        "server": label,
        "guest_mem_mib": int(mem_mib),
        "connections": count,
        "connections_memory_full": bool(result.get("memory_full")),
        "user_bytes_per_connection": {"vm_rss": per("VmRSS"), "rss_anon": per("RssAnon")},
        "server_rss_kib": {"empty": empty["VmRSS"], "idle": idle["VmRSS"], "after": after["VmRSS"],
                           "peak": after["VmHWM"]},
        "kernel_bytes_per_connection": {
            "both_ends_all_memory": used("MemFree"),
            "both_ends_mem_available": used("MemAvailable"),
            "server_descriptor_table": round(idle["FDSize"] * 8 / count, 1),
            "both_ends_slab": round(slab, 1),
            "server_end_slab": round(server_half(caches), 1),
            "page_tables": -used("PageTables"),
            "caches": caches,
        },
        "sockstat": {phase: sockstat(directory / f"{phase}.sockstat") for phase in ("empty", "idle", "after")},
        "setup": {"seconds": result["setup_seconds"], "per_second": round(count / max(result["setup_seconds"], 1e-3)),
                  "server_cpu_us": round((ticks[1] - ticks[0]) * TICK_US / count, 1)},
        "broadcasts": broadcasts,
        "server_cpu_us_per_delivery": round((ticks[2] - ticks[1]) * TICK_US / deliveries, 1),
        "counts": {name: result.get(name) for name in COUNTS},
        "guest_complaints": complaints.read_text().splitlines() if complaints.exists() else [],
    }


def lines(report):
    user, kern, counts = (report[k] for k in ("user_bytes_per_connection", "kernel_bytes_per_connection", "counts"))
    rss, setup = report["server_rss_kib"], report["setup"]
    slow = " *" if report["guest_mem_mib"] else ""
    yield "connections open at once, one process", f"{report['connections']:,}"
    yield "user-space memory per connection", f"{user['vm_rss']} bytes (anonymous: {user['rss_anon']})"
    yield ("server RSS empty / idle / after the broadcasts",
           " / ".join(f"{rss[phase] / 1024:.1f} MiB" for phase in ("empty", "idle", "after")))
    yield "kernel memory per connection, server's end (slab)", f"{kern['server_end_slab']:.0f} bytes"
    yield "the same, both ends (slab)", f"{kern['both_ends_slab']:.0f} bytes"
    yield "all memory per connection, both ends (MemFree)", f"{kern['both_ends_all_memory']:.0f} bytes"
    yield "set-up", f"{setup['seconds']:.1f} s, {setup['per_second']:,}/s{slow}"
    for b in report["broadcasts"]:
        yield (f"publication {b['seq']}: receipts; first, last after",
               f"{b['receipts']:,} of {b['expected']:,}; {b['first_s']:.3f} s, {b['last_s']:.2f} s{slow}")
    yield ("connect errors, closed, lost, repeated, corrupt",
           ", ".join(str(counts[k]) for k in ("connect_errors", "closed", "lost", "repeated", "corrupt")))
    if counts["pings"]:
        yield "pings answered", f"{counts['pings']:,}"
    if slow:
        yield "*", SLOW


def markdown(report):
    place = f"guest of {report['guest_mem_mib']:,} MiB" if report["guest_mem_mib"] else "no guest"
    text = f"| {report['server']}, {place} | |\n|---|---|\n"
    text += "".join(f"| {what} | {value} |\n" for what, value in lines(report))
    text += "\n| slab cache | objects per connection (both ends) | bytes |\n|---|---|---|\n"
    for c in report["kernel_bytes_per_connection"]["caches"]:
        text += f"| {c['cache']} | {c['objects_per_connection']} | {c['bytes_per_connection']} |\n"
    return text.replace(" * |", " \\* |").replace("| * |", "| \\* |")


def main():
    directory, label, mem_mib = Path(sys.argv[1]), sys.argv[2] or "wspushd", sys.argv[3]
    try:
        report = summarise(directory, label, mem_mib)
        result, broadcasts = read_result(directory / "result")
    except (OSError, KeyError, ZeroDivisionError, StopIteration, ValueError) as error:
        print(f"million: the guest left no result ({error!r}); see {directory}", file=sys.stderr)
        return 2
    report["problems"] = problems(result, broadcasts, directory.name)
    (directory / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    (directory / "report.md").write_text(markdown(report))
    width = max(len(what) for what, _ in lines(report))
    for what, value in lines(report):
        print(f"  {what:<{width}}  {value}")
    for line in report["guest_complaints"]:
        print(f"  guest's kernel: {line}")
    for problem in report["problems"]:
        print(f"  PROBLEM: {problem}")
    print(f"  {directory}/report.json, report.md")
    return 1 if report["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
