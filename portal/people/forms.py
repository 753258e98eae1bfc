"""Forms about oneself, and how every form of the site is drawn."""

from django import forms
from django.forms.renderers import TemplatesSetting
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext_lazy as _


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form is bound to: also to an empty post, which is then told what it lacks."""
    return request.POST if request.method == "POST" else None


class Renderer(TemplatesSetting):
    """One column: label above, help below, error beside the field and summed at the top."""

    form_template_name = "_form.html"
    field_template_name = "_field.html"


class NameField(forms.CharField):
    def __init__(self, **kwargs: object) -> None:
        super().__init__(
            label=_("Name"),
            max_length=150,
            help_text=_("Shown to those you deal with. It is never written to the ledger."),
            widget=forms.TextInput(attrs={"autocomplete": "name"}),
            **kwargs,  # type: ignore[arg-type]
        )


class SignupForm(forms.Form):
    """What we ask beside address and password."""

    name = NameField()
    field_order = ["name", "email", "password1", "password2"]

    def signup(self, request: object, user: object) -> None:
        """The adapter has saved the name already."""


class ProfileForm(forms.Form):
    name = NameField()
