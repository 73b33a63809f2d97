"""Goal: a page answers whatever a browser, or somebody who is none, sends it: a page, never a 500.

Method: Hypothesis makes queries, cookies, headers and forms for every page there is (they are
found in the application), for a visitor and for a citizen who is signed in; right forms are bent
in one place. Answers are pages with their policy, or redirects within the service.
"""

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.web.session import SignedInPage
from tests.fuzz.knowing import City
from tests.support.web import FORM, Browser

EXAMPLES = 40
TEXT = st.text(max_size=40) | st.sampled_from(
    ["", "0", "../", "%00", "\x00", "é", "🦄", "x" * 3000]
)
BYTES = st.binary(max_size=200) | st.sampled_from(
    [b"csrf=%ff", b"&&", b"=", b"csrf", b"a" * 70_000]
)
NAMES = st.sampled_from(
    [
        *("csrf", "to", "phone", "code", "request_uri", "answer", "cursor", "done"),
        *("consent_id", "enrolment_id", "notice_version", "programme", "name", "national_id"),
        *("case_id", "newest", "text"),
        *("kind", "record_class", "quantity", "occurred_on", "record_id", "months"),
    ]
)
COOKIES = st.dictionaries(
    st.sampled_from(["credit_session", "credit_device", "credit_pending", "other"]),
    st.text('ABCabc019-_.~"=, ', max_size=60) | st.just("A" * 5000),
    max_size=3,
)


def pages(city: City) -> list[tuple[str, str]]:
    """Return every page: method and path."""
    found = []
    for route in city.world.app.routes:
        for handler in getattr(route, "route_handlers", []):
            is_page = any(isinstance(guard, SignedInPage) for guard in handler.guards or ())
            if is_page or route.path.startswith(("/sign-in", "/register", "/static")):
                found += [(m, route.path) for m in handler.http_methods - {"OPTIONS", "HEAD"}]
    assert len(found) >= 23
    return sorted(found)


def hold(answer: httpx.Response) -> None:
    """Hold an answer to what every page promises."""
    assert answer.status_code < 500, (answer.request.url, answer.text)
    assert answer.headers["x-content-type-options"] == "nosniff"
    if answer.status_code == 303:
        assert answer.headers["location"].startswith("/")
        assert not answer.headers["location"].startswith("//")
    if answer.headers.get("content-type", "").startswith("text/html"):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; "), policy
        assert "script" not in policy
        assert answer.headers["cache-control"] == "no-store"


def send(city: City, browser: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """Send a request and read its answer; a citizen who signed out is signed in again."""
    answer = city.thread.run(browser.send(request))
    hold(answer)
    if request.url.path in {"/sign-out", "/leave"} and answer.status_code == 303:
        city.renew()
    return answer


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    query=st.lists(st.tuples(NAMES, TEXT), max_size=4),
    cookies=COOKIES,
    body=BYTES,
    media_type=st.sampled_from([FORM, "text/plain", "", "multipart/form-data; boundary=x", "a/b;"]),
)
def test_a_stranger_gets_a_page_whatever_is_sent(
    city: City,
    query: list[tuple[str, str]],
    cookies: dict[str, str],
    body: bytes,
    media_type: str,
) -> None:
    http = city.world.new_http()
    for method, path in pages(city):
        headers = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        if method == "POST":
            headers["content-type"] = media_type
        request = http.build_request(
            method,
            path.replace("{name:str}", "x"),
            params=query,
            content=body if method == "POST" else None,
            headers=headers,
        )
        send(city, http, request)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    name=NAMES, text=TEXT, twice=st.booleans(), query=st.lists(st.tuples(NAMES, TEXT), max_size=3)
)
def test_a_bent_form_of_a_citizen_gets_a_page(
    city: City, name: str, text: str, twice: bool, query: list[tuple[str, str]]
) -> None:
    browser: Browser = city.browser
    shown = ("/", "/programmes", "/consents", "/accesses", "/join", "/leave")
    shown += ("/score", "/score/changes", "/score/simulation", "/records")
    for path in shown:
        request = browser.http.build_request("GET", path, params=query)
        hold(city.thread.run(browser.http.send(request)))
        page = city.thread.run(browser.open(path))
        for form in page.forms[:3]:
            fields = [*form.fields.items(), (name, text)] if twice else [(name, text)]
            if not twice:
                fields += [each for each in form.fields.items() if each[0] != name]
            content = str(httpx.QueryParams(fields)).encode()
            sent = browser.http.build_request(
                "POST", form.action, content=content, headers={"content-type": FORM}
            )
            send(city, browser.http, sent)
            browser = city.browser
