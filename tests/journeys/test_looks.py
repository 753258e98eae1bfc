"""Every page of the portal in Chromium: nothing spills at 390 px, no script is refused, colours have contrast."""

import pytest
from django.test import Client

from portal.institutes.models import JoinCode
from tests.browser import chromium, in_chinese, open_page
from tests.journeys.world import Two, make

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAIRS = [
    ("--ink", "--paper"), ("--ink", "--surface"), ("--ink-soft", "--paper"), ("--ink-soft", "--surface"),
    ("--ink-faint", "--paper"), ("--ink-faint", "--surface"), ("--sand-ink", "--paper"), ("--sand-ink", "--surface"),
    ("--on-sand", "--sand"), ("--paper", "--ink"), ("--buy", "--surface"), ("--sell", "--surface"),
    ("--buy", "--buy-wash"), ("--sell", "--sell-wash"), ("--on-side", "--buy"), ("--on-side", "--sell"),
    ("--good", "--good-wash"), ("--attention", "--attention-wash"), ("--fault", "--fault-wash"),
    ("--neutral", "--neutral-wash"), ("--fault", "--surface"), ("--ink", "--sand-wash"),
]  # fmt: skip
RATIO = """
(pairs) => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const light = (name) => {
    const probe = document.createElement("i");
    document.body.append(probe);
    probe.style.color = `var(${name})`;
    pen.fillStyle = getComputedStyle(probe).color;
    probe.remove();
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return pairs.map(([front, back]) => {
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
    return [front, back, (a + 0.05) / (b + 0.05)];
  });
}
"""


@pytest.mark.parametrize("dark", [False, True])
def test_every_pair_of_colours_has_the_contrast_of_aa(live_server, dark):
    with chromium() as browser:
        page = open_page(browser, live_server.url, dark=dark)
        page.goto("/status/")

        ratios = page.evaluate(RATIO, PAIRS)

    assert [pair for pair in ratios if pair[2] < 4.5] == []


def pages_of(two: Two) -> list[tuple[str, str]]:
    slug, cohort = two.here.institute.slug, two.here.cohort.id
    return [
        ("anonymous", "/"),
        ("anonymous", "/accounts/login/"),
        ("anonymous", "/accounts/signup/"),
        ("anonymous", "/accounts/password/reset/"),
        ("anonymous", "/institutes/"),
        ("anonymous", "/index/"),
        ("anonymous", "/index/conversion/"),
        ("anonymous", "/index/concentration/"),
        ("student", f"/institutes/{slug}/"),
        ("student", f"/enrol/?code={JoinCode.objects.exclude(cohort=cohort).get().code}"),
        ("student", "/enrol/?code=AAAA-AAAA"),
        ("lead", f"/institutes/{slug}/cohorts/{cohort}/"),
        ("lead", f"/institutes/{slug}/cohorts/new/"),
        ("lead", "/accounts/profile/"),
        ("lead", "/accounts/email/"),
        ("lead", "/accounts/2fa/"),
        ("lead", "/accounts/sessions/"),
        ("lead", "/accounts/keys/"),
        ("lead", "/accounts/password/change/"),
        ("operator", "/status/"),
        ("researcher", "/wallet/"),
        ("researcher", "/explorer/?q=7"),
        ("researcher", f"/explorer/{two.objects['here']['entry']}/"),
        ("anonymous", f"/explorer/series/{two.objects['here']['code']}/"),
        ("anonymous", f"/explorer/wallets/{two.objects['here']['wallet']}/"),
        ("anonymous", f"/verify/?entry={two.objects['here']['entry']}"),
        ("researcher", f"/redemptions/{two.objects['here']['redemption']}/"),
        ("researcher", "/redeem/"),
        ("researcher", "/market/"),
        ("researcher", f"/market/{two.objects['here']['code']}/"),
        ("anonymous", f"/market/{two.objects['here']['code']}/"),
        ("anonymous", "/market/"),
        ("researcher", "/positions/"),
        ("researcher", "/accounts/device/"),
        ("anonymous", "/offerings/"),
        ("researcher", f"/offerings/{two.objects['here']['offering']}/"),
        ("admin", "/admin/"),
        ("admin", "/admin/ledger/wallet/"),
        ("admin", "/admin/grants/grantupload/grant/"),
        ("admin", f"/admin/grants/grantupload/{two.objects['here']['grants.grantupload']}/change/"),
    ]


@pytest.mark.parametrize(("width", "language"), [(1280, "en"), (390, "en"), (390, "zh")])
def test_no_page_spills_or_is_refused_a_part(live_server, settings, tmp_path, width, language):
    two = make(settings, tmp_path)
    wrong = []
    with chromium() as browser:
        for role, path in pages_of(two):
            page = open_page(browser, live_server.url, width=width, dark=width == 390)
            person = two.people[role]
            if language == "zh":
                in_chinese(page, live_server.url)
            if person is not None:
                client = Client()
                client.force_login(person)
                cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
                page.context.add_cookies([cookie])
            answer = page.goto(path, wait_until="load")
            assert answer is not None
            spill = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            # A 422 is meant; the stream is served by another process than this one.
            faults = [text for text in page.faults if "422" not in text and "/events/" not in text]
            if spill > 0 or faults or answer.status not in {200, 422}:
                wrong.append((path, answer.status, f"{spill} px too wide", faults))
            if role != "admin" and page.locator("main h1").count() != 1:
                wrong.append((path, "has no single first heading"))
            if not page.evaluate("document.documentElement.lang").startswith(language):
                wrong.append((path, "speaks another language"))
            page.context.close()

    assert wrong == []


def test_the_appearance_is_switched_kept_and_left_to_the_system_again(live_server):
    with chromium() as browser:
        page = open_page(browser, live_server.url)
        page.goto("/status/")
        light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")

        page.locator("summary[aria-label='Menu']").press("Enter")
        page.locator("[data-set-theme=dark]").press("Enter")
        dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        page.reload()
        kept = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        page.locator("summary[aria-label='Menu']").press("Enter")
        page.locator("[data-set-theme=auto]").press("Enter")
        page.keyboard.press("Escape")

        assert dark != light
        assert kept == dark
        assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == light
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
        assert page.faults == []


def test_the_first_tab_leads_past_the_frame(live_server):
    with chromium() as browser:
        page = open_page(browser, live_server.url)
        page.goto("/institutes/")

        page.keyboard.press("Tab")
        page.keyboard.press("Enter")

        assert page.evaluate("document.activeElement.id") == "content"
