"""The page where a person makes and revokes API keys, after showing once more who they are."""

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from ledger.errors import Refusal
from portal.api.forms import KeyForm
from portal.api.keys import keys_of, make_key, revoke_key
from portal.people.forms import posted
from portal.people.models import User


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@reauthentication_required(allow_get=True)
@never_cache
def keys(request: HttpRequest) -> HttpResponse:
    """My API keys, and a form for another. A new key's secret is on the answer to that form and nowhere else."""
    user, now = request.user, timezone.now()
    assert isinstance(user, User)
    form, secret = KeyForm(posted(request), label_suffix=""), ""
    if form.is_valid():
        try:
            _key, secret = make_key(user_id=user.id, now=now, **form.cleaned_data)
            form = KeyForm(label_suffix="")
        except Refusal as refusal:
            form.add_error(None, refusal.message)
    rows = [{"key": key, "usable": key.is_usable(now)} for key in keys_of(user)[:50]]
    context = {"form": form, "rows": rows, "secret": secret, "now": now}
    return render(request, "api/keys.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
@reauthentication_required
def revoke(request: HttpRequest, key_id: int) -> HttpResponse:
    """One of my keys opens nothing any more."""
    assert isinstance(request.user, User)
    key = get_object_or_404(keys_of(request.user), id=key_id)
    revoke_key(key_id=key.id, now=timezone.now())
    messages.success(request, _("The key %(name)s is revoked.") % {"name": key.name})
    return redirect("api-keys")
