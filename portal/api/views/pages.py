"""The pages where a person makes and revokes API keys and lets a program in, after showing once more who they are."""

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from ledger.errors import Refusal
from portal.api.devices import decide_login, pending_login
from portal.api.forms import CodeForm, KeyForm
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


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@reauthentication_required(allow_get=True)
@never_cache
def device(request: HttpRequest) -> HttpResponse:
    """The code that a program shows; then what the program wants, to approve or not."""
    typed = posted(request) or (request.GET if "code" in request.GET else None)
    form, login = CodeForm(typed, label_suffix=""), None
    if form.is_valid():
        login = pending_login(form.cleaned_data["code"], now=timezone.now())
        if login is None:
            form.add_error("code", _("No program waits with this code. Codes last ten minutes; start again from it."))
    context = {"form": form, "login": login}
    return render(request, "api/device.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
@reauthentication_required
def decide_device(request: HttpRequest, login_id: int) -> HttpResponse:
    """Yes or no to the program that waits. The code was typed by whoever decides, so it is asked for again."""
    assert isinstance(request.user, User)
    now = timezone.now()
    login = pending_login(request.POST.get("code", ""), now=now)
    if login is None or login.id != login_id:
        raise Http404
    approves = "approve" in request.POST
    try:
        decide_login(login_id=login.id, user_id=request.user.id, approves=approves, now=now)
    except Refusal as refusal:
        messages.error(request, refusal.message)
        return redirect("device")
    if approves:
        messages.success(request, _("%(name)s may act for you. Go back to it.") % {"name": login.name})
    else:
        messages.success(request, _("%(name)s was not let in.") % {"name": login.name})
    return redirect("api-keys")
