"""Market pages, the order ticket and the event stream."""
