from pathlib import Path

import pytest
from shop.main import app
from starlette.testclient import TestClient


@pytest.fixture
def client(database: Path) -> TestClient:
    return TestClient(app)


def test_all_teas_are_listed_by_name(client: TestClient) -> None:
    page = client.get("/").text
    assert page.index("Assam") < page.index("Sencha") < page.index("Yunnan")
    assert "€7.20" in page


def test_a_tea_has_a_page_with_its_prices(client: TestClient) -> None:
    page = client.get("/teas/1").text
    assert "<h1>Assam</h1>" in page
    assert "€40.50" in page


def test_an_unknown_tea_is_not_found(client: TestClient) -> None:
    assert client.get("/teas/99").status_code == 404
