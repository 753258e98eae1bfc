"""Every number is shown with its unit, and no more digits than mean something."""

from django import template

register = template.Library()
