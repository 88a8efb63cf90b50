"""Records handed over one by one, written to a Store in the background."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING, Any

from headway.errors import StoreError
from headway.records import as_row
from headway.tables import frame

if TYPE_CHECKING:
    from headway.protocols import Store

logger = logging.getLogger(__name__)


class Writer:
    """Write what was handed over in one append a kind, as often as the store keeps up with.

    What a store refuses is kept, tried again with what comes next, and lost at the close with a
    warning that says how many records.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._inbox: queue.SimpleQueue[tuple[str, Any] | None] = queue.SimpleQueue()
        self._left: dict[str, list[dict[str, Any]]] = {}
        self._thread = threading.Thread(target=self._run, name="headway-writer", daemon=True)
        self._thread.start()

    def put(self, kind: str, record: Any) -> None:
        """Take a record of a kind; returns at once."""
        self._inbox.put((kind, record))

    def close(self) -> None:
        """Write all that was handed over, and end."""
        self._inbox.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            message = self._inbox.get()
            while message is not None:
                self._left.setdefault(message[0], []).append(as_row(message[1]))
                if self._inbox.empty():
                    break
                message = self._inbox.get()
            is_open = message is not None
            self._write()
        for kind, rows in self._left.items():
            logger.warning(
                "%d records of kind %s are lost: the store refused them", len(rows), kind
            )

    def _write(self) -> None:
        for kind in list(self._left):
            try:
                self._store.append(kind, [frame(kind, self._left[kind])])
            except StoreError as error:
                logger.warning("the log could not be written, trying again later: %s", error)
            else:
                del self._left[kind]
