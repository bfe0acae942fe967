"""Rules for Compose files and Kubernetes manifests. Nodes are walked as written: no alias is expanded."""

import re
from collections.abc import Iterator

import yaml

from muniment.scanners.infrastructure.findings import UnreadableFileError, Violation

_POWERFUL = frozenset({"ALL", "SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "NET_ADMIN"})
_WORKLOADS = frozenset({"Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"})
_ROLES = frozenset({"Role", "ClusterRole"})
Node = yaml.Node


def is_compose_name(name: str) -> bool:
    """Whether a file of this name is a Compose file."""
    return bool(re.fullmatch(r"(?:docker-)?compose(?:[.-][\w.-]{1,60})?\.ya?ml", name))


def check_yaml(name: str, text: str) -> Iterator[Violation] | None:
    """Check a YAML file; None if it is neither a Compose file nor a manifest. Raises UnreadableFileError."""
    compose = is_compose_name(name)
    manifest = all(text.startswith(key) or f"\n{key}" in text for key in ("kind:", "apiVersion:"))
    if not compose and not manifest:
        return None
    if not compose and "{{" in text:
        raise UnreadableFileError("it is a template, which is rendered only at deployment")
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    except (yaml.YAMLError, RecursionError, ValueError):
        raise UnreadableFileError("it is no YAML") from None
    return _check_compose(documents) if compose else _check_manifests(documents)


def _check_compose(documents: list[Node]) -> Iterator[Violation]:
    for document in documents:
        for name, service in _list_pairs(_get_value(document, "services")):
            yield from _check_service(name, service)


def _check_service(name: str, service: Node) -> Iterator[Violation]:
    for key, value in _list_pairs(service):
        line = value.start_mark.line + 1
        if (key == "privileged" and _is_true(value)) or (
            key in ("network_mode", "pid", "ipc", "userns_mode") and _read_text(value) == "host"
        ):
            yield Violation(line, "container-privileged", name)
        elif key == "cap_add":
            yield from _check_capabilities(name, value)
        elif key == "user" and _read_text(value).partition(":")[0] in ("root", "0"):
            yield Violation(line, "container-root-user", name)
        elif key == "volumes":
            for item in _list_items(value):
                source = _read_text(item) or _read_text(_get_value(item, "source"))
                if "docker.sock" in source or "containerd.sock" in source:
                    yield Violation(item.start_mark.line + 1, "container-socket-mounted", name)


def _check_capabilities(name: str, value: Node | None) -> Iterator[Violation]:
    for item in _list_items(value):
        if _read_text(item).upper().removeprefix("CAP_") in _POWERFUL:
            yield Violation(item.start_mark.line + 1, "container-privileged", name)


def _check_manifests(documents: list[Node]) -> Iterator[Violation]:
    for document in documents:
        kind = _read_text(_get_value(document, "kind"))
        name = f"{kind}/{_read_text(_get_value(_get_value(document, 'metadata'), 'name'))}"
        if kind in _WORKLOADS:
            yield from _check_workload(name, _find_pod(document, kind))
        elif kind in _ROLES:
            yield from _check_role(name, _get_value(document, "rules"))
        elif kind == "Secret":
            for part in ("data", "stringData"):
                for key, value in _list_pairs(_get_value(document, part)):
                    if _read_text(value) and not _read_text(value).startswith(("$", "<", "ENC[")):
                        yield Violation(value.start_mark.line + 1, "secret-in-manifest", f"{name}/{key}")


def _find_pod(document: Node, kind: str) -> Node | None:
    spec = _get_value(document, "spec")
    if kind == "CronJob":
        spec = _get_value(_get_value(spec, "jobTemplate"), "spec")
    return spec if kind == "Pod" else _get_value(_get_value(spec, "template"), "spec")


def _check_workload(name: str, pod: Node | None) -> Iterator[Violation]:
    for key, value in _list_pairs(pod):
        if key in ("hostPID", "hostNetwork", "hostIPC") and _is_true(value):
            yield Violation(value.start_mark.line + 1, "container-privileged", name)
        elif key == "securityContext":
            yield from _check_context(name, value)
        elif key == "volumes":
            for item in _list_items(value):
                path = _get_value(_get_value(item, "hostPath"), "path")
                if path is not None and _read_text(path).endswith(("docker.sock", "containerd.sock", "crio.sock")):
                    yield Violation(path.start_mark.line + 1, "container-socket-mounted", name)
        elif key in ("containers", "initContainers"):
            for item in _list_items(value):
                container = f"{name}/{_read_text(_get_value(item, 'name'))}"
                yield from _check_context(container, _get_value(item, "securityContext"))


def _check_context(name: str, context: Node | None) -> Iterator[Violation]:
    for key, value in _list_pairs(context):
        line = value.start_mark.line + 1
        if key == "privileged" and _is_true(value):
            yield Violation(line, "container-privileged", name)
        elif key == "allowPrivilegeEscalation" and _is_true(value):
            yield Violation(line, "privilege-escalation-allowed", name)
        elif key == "runAsUser" and _read_text(value) == "0":
            yield Violation(line, "container-root-user", name)
        elif key == "capabilities":
            yield from _check_capabilities(name, _get_value(value, "add"))


def _check_role(name: str, rules: Node | None) -> Iterator[Violation]:
    for rule in _list_items(rules):
        parts = [{_read_text(item) for item in _list_items(_get_value(rule, key))} for key in ("verbs", "resources")]
        if all("*" in part for part in parts):
            yield Violation(rule.start_mark.line + 1, "role-with-all-rights", name)


def _get_value(node: Node | None, key: str) -> Node | None:
    return next((value for name, value in _list_pairs(node) if name == key), None)


def _list_pairs(node: Node | None) -> Iterator[tuple[str, Node]]:
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        yield _read_text(key), value


def _list_items(node: Node | None) -> list[Node]:
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _read_text(node: Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _is_true(node: Node) -> bool:
    return _read_text(node).lower() in ("true", "yes", "on")
