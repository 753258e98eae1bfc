"""Where c2sp.org/tlog-tiles puts things. Pure."""


def tile_path(index: int) -> str:
    """`x001/x234/067` for tile 1234067."""
    parts = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        parts.append(f"x{index % 1000:03d}")
    return "/".join(reversed(parts))


def partial_suffix(width: int, full: int = 256) -> str:
    """Behind the path of a tile that is not full: how many hashes it has."""
    return "" if width == full else f".p/{width}"
