"""While an app cannot start, its sockets answer with the reason."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import pytest

from devloop.execute import error_page
from devloop.execute.error_page import ErrorPage
from devloop.execute.failure import Failure
from devloop.execute.held import Held

pytestmark = pytest.mark.anyio

PATIENCE = error_page.PATIENCE
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
LINES = ["import os", "", "TOKEN = os.environ['NO <SUCH>']", "", "after = 1"]


@pytest.fixture
def failure(tmp_path: Path) -> Failure:
    """What a process tells whose import has failed, in a file of the project."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/app.py").write_text("\n".join(LINES))
    own = str(tmp_path / "shop/app.py")
    library = str(tmp_path / ".venv/lib/python3.11/site-packages/server/run.py")
    message = {
        "m": "failed",
        "type": "KeyError",
        "message": "KeyError: 'NO <SUCH>'",
        "text": f'Traceback:\n  File "{own}", line 3, in <module>\nKeyError: \x1b[31mx\x1b[0m',
        "frames": [
            {"file": library, "line": 70, "function": "main", "source": "import_app(name)"},
            {"file": "<frozen importlib._bootstrap>", "line": 9, "function": "_f", "source": ""},
            {"file": own, "line": 3, "function": "<module>", "source": LINES[2]},
        ],
    }
    return Failure.told("web", message, ["shop/app.py"])


@pytest.fixture
async def held(tmp_path: Path, port: int) -> AsyncIterator[Held]:
    """A TCP and a Unix socket."""
    held = Held(str(tmp_path))
    held.bind([f"127.0.0.1:{port}", "unix:app.sock"])
    with closing(held):
        yield held


@pytest.fixture
async def page(
    held: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ErrorPage]:
    """The page on these, for an editor that is known. It gives no slow connection up."""
    monkeypatch.setattr(error_page, "PATIENCE", 600.0)
    async with ErrorPage(held, str(tmp_path), {"VISUAL": "cursor --wait"}) as page:
        yield page


@pytest.fixture
def url(held: Held) -> str:
    """Where the app would be."""
    return f"http://{held.addresses[0]}/some/page?x=1"


async def get(url: str, method: str = "GET", **options: dict[str, str]) -> httpx.Response:
    """Ask as a client does that knows nothing of devloop."""
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        return await client.request(method, url, **options)  # type: ignore[arg-type]


async def raw(held: Held, *parts: bytes) -> bytes:
    """What comes back for some bytes, until the connection is closed."""

    def talk() -> bytes:
        host, _, port = held.addresses[0].rpartition(":")
        with socket.create_connection((host, int(port)), 60) as client:
            found = b""
            for part in parts:
                client.sendall(part)
            while data := client.recv(1 << 16):
                found += data
            return found

    return await anyio.to_thread.run_sync(talk)


async def test_a_browser_gets_a_page_with_the_source_and_links_to_the_editor(
    page: ErrorPage, failure: Failure, url: str, tmp_path: Path
) -> None:
    """It has the exception, the project's own lines, links at them, and what was changed."""
    page.show(failure)
    answer = await get(url, headers=BROWSER)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert "KeyError: &#x27;NO &lt;SUCH&gt;&#x27;" in answer.text
    assert "<SUCH>" not in answer.text
    assert f'<a href="cursor://file{tmp_path}/shop/app.py:3">shop/app.py:3</a>' in answer.text
    assert '<span class="near"><i>1</i>import os</span>' in answer.text
    assert re.search('<span class="here"><i>3</i>TOKEN = ', answer.text)
    assert "Changed: <a href" in answer.text
    assert re.search(r"<details><summary>2 calls outside the project</summary>", answer.text)
    assert "\x1b" not in answer.text


async def test_its_own_script_and_style_are_all_that_the_page_may_run(
    page: ErrorPage, failure: Failure, url: str
) -> None:
    """The policy names the nonce that just these two carry."""
    page.show(failure)
    answer = await get(url, headers=BROWSER)
    nonces = set(re.findall(r'nonce="([^"]+)"', answer.text))
    assert nonces == {answer.headers["x-devloop-failure"]}
    assert f"script-src 'nonce-{nonces.pop()}'" in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("accept", ["*/*", "text/plain", "image/png", ""])
async def test_a_plain_client_gets_text(
    page: ErrorPage, failure: Failure, url: str, accept: str
) -> None:
    """What does not ask for HTML or JSON gets lines of text."""
    page.show(failure)
    answer = await get(url, headers={"Accept": accept})
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.startswith("web cannot start: KeyError: 'NO <SUCH>'\n\nTraceback:\n")
    assert answer.text.endswith("changed: shop/app.py\n")
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "accept", ["application/json", "application/problem+json", "text/html;q=0.1, application/json"]
)
async def test_a_client_that_prefers_json_gets_json(
    page: ErrorPage, failure: Failure, url: str, accept: str
) -> None:
    """The same as one object."""
    page.show(failure)
    answer = await get(url, headers={"Accept": accept})
    value = answer.json()
    assert value["message"] == "KeyError: 'NO <SUCH>'"
    assert value["frames"][-1]["line"] == 3
    assert value["changes"] == ["shop/app.py"]


async def test_a_name_that_may_be_anybodys_is_told_nothing_of_the_source(
    page: ErrorPage, failure: Failure, url: str
) -> None:
    """A page of another site whose name leads here gets neither paths nor code."""
    page.show(failure)
    for accept in ("text/html", "application/json", "*/*"):
        answer = await get(url, headers={"Host": "rebound.example.com", "Accept": accept})
        assert answer.status_code == 503
        assert "KeyError" not in answer.text
        assert "app.py" not in answer.text
    assert "KeyError" in (await get(url, headers={"Host": "shop.localhost:8000"})).text


async def test_head_has_no_body_and_names_the_failure(
    page: ErrorPage, failure: Failure, url: str
) -> None:
    """The page's script sees by it whether the same failure still stands."""
    page.show(failure)
    first = await get(url, "HEAD", headers=BROWSER)
    assert (first.status_code, first.content) == (503, b"")
    assert int(first.headers["content-length"]) > 1000
    again = await get(url, "HEAD", headers=BROWSER)
    page.show(failure)
    other = await get(url, "HEAD", headers=BROWSER)
    tokens = [answer.headers["x-devloop-failure"] for answer in (first, again, other)]
    assert tokens[0] == tokens[1] != tokens[2]


async def test_a_posted_body_does_not_reset_the_answer(
    page: ErrorPage, failure: Failure, held: Held
) -> None:
    """What a client sends beyond its head is read, so that it sees the answer."""
    page.show(failure)
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n"
    answer = await raw(held, head, b"x" * 250_000, b"y" * 250_000)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"KeyError" in answer


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\x01",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"GET /\r\n\r\n",
        b"EHLO mail.example.org\r\n",
    ],
    ids=["tls", "http2", "binary", "ssh", "http0.9", "smtp"],
)
async def test_what_is_not_http_1_is_closed_at_once(
    page: ErrorPage, failure: Failure, held: Held, sent: bytes
) -> None:
    """A client of another protocol gets no page, and does not wait (trap W28)."""
    page.show(failure)
    with anyio.fail_after(60):  # its patience is longer
        assert await raw(held, sent) == b""


async def test_an_endless_head_is_given_up(page: ErrorPage, failure: Failure, held: Held) -> None:
    """A request whose head has no end is closed when it has grown too large."""
    page.show(failure)
    found = b"unset"
    try:
        found = await raw(held, b"GET / HTTP/1.1\r\n", *[b"X: " + b"y" * 10_000 + b"\r\n"] * 8)
    except ConnectionError:
        found = b""
    assert found == b""


async def test_silent_clients_keep_nobody_from_the_page(
    page: ErrorPage, failure: Failure, held: Held, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More clients than are answered at one time say nothing: another one is answered still."""
    host, _, port = held.addresses[0].rpartition(":")
    monkeypatch.setattr(error_page, "PATIENCE", PATIENCE)
    page.show(failure)
    silent = [socket.create_connection((host, int(port))) for _ in range(100)]
    try:
        assert (await get(url)).status_code == 503
    finally:
        for client in silent:
            client.close()


async def test_a_unix_socket_answers_too(
    page: ErrorPage, failure: Failure, held: Held, tmp_path: Path
) -> None:
    """Whatever the app had bound answers."""
    page.show(failure)
    transport = httpx.AsyncHTTPTransport(uds=str(tmp_path / "app.sock"))
    async with httpx.AsyncClient(transport=transport, timeout=60) as client:
        answer = await client.get("http://localhost/", headers={"Accept": "application/json"})
    assert answer.status_code == 503
    assert json.loads(answer.text)["app"] == "web"


async def test_nothing_is_accepted_once_it_is_hidden_and_who_was_accepted_is_answered(
    page: ErrorPage, failure: Failure, held: Held
) -> None:
    """A connection that came before is answered; a later one is left to the new process."""
    page.show(failure)
    host, _, port = held.addresses[0].rpartition(":")
    with socket.create_connection((host, int(port)), 60) as before:
        before.sendall(b"GET / HTTP/1.1\r\n")
        assert await raw(held, b"GET / HTTP/1.0\r\n\r\n")  # the queue is kept in order
        page.hide()
        with socket.create_connection((host, int(port)), 60) as later:
            before.sendall(b"Host: localhost\r\n\r\n")
            found = await anyio.to_thread.run_sync(before.recv, 100)
            assert found.startswith(b"HTTP/1.1 503 ")

            held.sockets[0].setblocking(False)
            connection, address = held.sockets[0].accept()
            connection.close()
            assert address == later.getsockname()


async def test_a_failure_without_frames_shows_the_output_with_links(
    page: ErrorPage, url: str, tmp_path: Path
) -> None:
    """What a process printed last is shown as it is; places in it are links."""
    text = 'Traceback:\n  File "shop/app.py", line 12, in <module>\n'
    page.show(Failure("web", "exit code 3", text))
    answer = await get(url, headers=BROWSER)
    assert f'href="cursor://file{tmp_path}/shop/app.py:12"' in answer.text
    assert "<details open><summary>Output as text" in answer.text
