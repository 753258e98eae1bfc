"""Fields that take one form of a value and refuse the rest."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from portal.api.problems import BadRequest

_LARGEST = 2**63 - 1
_NO_NUMBER = re.compile(r"[+-]?(nan|inf|infinity|\d+(\.\d*)?e[+-]?\d+)", re.ASCII | re.IGNORECASE)


class Units(serializers.Field):
    """A whole number of the smallest unit: a JSON integer, or its digits in a string."""

    default_error_messages = {
        "not_whole": _("Give a whole number of units, or its digits in a string."),
        "out_of_range": _("The number must be from {least} to {most}."),
    }

    def __init__(self, *, least: int = 1, most: int = _LARGEST, **options: Any) -> None:
        super().__init__(**options)
        self.least, self.most = least, most

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str) and len(data) < 100 and _NO_NUMBER.fullmatch(data):
            raise BadRequest("malformed", str(_("That is not a number of anything.")), field=self.field_name)
        if isinstance(data, str) and re.fullmatch(r"(0|[1-9][0-9]{0,18})", data, re.ASCII):
            data = int(data)
        if type(data) is not int:
            self.fail("not_whole")
        if not self.least <= data <= self.most:
            self.fail("out_of_range", least=self.least, most=self.most)
        return int(data)

    def to_representation(self, value: int) -> int:
        return value


class Words(serializers.Field):
    """A string of printable characters, taken as it is."""

    default_error_messages = {
        "not_text": _("Give a string."),
        "bad_length": _("Give {least} to {most} characters."),
        "not_printable": _("Only printable characters are taken."),
    }

    def __init__(self, *, least: int = 1, most: int, **options: Any) -> None:
        super().__init__(**options)
        self.least, self.most = least, most

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("not_text")
        if not self.least <= len(data) <= self.most:
            self.fail("bad_length", least=self.least, most=self.most)
        if not data.isprintable():
            self.fail("not_printable")
        return str(data)

    def to_representation(self, value: str) -> str:
        return value


class Text(Words):
    """Many lines, such as a script; what it may hold is the action's to say."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("not_text")
        if not self.least <= len(data) <= self.most:
            self.fail("bad_length", least=self.least, most=self.most)
        return str(data)


class OneOf(serializers.ChoiceField):
    """One of the stated words, letter by letter."""

    default_error_messages = {"invalid_choice": _("This is not one of the words that stand here.")}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", input="")
        return str(data)


class YesNo(serializers.BooleanField):
    """true or false, and nothing that only looks like it."""

    default_error_messages = {"invalid": _("Give true or false.")}

    def to_internal_value(self, data: Any) -> bool:
        if type(data) is not bool:
            self.fail("invalid", input="")
        return bool(data)


@extend_schema_field({"type": "string", "format": "date-time"})
class Instant(serializers.Field):
    """RFC 3339 with its zone, such as 2027-01-01T00:00:00Z."""

    default_error_messages = {"not_instant": _("Give an instant with its zone, such as 2027-01-01T00:00:00Z.")}
    _FORM = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str) or not self._FORM.fullmatch(data):
            self.fail("not_instant")
        try:
            found = parse_datetime(data.upper())
        except ValueError:
            found = None
        # Near the ends of the calendar another zone's day has no date.
        if found is None or not 1970 < found.year < 9999:
            self.fail("not_instant")
        assert found is not None
        return found

    def to_representation(self, value: datetime) -> str:
        return value.isoformat().replace("+00:00", "Z")


_forms: dict[type[serializers.Serializer], serializers.Serializer] = {}


def form_of(form: type[serializers.Serializer]) -> serializers.Serializer:
    """The one instance of a form that is given no data: it keeps nothing between calls, and making one copies every
    field."""
    if form not in _forms:
        _forms[form] = form()
    return _forms[form]


class Strict(serializers.Serializer):
    """Takes the fields that it names and refuses every other."""

    default_error_messages = {
        "unknown_field": _("There is no such field."),
        "invalid": _("Send a JSON object."),
    }

    @cached_property
    def _taken(self) -> dict[str, serializers.Field]:
        return {field.field_name: field for field in self._writable_fields}

    def to_internal_value(self, data: Any) -> Any:
        """Of these forms no field has another name inside or a method of the form's own, which the framework looks for
        in each."""
        if not isinstance(data, Mapping):
            raise serializers.ValidationError({"non_field_errors": [self.error_messages["invalid"]]}, "not_an_object")
        unknown = sorted(data.keys() - self._taken.keys())
        if unknown:
            sentence = self.error_messages["unknown_field"]
            raise serializers.ValidationError({name[:80]: [sentence] for name in unknown[:10]}, "unknown_field")
        values, faults = {}, {}
        for name, field in self._taken.items():
            try:
                values[name] = field.run_validation(data.get(name, empty))
            except serializers.SkipField:
                continue
            except serializers.ValidationError as error:
                faults[name] = error.detail
        if faults:
            raise serializers.ValidationError(faults)
        return values


class Anything(serializers.Field):
    """A value that is read later, by itself."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_null=True, **options)

    def to_internal_value(self, data: Any) -> Any:
        return data
