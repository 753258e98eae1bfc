"""What a person hands in to be run: a text file, taken as it is but for its line ends."""

import unicodedata

from django.utils.translation import gettext as _

from scheduler.errors import ScriptRefused

MAX_SCRIPT_BYTES = 256 * 1024


def clean_script(text: str) -> str:
    """The script with Unix line ends. Raises ScriptRefused for what cannot be a script."""
    if len(text) > MAX_SCRIPT_BYTES or len(text.encode(errors="surrogatepass")) > MAX_SCRIPT_BYTES:
        raise ScriptRefused(
            _("The script is larger than %(most)s KiB.") % {"most": MAX_SCRIPT_BYTES // 1024}, field="script"
        )
    script = text.replace("\r\n", "\n").replace("\r", "\n")
    # PostgreSQL cannot keep it, and no shell or Python runs it.
    if "\0" in script:
        raise ScriptRefused(
            _("The script has NUL bytes in it: it is a program or an archive, not a text."), field="script"
        )
    if any(unicodedata.category(letter) in {"Cc", "Cs"} and letter not in "\n\t\f\x1b" for letter in script):
        raise ScriptRefused(_("The script has bytes in it that no text has."), field="script")
    script = script.removeprefix("\ufeff")
    if not script.strip():
        raise ScriptRefused(_("The script is empty."), field="script")
    return script if script.endswith("\n") else script + "\n"


def has_shebang(script: str) -> bool:
    """Whether its first line says what runs it; else bash does."""
    return script.startswith("#!")
