"""The API: one city, or all of them."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cities.table import load

table = load()


def index(request: Request) -> Response:
    return JSONResponse({"cities": sorted(table.rows), "loaded": table.loaded})


def city(request: Request) -> Response:
    found = table.rows.get(request.path_params["name"])
    if found is None:
        raise HTTPException(404, "There is no such city.")
    return JSONResponse(found)


app = Starlette(routes=[Route("/", index), Route("/{name}", city)])
