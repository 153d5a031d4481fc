"""The health endpoint, for monitoring and load balancers: which build the pages show. It has no figures and needs no token.

Not here: whether figures are recent (`orchestration.defs.freshness`).
"""

from functools import partial

import duckdb
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from models.masking import mask_error, masking_logger
from reports.database import NothingPublished
from reports.security import HEALTH
from reports.site import Site

log = masking_logger("sendmart.reports")


def routes(site: Site) -> list[Route]:
    return [Route(HEALTH, partial(health, site))]


def health(site: Site, request: Request) -> Response:
    """200 with the published build; 503 if there is none, or it cannot be read."""
    try:
        with site.database.open() as published:
            info = published.info
    except NothingPublished:
        return JSONResponse({"status": "nothing published"}, 503)
    except (duckdb.Error, OSError) as error:
        mask_error(error)
        log.error("the published file cannot be read: %s", error)
        return JSONResponse({"status": "unreadable"}, 503)
    data_until = info["data_until"]
    build = {
        "build_id": info["build_id"],
        "published_at": f"{info['published_at'].replace(microsecond=0).isoformat()}Z",
        "data_until": data_until and data_until.isoformat(),
    }
    return JSONResponse({"status": "ok", **build})
