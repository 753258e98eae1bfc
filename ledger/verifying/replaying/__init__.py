"""The rules of value as an outsider replays them: one module a kind of entry, all of them pure."""
