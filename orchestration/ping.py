"""Tells a monitor that refreshes go on: SENDMART_PING_URL is requested after each good one. The monitor pages somebody when the
requests stop, whatever the reason: a killed process, a machine that is down, a timer that was never set.

Not here: what went wrong (`orchestration.notifications`).
"""

import urllib.request

from models.masking import masking_logger
from orchestration.stages import AppContext
from warehouse.ledger import Refresh

log = masking_logger("sendmart")

TIMEOUT_SECONDS = 10
AGENT = "sendmart"


def ping_after(context: AppContext, outcome: Refresh) -> None:
    """Requests the address if the refresh published or found nothing new. A failure is a warning and fails nothing."""
    url = context.settings.ping_url
    if url is None or not outcome.is_good:
        return
    request = urllib.request.Request(url.get_secret_value(), headers={"User-Agent": AGENT})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
            pass
    except (OSError, ValueError) as error:
        # Only the type and the status: the text of an error may hold the address.
        status = getattr(error, "code", None)
        log.warning("SENDMART_PING_URL did not answer: %s%s", type(error).__name__, f" {status}" if status else "")
