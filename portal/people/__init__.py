"""Users, departments, memberships and roles; `access.py` answers every "may this person…?"."""
