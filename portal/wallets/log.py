"""The log's files, laid out as c2sp.org/tlog-tiles says: checkpoint, tiles and entry bundles. Public and cacheable."""

from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import http_date
from django.views.decorators.http import require_safe

from ledger.models import Checkpoint
from ledger.proof.configured import configured_verifiers, usable_policy
from ledger.proof.export import entry_bundle, tile_bytes
from ledger.proof.publishing import newest_checkpoint, note_of, published_checkpoint
from ledger.proof.tilepaths import partial_suffix, tile_path
from ledger.verifying.verifierapp import verifier_app

FOREVER = "public, max-age=31536000, immutable"


@require_safe
def checkpoint(request: HttpRequest) -> HttpResponse:
    """The newest checkpoint that the quorum cosigned (c2sp.org/tlog-tiles); a header says how far the log is sealed."""
    policy = usable_policy()
    published, newest = published_checkpoint(policy), newest_checkpoint()
    if published is None or newest is None:
        raise Http404("Nothing is sealed yet.")
    response = HttpResponse(note_of(published, policy), content_type="text/plain; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    response["Last-Modified"] = http_date(published.signed_at.timestamp())
    response["Hourglass-Sealed-Size"] = str(newest.size)
    return response


@require_safe
def older_checkpoint(request: HttpRequest, size: int) -> HttpResponse:
    """The checkpoint that was signed at this size: what shows that one key handed over to the next."""
    found = Checkpoint.objects.filter(size=size).first() if size < 2**63 else None
    if found is None:
        raise Http404("No checkpoint of this size.")
    response = HttpResponse(found.note, content_type="text/plain; charset=utf-8")
    response["Cache-Control"] = FOREVER
    return response


@require_safe
def verifier(request: HttpRequest) -> HttpResponse:
    """The stand-alone verifier as one file for Python."""
    response = HttpResponse(verifier_app(), content_type="application/octet-stream")
    response["Content-Disposition"] = 'attachment; filename="hourglass-verify.pyz"'
    return response


@require_safe
def policy(request: HttpRequest) -> HttpResponse:
    """The policy file: the log's key, its witnesses and their quorum (c2sp.org/tlog-policy)."""
    if not settings.LEDGER_POLICY_FILE:
        raise Http404("No witnesses are asked.")
    return HttpResponse(Path(settings.LEDGER_POLICY_FILE).read_bytes(), content_type="text/plain; charset=utf-8")


@require_safe
def key(request: HttpRequest) -> HttpResponse:
    """The log's public keys, a line each."""
    return HttpResponse(
        "".join(f"{verifier}\n" for verifier in configured_verifiers()), content_type="text/plain; charset=utf-8"
    )


@require_safe
def tile(request: HttpRequest, level: str, path: str) -> HttpResponse:
    """A tile of hashes, or a bundle of entries (level `entries`)."""
    place = _tile_place(path)
    if place is None:
        raise Http404("No such tile.")
    index, width = place
    data = entry_bundle(index, width) if level == "entries" else tile_bytes(_level(level), index, width)
    if data is None:
        raise Http404("No such tile.")
    response = HttpResponse(data, content_type="application/octet-stream")
    response["Cache-Control"] = FOREVER
    return response


def _level(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 2 or (text.startswith("0") and text != "0"):
        raise Http404("No such tile.")
    return int(text)


def _tile_place(path: str) -> tuple[int, int] | None:
    """`x001/234.p/17` is tile 1234 with 17 hashes; None where the path is not a canonical one."""
    name, partial, width_text = path.partition(".p/")
    digits = name.replace("x", "").replace("/", "")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        return None
    if partial and not (width_text.isascii() and width_text.isdigit() and len(width_text) <= 3):
        return None
    index, width = int(digits), int(width_text) if partial else 256
    if not 0 < width <= 256 or tile_path(index) + partial_suffix(width) != path:
        return None
    return index, width
