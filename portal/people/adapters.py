"""How allauth makes our people: each with a wallet, university accounts too."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from portal.people.accounts import save_with_wallet
from portal.people.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """allauth's defaults, and a wallet with every sign-up."""

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        super().save_user(request, user, form, commit=False)
        user.email = user.email.lower()
        user.name = form.cleaned_data.get("name", "") or user.name
        if commit:
            with transaction.atomic():
                save_with_wallet(user, now=timezone.now())
        return user


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """A university account is known by its `sub` alone, as allauth keys it; its name and address may change."""

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> User:
        user: User = super().populate_user(request, sociallogin, data)
        parts = (data.get("name"), " ".join(filter(None, (data.get("first_name"), data.get("last_name")))))
        user.name = next((part for part in parts if part), "")[:150]
        user.email = (user.email or "").lower()
        return user

    @transaction.atomic
    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> User:
        save_with_wallet(sociallogin.user, now=timezone.now())
        user: User = super().save_user(request, sociallogin, form)
        return user
