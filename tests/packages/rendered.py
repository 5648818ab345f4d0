"""Reads what helm has rendered: rendered.py WSPUSHD ONE.yaml MANY.yaml, and prints how many checks it has made."""

import subprocess
import sys

import yaml

wspushd, one, many = sys.argv[1:]
checks = 0


def check(is_true, said):
    global checks
    checks += 1
    if not is_true:
        sys.exit(f"helm: {said}")


def objects(path):
    with open(path) as file:
        return {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(file) if each}


def settings(deployment):
    """The variables of the container as Kubernetes would set them, and those of the image."""
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    variables = {"WSPUSH_LISTEN": "0.0.0.0:8080,[::]:8080", "WSPUSH_ADMIN": "0.0.0.0:8081,metrics://0.0.0.0:9464"}
    for each in container["env"]:
        check(each["name"] not in variables, f"{each['name']} is set twice")
        variables[each["name"]] = each.get("value", "a-text-of-at-least-32-characters-for-keys")
    return variables


def in_effect(variables):
    """Has the daemon take these variables, and returns its settings by name."""
    done = subprocess.run([wspushd, "--check"], env=variables, capture_output=True, text=True)
    check(done.returncode == 0, f"wspushd refuses them: {done.stderr}")
    lines = [line.split("  #")[0] for line in done.stdout.splitlines() if not line.startswith("#")]
    return dict(line.split(" = ", 1) for line in lines if " = " in line)


def selected(found):
    """Services and budgets select the pods, and services name ports that these have."""
    pod = found["Deployment", "wspush"]["spec"]["template"]
    labels = pod["metadata"]["labels"].items()
    ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    for (kind, name), each in found.items():
        if kind == "Service":
            check(each["spec"]["selector"].items() <= labels, f"{name} selects no pod")
            check({port["targetPort"] for port in each["spec"]["ports"]} <= ports, f"{name} names a port that is not there")
        elif kind in ("PodDisruptionBudget", "Deployment"):
            check(each["spec"]["selector"]["matchLabels"].items() <= labels, f"{kind} selects no pod")


def hardened(found):
    pod = found["Deployment", "wspush"]["spec"]["template"]["spec"]
    container = pod["containers"][0]["securityContext"]
    check(pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"], "the pod may be root")
    check(pod["enableServiceLinks"] is False, "variables for services are settings that nobody has set")
    check(container["readOnlyRootFilesystem"] and not container["allowPrivilegeEscalation"], "it may write")
    check(container["capabilities"]["drop"] == ["ALL"], "it has capabilities")


alone, several = objects(one), objects(many)
for found in (alone, several):
    selected(found)
    hardened(found)
kinds = lambda found: sorted(kind for kind, _ in found)
check(kinds(alone) == ["Deployment", "Secret", "Service", "Service"], f"alone: {kinds(alone)}")
check(kinds(several) == ["Deployment", "Ingress", "PodDisruptionBudget", "Service", "Service"], f"{kinds(several)}")
check(alone["Deployment", "wspush"]["spec"]["strategy"] == {"type": "Recreate"}, "two services at once")
check("rollingUpdate" in several["Deployment", "wspush"]["spec"]["strategy"], "a gap between two versions")

effective = in_effect(settings(alone["Deployment", "wspush"]))
check("0.0.0.0:8081" in effective["admin"], f"admin = {effective['admin']}")
effective = in_effect(settings(several["Deployment", "wspush"]))
for name, value in [("max_connections", "1500000"), ("channels", '["public.*", "news"]'), ("demo", "false")]:
    check(effective[name] == value, f"{name} = {effective[name]}")
check("node" in effective, "the nodes of a cluster have no names")
print(checks)
