"""A visitor who uses the site as a browser without JavaScript would: reads pages, fills their forms, sends them.

The tour and the simulated traders are visitors: nothing they do reaches round the site.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import ClassVar
from urllib.parse import urljoin

import requests


class VisitFailed(RuntimeError):
    """The site did not answer as a visitor expects; the message says what was tried and what came."""


@dataclass
class Form:
    """A form as it stands on a page, with what its fields hold."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    buttons: list[dict[str, str]] = field(default_factory=list)


@dataclass
class Page:
    """What came back."""

    url: str
    status: int
    text: str

    @property
    def forms(self) -> list[Form]:
        reader = _FormReader()
        reader.feed(self.text)
        return reader.forms

    def form(self, *names: str, action: str = "") -> Form:
        """The form that has all these fields, and whose action contains `action`."""
        for form in self.forms:
            if set(names) <= form.fields.keys() and action in form.action:
                return form
        raise VisitFailed(f"{self.url} has no form with {', '.join(names) or action}.")


class Visitor:
    """One person's session."""

    def __init__(self, address: str, *, timeout: float = 20) -> None:
        self._address = address
        self._timeout = timeout
        self._session = requests.Session()

    def get(self, path: str) -> Page:
        page = self._page(self._session.get(urljoin(self._address, path), timeout=self._timeout))
        if page.status != 200:
            raise VisitFailed(f"GET {path} answered {page.status}.")
        return page

    def send(self, page: Page, form: Form, **fields: str) -> Page:
        """Send a form of a page with some fields filled in; the redirect after it is followed."""
        data = form.fields | fields
        url = urljoin(page.url, form.action or page.url)
        if form.method == "get":
            return self._page(self._session.get(url, params=data, timeout=self._timeout))
        answer = self._session.post(url, data=data, headers={"Referer": page.url}, timeout=self._timeout)
        return self._page(answer)

    def sign_in(self, email: str, password: str) -> Page:
        page = self.get("/accounts/login/")
        answer = self.send(page, page.form("login", "password"), login=email, password=password)
        if answer.status != 200 or "/accounts/login" in answer.url:
            raise VisitFailed(f"{email} could not sign in.")
        return answer

    def _page(self, answer: requests.Response) -> Page:
        return Page(answer.url, answer.status_code, answer.text)


class _FormReader(HTMLParser):
    """Reads the forms of a page."""

    _TYPED: ClassVar[set[str]] = {"submit", "button", "image", "reset"}

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select = ""
        self._option: tuple[str, bool] | None = None
        self._text = ""
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        words = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(words.get("action", ""), words.get("method", "get").lower())
            self.forms.append(self._form)
        elif self._form is None:
            return
        elif tag == "input":
            self._input(self._form, words, {name for name, _ in attrs})
        elif tag == "button":
            self._form.buttons.append(words)
        elif tag == "select":
            self._select = words.get("name", "")
            self._form.choices[self._select] = []
        elif tag == "option":
            self._option, self._text = (words.get("value", ""), "selected" in words), ""
        elif tag == "textarea":
            self._area, self._text = words.get("name", ""), ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if self._form is None:
            return
        if tag == "form":
            self._form = None
        elif tag == "textarea" and self._area:
            self._form.fields[self._area] = self._text.removeprefix("\n")
            self._area = ""
        elif tag == "option" and self._option is not None and self._select:
            value, is_selected = self._option
            known = self._form.choices[self._select]
            known.append((value, self._text.strip()))
            # A browser sends the first option of a list in which none is chosen.
            if is_selected or len(known) == 1:
                self._form.fields[self._select] = value
            self._option = None
        elif tag == "select":
            self._select = ""

    def _input(self, form: Form, words: dict[str, str], present: set[str]) -> None:
        kind, name = words.get("type", "text"), words.get("name", "")
        if not name or kind in self._TYPED:
            return
        if kind in {"checkbox", "radio"}:
            form.choices.setdefault(name, []).append((words.get("value", "on"), ""))
            if "checked" in present:
                form.fields[name] = words.get("value", "on")
            return
        form.fields[name] = words.get("value", "")
