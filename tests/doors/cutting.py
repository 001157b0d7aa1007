"""A connection that breaks: what stands between a client and a server and hangs up in the middle."""

from __future__ import annotations

import socket
import threading
from contextlib import closing


class Cutting:
    """A proxy that passes bytes on, and cuts the first answers that get longer than `most` bytes."""

    def __init__(self, port: int, most: int, cuts: int) -> None:
        self.heads: list[str] = []
        self._port, self._most, self._cuts = port, most, cuts
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        try:
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                threading.Thread(target=self._up, args=(near, far), daemon=True).start()
                threading.Thread(target=self._down, args=(far, near), daemon=True).start()
        except OSError:
            return

    def _up(self, near: socket.socket, far: socket.socket) -> None:
        try:
            while data := near.recv(65536):
                self.heads.append(data.decode("latin-1"))
                far.sendall(data)
            far.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _down(self, far: socket.socket, near: socket.socket) -> None:
        passed = 0
        with closing(far), closing(near):
            try:
                while data := far.recv(65536):
                    passed += len(data)
                    if passed > self._most and self._cuts:
                        self._cuts -= 1
                        break
                    near.sendall(data)
                # Closing alone says nothing while the other thread still reads.
                near.shutdown(socket.SHUT_RDWR)
            except OSError:
                return
