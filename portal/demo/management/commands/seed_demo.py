from typing import Any

from django.core.management.base import BaseCommand

from portal.demo.world import is_made, make_world


class Command(BaseCommand):
    help = "Make the demo world, unless it is there."

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_made():
            make_world()
            self.stdout.write("Made the demo world.")
