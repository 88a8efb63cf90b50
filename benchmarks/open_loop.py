"""An open-loop load of HTTP requests: each has its moment, whether earlier ones were answered."""

import asyncio
import collections
import time

import numpy as np
import uvloop


class Connection(asyncio.Protocol):
    """One kept-alive connection; one request at a time."""

    def __init__(self, load):
        self.load, self.got, self.due_s, self.number = load, b"", 0.0, -1

    def connection_made(self, transport):
        """Ready for a request."""
        self.transport = transport
        self.load.idle.append(self)
        self.load.send()

    def ask(self, due_s, number, request):
        """Send a request that was due at a moment."""
        self.due_s, self.number, self.got = due_s, number, b""
        self.transport.write(request)

    def data_received(self, data):
        """More of an answer."""
        self.got += data
        head, found, body = self.got.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
        if len(body) < length:
            return
        self.load.answered(self.due_s, self.number, int(head[9:12]), body)
        self.load.idle.append(self)
        self.load.send()

    def connection_lost(self, error):
        """A connection that ended makes room for a new one."""
        if self in self.load.idle:
            self.load.idle.remove(self)
        elif not self.load.is_over:
            self.load.answered(self.due_s, self.number, 0, b"")
        if not self.load.is_over:
            self.load.lost += 1
            self.load.open()


class Load:
    """Sends a request at each moment; latency counts from the moment it was due.

    request_of: the bytes of request number i; is_right(i, status, body): whether it was answered.
    """

    def __init__(self, port, request_of, connections, is_right=lambda _, status, __: status == 200):
        self.port, self.request_of, self.connections = port, request_of, connections
        self.is_right = is_right
        self.idle, self.late = collections.deque(), collections.deque()
        self.sent = self.lost = 0
        self.is_over = False
        self.rows = []  # latency in s, status, whether it is right
        self.opening = []

    def open(self):
        """One more connection."""
        loop = asyncio.get_running_loop()
        made = loop.create_connection(lambda: Connection(self), "127.0.0.1", self.port)
        self.opening.append(loop.create_task(made))

    def send(self):
        """Give what is due to connections that are idle."""
        while self.idle and self.late:
            due_s = self.late.popleft()
            number, self.sent = self.sent, self.sent + 1
            self.idle.popleft().ask(due_s, number, self.request_of(number))

    def answered(self, due_s, number, status, body):
        """Note an answer."""
        is_right = self.is_right(number, status, body)
        self.rows.append((time.perf_counter() - due_s, status, is_right))

    async def run(self, rate, seconds, rng, patience_s=10.0):
        """Poisson arrivals at a rate; what came, see `load`."""
        for _ in range(self.connections):
            self.open()
        await asyncio.sleep(0.2)
        begin_s = time.perf_counter()
        due = begin_s + np.cumsum(rng.exponential(1.0 / rate, int(rate * seconds)))
        for due_s in due:
            wait_s = due_s - time.perf_counter()
            if wait_s > 0.0:
                await asyncio.sleep(wait_s)
            self.late.append(due_s)
            self.send()
        end_s = time.perf_counter() + patience_s
        while len(self.rows) < len(due) and time.perf_counter() < end_s:
            await asyncio.sleep(0.01)
        self.is_over = True
        for one in self.idle:
            one.transport.close()
        await asyncio.sleep(0.05)
        rows = self.rows + [(patience_s, 0, False)] * (len(due) - len(self.rows))
        return tuple(np.array(column) for column in zip(*rows, strict=True))


def load(port, requests, rate, seconds, connections, seed=0):
    """(latencies in s, statuses, whether each is right) of requests that are sent in turn.

    A status of 0: the connection ended or nothing came.
    """
    made = Load(port, lambda i: requests[i % len(requests)], connections)
    return uvloop.run(made.run(rate, seconds, np.random.default_rng(seed)))
