"""Kernels for executed notebooks: Unix sockets in place of TCP ports, and a log file for stderr."""

import os
from typing import Any

from jupyter_client.localinterfaces import localhost
from jupyter_client.manager import AsyncKernelManager
from traitlets import default

#: File in a kernel's folder for what its process writes to stderr.
STDERR = "stderr.txt"


class QuietKernelManager(AsyncKernelManager):
    """Talks to kernels through Unix sockets in its own folder where possible: no open ports."""

    #: Folder of the sockets; each execution has its own subclass with its own folder.
    folder = ""

    @default("transport")
    def _transport(self) -> str:
        # The path of a socket is limited to about a hundred characters.
        if os.name == "posix" and 0 < len(self.folder) < 80:
            return "ipc"
        return "tcp"

    @default("ip")
    def _ip(self) -> str:
        return os.path.join(self.folder, "kernel") if self.transport == "ipc" else localhost()

    async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
        """Start the kernel with MER_BATCH set, and the stderr of its process in a file."""
        environment = {**options.pop("env", os.environ), "MER_BATCH": "1"}
        with open(os.path.join(self.folder, STDERR), "ab") as file:
            await super().start_kernel(**options, env=environment, stderr=file)


def kernel_manager(folder: str) -> type[QuietKernelManager]:
    """Return a kernel manager class with its sockets in `folder`, which no other kernel may use.

    Examples
    --------
    >>> kernel_manager("sockets").folder
    'sockets'
    """
    return type("KernelManager", (QuietKernelManager,), {"folder": folder})
