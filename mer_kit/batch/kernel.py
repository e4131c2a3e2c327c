"""Kernels for executed notebooks: sockets in a folder instead of ports, and a file for their last word."""

from __future__ import annotations

import os
from typing import Any

from jupyter_client.localinterfaces import localhost
from jupyter_client.manager import AsyncKernelManager
from traitlets import default

#: File in a kernel's folder for what its process writes to stderr.
STDERR = "stderr.txt"


class QuietKernelManager(AsyncKernelManager):
    """Talks to kernels through sockets in a folder of its own where the system can: no port to clash or to listen on."""

    #: Where the sockets lie; each execution has its own subclass with its own folder.
    folder = ""

    @default("transport")
    def _transport(self) -> str:
        # A socket's path may have about a hundred characters.
        return "ipc" if os.name == "posix" and self.folder and len(self.folder) < 80 else "tcp"

    @default("ip")
    def _ip(self) -> str:
        return os.path.join(self.folder, "kernel") if self.transport == "ipc" else localhost()

    async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]  # its stub is the sync manager's
        """Start the kernel; what its process writes to stderr, like the last word of a crash, goes into a file."""
        with open(os.path.join(self.folder, STDERR), "ab") as file:
            await super().start_kernel(**options, stderr=file)


def kernel_manager(folder: str) -> type[QuietKernelManager]:
    """Return a kernel manager whose sockets lie in `folder`: two kernels in one folder would share their sockets."""
    return type("KernelManager", (QuietKernelManager,), {"folder": folder})
