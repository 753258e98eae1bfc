from django.apps import AppConfig


class InstitutesConfig(AppConfig):
    name = "portal.institutes"
    label = "institutes"
    default_auto_field = "django.db.models.BigAutoField"
