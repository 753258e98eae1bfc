"""Device login: a program asks for a key, and fetches it once its person has approved. Nobody is signed in here."""

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view, authentication_classes, permission_classes, throttle_classes
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api.authentication import Anybody
from portal.api.devices import INTERVAL, LIFETIME, start_device_login, take_key
from portal.api.documents import DeviceOut, DeviceTokenOut, ProblemOut
from portal.api.errors import DeviceRefused
from portal.api.examples import DEVICE, DEVICE_TOKEN
from portal.api.forms import DeviceIn, DeviceTokenIn
from portal.api.problems import CONTENT_TYPE, BadRequest
from portal.api.routing import sent
from portal.api.throttling import AddressRate

_PROBLEMS: dict[Any, Any] = {(code, CONTENT_TYPE): ProblemOut for code in (400, 413, 415, 422, 429)}


@extend_schema(
    operation_id="device_start", request=DeviceIn, responses={201: DeviceOut, **_PROBLEMS}, auth=[], examples=DEVICE
)
@api_view(["POST"])
@authentication_classes([Anybody])
@permission_classes([])
@throttle_classes([AddressRate])
def start(request: Request) -> Response:
    """Ask for a key: the answer says which code its person types, and where."""
    started = start_device_login(now=timezone.now(), **sent(request, DeviceIn))
    page = request.build_absolute_uri(reverse("device"))
    code = started.login.shown_code
    said = {
        "device_code": started.device_code, "user_code": code, "verification_uri": page,
        "verification_uri_complete": f"{page}?{urlencode({'code': code})}",
        "expires_in": int(LIFETIME.total_seconds()), "interval": int(INTERVAL.total_seconds()),
    }  # fmt: skip
    return Response(DeviceOut(said).data, status=201)


@extend_schema(
    operation_id="device_token",
    request=DeviceTokenIn,
    responses={200: DeviceTokenOut, **_PROBLEMS},
    auth=[],
    examples=DEVICE_TOKEN,
)
@api_view(["POST"])
@authentication_classes([Anybody])
@permission_classes([])
@throttle_classes([AddressRate])
def token(request: Request) -> Response:
    """Fetch the key, once. Until then 400: `authorization_pending`, `slow_down`, `access_denied`, `expired_token`."""
    try:
        scopes, secret = take_key(sent(request, DeviceTokenIn)["device_code"], now=timezone.now())
    except DeviceRefused as refusal:
        raise BadRequest(refusal.code, refusal.message) from refusal
    return Response(DeviceTokenOut({"access_token": secret, "token_type": "Bearer", "scopes": scopes}).data)
