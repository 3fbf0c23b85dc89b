"""The app: a page with all teas, and one for each."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from shop import catalog, prices

HERE = Path(__file__).parents[1]
templates = Jinja2Templates(HERE / "templates")
templates.env.filters["euros"] = prices.euros


def index(request: Request) -> Response:
    return templates.TemplateResponse(request, "index.html", {"teas": catalog.teas()})


def tea(request: Request) -> Response:
    found = catalog.tea(request.path_params["number"])
    if found is None:
        raise HTTPException(404, "There is no such tea.")
    counts = {count: prices.total(found.cents, count) for count in (1, 10)}
    return templates.TemplateResponse(request, "tea.html", {"tea": found, "counts": counts})


app = Starlette(
    routes=[
        Route("/", index),
        Route("/teas/{number:int}", tea),
        Mount("/static", StaticFiles(directory=HERE / "static", check_dir=False)),
    ]
)
