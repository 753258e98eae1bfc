"""One's own page, and the wallet one acts for."""

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from portal.people.access import ACTING, wallets_of
from portal.people.accounts import rename
from portal.people.forms import ProfileForm, posted
from portal.people.models import Membership, User


@login_required
@require_http_methods(["GET", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    """Who I am here, my roles, and the ways in I have set up."""
    user = request.user
    assert isinstance(user, User)
    form = ProfileForm(posted(request), initial={"name": user.name})
    if request.method == "POST" and form.is_valid():
        rename(user_id=user.id, name=form.cleaned_data["name"])
        messages.success(request, _("Your name is saved."))
        return redirect("profile")
    memberships = Membership.objects.filter(user=user).select_related("organisation").order_by("role", "id")
    status = 422 if form.errors else 200
    return render(request, "people/profile.html", {"form": form, "memberships": memberships}, status=status)


@login_required
@require_POST
def act_for(request: HttpRequest) -> HttpResponse:
    """Choose the wallet to act for, among one's own."""
    try:
        public_id = uuid.UUID(request.POST.get("wallet", ""))
    except ValueError as error:
        raise Http404 from error
    wallet = get_object_or_404(wallets_of(request.user), public_id=public_id)
    request.session[ACTING] = str(wallet.public_id)
    messages.info(request, _("You now act for %(name)s.") % {"name": wallet.name})
    wanted = request.POST.get("next", "")
    local = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return redirect(wanted if local else "landing")
