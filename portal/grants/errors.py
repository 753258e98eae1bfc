"""Why a file of grants is not taken, or not granted."""

from ledger.errors import Refusal


class BadUpload(Refusal):
    """The file as a whole, or lines of it: `problems` says which and why."""

    code = "bad_upload"

    def __init__(self, message: str, problems: list[str] | None = None) -> None:
        super().__init__(message, field="file")
        self.problems = problems or []


class UploadDecided(Refusal):
    code = "upload_decided"


class LineRefused(Refusal):
    """One line could not be granted, so none was."""

    code = "line_refused"
