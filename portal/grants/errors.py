"""Why a file of grants is not taken, or not granted."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from ledger.errors import Refusal


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong with one line of a file."""

    line: int
    what: str

    def __str__(self) -> str:
        return _("Line %(line)d: %(what)s") % {"line": self.line, "what": self.what}


class BadUpload(Refusal):
    """The file as a whole, or lines of it: `problems` says which and why."""

    code = "bad_upload"

    def __init__(self, message: str, problems: list[Problem] | None = None) -> None:
        super().__init__(message, field="file")
        self.problems = problems or []


class UploadDecided(Refusal):
    code = "upload_decided"


class LineRefused(Refusal):
    """One line could not be granted, so none was."""

    code = "line_refused"
