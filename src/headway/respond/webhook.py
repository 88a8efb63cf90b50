"""Alerts and actions told to another program over HTTP: signed, tried again, each one once."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headway.errors import ClusterError, ConfigError
from headway.records import as_row
from headway.respond.responder import Hand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from headway.records import Action, Alert
    from headway.respond.rules import Webhook

TRIES: Final = 4
FIRST_PAUSE_S: Final = 1.0  # doubled after each try
TIMEOUT_S: Final = 10.0
SIGNATURE: Final = "X-Headway-Signature"
MOMENT: Final = "X-Headway-Time"


def signature(secret: bytes, at: str, body: bytes) -> str:
    """HMAC-SHA256 of the moment and the body, in hex, as the receiver has to find it.

    The moment is signed too, so that an old message cannot be sent again as a new one.

    >>> signature(b"key", "0", b"{}")[:8]
    '7314351d'
    """
    return hmac.new(secret, at.encode() + b"." + body, hashlib.sha256).hexdigest()


class Sender:
    """Sends each alert once; what it sends carries the alert's id, for the receiver to know it by.

    sent: ids that were sent before. pause: how to wait between tries.
    """

    def __init__(
        self, webhook: Webhook, sent: Iterable[str] = (),
        pause: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        if not webhook.url.startswith(("http://", "https://")):
            raise ConfigError(f"url of the webhook must be http(s)://.., got {webhook.url!r}")
        self._url, self._pause, self._sent = webhook.url, pause, set(sent)
        self._secret = b""
        if webhook.secret_file:
            try:
                self._secret = Path(webhook.secret_file).read_bytes().strip()
            except OSError as error:
                raise ConfigError(f"cannot read secret_file of the webhook: {error}") from error

    def hand(self, alert_of: Callable[[str], Alert | None]) -> Hand:
        """The action `webhook`: tell of the alert that an action is about."""

        def do(action: Action) -> str:
            return self.send(action, alert_of(action.alert_id))

        return Hand(do)

    def send(self, action: Action, alert: Alert | None) -> str:
        """Send an alert and the action; ClusterError if nobody took it after four tries."""
        if action.alert_id in self._sent:
            return "sent before"
        body = json.dumps(
            {"alert": None if alert is None else as_row(alert), "action": as_row(action)}
        ).encode()
        at = f"{action.at_s:.0f}"
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": action.alert_id,
            MOMENT: at,
        }
        if self._secret:
            headers[SIGNATURE] = signature(self._secret, at, body)
        why = ""
        for number in range(TRIES):
            if number:
                self._pause(FIRST_PAUSE_S * 2.0 ** (number - 1))
            why, is_final = self._post(body, headers)
            if not why:
                self._sent.add(action.alert_id)
                return f"told {self._url}"
            if is_final:
                break
        raise ClusterError(f"the webhook did not take it: {why}")

    def _post(self, body: bytes, headers: dict[str, str]) -> tuple[str, bool]:
        """Why a try failed ('' = it did not), and whether another is of no use."""
        request = urllib.request.Request(self._url, body, headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S):
                return "", False
        except urllib.error.HTTPError as error:
            with error:
                may_pass = error.code in (408, 425, 429) or error.code >= 500
                return f"status {error.code}", not may_pass
        except OSError as error:
            return str(error), False
