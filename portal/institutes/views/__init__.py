"""Pages for everybody and for students (`public`), and for those who lead an institute (`leading`)."""
