"""Cells that no spreadsheet takes for a formula."""

# A spreadsheet runs what begins with one of these; import-export strips one leading = only.
STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe_cell(text: str) -> str:
    """A text as a cell: prefixed where a spreadsheet would run it. Figures are written without this."""
    return f"'{text}" if text.lstrip(" ").startswith(STARTS_FORMULA) or text.startswith(STARTS_FORMULA) else text
