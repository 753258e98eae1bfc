"""What the trading section shows on every page: alerts that have fired."""

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from portal.trading.models import PriceAlert


def fired_alerts(request: HttpRequest) -> dict[str, object]:
    """Lazy: pages without the frame ask nothing."""

    def found() -> list[PriceAlert]:
        user = getattr(request, "user", None)
        if user is None or not user.is_authenticated:
            return []
        fired = PriceAlert.objects.filter(user=user, fired_at__isnull=False, seen_at=None)
        return list(fired.select_related("instrument").order_by("-fired_at", "-id")[:20])

    return {"fired_alerts": SimpleLazyObject(found)}
