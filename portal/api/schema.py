"""What drf-spectacular cannot know by itself of our keys and fields."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension

PRINTABLE = "^[^\\x00-\\x1f\\x7f]*$"


class BearerKeyScheme(OpenApiAuthenticationExtension):
    target_class = "portal.api.authentication.BearerKey"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API key, made on the page of your profile."}


class UnitsSchema(OpenApiSerializerFieldExtension):
    target_class = "portal.api.fields.Units"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        least, most = self.target.least, self.target.most
        digits = "^[1-9][0-9]{0,18}$" if least else "^(0|[1-9][0-9]{0,18})$"
        return {
            "oneOf": [{"type": "integer", "minimum": least, "maximum": most}, {"type": "string", "pattern": digits}]
        }


class WordsSchema(OpenApiSerializerFieldExtension):
    target_class = "portal.api.fields.Words"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "string", "minLength": self.target.least, "maxLength": self.target.most, "pattern": PRINTABLE}


class TextSchema(OpenApiSerializerFieldExtension):
    target_class = "portal.api.fields.Text"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "string", "minLength": self.target.least, "maxLength": self.target.most}


def closed(result: dict[str, Any], **_more: object) -> dict[str, Any]:
    """Bodies take the fields that they name and no other."""
    for name, component in result["components"]["schemas"].items():
        if name.removesuffix("Request").removeprefix("Patched").endswith("In") and component.get("type") == "object":
            component["additionalProperties"] = False
    return result
