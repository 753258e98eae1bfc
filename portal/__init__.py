"""The website over the engine: one package a section, and the settings that join them.

It owns people and what they may do; value and jobs belong to the engine below it. Sections import `people` and the
engine, never each other.
"""
