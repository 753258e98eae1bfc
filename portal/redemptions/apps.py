from django.apps import AppConfig


class RedemptionsConfig(AppConfig):
    name = "portal.redemptions"
    label = "redemptions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Whoever sends a task, in whichever thread, sends it by our app and so to our broker.
        from portal.celery import app

        app.set_default()
