"""How fast it is, told as ratios to a reference measured in the same run: `bin/bench NAME [--json]`."""
