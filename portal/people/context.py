"""What every page's frame shows: who I am and for which wallet I act."""

from django.http import HttpRequest


def acting(request: HttpRequest) -> dict[str, object]:
    return {}
