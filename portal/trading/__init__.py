"""Market pages, the order ticket, price alerts and the event stream."""
