"""Values that an attacker would try wherever one can be written, and the file that shows that one worked."""

from pathlib import Path


class Canary:
    """A file that exists once an attack succeeded, and a program that makes it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "canary"
        self.script = folder / "script"
        self.script.write_text(f"#!/bin/sh\ntouch {self.file}\n")
        self.script.chmod(0o755)

    def arguments(self) -> list[str]:
        """Values that can be an argument of a program."""
        return [value for value in self.values() if "\0" not in value and "\ud800" not in value]

    def values(self) -> list[str]:
        """Each of them as an option, an address, a path or a name that would make the file, or is no text at all."""
        touch = f"touch${{IFS}}{self.file}"
        return [
            *("-", "--", "-h", "--all", "--exec", "-x" * 50, "--upload-pack", f"-u{self.script}"),
            *(f"--upload-pack={self.script}", f"--receive-pack={self.script}", f"--exec={self.script}"),
            *(f"--output={self.file}", f"-o{self.file}", f"-O{self.file}", f"--open-files-in-pager={self.script}"),
            *(f"-oProxyCommand={touch}", f"-Fx -oProxyCommand={touch}", f"-D{self.script}"),
            *(f"-ccore.sshCommand={self.script}", f"--config-env=core.pager={self.script}", f"-C{self.file.parent}"),
            *(f"ext::{self.script}", f"ext::sh -c touch% {self.file}", "fd::17", f"ssh://-oProxyCommand={touch}/x"),
            *(f"-oProxyCommand={touch}:x", f"git@-oProxyCommand={touch}:x", f"ssh://%2doProxyCommand={touch}/x"),
            *(f"file://{self.file.parent}/../{self.file.parent.name}/x", "file:///etc/passwd", "../../etc/passwd"),
            *(f"$({touch})", f"`{touch}`", f"; {touch}", f"| {touch}", f"&& {touch}", f"!{self.script}"),
            *(f"a\n--upload-pack={self.script}", f"\n{touch}", "a\rb", "a\tb", "a\0b", "\0", "", " ", "'", '"', "\\"),
            *("x" * 5_000, "x" * 200_000, "é" * 300, "caf\udce9", "\ud800", "\u202e", "\x1b[31m", "%00", "%2e%2e%2f"),
            *(
                ":(exclude)*",
                ":(attr:x)",
                ":/x",
                ":x",
                "^main",
                "main..main",
                "@{-1}",
                "@{u}",
                "HEAD^{/x}",
                "*",
                "[",
                "**",
            ),
        ]
