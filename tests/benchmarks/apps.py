"""Apps to restart: each answers at ``/`` with what its one module of prices says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.projects import edit_shop, shop

_TRADE = '''\
"""A shop that knows its trade: it holds pandas, SQLAlchemy and FastAPI."""

import pandas
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from sqlalchemy import Column, Integer, String, create_engine
from sqlalchemy.orm import declarative_base

from shop.prices import VERSION, total

Base = declarative_base()


class Item(Base):
    __tablename__ = "items"

    id = Column(Integer, primary_key=True)
    name = Column(String)


engine = create_engine("sqlite://")
app = FastAPI()


@app.get("/", response_class=PlainTextResponse)
async def version() -> str:
    return VERSION


@app.get("/cart")
async def cart() -> dict[str, int]:
    return {"total": int(pandas.Series([total([1, 2, 3])]).sum())}
'''
_FLASK = '''\
"""A shop on Flask."""

from flask import Flask

from shop.prices import VERSION

app = Flask(__name__)


@app.get("/")
def version() -> str:
    return VERSION
'''
_DJANGO = {
    "manage.py": """\
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
execute_from_command_line(sys.argv)
""",
    "shop/settings.py": """\
SECRET_KEY = "benchmark"
DEBUG = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.main"
INSTALLED_APPS = []
MIDDLEWARE = []
USE_TZ = True
""",
    "shop/main.py": """\
from django.http import HttpRequest, HttpResponse
from django.urls import path

from shop.prices import VERSION


def version(request: HttpRequest) -> HttpResponse:
    return HttpResponse(VERSION)


urlpatterns = [path("", version)]
""",
}


def starlette(root: Path) -> None:
    """Write a small Starlette app.

    Args:
        root: its folder, which does not exist yet.
    """
    shop(root)


def trade(root: Path) -> None:
    """Write an app that imports pandas, SQLAlchemy and FastAPI.

    Args:
        root: its folder, which does not exist yet.
    """
    _write(root, {"shop/main.py": _TRADE})


def flask(root: Path) -> None:
    """Write a Flask app.

    Args:
        root: its folder, which does not exist yet.
    """
    _write(root, {"shop/main.py": _FLASK})


def django(root: Path) -> None:
    """Write a Django project of one page.

    Args:
        root: its folder, which does not exist yet.
    """
    _write(root, _DJANGO)


def _write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in {"shop/__init__.py": "", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    edit_shop(root, "0")
